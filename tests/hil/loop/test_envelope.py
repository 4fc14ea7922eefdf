"""The envelope: whatever is wished for, what is sent keeps every limit."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from fakes import FakeArm
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from hil.clock import VirtualClock
from hil.contracts import JointLimits, JointSample
from hil.errors import BadInput, HarnessError
from hil.loop.envelope import Envelope, Sent, Workspace
from rigs.schema import Limits

LIMITS = JointLimits(np.array([-1.0, -2.0]), np.array([1.0, 2.0]), np.array([3.0, 1.0]))
ENVELOPE = Envelope(LIMITS, step_rad=0.12, velocity_rad_s=2.0)
PERIOD_S = 0.02
STRIDE = np.array([0.04, 0.02])

anything = st.floats(allow_nan=True, allow_infinity=True)
wishes = arrays(float, 2, elements=anything)
inside = st.tuples(st.floats(-1, 1), st.floats(-2, 2)).map(np.array)


def sample(position: Any, effort: Any = (0.0, 0.0)) -> JointSample:
    zeros = np.zeros(2)
    return JointSample(
        0, np.array(position, float), zeros, np.array(effort, float), zeros.astype(np.int64)
    )


def crane(position: np.ndarray) -> np.ndarray:
    """Tool point of two joints that move it along x and z."""
    return np.array([position[0], 0.0, position[1]])


BOXED = replace(
    ENVELOPE,
    workspace=Workspace(np.array([-0.3, -1.0, -0.5]), np.array([0.3, 1.0, 0.5]), crane),
)
JERK = 400.0
"""rad/s³; two ticks and a half from rest to the acceleration of the test below."""
EVERYTHING = replace(BOXED, acceleration_rad_s2=20.0, jerk_rad_s3=500.0, effort=0.5)


@given(desired=wishes, last=inside, measured=inside)
def test_hard_bounds_hold_for_any_wish(
    desired: np.ndarray, last: np.ndarray, measured: np.ndarray
) -> None:
    for envelope in (ENVELOPE, EVERYTHING):
        sent = envelope.apply(desired, Sent.resting(last), sample(measured), PERIOD_S)
        assert (sent.target >= LIMITS.lower).all()
        assert (sent.target <= LIMITS.upper).all()
        assert (np.abs(sent.target - measured) <= 0.12 + 1e-12).all()


@given(desired=wishes, last=inside)
def test_a_silent_joint_keeps_the_speed_limit(desired: np.ndarray, last: np.ndarray) -> None:
    silent = sample([np.nan, np.nan], [np.nan, np.nan])
    for envelope in (ENVELOPE, EVERYTHING):
        sent = envelope.apply(desired, Sent.resting(last), silent, PERIOD_S)
        assert (np.abs(sent.target - last) <= STRIDE + 1e-12).all()


@given(desired=wishes, measured=arrays(float, 2, elements=anything), effort=wishes, last=inside)
def test_nothing_that_is_no_number_gets_through(
    desired: np.ndarray, measured: np.ndarray, effort: np.ndarray, last: np.ndarray
) -> None:
    for envelope in (ENVELOPE, EVERYTHING):
        sent = envelope.apply(desired, Sent.resting(last), sample(measured, effort), PERIOD_S)
        for array in (sent.target, sent.velocity, sent.acceleration):
            assert np.isfinite(array).all()
        assert (sent.target >= LIMITS.lower).all()
        assert (sent.target <= LIMITS.upper).all()


def test_no_target_is_made_up() -> None:
    nothing = np.array([np.nan, 0.0])
    with pytest.raises(HarnessError, match="no finite target"):
        ENVELOPE.apply(nothing, Sent.resting(nothing), sample([np.nan, 0]), PERIOD_S)
    with pytest.raises(HarnessError, match="no finite target"):
        ENVELOPE.apply(np.zeros(2), Sent.resting(np.zeros(2)), sample([0, 0]), math.nan)


def test_a_modest_wish_passes_unchanged() -> None:
    last = np.array([0.1, -0.3])
    desired = last + np.array([0.01, -0.01])
    sent = ENVELOPE.apply(desired, Sent.resting(last), sample(last), PERIOD_S)
    np.testing.assert_array_equal(sent.target, desired)


def test_a_joint_pushed_away_takes_its_target_along_at_once() -> None:
    """Lead before speed: what bounds the torque wins over what bounds the motion."""
    sent = EVERYTHING.apply(np.zeros(2), Sent.resting(np.zeros(2)), sample([0.9, 0]), PERIOD_S)
    assert sent.target[0] == pytest.approx(0.78)
    assert sent.velocity[0] == 0.0, "a jump that was forced is no speed to coast on with"


@given(wish=st.lists(wishes, min_size=1, max_size=40))
def test_acceleration_and_jerk_of_the_target_are_bounded(wish: list[np.ndarray]) -> None:
    """On a joint that follows, away from the ends of its range."""
    limits = JointLimits(np.full(2, -1e9), np.full(2, 1e9), np.full(2, 3.0))
    smooth = Envelope(limits, 3.2, 2.0, acceleration_rad_s2=20.0, jerk_rad_s3=JERK)
    sent = Sent.resting(np.zeros(2))
    targets = [sent.target] * 3
    for desired in wish:
        sent = smooth.apply(np.clip(desired, -50, 50), sent, sample(sent.target), PERIOD_S)
        targets.append(sent.target)
    speed = np.diff(targets, axis=0) / PERIOD_S
    acceleration = np.diff(speed, axis=0) / PERIOD_S
    jerk = np.diff(acceleration, axis=0) / PERIOD_S
    assert np.abs(speed).max() <= 2.0 + 1e-6
    assert np.abs(acceleration).max() <= 20.0 + 1e-6
    assert np.abs(jerk).max() <= JERK * (1 + 1e-6) + 1e-3


@given(goal=st.floats(-0.9, 0.9))
def test_a_smooth_target_arrives_without_running_past(goal: float) -> None:
    smooth = replace(ENVELOPE, acceleration_rad_s2=10.0)
    sent, reached = Sent.resting(np.zeros(2)), []
    for _ in range(200):
        sent = smooth.apply(np.array([goal, 0.0]), sent, sample(sent.target), PERIOD_S)
        reached.append(sent.target[0])
    assert reached[-1] == pytest.approx(goal, abs=1e-6)
    assert max(np.abs(reached)) <= abs(goal) + 1e-9


def test_a_jerk_limited_target_reaches_its_top_speed_and_its_wish() -> None:
    limits = JointLimits(np.full(2, -1e9), np.full(2, 1e9), np.full(2, 3.0))
    smooth = Envelope(limits, 3.2, 2.0, acceleration_rad_s2=20.0, jerk_rad_s3=JERK)
    sent, speeds = Sent.resting(np.zeros(2)), []
    for _ in range(300):
        sent = smooth.apply(np.array([4.0, -4.0]), sent, sample(sent.target), PERIOD_S)
        speeds.append(np.abs(sent.velocity))
    assert np.max(speeds) == pytest.approx(2.0, rel=0.02)
    np.testing.assert_allclose(sent.target, [4.0, -4.0], atol=1e-3)


def test_a_joint_over_its_effort_gives_way_and_the_others_stay() -> None:
    strong = replace(ENVELOPE, effort=0.6)
    last, measured = np.array([0.10, 0.10]), np.array([0.03, 0.04])
    sent = strong.apply(last + 0.01, Sent.resting(last), sample(measured, [-0.7, 0.5]), PERIOD_S)
    assert sent.gave_way
    np.testing.assert_array_equal(sent.target, [0.03, 0.10])
    weak = strong.apply(last + 0.01, Sent.resting(last), sample(measured, [0.6, 0.5]), PERIOD_S)
    assert not weak.gave_way
    np.testing.assert_allclose(weak.target, last + 0.01)


@given(wish=st.lists(wishes, min_size=1, max_size=30))
def test_the_tool_point_stays_in_its_box(wish: list[np.ndarray]) -> None:
    workspace = BOXED.workspace
    assert workspace is not None
    for envelope in (BOXED, EVERYTHING):
        sent = Sent.resting(np.zeros(2))
        for desired in wish:
            sent = envelope.apply(desired, sent, sample(sent.target), PERIOD_S)
            assert workspace.outside_m(sent.target) == 0.0


def test_the_tool_point_goes_up_to_the_wall_and_slides_nowhere() -> None:
    sent = Sent.resting(np.array([0.28, 0.0]))
    sent = BOXED.apply(np.array([0.32, 0.0]), sent, sample(sent.target), PERIOD_S)
    assert 0.298 < sent.target[0] <= 0.3


def test_from_outside_the_box_the_tool_point_may_only_come_nearer() -> None:
    out = Sent.resting(np.array([0.5, 0.0]))
    away = BOXED.apply(np.array([0.6, 0.0]), out, sample(out.target), PERIOD_S)
    np.testing.assert_array_equal(away.target, out.target)
    back = BOXED.apply(np.array([0.4, 0.0]), out, sample(out.target), PERIOD_S)
    assert back.target[0] == pytest.approx(0.46)


def test_where_kinematics_fail_nothing_moves() -> None:
    lost = Workspace(np.full(3, -1.0), np.full(3, 1.0), lambda _: np.full(3, np.nan))
    blind = replace(ENVELOPE, workspace=lost)
    sent = blind.apply(np.array([0.03, 0.01]), Sent.resting(np.zeros(2)), sample([0, 0]), PERIOD_S)
    np.testing.assert_array_equal(sent.target, [0.0, 0.0])


BOX = {"x": [-0.3, 0.3], "y": [-1, 1], "z": [-0.5, 0.5]}


def limits(**more: Any) -> Limits:
    return Limits.model_validate({"step_rad": 0.12, "velocity_rad_s": 2.0} | more)


def test_a_rig_file_gives_the_envelope_its_limits() -> None:
    arm = FakeArm("arm", VirtualClock())
    plain = Envelope.of(arm, limits())
    assert plain == Envelope(arm.limits, 0.12, 2.0)
    with pytest.raises(BadInput, match="no forward kinematics"):
        Envelope.of(arm, limits(workspace_m=BOX))
    arm.tool_point = crane  # type: ignore[attr-defined]
    boxed = Envelope.of(arm, limits(workspace_m=BOX, effort=0.5))
    assert boxed.workspace is not None
    np.testing.assert_array_equal(boxed.workspace.upper, [0.3, 1.0, 0.5])
    assert boxed.effort == 0.5


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"jerk_rad_s3": 10}, "goes with acceleration_rad_s2"),
        ({"workspace_m": BOX | {"z": [0.5, 0.1]}}, r"\[0.1, 0.5\] would do"),
        ({"workspace_m": BOX | {"z": [0.1, math.inf]}}, "finite"),
        ({"effort": 1.5}, "less than or equal to 1"),
    ],
)
def test_limits_that_make_no_sense_are_refused(more: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        limits(**more)
