"""Expert of the archetype pick-fragile: pull, squeeze harder until the jar is held, carry it.

The grip is measured by the gripper's own effort, whatever else there is. How hard is enough is
told by two senses, each of which may be absent or have nothing to say
(`sim.tasks.fragile_senses`). Without either, the jar is gripped as the order has it.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Mapping
from typing import cast

import numpy as np

from hil.contracts import FloatArray
from hil.task import Draw
from sim.robots.gripper import GRIP, MOTOR, angle_for
from sim.robots.model import Robot
from sim.robots.so101 import GRAVITY
from sim.tasks.fragile_senses import Hearing, Touch
from sim.tasks.kit.draws import goal_of, number
from sim.tasks.kit.poses import turned_down, yaw_nearest
from sim.tasks.kit.script import Desk, Hand, Moves, Script

TAKEN_M = 0.038
"""Height over the table at which the jar is taken."""
CARRY_M = 0.16
LIFT_M = 0.035
"""Of the hand on its way to the jar, and how much higher than where it was pulled it is carried:
just over the walls of the box."""
FLOOR_M = 0.006
"""Of the box, and a little: how much higher the jar is let go than it was taken. A jar that has
slid in the hand is pushed back by it."""
CENTRE_N = 2.2
"""Squeeze with which the jar is brought between the pads: enough to push it along the table."""
FIRST_N, MOST_N = 0.9, 18.0
"""Squeeze with which pulling begins, and at which it is given up."""
SETTLE_S, BEGUN_S = 0.25, 0.3
"""Time that a jar is given to turn into the grip, and that a pull is given before it is felt."""
GROWTH, FOLLOWS = 1.0, 0.9
"""1/s: the squeeze grows exponentially, since jars differ by factors; but not while less than this
share of what is wanted is there."""
LONGEST_S = 5.0
"""Of a pull, and of what comes before."""
PULL_M_S, PULL_M = 0.006, 0.020
"""How fast the hand is pulled up along a jar that slides, and how far at most."""
BLIND = 1.4
"""Squeeze over what a jar as it is said to be would need."""
FELT, HEARD = 1.2, 1.1
"""Squeeze over that at which the jar was felt, or heard, to be held: room for being carried. It
is heard later, as the last creeping is not silent."""
STIFFNESS_N_M = 6e4
"""Of both pads against a jar: squeeze over closing; it only decides how quickly a squeeze comes."""


class Grip:
    """The gripper as a hand that squeezes with so much force."""

    def __init__(self, desk: Desk, robot: Robot) -> None:
        self._desk = desk
        self._at = robot.places([MOTOR])[0]

    @property
    def squeeze(self) -> float:
        """Of one finger, by the motor's effort, N."""
        return GRIP * abs(float(self._desk.view.joints.effort[self._at]))

    def towards(self, force: float) -> None:
        """Close or open a little, so that the squeeze comes nearer to `force` N."""
        change = np.clip(0.15 * (force - self.squeeze) / STIFFNESS_N_M, -1e-4, 1e-4)
        self._desk.target[self._at] -= angle_for(float(change))

    def close(self, speed: float) -> None:
        """Close at `speed` m/s."""
        self._desk.target[self._at] -= angle_for(speed * self._desk.tick_s)


def script(draw: Draw, robot: Robot) -> Script:
    """The expert's moves, given the jar's width and what the order says of it."""
    said = cast(Mapping[str, float], draw["said"])
    width, goal = number(draw, "width_m"), goal_of(draw, "jar")
    light_n = Touch.PLAIN_N / 2 / said["least_friction"]
    blind_n = BLIND * said["mass_kg"] * GRAVITY / 2 / said["friction"]

    def play(desk: Desk) -> Moves:
        hand, grip = Hand(desk, robot), Grip(desk, robot)
        jar = desk.view.tracked["jar"].copy()
        across = turned_down(yaw_nearest(jar[3:], math.pi))
        yield from hand.reach([*jar[:2], CARRY_M], across, 0.35)
        jar = yield from desk.measured("jar")
        yield from hand.reach([*jar[:2], TAKEN_M], across, 0.25, near=0.001)
        yield from hand.grip(angle_for(width + 0.001), 0.5)
        touch, hearing = Touch(desk), Hearing(desk)
        yield from _close(desk, grip, hearing)
        enough = yield from _pull(desk, hand, grip, touch, hearing, across, blind_n, light_n)
        for _ in range(60):
            grip.towards(enough)
            yield
        here, _ = hand.where(measured=False)
        high = here[2] + LIFT_M
        yield from hand.reach([*here[:2], high], across, 0.04)
        yield from hand.reach([*goal[:2], high], across, 0.12)
        yield from hand.reach([*goal[:2], TAKEN_M + FLOOR_M], across, 0.06)
        yield from hand.grip(angle_for(min(0.08, width + 0.015)), 0.4)
        yield from hand.reach([*goal[:2], CARRY_M], across, 0.2)

    return play


def _close(desk: Desk, grip: Grip, hearing: Hearing) -> Moves:
    """Until the jar is felt by the motor, slowly: a millimetre a second is 60 N a second."""
    desk.stage += 1
    end_s = desk.view.elapsed_s + 6.0
    while grip.squeeze < 0.6 * FIRST_N and desk.view.elapsed_s < end_s:
        hearing.listen_before()
        grip.close(0.0008)
        yield


def _settle(desk: Desk, grip: Grip, hearing: Hearing, force: float) -> Moves:
    """Squeeze with `force` N for a while, and first until that much is there: one pad pushes the
    jar along, and it turns, until its faces lie on both."""
    held_s, latest_s = 0.0, desk.view.elapsed_s + LONGEST_S
    while held_s < SETTLE_S and desk.view.elapsed_s < latest_s:
        firm = grip.squeeze > FOLLOWS * force
        held_s = held_s + desk.tick_s if firm else 0.0
        if firm:
            grip.towards(force)
        else:
            grip.close(0.0006)
        hearing.listen_before()
        yield


def _pull(
    desk: Desk,
    hand: Hand,
    grip: Grip,
    touch: Touch,
    hearing: Hearing,
    across: FloatArray,
    blind_n: float,
    light_n: float,
) -> Generator[None, None, float]:
    """Pull up and squeeze harder until the jar is held; returns the squeeze that is enough, N."""
    unknown_n = min(blind_n, light_n) if touch.present else blind_n
    yield from _settle(desk, grip, hearing, CENTRE_N)
    yield from _settle(desk, grip, hearing, FIRST_N)
    latest_s = desk.view.elapsed_s + LONGEST_S
    desk.stage += 1
    start, _ = hand.where(measured=False)
    pulled_s = 0.0
    while True:
        unknown = not touch.speaks and not hearing.speaks
        wanted = min(unknown_n if unknown else MOST_N, FIRST_N * math.exp(GROWTH * pulled_s))
        # a jar that one pad still pushes along takes time, and no more than the grip does
        if grip.squeeze > FOLLOWS * wanted:
            pulled_s += desk.tick_s
        grip.towards(wanted)
        hand.aim(start + np.array([0.0, 0.0, min(PULL_M, PULL_M_S * pulled_s)]), across)
        yield
        hearing.look()
        if pulled_s > BEGUN_S:
            touch.look()
        if touch.held and not hearing.denies:
            return FELT * grip.squeeze
        if hearing.held and not touch.speaks:
            return HEARD * grip.squeeze
        if PULL_M_S * pulled_s > PULL_M or desk.view.elapsed_s > latest_s:
            return wanted
