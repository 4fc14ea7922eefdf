"""What a network of an arm's job is told, sees and answers."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from hil.contracts import JointSample
from hil.errors import ModelRefused
from hil.task import View
from sim.robots import panda
from sim.tasks.handover_arms import JOB as TWO_ARMS
from sim.tasks.in_hand import JOB as FINGERS
from sim.tasks.kit.brief import Brief, arms_of
from sim.tasks.kit.poses import matrix_of
from sim.tasks.pick_place import JOB, Parameters

TURN = (0.0, 0.0, math.sin(0.3), math.cos(0.3))


@pytest.fixture(scope="module")
def draw() -> Any:
    return JOB.draw(Parameters(), np.random.default_rng(4))


def _view(**changes: Any) -> View:
    home = panda.robot().home
    joints = JointSample(0, home, home, home, np.zeros(len(home), dtype=np.int64))
    tracked = {"block": np.array([0.5, 0.1, 0.02, *TURN])}
    return replace(View(10, 0.2, joints, home, {}, tracked), **changes)


def test_it_is_told_what_is_asked_and_not_where_things_are(draw: Any) -> None:
    told = JOB.briefed(draw)
    assert told.brief is not None
    asked = told.brief.asked
    assert asked["edge_m"] == draw["edge_m"]
    assert asked["goals.block.x_m"] == draw["goals"]["block"][0]
    turned = matrix_of(np.array(draw["goals"]["block"][3:]))
    assert asked["goals.block.ax"] == pytest.approx(turned[0, 0])
    assert len(asked) == 10
    assert not any(key.startswith(("poses", "elements", "tracker", "start")) for key in asked)


def test_every_number_it_sees_has_a_name(draw: Any) -> None:
    told, view = JOB.briefed(draw), _view()
    channels = told.channels(view)
    seen = told.observe(view)["observation"]
    assert seen.shape == (1, len(channels))
    assert seen.dtype == np.float32
    assert seen[0, channels.index("block.y_m")] == np.float32(0.1)
    assert seen[0, channels.index("block.ax")] == pytest.approx(math.cos(0.6), abs=1e-6)


def test_one_rotation_is_seen_in_one_form(draw: Any) -> None:
    told = JOB.briefed(draw)
    same = {"block": np.array([0.5, 0.1, 0.02, *(-x for x in TURN)])}
    seen = [told.observe(_view(**more))["observation"] for more in ({}, {"tracked": same})]
    np.testing.assert_allclose(seen[0], seen[1], atol=1e-7)


def test_who_is_not_told_sees_what_networks_saw_before(draw: Any) -> None:
    channels = JOB.channels(_view())
    assert "block.qw" in channels
    assert not any(name.startswith("asked.") for name in channels)


def test_a_hand_of_fingers_is_told_nothing() -> None:
    assert arms_of(FINGERS.robot) == {}
    assert Brief.of({"edge_m": 0.05}, FINGERS.robot) is None


def test_two_arms_have_two_tools() -> None:
    brief = Brief.of({"width_m": 0.02}, TWO_ARMS.robot)
    assert brief is not None
    assert list(brief.arms) == ["left", "right"]
    assert [TWO_ARMS.robot.names[k] for k in brief.others] == ["left_gripper", "right_gripper"]
    assert len(brief.answers()) == 20


def test_its_answer_moves_the_tool_there(draw: Any) -> None:
    told = JOB.briefed(draw)
    assert told.brief is not None
    view = _view()
    wanted = told.brief.reach_of(view.target)
    wanted[:3] += (0.004, -0.003, 0.002)
    outputs = {"reach": wanted[None].astype(np.float32)}
    for _ in range(8):
        view = replace(view, target=told.act(outputs, view))
    np.testing.assert_allclose(told.brief.reach_of(view.target), wanted, atol=2e-4)


def test_far_away_it_goes_no_faster_than_its_motors(draw: Any) -> None:
    told = JOB.briefed(draw)
    assert told.brief is not None
    view, robot = _view(), panda.robot()
    reach = np.array([[5.0, -5.0, 9.0, 0, 0, 0, 0, 0, 0, 99.0]], dtype=np.float32)
    change = told.act({"reach": reach}, view) - view.target
    most = np.array([motor.speed for motor in robot.motors]) * 0.02
    assert np.isfinite(change).all()
    assert (np.abs(change) <= most + 1e-12).all()


def test_an_answer_of_another_form_is_refused(draw: Any) -> None:
    told = JOB.briefed(draw)
    with pytest.raises(ModelRefused, match="no 'reach'"):
        told.act({"action": np.zeros((1, 8), np.float32)}, _view())
    with pytest.raises(ModelRefused, match="has 8 numbers"):
        told.act({"reach": np.zeros((1, 8), np.float32)}, _view())
    with pytest.raises(ModelRefused, match="has 3 numbers"):
        told.observe(_view(memory=np.zeros(3)))


@pytest.mark.parametrize("answer", [np.nan, np.inf, 1e30])
def test_an_answer_that_is_no_pose_is_no_target_beyond_the_ranges(draw: Any, answer: float) -> None:
    """What is not finite the loop takes for no answer, and says so in the record."""
    told, view = JOB.briefed(draw), _view()
    assert told.brief is not None
    reach = np.full((1, len(told.brief.answers())), answer, dtype=np.float32)
    target = told.act({"reach": reach}, view)
    robot = panda.robot()
    if np.isfinite(answer):
        assert ((target >= robot.lower) & (target <= robot.upper)).all()
    else:
        assert np.isnan(target).all()
