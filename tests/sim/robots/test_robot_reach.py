"""Inverse kinematics against forward kinematics."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hil.errors import BadInput
from hil.kinematics import Chain, Placement, Revolute, rotation
from sim.robots.catalogue import robot
from sim.robots.kinematics import tool_pose
from sim.robots.reach import NEAR, Limb, joint_step, limb, reach, rotation_vector

DOWN = np.array([0.0, 0.0, -1.0])
LIMBS = {
    (name, tool): limb(robot(name), tool)
    for name, tool in (
        ("so101", "tip"),
        ("panda", "grip"),
        ("six-axis", "grip"),
        ("hand4", "f1"),
        ("hand3", "f2"),
        ("arm-hand", "palm"),
    )
}
SIX = [("panda", "grip"), ("six-axis", "grip"), ("arm-hand", "palm")]

parts = st.lists(st.floats(0.02, 0.98), min_size=7, max_size=7)
nudges = st.lists(st.floats(-0.1, 0.1), min_size=7, max_size=7)


def inside(one: Limb, part: list[float]) -> np.ndarray:
    return one.lower + np.array(part[: len(one.lower)]) * (one.upper - one.lower)


def check_limits(one: Limb, joints: np.ndarray) -> None:
    assert (joints >= one.lower).all()
    assert (joints <= one.upper).all()


@pytest.mark.parametrize("key", LIMBS, ids="-".join)
@given(part=parts, nudge=nudges)
def test_a_place_that_joints_reach_is_reached_again_from_near(
    key: tuple[str, str], part: list[float], nudge: list[float]
) -> None:
    one = LIMBS[key]
    joints = inside(one, part)
    wanted = tool_pose(one.chain, joints)
    seed = joints + np.array(nudge[: len(joints)])
    found = reach(one, wanted.position, seed=seed)
    assert found is not None
    check_limits(one, found)
    place = tool_pose(one.chain, found).position
    assert np.linalg.norm(place - wanted.position) <= NEAR


@pytest.mark.parametrize("key", SIX, ids="-".join)
def test_a_pose_that_joints_reach_is_reached_again_from_home(key: tuple[str, str]) -> None:
    one = LIMBS[key]
    rng = np.random.default_rng(7)
    for _ in range(60):
        wanted = tool_pose(one.chain, rng.uniform(one.lower, one.upper))
        found = reach(one, wanted.position, wanted.axes)
        if found is None:  # a wrist stretched out; the solver may give up there, and says so
            continue
        check_limits(one, found)
        pose = tool_pose(one.chain, found)
        np.testing.assert_allclose(pose.position, wanted.position, atol=NEAR)
        np.testing.assert_allclose(pose.axes, wanted.axes, atol=1e-4)


@pytest.mark.parametrize("key", SIX, ids="-".join)
def test_nearly_every_pose_is_found(key: tuple[str, str]) -> None:
    one = LIMBS[key]
    rng = np.random.default_rng(8)
    wanted = [tool_pose(one.chain, rng.uniform(one.lower, one.upper)) for _ in range(60)]
    found = [reach(one, pose.position, pose.axes) for pose in wanted]
    assert sum(joints is None for joints in found) <= 1


@pytest.mark.parametrize("key", [*SIX, ("so101", "tip")], ids="-".join)
def test_pointing_leaves_the_turn_about_the_axis_free(key: tuple[str, str]) -> None:
    one = LIMBS[key]
    place = np.array([0.25, 0.05, 0.04]) if key[0] == "so101" else np.array([0.45, 0.1, 0.15])
    found = reach(one, place, 3.0 * DOWN)
    assert found is not None
    pose = tool_pose(one.chain, found)
    np.testing.assert_allclose(pose.position, place, atol=NEAR)
    np.testing.assert_allclose(pose.axes[:, 2], DOWN, atol=1e-4)


@pytest.mark.parametrize("key", LIMBS, ids="-".join)
def test_out_of_reach_is_none(key: tuple[str, str]) -> None:
    assert reach(LIMBS[key], np.array([0.0, 0.0, 3.0])) is None


def test_a_place_that_only_joints_out_of_range_reach_is_none() -> None:
    """One joint of a quarter turn either way, asked to go behind."""
    chain = Chain([Revolute()], Placement((1.0, 0.0, 0.0)))
    ends = np.array([math.pi / 2])
    arm = Limb(chain, ("only",), -ends, ends, np.ones(1), np.zeros(1))
    assert reach(arm, np.array([-1.0, 0.0, 0.0])) is None
    found = reach(arm, np.array([0.0, 1.0, 0.0]))
    np.testing.assert_allclose(found, ends, atol=1e-4)


def test_equal_questions_have_equal_answers() -> None:
    one = LIMBS["panda", "grip"]
    place = np.array([0.5, -0.2, 0.3])
    first, second = (reach(one, place, np.diag([1.0, -1.0, -1.0])) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_one_try_stays_next_to_its_seed() -> None:
    one = LIMBS["six-axis", "grip"]
    seed = one.home
    pose = tool_pose(one.chain, seed)
    found = reach(one, pose.position + 0.02 * DOWN, pose.axes, seed, tries=1)
    assert found is not None
    assert np.abs(found - seed).max() < 0.2


@pytest.mark.parametrize("key", SIX, ids="-".join)
@pytest.mark.parametrize(
    "twist",
    [
        (0.1, 0.0, 0.0, 0.0, 0.0, 0.0),
        (0.0, -0.1, 0.05, 0.0, 0.0, 0.3),
        (0.0, 0.0, 0.0, 0.2, -0.2, 0.0),
    ],
)
def test_a_step_moves_the_tool_as_asked(key: tuple[str, str], twist: tuple[float, ...]) -> None:
    one = LIMBS[key]
    seconds = 0.02
    before = tool_pose(one.chain, one.home)
    after = tool_pose(one.chain, one.home + joint_step(one, one.home, np.array(twist), seconds))
    way = (after.position - before.position) / seconds
    turn = rotation_vector(after.axes @ before.axes.T) / seconds
    # damped, and of first order: within a twentieth
    np.testing.assert_allclose([*way, *turn], twist, atol=0.05 * np.abs(twist).max())


def test_a_step_too_fast_is_slowed_and_stays_straight() -> None:
    one = LIMBS["panda", "grip"]
    slow = joint_step(one, one.home, np.array([0.1, 0.0, 0.0]), 0.02)
    fast = joint_step(one, one.home, np.array([50.0, 0.0, 0.0]), 0.02)
    assert np.abs(fast / (one.speed * 0.02)).max() == pytest.approx(1.0)
    np.testing.assert_allclose(fast / np.linalg.norm(fast), slow / np.linalg.norm(slow), atol=1e-3)


@given(parts, st.lists(st.floats(-2.0, 2.0), min_size=6, max_size=6))
def test_a_step_leaves_no_range(part: list[float], twist: list[float]) -> None:
    one = LIMBS["panda", "grip"]
    joints = inside(one, [round(value) for value in part])  # every joint at one of its ends
    step = joint_step(one, joints, np.array(twist), 0.05)
    assert np.isfinite(step).all()
    assert (joints + step >= one.lower - 1e-12).all()
    assert (joints + step <= one.upper + 1e-12).all()


@given(st.tuples(*[st.floats(-1.0, 1.0)] * 3), st.floats(0.0, math.pi))
def test_a_rotation_vector_is_the_axis_times_the_angle(
    direction: tuple[float, float, float], angle: float
) -> None:
    length = math.hypot(*direction)
    if length < 1e-3:
        return
    axis = np.array(direction) / length
    chain = Chain([Revolute(axis=tuple(axis.tolist()))], Placement())
    matrix = chain.frames(np.array([angle]))[-1][:3, :3]
    found = rotation_vector(matrix)
    assert np.linalg.norm(found) == pytest.approx(angle, abs=1e-6)
    if 1e-6 < angle < math.pi - 1e-5:
        np.testing.assert_allclose(found, axis * angle, atol=1e-5)
    elif angle > 1.0:
        assert abs(abs(float(found @ axis)) - angle) < 1e-4


def test_a_rotation_vector_of_half_a_turn_lies_on_the_axis() -> None:
    for rpy in ((math.pi, 0.0, 0.0), (0.0, math.pi, 0.0), (math.pi, 0.0, math.pi / 2)):
        vector = rotation_vector(rotation(rpy))
        assert np.linalg.norm(vector) == pytest.approx(math.pi, abs=1e-7)
        np.testing.assert_allclose(rotation(rpy) @ vector, vector, atol=1e-7)


def test_a_tool_that_is_not_there_is_named() -> None:
    with pytest.raises(BadInput, match=r"hook(.|\n)*grip"):
        limb(robot("panda"), "hook")
