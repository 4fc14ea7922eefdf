"""Scripts of experts: they move targets a little in every tick, within what the joints allow."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hil.contracts import FloatArray, JointSample
from hil.task import View
from sim.robots import panda
from sim.robots.kinematics import tool_pose
from sim.tasks.kit.poses import (
    angle_between,
    from_vector,
    matrix_of,
    quarters,
    turned_down,
    yaw_nearest,
    yaw_of,
)
from sim.tasks.kit.script import Desk, Hand, Moves, scripted, together

ROBOT = panda.robot()
TICK_S = 0.02


def view(tick: int, joints: FloatArray, **tracked: FloatArray) -> View:
    """Joints that are where they were told to be."""
    nothing = np.zeros(len(joints))
    sample = JointSample(0, joints, nothing, nothing, np.zeros(len(joints), dtype=np.int64))
    return View(tick, tick * TICK_S, sample, joints, {}, tracked)


def play(script: object, ticks: int, **tracked: FloatArray) -> list[FloatArray]:
    """Targets of a script whose commands are obeyed at once."""
    expert = scripted(script)  # type: ignore[arg-type]
    joints, told = ROBOT.home.copy(), []
    for tick in range(ticks):
        joints = expert(view(tick, joints, **tracked))
        told.append(joints)
    return told


def test_a_tool_comes_where_it_is_sent_and_turned_as_asked() -> None:
    goal, axes = np.array([0.45, 0.12, 0.2]), turned_down(0.5)

    def script(desk: Desk) -> Moves:
        yield from Hand(desk, ROBOT).reach(goal, axes)

    told = play(script, 200)
    pose = tool_pose(ROBOT.tools["grip"].chain, told[-1][:7])
    np.testing.assert_allclose(pose.position, goal, atol=1e-3)
    np.testing.assert_allclose(pose.axes, axes, atol=0.02)
    speeds = np.abs(np.diff([ROBOT.home, *told], axis=0)).max(axis=0) / TICK_S
    fastest = np.array([motor.speed for motor in ROBOT.motors])
    assert (speeds <= fastest * (1 + 1e-6)).all()


def test_it_ends_early_when_it_is_told_to_and_then_holds_still() -> None:
    def script(desk: Desk) -> Moves:
        hand = Hand(desk, ROBOT)
        yield from hand.reach([0.5, 0.0, 0.1], until=lambda: desk.view.tick >= 10)

    told = play(script, 40)
    np.testing.assert_array_equal(told[12], told[-1])
    assert tool_pose(ROBOT.tools["grip"].chain, told[-1][:7]).position[2] > 0.2


def test_what_is_out_of_reach_ends_too() -> None:
    def script(desk: Desk) -> Moves:
        yield from Hand(desk, ROBOT).reach([3.0, 0.0, 0.5], speed=2.0)
        yield from desk.wait(0.1)

    told = play(script, 400)
    assert np.isfinite(told).all()
    assert ((ROBOT.lower - 1e-9 <= told[-1]) & (told[-1] <= ROBOT.upper + 1e-9)).all()


def test_scripts_run_side_by_side() -> None:
    def script(desk: Desk) -> Moves:
        hand = Hand(desk, ROBOT)
        yield from together(hand.grip(0.5, 0.1), desk.wait(0.3))
        yield from hand.grip(3.0, 0.1)

    told = play(script, 40)
    assert told[8][7] == pytest.approx(0.5)
    assert told[-1][7] == pytest.approx(3.0)


def test_a_mean_of_noisy_poses_is_nearer_than_one() -> None:
    rng = np.random.default_rng(1)
    found: list[FloatArray] = []

    def script(desk: Desk) -> Moves:
        found.append((yield from desk.measured("cube", 1.0)))

    expert = scripted(script)
    turn = np.array([0.0, 0.0, 0.6, 0.8])
    for tick in range(80):
        noisy = np.append(rng.normal(0.0, 0.002, 3), turn * (1 if tick % 2 else -1))
        expert(view(tick, ROBOT.home, cube=noisy))
    assert np.abs(found[0][:3]).max() < 0.001
    assert np.abs(found[0][3:] @ turn) == pytest.approx(1.0)


angles = st.floats(-3.1, 3.1)


@given(st.lists(angles, min_size=3, max_size=3))
def test_a_rotation_and_its_quaternion_agree(vector: list[float]) -> None:
    turn = from_vector(np.array(vector))
    np.testing.assert_allclose(turn @ turn.T, np.eye(3), atol=1e-9)
    half = float(np.linalg.norm(vector)) / 2
    sine = np.sinc(half / np.pi) / 2
    quaternion = np.append(np.array(vector) * sine, np.cos(half))
    np.testing.assert_allclose(matrix_of(quaternion), turn, atol=1e-9)


@settings(max_examples=50)
@given(angles)
def test_yaw_is_read_back_and_a_cube_looks_alike_after_a_quarter(yaw: float) -> None:
    turn = np.array([0.0, 0.0, np.sin(yaw / 2), np.cos(yaw / 2)])
    assert float(yaw_of(turn[None])[0]) == pytest.approx(yaw, abs=1e-9)
    assert abs(yaw_nearest(turn)) <= np.pi / 4 + 1e-9
    for quarter in quarters(turn):
        left = min(float(angle_between(quarter[None], one)[0]) for one in quarters(turn))
        assert left < 1e-6
    assert float(angle_between(turn[None], quarters(turn)[1])[0]) == pytest.approx(np.pi / 2)
