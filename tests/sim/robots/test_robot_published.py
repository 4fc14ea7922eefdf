"""Arms after published tables: the generated chains against Denavit-Hartenberg products."""

from __future__ import annotations

import math

import numpy as np
import pytest

from hil.contracts import FloatArray
from hil.kinematics import transform
from sim.robots import panda, six_axis
from sim.robots.kinematics import tool_pose

H = math.pi / 2

# a (m), d (m), alpha (rad) of the UR5e, in the classic convention
UR5E = (
    (0.0, 0.1625, H),
    (-0.425, 0.0, 0.0),
    (-0.3922, 0.0, 0.0),
    (0.0, 0.1333, H),
    (0.0, 0.0997, -H),
    (0.0, 0.0996, 0.0),
)
# a (m), d (m), alpha (rad) of the Panda, in Craig's convention, and its flange
PANDA = (
    (0.0, 0.333, 0.0),
    (0.0, 0.0, -H),
    (0.0, 0.316, H),
    (0.0825, 0.0, H),
    (-0.0825, 0.384, -H),
    (0.0, 0.0, H),
    (0.088, 0.0, H),
    (0.0, 0.107, 0.0),
)


def turn_z(angle: float) -> FloatArray:
    return transform((0.0, 0.0, 0.0), (0.0, 0.0, angle))


def turn_x(angle: float) -> FloatArray:
    return transform((0.0, 0.0, 0.0), (angle, 0.0, 0.0))


def move(x: float, z: float) -> FloatArray:
    return transform((x, 0.0, z), (0.0, 0.0, 0.0))


def test_the_six_axis_arm_has_the_published_parameters() -> None:
    arm = six_axis.arm()
    for joints in np.random.default_rng(1).uniform(-3.0, 3.0, (20, 6)):
        expected = turn_z(math.pi)
        for (a, d, alpha), angle in zip(UR5E, joints, strict=True):
            expected = expected @ turn_z(angle) @ move(a, d) @ turn_x(alpha)
        found = arm.tools["flange"].chain.frames(joints)[-1]
        np.testing.assert_allclose(found, expected, atol=1e-12)


def test_the_panda_has_the_published_parameters() -> None:
    arm = panda.arm()
    for joints in np.random.default_rng(2).uniform(arm.lower, arm.upper, (20, 7)):
        expected = np.eye(4)
        for (a, d, alpha), angle in zip(PANDA, [*joints, 0.0], strict=True):
            expected = expected @ turn_x(alpha) @ move(a, 0.0) @ turn_z(angle) @ move(0.0, d)
        found = arm.tools["flange"].chain.frames(joints)[-1]
        np.testing.assert_allclose(found, expected, atol=1e-12)


@pytest.mark.parametrize("made", [panda.robot(), six_axis.robot()], ids=lambda made: made.name)
def test_at_home_the_gripper_points_down_and_its_fingers_slide_sideways(made) -> None:
    tool = made.tools["grip"]
    pose = tool_pose(tool.chain, made.home[made.places(tool.motors)])
    np.testing.assert_allclose(pose.axes, np.diag([1.0, -1.0, -1.0]), atol=1e-9)
    assert 0.25 < pose.position[0] < 0.5
    assert abs(pose.position[1]) < 0.01
    assert 0.25 < pose.position[2] < 0.5


def test_the_panda_stands_ready_where_the_makers_does() -> None:
    """Between the fingers' pads, 103.4 mm in front of the flange: x 0.307 m, z 0.487 m."""
    made = panda.robot()
    tool = made.tools["grip"]
    found = tool.chain.tool_point(made.home[made.places(tool.motors)])
    np.testing.assert_allclose(found, (0.307, 0.0, 0.487), atol=5e-4)
