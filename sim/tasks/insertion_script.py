"""Expert of the archetype insertion: feel where the hole is with a corner of the tilted peg.

A peg that leans into a corner of the hole reaches into it wherever the hole is within some
millimetres. There it is moved against two walls, against one of them in two places, until the
wrist feels them; that gives the hole's place and turn. Then the peg is set upright over it and
lowered, yielding to what pushes it sideways.
"""

from __future__ import annotations

import math
from collections.abc import Generator

import numpy as np

from hil.contracts import FloatArray
from hil.task import Draw
from sim.robots.gripper import angle_for
from sim.robots.model import Robot
from sim.tasks.kit.draws import number
from sim.tasks.kit.poses import from_vector, turned_down, yaw_nearest
from sim.tasks.kit.script import Desk, Hand, Moves, Script
from sim.tasks.kit.wrist import Wrist

FLOOR_M, STAND_FLOOR_M = 0.005, 0.003
"""Of socket and stand, over the table."""
GRIP_BELOW_TOP_M = 0.036
"""Where the peg is gripped: as low as the palm over it allows."""

CLEAR_M = 0.02
"""Of the peg's lower end over what it is lifted out of or carried over."""
TILT_RAD = 0.35
ENTRY_M = 0.0012
"""How deep the leaning corner reaches into the hole."""
TOUCH_N, BLOW_N = 3.0, 8.0
"""Felt when something is touched slowly, and more than what speeding up and slowing down feels
like at `LOWER_M_S`: every new set-point jolts the tool a little, the more the faster it goes."""
PROBE_M_S, LOWER_M_S = 0.006, 0.03
PRESS_N, PRESSED_M_S = 6.0, 0.001
"""Axial force with which a peg that is held up is pressed on, and how fast that is sought."""
NEAR_FLOOR_M, LOWERING_S = 0.0015, 5.0
SEEK_M, SEEK_TURN_RAD, SEEK_S, SEEK_RAD_S = 0.001, 0.02, 3.0, 8.0
"""Largest circle and turn of a peg that seeks its hole, when they are reached, and its speed."""
YIELD_M_S_N = 5e-5
"""Sideways speed of the peg away from what pushes it, for a newton."""
TARE_S = 0.15


class Peg:
    """A square peg in the hand: where its lower end is, and the edge that leads when it leans."""

    def __init__(self, hand: Hand, wrist: Wrist, width: float, tip: FloatArray) -> None:
        self.hand, self.wrist = hand, wrist
        self._tip, self._corner = tip, tip + np.array([width / 2, -width / 2, 0.0])

    def hand_for_tip(self, tip: FloatArray, axes: FloatArray) -> FloatArray:
        """Where the hand is when the middle of the peg's lower end is at `tip`."""
        return np.asarray(tip - axes @ self._tip)

    def hand_for_corner(self, corner: FloatArray, axes: FloatArray) -> FloatArray:
        """Where the hand is when the leading corner is at `corner`."""
        return np.asarray(corner - axes @ self._corner)

    def edge(self, height: float) -> FloatArray:
        """Where the edge over the leading corner passes `height` m, as measured."""
        position, axes = self.hand.where()
        corner, up = position + axes @ self._corner, -axes[:, 2]
        return np.asarray(corner + up * (height - corner[2]) / up[2])

    def probe(
        self, way: FloatArray, longest: float, height: float
    ) -> Generator[None, None, FloatArray]:
        """Move along the unit vector `way` until something is felt against it, and say where the
        edge was at `height`."""
        start, axes = self.hand.where(measured=False)
        gone = 0.0
        while gone < longest and -(self.wrist.force() @ way) < TOUCH_N:
            gone += PROBE_M_S * self.hand.desk.tick_s
            self.hand.aim(start + gone * way, axes)
            yield
        return self.edge(height)


