"""Chains read off a body, and robots made of robots."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from robots_in_world import joints_at, loaded

from hil.errors import HarnessError
from hil.kinematics import Placement, rotation, rpy_of, transform
from sim.robots import arm_hand, gripper, hand4, panda, six_axis
from sim.robots.chains import tool_on
from sim.robots.mounting import mounted, prefixed

turns = st.floats(-math.pi, math.pi)
H = math.pi / 2


@given(turns, turns, turns)
@example(0.3, H, 1.0)
@example(0.3, -H, 1.0)
@example(0.3, H - 1e-9, 1.0)
def test_roll_pitch_yaw_give_the_rotation_back(roll: float, pitch: float, yaw: float) -> None:
    matrix = rotation((roll, pitch, yaw))
    np.testing.assert_allclose(rotation(rpy_of(matrix)), matrix, atol=1e-12)


def test_a_tool_behind_a_sliding_joint_is_refused() -> None:
    with pytest.raises(HarnessError, match="finger_left slides"):
        tool_on(panda.robot().body, "left_finger")


def test_a_link_that_is_not_there_is_named() -> None:
    with pytest.raises(HarnessError, match=r"link9(.|\n)*link7"):
        tool_on(panda.arm().body, "link9")


def test_a_tool_on_the_base_is_moved_by_nothing() -> None:
    tool = tool_on(panda.arm().body, "link0", Placement((0.1, 0.2, 0.3)))
    assert (tool.motors, tool.links) == ((), ())
    np.testing.assert_allclose(tool.chain.frames(np.zeros(0))[0][:3, 3], (0.1, 0.2, 0.3))


def test_a_mounted_hand_is_where_the_flange_carries_it() -> None:
    at, rpy = (0.01, -0.02, 0.03), (0.3, -0.4, 0.5)
    both = mounted(six_axis.arm(), prefixed(hand4.hand(), "h_"), six_axis.FLANGE, at, rpy)
    arm, hand = six_axis.arm(), hand4.hand()
    rng = np.random.default_rng(3)
    for _ in range(10):
        reach = rng.uniform(arm.lower, arm.upper)
        grasp = rng.uniform(hand.lower, hand.upper)
        flange = arm.tools["flange"].chain.frames(reach)[-1]
        finger = hand.tools["f2"]
        own = finger.chain.frames(grasp[hand.places(finger.motors)])[-1]
        tool = both.tools["f2"]
        whole = np.concatenate([reach, grasp])[both.places(tool.motors)]
        expected = flange @ transform(at, rpy) @ own
        np.testing.assert_allclose(tool.chain.frames(whole)[-1], expected, atol=1e-9)


def test_a_mounted_robot_is_both_and_no_more() -> None:
    arm, hand = panda.arm(), gripper.gripper()
    both = panda.robot()
    assert both.names == arm.names + hand.names
    np.testing.assert_array_equal(both.home, np.concatenate([arm.home, hand.home]))
    assert len(both.body.links) == len(arm.body.links) + len(hand.body.links)
    assert next(iter(both.tools)) == "grip"
    assert both.wrist == "joint7"
    assert (both.tips, both.grip_links) == (hand.tips, hand.grip_links)
    assert not both.self_collision
    assert arm_hand.robot().self_collision


def test_two_arms_stand_in_one_world_with_names_of_their_own() -> None:
    left = prefixed(panda.robot(), "left_")
    assert left.names[-1] == "left_gripper"
    assert left.wrist == "left_joint7"
    links = {name: tip.link for name, tip in left.tips.items()}
    assert links == {"left_left": "left_left_finger", "left_right": "left_right_finger"}
    with loaded(left.body) as body:
        body.stand(joints_at(left, left.home))
        tool = left.tools["grip"]
        frame = tool.chain.frames(left.home[left.places(tool.motors)])[-1]
        placed = transform(tool.placed.xyz, tool.placed.rpy)
        np.testing.assert_allclose(body.frame("left_hand") @ placed, frame, atol=1e-6)
