"""Expert of the archetype handover: bring it, hold it out, and let go when somebody pulls.

The pull is felt by the wrist: force beside what was tared with the thing in the air, before it
is within the receiver's reach. It counts once it has lasted for `FELT_S`, so that a spike does
not.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from hil.task import Draw
from sim.robots.gripper import angle_for
from sim.robots.model import Robot
from sim.tasks.handover_things import KINDS, grip_height, taken_height
from sim.tasks.kit.draws import number
from sim.tasks.kit.poses import turned_down, yaw_nearest, yaw_of
from sim.tasks.kit.script import Desk, Hand, Moves, Script
from sim.tasks.kit.wrist import Wrist

PULL_SHARE = 0.88
"""Of the force that is agreed to be a pull, what is one when it is felt: more than a touch, with
room for the errors of the sensor."""
FELT_S = 0.016
SETTLED_S = 0.08
"""After a motion, until what slows the hand down is no longer felt."""
CLEAR_M = 0.05
"""Of the thing over the table, before it is carried."""
BEFORE_M = 0.09
"""How far before the receiver's hand it is brought quickly."""
PRESSED_M = 0.004
"""How much closer than the thing is wide the gripper is told to be: it presses with all its force,
and has not far to go back."""
FAST_M_S, HELD_OUT_M_S = 0.55, 0.20


def pulled(desk: Desk, felt: Callable[[], float], force_n: float) -> Moves:
    """Wait until what is felt, in N, is a pull with so much, for as long as it takes."""
    since_s = desk.view.elapsed_s
    while desk.view.elapsed_s - since_s < FELT_S:
        yield
        if felt() < force_n:
            since_s = desk.view.elapsed_s


def script(draw: Draw, robot: Robot) -> Script:
    """The expert's moves, given the kind and the size of the thing."""
    kind, width, length = str(draw["thing"]), number(draw, "width_m"), number(draw, "length_m")
    grip_at, taken_at = grip_height(kind, length), taken_height(kind, length)

    def play(desk: Desk) -> Moves:
        hand = Hand(desk, robot)
        wrist = Wrist(desk, Hand(desk, robot, tool="flange"))
        yield from hand.grip(angle_for(min(0.08, width + 0.03)), 0.05)
        yield from fetch(hand, kind, length, width, grip_at)
        receiver = yield from desk.measured("receiver", 0.1)
        facing = float(yaw_of(receiver[None, 3:])[0])
        across = turned_down(facing)
        # where the hand has to be so that the thing, as it lies in it, is where it is taken
        here, _ = hand.where()
        lies = (yield from desk.measured("thing", 0.1))[:3] - here
        goal = receiver[:3] - np.array([0.0, 0.0, lies[2] + taken_at])
        way = np.array([math.cos(facing), math.sin(facing), 0.0])
        yield from hand.reach(goal - BEFORE_M * way, across, FAST_M_S, near=0.002)
        yield from desk.wait(SETTLED_S)
        yield from wrist.tare()
        yield from hand.reach(goal, across, HELD_OUT_M_S, near=0.002)
        yield from desk.wait(SETTLED_S)
        yield from pulled(desk, wrist.strength, PULL_SHARE * number(draw, "pull_n"))
        yield from hand.grip(angle_for(min(0.08, width + 0.03)), 0.05)

    return play


def fetch(hand: Hand, kind: str, length: float, width: float, grip_at: float) -> Moves:
    """Take the thing that stands on the table, and lift it a little."""
    quarter, desk = KINDS[kind].quarter, hand.desk
    found = desk.view.tracked["thing"]
    round_about = quarter >= math.pi
    across = turned_down(0.0 if round_about else yaw_nearest(found[3:], quarter))
    height = length / 2 + grip_at
    yield from hand.reach([*found[:2], height + 0.07], across, FAST_M_S, near=0.01)
    found = yield from desk.measured("thing", 0.1)
    yield from hand.reach([*found[:2], height], across, 0.3, near=0.002)
    yield from hand.grip(angle_for(width - PRESSED_M), 0.3)
    yield from hand.reach([*found[:2], height + CLEAR_M], across, 0.3, near=0.01)
