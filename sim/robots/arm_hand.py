"""The six-axis arm with the four-finger hand on its flange, as one robot."""

from __future__ import annotations

from sim.robots import hand4, six_axis
from sim.robots.model import Robot
from sim.robots.mounting import mounted, prefixed

PREFIX = "hand_"
"""Before the names of the hand's links, joints, motors and fingertips."""


def robot() -> Robot:
    """Motors `shoulder_pan` to `wrist_3`, then `hand_f0_abd` to `hand_f3_j3`.

    Tools: `palm` (six joints, z out of the palm), `f0` to `f3` (the arm's six joints and the
    finger's four), `flange`. The hand's own closed form (`hand4.finger_joints`) stays true in
    the palm's frame.
    """
    hand = prefixed(hand4.hand(), PREFIX)
    return mounted(six_axis.arm(), hand, six_axis.FLANGE, name="arm-hand")
