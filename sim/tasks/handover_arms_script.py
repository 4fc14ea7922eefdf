"""Expert of the archetype handover-arms: the left arm brings the bar, the right one takes it.

One policy moves both arms, and yet the left one lets go only at what its own wrist feels: that
the right one, which has closed its gripper, pulls.
"""

from __future__ import annotations

import numpy as np

from hil.contracts import FloatArray
from hil.task import Draw
from sim.robots import two_panda
from sim.robots.gripper import angle_for
from sim.robots.model import Robot
from sim.tasks.handover_script import PRESSED_M, PULL_SHARE, pulled
from sim.tasks.kit.draws import goal_of, number
from sim.tasks.kit.poses import turned_down, yaw_nearest
from sim.tasks.kit.script import Desk, Hand, Moves, Script, together
from sim.tasks.kit.wrist import Wrist

GRIP_FROM_END_M = 0.025
MEETING_M = (two_panda.APART / 2, 0.0, 0.30)
"""Where the bar's middle is when it changes hands: half-way between the arms."""
CLEAR_M = 0.10
FAST_M_S, SLOW_M_S = 0.5, 0.12
OPEN_M = 0.03
"""How much wider than the bar a gripper opens."""
PULL_M_S, LONGEST_PULL_M = 0.006, 0.02
"""Of the right arm: slow, as neither arm gives way, and with an end, should nobody let go."""
_HALF_TURN = np.pi


def script(draw: Draw, robot: Robot) -> Script:
    """The expert's moves, given the size of the bar and where it has to go."""
    width, length, pull_n = (number(draw, key) for key in ("width_m", "length_m", "pull_n"))
    opened, closed = angle_for(width + OPEN_M), angle_for(width - PRESSED_M)
    to_end = np.array([length / 2 - GRIP_FROM_END_M, 0.0, 0.0])
    goal = goal_of(draw, "bar")[:3]
    across, facing = turned_down(0.0), turned_down(_HALF_TURN)

    def play(desk: Desk) -> Moves:
        left, right = _hand(desk, robot, "left"), _hand(desk, robot, "right")
        wrist = Wrist(desk, _hand(desk, robot, "left", "flange"), "wrist_left")
        waiting = np.array(MEETING_M) + to_end + np.array([0.06, 0.0, CLEAR_M])
        yield from together(
            _fetched(left, to_end, opened, closed),
            right.grip(opened, 0.05),
            right.reach(waiting, facing, FAST_M_S, near=0.02),
        )
        bar = yield from desk.measured("bar")
        yield from wrist.tare()
        end = bar[:3] + to_end
        yield from right.reach(end + np.array([0.0, 0.0, CLEAR_M]), facing, FAST_M_S, near=0.003)
        yield from right.reach(end, facing, SLOW_M_S, near=0.002)
        yield from right.grip(closed, 0.3)
        gone = np.zeros(3)
        for _ in pulled(desk, lambda: float(wrist.force()[0]), PULL_SHARE * pull_n):
            gone[0] = min(LONGEST_PULL_M, gone[0] + PULL_M_S * desk.tick_s)
            right.aim(end + gone, facing)
            yield
        yield from left.grip(opened, 0.05)
        yield from desk.wait(0.3)
        here, _ = left.where(measured=False)
        yield from together(
            left.reach(here + np.array([-0.05, 0.0, CLEAR_M]), across, 0.3),
            _carried(right, end - to_end + gone, goal, facing),
        )

    return play


def _hand(desk: Desk, robot: Robot, side: str, tool: str = "grip") -> Hand:
    if side == "left":
        return Hand(desk, two_panda.left(), robot.names, tool)
    turned = (two_panda.RIGHT_AT, two_panda.RIGHT_YAW)
    return Hand(desk, two_panda.right(), robot.names, tool, *turned)


def _fetched(hand: Hand, to_end: FloatArray, opened: float, closed: float) -> Moves:
    """The bar is taken from the table by its near end and held out, along x."""
    desk = hand.desk
    yield from hand.grip(opened, 0.05)
    bar = desk.view.tracked["bar"]
    axes = turned_down(yaw_nearest(bar[3:], _HALF_TURN))
    end = bar[:3] - axes[:, 0] * to_end[0]
    yield from hand.reach(end + np.array([0.0, 0.0, 0.07]), axes, FAST_M_S, near=0.01)
    bar = yield from desk.measured("bar")
    axes = turned_down(yaw_nearest(bar[3:], _HALF_TURN))
    end = bar[:3] - axes[:, 0] * to_end[0]
    yield from hand.reach(end, axes, 0.25, near=0.002)
    yield from hand.grip(closed, 0.3)
    yield from hand.reach(end + np.array([0.0, 0.0, CLEAR_M]), axes, 0.25, near=0.02)
    yield from hand.reach(np.array(MEETING_M) - to_end, turned_down(0.0), 0.35, near=0.002)


def _carried(hand: Hand, middle: FloatArray, goal: FloatArray, axes: FloatArray) -> Moves:
    """Bring the bar, whose middle was at `middle` when it was taken, to `goal`, and put right
    what is still off by where it is seen."""
    here, _ = hand.where(measured=False)
    goes = here + goal - middle
    yield from hand.reach(goes, axes, 0.3, near=0.002)
    bar = yield from hand.desk.measured("bar")
    yield from hand.reach(goes + goal - bar[:3], axes, 0.1, near=0.001)
