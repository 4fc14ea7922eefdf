from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from hil.errors import HarnessError
from hil.task import View
from sim.robots import six_axis, so101
from sim.robots.kinematics import tool_pose
from sim.robots.reach import limb
from sim.tasks.kit.frames import FACING, READY_M, Before, Frame, ready, rolled
from sim.tasks.kit.poses import from_vector
from sim.tasks.kit.script import Desk, Hand

QUARTER = math.sqrt(0.5)
LEFT = Frame.of(np.array([1.0, 2.0, 3.0, 0.0, 0.0, QUARTER, QUARTER]))
"""Turned by a quarter to the left: its x is the base's y."""


def test_places_and_axes_are_told_in_the_frame() -> None:
    assert LEFT.place((0.1, 0.0, 0.2)) == pytest.approx([1.0, 2.1, 3.2])
    assert LEFT.turned(np.eye(3))[:, 0] == pytest.approx([0.0, 1.0, 0.0])


def test_a_tool_that_faces_a_thing_points_into_it_and_rolls_about_that() -> None:
    assert FACING[:, 2] == pytest.approx([1.0, 0.0, 0.0])
    assert np.linalg.det(FACING) == pytest.approx(1.0)
    assert rolled(0.3) == pytest.approx(from_vector(np.array([0.3, 0.0, 0.0])) @ FACING)
    # clockwise for who looks along x: what was left (y) goes up
    assert rolled(math.pi / 2)[:, 1] == pytest.approx([0.0, 0.0, 1.0])


@pytest.mark.parametrize("mirrored", [False, True])
def test_the_arm_waits_pointing_straight_on(mirrored: bool) -> None:
    robot = six_axis.robot()
    joints = ready(robot, mirrored=mirrored)
    pose = tool_pose(limb(robot).chain, joints[:6])
    assert pose.position == pytest.approx(READY_M, abs=1e-4)
    assert pose.axes == pytest.approx(FACING, abs=1e-3)
    assert (joints >= robot.lower).all()
    assert (joints <= robot.upper).all()
    assert (joints[4] > 0) == mirrored


@pytest.mark.parametrize("mirrored", [False, True])
def test_nothing_meets_the_table_on_the_way_there(mirrored: bool) -> None:
    """Each joint turns at its own speed until it is there."""
    robot = six_axis.robot()
    chain, home, goal = limb(robot).chain, robot.home[:6], ready(robot, mirrored=mirrored)[:6]
    tip = np.array([0.0, 0.0, 0.012, 1.0])
    for turned in np.linspace(0.0, float(np.abs(goal - home).max()), 60):
        way = goal - home
        joints = home + np.sign(way) * np.minimum(np.abs(way), turned)
        *links, tool = chain.frames(joints)
        assert (tool @ tip)[2] > 0.03
        assert min(link[2, 3] for link in links) > 0.1


def test_another_arm_cannot_wait_like_that() -> None:
    with pytest.raises(HarnessError, match="cannot reach"):
        ready(so101.robot())


def test_a_hand_rolls_on_beyond_half_a_turn() -> None:
    robot = six_axis.robot()
    joints = ready(robot)
    desk = Desk()
    hand = Hand(desk, robot)

    def look(tick: int) -> None:
        """Drives that follow at once."""
        now = joints if tick == 0 else desk.target
        seen: dict[str, Any] = {
            "joints": SimpleNamespace(position=now.copy()),
            "target": now.copy(),
            "elapsed_s": tick * 0.008,
        }
        desk.look(cast(View, SimpleNamespace(**seen)))

    look(0)
    work = Before(hand, Frame(np.eye(3), np.array([0.6, 0.0, 0.4])))
    begun = desk.target[5]
    for tick, _ in enumerate(work.go((-0.12, 0.02, 0.0), 4.0), 1):
        look(tick)
    where, axes = hand.where()
    assert where == pytest.approx([0.48, 0.02, 0.4], abs=1e-3)
    assert axes == pytest.approx(rolled(4.0), abs=1e-2)
    assert abs(desk.target[5] - begun) == pytest.approx(4.0, abs=0.1)
