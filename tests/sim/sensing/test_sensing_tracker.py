"""The pose tracker: noise, occlusion, lost sight, outliers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from hil.contracts import NEVER, Capability
from hil.errors import BadInput, HarnessError
from sim.sensing.tracker import Outliers, Tracker, TrackerModel, confidence

NS = 1_000_000_000
AT = np.array([0.3, -0.2, 0.1])
TURN = Rotation.from_euler("xyz", [0.3, 1.0, -2.0])


def poses(model: TrackerModel, count: int, hidden: float = 0.0, seed: int = 1) -> np.ndarray:
    """(count, 8) of an object that rests at `AT`, `TURN`."""
    tracker = Tracker("cube", model, seed)
    rows = []
    for _ in range(count):
        stamp = tracker.channel.next_ns
        assert tracker.offer(stamp, AT, TURN.as_quat(), hidden)
        rows.append(tracker.channel.newest(stamp + NS).value)
    return np.array(rows)


def errors_rad(rows: np.ndarray) -> np.ndarray:
    """Rotation vectors of the error in the world's frame, (n, 3)."""
    return (Rotation.from_quat(rows[:, 3:7]) * TURN.inv()).as_rotvec()


def test_without_noise_it_tells_the_truth() -> None:
    row = poses(TrackerModel(rate_hz=30), 1)[0]
    np.testing.assert_allclose(row[:3], AT)
    assert (Rotation.from_quat(row[3:7]) * TURN.inv()).magnitude() < 1e-12
    assert row[6] >= 0
    assert row[7] == 1.0
    facts = Tracker("cube", TrackerModel(rate_hz=30), 1).facts
    assert facts.kind is Capability.TRACKER
    assert len(facts.units) == len(facts.labels) == 8


@given(st.floats(-3, 3), st.floats(-3, 3), st.floats(-3, 3), st.booleans())
@settings(max_examples=60, deadline=None)
def test_a_rotation_is_told_in_one_of_its_two_ways(
    x: float, y: float, z: float, other: bool
) -> None:
    turn = Rotation.from_rotvec([x, y, z])
    tracker = Tracker("cube", TrackerModel(rate_hz=30), 1)
    tracker.offer(0, AT, -turn.as_quat() if other else turn.as_quat(), 0.0)
    told = tracker.channel.newest(0).value[3:7]
    assert told[3] >= 0
    assert (Rotation.from_quat(told).inv() * turn).magnitude() < 1e-6


@pytest.mark.parametrize("hidden", [0.0, 0.5])
def test_the_noise_is_that_of_the_table_and_grows_with_what_is_hidden(hidden: float) -> None:
    count = 4000
    model = TrackerModel(rate_hz=30, noise_m=(0.001, 0.002, 0.004), noise_rad=(0.01, 0.02, 0.04))
    rows = poses(model, count, hidden)
    grown = 1 / np.sqrt(1 - hidden)
    tolerance = 4 / np.sqrt(2 * count)
    spread = (rows[:, :3] - AT).std(axis=0)
    np.testing.assert_allclose(spread / (np.array([1, 2, 4]) * 1e-3 * grown), 1, atol=tolerance)
    turned = errors_rad(rows)
    wanted = np.array([0.01, 0.02, 0.04]) * grown
    np.testing.assert_allclose(turned.std(axis=0) / wanted, 1, atol=tolerance)
    assert np.abs(turned.mean(axis=0) / wanted).max() < 4 / np.sqrt(count)
    np.testing.assert_allclose(np.linalg.norm(rows[:, 3:7], axis=1), 1, atol=1e-12)


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0.05, 1))
def test_confidence_falls_with_what_is_hidden(first: float, second: float, lost: float) -> None:
    model = TrackerModel(rate_hz=30, hidden_lost=lost)
    less, more = sorted([first, second])
    assert 1 >= confidence(model, less) >= confidence(model, more) >= 0
    assert confidence(model, 0) == 1
    assert confidence(model, lost) == 0


@given(st.floats(0, 1), st.floats(0, 1))
@settings(max_examples=60, deadline=None)
def test_below_the_threshold_there_is_no_pose_but_the_confidence_is_told(
    hidden: float, least: float
) -> None:
    model = TrackerModel(rate_hz=30, hidden_lost=0.8, least_confidence=least)
    tracker = Tracker("cube", model, 1)
    tracker.offer(0, AT, TURN.as_quat(), hidden)
    sample = tracker.channel.newest(0)
    trust = confidence(model, hidden)
    assert sample.value[7] == trust
    assert sample.age_ns[7] == 0
    lost = trust < least or trust == 0
    assert np.isnan(sample.value[:7]).all() == lost
    assert ((sample.age_ns[:7] == NEVER) == lost).all()


def test_occlusion_does_not_move_the_noise_of_later_samples() -> None:
    model = TrackerModel(rate_hz=30, noise_m=0.001, least_confidence=0.5)
    seen, hid = Tracker("cube", model, 4), Tracker("cube", model, 4)
    for k in range(20):
        stamp = seen.channel.next_ns
        seen.offer(stamp, AT, TURN.as_quat(), 0.0)
        hid.offer(stamp, AT, TURN.as_quat(), 0.9 if k < 19 else 0.0)
    last = seen.channel.newest(NS)
    np.testing.assert_array_equal(hid.channel.newest(NS).value, last.value)


def test_offers_between_the_instants_draw_nothing() -> None:
    model = TrackerModel(rate_hz=10, noise_m=0.001)
    rare, often = Tracker("cube", model, 4), Tracker("cube", model, 4)
    for step in range(1000):
        often.offer(step * 1_000_000, AT, TURN.as_quat(), 0.0)
        if step % 100 == 0:
            rare.offer(step * 1_000_000, AT, TURN.as_quat(), 0.0)
    np.testing.assert_array_equal(often.channel.newest(NS).value, rare.channel.newest(NS).value)


def test_outliers_are_wrong_and_confident_as_often_and_as_far_as_they_may() -> None:
    count = 2000
    fault = Outliers(probability=0.1, distance_m=0.2, angle_rad=1.0, at_s=10.0)
    rows = poses(TrackerModel(rate_hz=30, outliers=(fault,)), count)
    off = np.linalg.norm(rows[:, :3] - AT, axis=1)
    turned = np.linalg.norm(errors_rad(rows), axis=1)
    assert (off[:300] < 1e-12).all()
    wrong = off[300:] > 1e-12
    assert abs(wrong.mean() - 0.1) < 4 * np.sqrt(0.09 / 1700)
    assert off.max() <= 0.2
    assert turned.max() <= 1.0 + 1e-9
    # evenly spread: mean w/2, deviation w/sqrt(12)
    struck = off[300:][wrong]
    assert abs(struck.mean() - 0.1) < 4 * 0.2 / np.sqrt(12 * len(struck))
    assert (rows[:, 7] == 1.0).all()


def test_what_cannot_be_is_refused() -> None:
    tracker = Tracker("cube", TrackerModel(rate_hz=30), 1)
    for hidden in (-0.1, 1.1, float("nan")):
        with pytest.raises(HarnessError, match="cannot be hidden"):
            tracker.offer(0, AT, TURN.as_quat(), hidden)
    with pytest.raises(BadInput, match="noise_m: 2 numbers for 3 labels"):
        Tracker("cube", TrackerModel(rate_hz=30, noise_m=(0.1, 0.1)), 1)
