"""Pose accuracy and repeatability against sums by hand and SciPy's rotations."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from metrology_data import turned
from scipy.spatial.transform import Rotation

from hil.errors import BadInput
from hil.metrology.pose import (
    orientation_accuracy,
    orientation_repeatability,
    position_accuracy,
    position_repeatability,
)
from hil.metrology.summary import Measure

seeds = st.integers(0, 2**32 - 1)


def cloud(seed: int, count: int = 12) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(count, 3)) * rng.uniform(0.1, 1, 3) + rng.normal(size=3)


def attitudes(seed: int, spread: float = 0.05, count: int = 12) -> tuple[np.ndarray, np.ndarray]:
    """Arrivals (n, 4) and the commanded attitude (4,), x, y, z, w, of either sign."""
    rng = np.random.default_rng(seed)
    commanded = Rotation.random(rng=rng)
    off = Rotation.from_rotvec(rng.normal(size=(count, 3)) * spread + rng.normal(size=3) * spread)
    rows = (off * commanded).as_quat() * rng.choice((-1.0, 1.0), size=(count, 1))
    return rows, commanded.as_quat()


def values(measures: tuple[Measure, ...]) -> np.ndarray:
    return np.array([one.value for one in measures])


def ends(measure: Measure) -> tuple[float, float]:
    assert measure.interval is not None
    return measure.interval


def test_a_square_of_arrivals_by_hand() -> None:
    """Corners of a square of side 2 about (1, 2, 3): every l is sqrt(2), so that S_l is 0 and
    RP_l = sqrt(2); commanded (1, 2, 0), so that AP_P = AP_z = 3; S_x = S_y = sqrt(4 / 3)."""
    rows = np.array([[0, 1, 3], [2, 1, 3], [2, 3, 3], [0, 3, 3]], dtype=float)
    accuracy = position_accuracy(rows, [1, 2, 0])
    assert values(accuracy) == pytest.approx([3, 0, 0, 3])
    repeatability = position_repeatability(rows)
    spread = 3 * math.sqrt(4 / 3)
    assert values(repeatability) == pytest.approx([math.sqrt(2), spread, spread, 0])
    assert [one.name for one in accuracy] == ["AP_P", "AP_x", "AP_y", "AP_z"]
    assert {one.unit for one in (*accuracy, *repeatability)} == {"m"}
    assert {one.n for one in (*accuracy, *repeatability)} == {4}


def test_the_interval_of_the_length_by_hand() -> None:
    """Four arrivals of the square: S = diag(4/3, 4/3, 0), F(0.95; 3, 1) = 215.71, so that
    r = sqrt(3 * 3 / 1 * 215.71 * (4/3) / 4) = 25.44; at 99 %, F = 5403.4."""
    rows = np.array([[0, 1, 3], [2, 1, 3], [2, 3, 3], [0, 3, 3]], dtype=float)
    found = position_accuracy(rows, [1, 2, -97])[0]
    assert ends(found) == pytest.approx((100 - 25.44, 100 + 25.44), abs=0.01)
    wider = position_accuracy(rows, [1, 2, -997], confidence=0.99)[0]
    assert ends(wider)[1] - 1000 == pytest.approx(math.sqrt(3 * 5403.4), rel=1e-4)
    assert ends(position_accuracy(rows, [1, 2, 0])[0])[0] == 0.0


def test_arrivals_on_a_line_by_hand() -> None:
    """x = 0, 0, 0, 0, 5: barycentre 1, l = 1, 1, 1, 1, 4; mean 1.6, S_l^2 = 9 / 5,
    RP_l = 1.6 + 3 sqrt(1.8)."""
    rows = np.zeros((5, 3))
    rows[4, 0] = 5.0
    found = position_repeatability(rows)
    assert found[0].value == pytest.approx(1.6 + 3 * math.sqrt(1.8))
    assert found[1].value == pytest.approx(3 * math.sqrt(5))


@given(seeds)
@settings(max_examples=40, deadline=None)
def test_the_choice_of_frame_does_not_matter(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows, target, turn, shift = cloud(seed), rng.normal(size=3), turned(rng), rng.normal(size=3)
    first = position_accuracy(rows, target)
    second = position_accuracy(rows @ turn.T + shift, turn @ target + shift)
    assert second[0].value == pytest.approx(first[0].value)
    assert ends(second[0]) == pytest.approx(ends(first[0]))
    assert values(second)[1:] == pytest.approx(turn @ values(first)[1:])
    before, after = (
        position_repeatability(rows)[0],
        position_repeatability(rows @ turn.T + shift)[0],
    )
    assert after.value == pytest.approx(before.value)
    assert ends(after) == pytest.approx(ends(before))


@given(seeds, st.floats(1e-4, 1e4))
@settings(max_examples=30, deadline=None)
def test_unit_and_order_do_not_matter(seed: int, scale: float) -> None:
    rows = cloud(seed)
    mixed = np.random.default_rng(seed).permutation(rows) * scale
    for found, wanted in zip(
        (*position_accuracy(mixed, np.zeros(3)), *position_repeatability(mixed)),
        (*position_accuracy(rows, np.zeros(3)), *position_repeatability(rows)),
        strict=True,
    ):
        assert found.value == pytest.approx(scale * wanted.value)
        assert ends(found) == pytest.approx(scale * np.array(ends(wanted)))


def test_absent_arrivals_are_left_out_and_counted() -> None:
    rows = cloud(5)
    holed = np.vstack([rows, [[0.0, math.nan, 0.0]], [[math.nan] * 3]])
    for found, wanted in zip(
        (*position_accuracy(holed, np.zeros(3)), *position_repeatability(holed)),
        (*position_accuracy(rows, np.zeros(3)), *position_repeatability(rows)),
        strict=True,
    ):
        assert (found.value, found.interval, found.n) == (wanted.value, wanted.interval, wanted.n)
        assert (found.absent, wanted.absent) == (2, 0)


def test_identical_arrivals_repeat_perfectly() -> None:
    found = position_repeatability(np.ones((5, 3)))
    assert values(found).tolist() == [0, 0, 0, 0]
    assert ends(found[0]) == (0.0, 0.0)
    assert ends(position_accuracy(np.ones((5, 3)), [0, 1, 1])[0]) == pytest.approx((1.0, 1.0))


@given(seeds)
@settings(max_examples=40, deadline=None)
def test_attitudes_agree_with_scipy(seed: int) -> None:
    rows, commanded = attitudes(seed)
    turns, target = Rotation.from_quat(rows), Rotation.from_quat(commanded)
    errors = (turns * target.inv()).as_rotvec()
    accuracy = values(orientation_accuracy(rows, commanded))
    assert accuracy[1:] == pytest.approx(errors.mean(axis=0))
    assert accuracy[0] == pytest.approx(np.linalg.norm(errors.mean(axis=0)))
    off = (turns * turns.mean().inv()).as_rotvec()
    angle = np.linalg.norm(off - off.mean(axis=0), axis=1)
    repeatability = values(orientation_repeatability(rows))
    assert repeatability[1:] == pytest.approx(3 * off.std(axis=0, ddof=1))
    assert repeatability[0] == pytest.approx(angle.mean() + 3 * angle.std(ddof=1))


@given(seeds)
@settings(max_examples=30, deadline=None)
def test_attitudes_in_another_frame(seed: int) -> None:
    rows, commanded = attitudes(seed)
    turn = Rotation.random(rng=np.random.default_rng(seed + 1))
    moved = (turn * Rotation.from_quat(rows)).as_quat()
    there = (turn * Rotation.from_quat(commanded)).as_quat()
    first, second = orientation_accuracy(rows, commanded), orientation_accuracy(moved, there)
    assert second[0].value == pytest.approx(first[0].value)
    assert values(second)[1:] == pytest.approx(turn.apply(values(first)[1:]), abs=1e-12)
    before, after = orientation_repeatability(rows), orientation_repeatability(moved)
    assert after[0].value == pytest.approx(before[0].value)


def test_small_angles_are_the_standards_angles() -> None:
    """About a level tool, a small error is its angles about x, y and z."""
    angles = np.array([[1e-3, 2e-3, -3e-3]] * 4)
    rows = Rotation.from_euler("xyz", angles).as_quat()
    found = values(orientation_accuracy(rows, [0, 0, 0, 1]))
    assert found[1:] == pytest.approx([1e-3, 2e-3, -3e-3], abs=5e-6)
    assert values(orientation_repeatability(rows)) == pytest.approx(np.zeros(4), abs=1e-12)


@pytest.mark.parametrize(
    ("rows", "target", "words"),
    [
        (np.zeros((3, 3)), np.zeros(3), "3 repeats; at least 4"),
        (np.zeros((5, 2)), np.zeros(3), r"attained positions: shape \(5, 2\)"),
        (np.full((5, 3), math.inf), np.zeros(3), "infinite"),
        (np.zeros((5, 3)), [0, math.nan, 0], "commanded position"),
        (np.zeros((5, 3)), np.zeros(2), "commanded position"),
    ],
)
def test_positions_that_are_none_are_refused(rows: object, target: object, words: str) -> None:
    with pytest.raises(BadInput, match=words) as refused:
        position_accuracy(rows, target)  # type: ignore[arg-type]
    assert refused.value.remedy


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (np.full((5, 4), 0.9), "row 0 has length 1.8"),
        ([[0, 0, 0, 1]] * 4 + [[1, 0, 0, 0]], "row 4 is 3.14 rad away"),
        ([[0, 0, 0, 1]] * 3, "3 repeats"),
        (np.zeros((5, 3)), "shape"),
    ],
)
def test_attitudes_that_are_none_are_refused(rows: object, words: str) -> None:
    with pytest.raises(BadInput, match=words) as refused:
        orientation_accuracy(rows, [0, 0, 0, 1])  # type: ignore[arg-type]
    assert refused.value.remedy