def script(draw: Draw, robot: Robot) -> Script:
    """The expert's moves, given the sizes of a draw."""
    width, length = number(draw, "width_m"), number(draw, "length_m")
    hole, depth = number(draw, "hole_m"), number(draw, "depth_m")
    above_tip = length - GRIP_BELOW_TOP_M

    def play(desk: Desk) -> Moves:
        hand, wrist = Hand(desk, robot), Wrist(desk, Hand(desk, robot, tool="flange"))
        yield from hand.grip(angle_for(width + 0.03), 0.05)
        found = desk.view.tracked["peg"]
        across = turned_down(yaw_nearest(found[3:]))
        grip_at = STAND_FLOOR_M + above_tip
        yield from hand.reach([*found[:2], grip_at + 0.06], across, 0.35)
        found = yield from desk.measured("peg")
        across = turned_down(yaw_nearest(found[3:]))
        yield from hand.reach([*found[:2], grip_at], across, 0.2)
        yield from hand.grip(angle_for(width - 0.007), 0.4)
        peg = Peg(hand, wrist, width, np.array([0.0, 0.0, above_tip]))
        here = hand.where(measured=False)[0]
        yield from hand.reach(here + np.array([0.0, 0.0, 0.035]), across, 0.2)
        told = yield from desk.measured("socket")
        told[2] = FLOOR_M + depth  # it stands on the table
        middle, yaw = yield from _felt(peg, told, hole)
        axes = turned_down(yaw)
        over = np.array([*middle, told[2] + 0.002])
        yield from hand.reach(peg.hand_for_tip(over, axes), axes, 0.1, near=0.0003)
        yield from _lower(desk, peg, told[2] - depth)
        yield from hand.grip(angle_for(width + 0.02), 0.3)
        here = hand.where(measured=False)[0]
        yield from hand.reach(here + np.array([0.0, 0.0, 0.08]), axes)

    return play


def _felt(
    peg: Peg, told: FloatArray, hole: float
) -> Generator[None, None, tuple[FloatArray, float]]:
    """Middle (2,) m and turn in rad of the hole of width `hole`, whose pose is `told` roughly."""
    yaw, top = yaw_nearest(told[3:]), float(told[2])
    ahead = np.array([math.cos(yaw), math.sin(yaw), 0.0])
    aside = np.array([-math.sin(yaw), math.cos(yaw), 0.0])
    up = np.array([0.0, 0.0, 1.0])
    lean = TILT_RAD * np.cross(up, (ahead + aside) / math.sqrt(2))
    axes = from_vector(lean) @ turned_down(yaw)
    first = told[:3] + 0.002 * ahead
    above = peg.hand_for_corner(first + CLEAR_M * up, axes)
    yield from peg.hand.reach(above, axes, 0.3, near=0.001)
    yield from peg.wrist.tare(TARE_S)
    low = peg.hand_for_corner(first - ENTRY_M * up, axes)
    yield from peg.hand.reach(
        low, axes, LOWER_M_S, near=0.0002, until=lambda: peg.wrist.force()[2] > BLOW_N
    )
    touched = []
    for way in (ahead, aside, ahead):
        touched.append((yield from peg.probe(way, 0.016, top)))
        here, _ = peg.hand.where(measured=False)
        # off both walls, so that the next is felt alone
        yield from peg.hand.reach(here - 0.0015 * way, axes, 0.03, near=0.0005)
    one, side, two = ((point - told[:3]) for point in touched)
    turn = -math.atan2((two - one) @ ahead, (two - one) @ aside)
    turn = max(-0.05, min(0.05, turn))
    x = math.cos(turn) * ahead + math.sin(turn) * aside
    y = -math.sin(turn) * ahead + math.cos(turn) * aside
    middle = told[:3] + ((one + two) @ x / 2 - hole / 2) * x + (side @ y - hole / 2) * y
    here, _ = peg.hand.where(measured=False)
    yield from peg.hand.reach(here + (CLEAR_M - 0.01) * up, axes, 0.2, near=0.005)
    return middle[:2], yaw + turn


def _lower(desk: Desk, peg: Peg, floor: float) -> Moves:
    """Lower the upright peg to `floor` m, yielding sideways, until it is felt to stand. Where
    it is held up on the way, it seeks round about, in growing circles and turning a little."""
    position, axes = peg.hand.where(measured=False)
    end = float(peg.hand_for_tip(np.array([0.0, 0.0, floor]), axes)[2])
    sought_s, end_s = 0.0, desk.view.elapsed_s + LOWERING_S
    while desk.view.elapsed_s < end_s:
        force, left = peg.wrist.force(), float(position[2]) - end
        met = force[2] > TOUCH_N
        if met and left < NEAR_FLOOR_M:
            return
        if met:
            sought_s += desk.tick_s
        speed = LOWER_M_S if left > 0.004 and not met else 0.004
        if met:
            speed = PRESSED_M_S * max(-1.0, 1.0 - float(force[2]) / PRESS_N)
        position = position - np.array([0.0, 0.0, speed * desk.tick_s])
        position[:2] += YIELD_M_S_N * force[:2] * desk.tick_s
        angle, part = SEEK_RAD_S * sought_s, min(1.0, sought_s / SEEK_S)
        aside = part * SEEK_M * np.array([math.cos(angle), math.sin(angle), 0.0])
        turn = np.array([0.0, 0.0, part * SEEK_TURN_RAD * math.sin(0.37 * angle)])
        peg.hand.aim(position + aside, from_vector(turn) @ axes)
        yield
