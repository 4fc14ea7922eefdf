from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from metrology_data import turned

from hil.errors import BadInput
from hil.metrology.path import corner, corner_measures, crossings, path_figures

LINE = np.column_stack([np.linspace(0.1, 0.9, 17), np.zeros(17), np.zeros(17)])
seeds = st.integers(0, 2**32 - 1)


def along_x(beside: float, up: float, count: int = 101) -> np.ndarray:
    """A straight path beside the line, from before its start to beyond its end."""
    return np.column_stack([np.linspace(0, 1, count), np.full(count, beside), np.full(count, up)])


def wavy(rng: np.random.Generator, count: int = 400) -> np.ndarray:
    """A path that wanders smoothly about the line."""
    x = np.linspace(0, 1, count)
    beside, up = (
        sum(rng.normal() * np.sin(k * np.pi * x + rng.uniform(0, 6)) / k for k in (1, 2, 3))
        for _ in range(2)
    )
    return np.column_stack([x, 0.01 * beside, 0.01 * up])


def circle(angles: np.ndarray, radius: float) -> np.ndarray:
    return radius * np.column_stack([np.cos(angles), np.sin(angles), np.zeros_like(angles)])


def test_parallel_paths_by_hand() -> None:
    """Beside the line by 1, 2 and 3 mm: mean 2 mm off; l = 1, 0, 1 mm, mean 2/3 and
    S_l = sqrt(1/3) mm; each strays by 1, 2, 3 mm."""
    found = path_figures([along_x(1e-3 * k, 0.0) for k in (1, 2, 3)], LINE)
    assert found.accuracy.value == pytest.approx(2e-3)
    assert found.repeatability.value == pytest.approx(1e-3 * (2 / 3 + 3 * math.sqrt(1 / 3)))
    assert found.deviation.value == pytest.approx(2e-3)
    assert found.deviation.interval is not None
    half = 4.303 * 1e-3 / math.sqrt(3)
    assert found.deviation.interval[1] == pytest.approx(2e-3 + half, abs=1e-6)
    assert (found.accuracy.interval, found.accuracy.n, found.accuracy.unit) == (None, 3, "m")


def test_the_worst_point_decides() -> None:
    """A bump of 5 mm at x = 0.5 m, where a commanded point is, on all repeats."""
    paths = [along_x(0.0, offset) for offset in (-1e-3, 0.0, 1e-3)]
    for path in paths:
        path[50, 1] = 5e-3
    found = path_figures(paths, LINE)
    assert found.accuracy.value == pytest.approx(5e-3)


def test_time_along_the_path_does_not_matter() -> None:
    """A repeat that starts slowly is compared where it crosses, not when."""
    late = along_x(1e-3, 0.0)
    late[:, 0] = late[:, 0] ** 2
    found = path_figures([late] * 3, LINE)
    assert found.accuracy.value == pytest.approx(1e-3)
    assert found.repeatability.value == pytest.approx(0.0, abs=1e-12)


def test_a_rest_in_a_plane_is_no_crossing_of_its_own() -> None:
    path = np.repeat(along_x(1e-3, 0.0), 2, axis=0)
    assert crossings(path, LINE)[:, 1] == pytest.approx(np.full(17, 1e-3))


def test_a_full_circle_is_compared_on_the_near_side() -> None:
    """Commanded radius 0.2 m, attained 0.203 m, once round and a little more."""
    command = circle(np.linspace(0.1, 2 * np.pi - 0.1, 60), 0.2)
    attained = circle(np.linspace(-0.1, 2 * np.pi + 0.05, 2000), 0.203)
    found = path_figures([attained] * 3, command)
    assert found.accuracy.value == pytest.approx(3e-3, abs=1e-6)


def test_lines_side_by_side_are_not_taken_for_one_another() -> None:
    """To and fro, as in a raster: the third leg crosses the same planes forwards, but far off."""
    x = np.linspace(0, 1, 50)
    legs = [
        np.column_stack([x[::way], np.full(50, y), np.zeros(50)])
        for way, y in ((1, 0.001), (-1, 0.05), (1, 0.1))
    ]
    found = path_figures([np.vstack(legs)] * 3, LINE)
    assert found.accuracy.value == pytest.approx(1e-3)


@given(seeds)
@settings(max_examples=25, deadline=None)
def test_frame_unit_and_order_do_not_matter(seed: int) -> None:
    rng = np.random.default_rng(seed)
    paths, turn, shift, scale = [wavy(rng) for _ in range(4)], turned(rng), rng.normal(size=3), 1e3
    first = path_figures(paths, LINE)
    moved = [scale * (path @ turn.T + shift) for path in paths[::-1]]
    second = path_figures(moved, scale * (LINE @ turn.T + shift))
    for found, wanted in (
        (second.accuracy, first.accuracy),
        (second.repeatability, first.repeatability),
        (second.deviation, first.deviation),
    ):
        assert found.value == pytest.approx(scale * wanted.value, rel=1e-6)


@given(seeds)
@settings(max_examples=25, deadline=None)
def test_crossings_lie_in_their_planes(seed: int) -> None:
    path = wavy(np.random.default_rng(seed))
    met = crossings(path, LINE)
    assert met[:, 0] == pytest.approx(LINE[:, 0])
    for axis in (1, 2):
        assert met[:, axis] == pytest.approx(np.interp(LINE[:, 0], path[:, 0], path[:, axis]))


def test_absent_samples_are_bridged_and_counted() -> None:
    holed = along_x(1e-3, 0.0)
    holed[20:23, 1] = math.nan
    found = path_figures([holed, along_x(1e-3, 0.0), along_x(1e-3, 0.0)], LINE)
    assert found.accuracy.value == pytest.approx(1e-3)
    assert found.accuracy.absent == found.deviation.absent == 3


def test_planes_that_were_not_crossed_are_told() -> None:
    """One of four ends half-way: nine planes are not crossed, and three repeats remain."""
    paths = [along_x(1e-3 * k, 0.0) for k in (1, 2, 3)]
    found = path_figures([*paths, along_x(0.0, 0.0)[:51]], LINE)
    assert "8 of 68 planes were not crossed" in found.accuracy.method
    assert found.accuracy.value == pytest.approx(2e-3)


@pytest.mark.parametrize(
    ("paths", "command", "words"),
    [
        ([along_x(0, 0)] * 2, LINE, "2 repeats; at least 3"),
        ([along_x(0, 0)[:60]] * 3, LINE, "0 of 3 repeats cross the plane of commanded point 10"),
        ([along_x(0, 0)[::-1]] * 3, LINE, "0 of 3 repeats cross"),
        ([along_x(0, 0)] * 3, LINE[:1], "commanded path: shape"),
        ([along_x(0, 0)] * 3, np.repeat(LINE, 2, axis=0), "points 0 and the next are the same"),
        ([along_x(0, 0)] * 3, [[0, 0, 0], [1, 0, 0], [1, 1, 0]], "more than 45 degrees at point 1"),
        ([along_x(0, 0)] * 3, np.full((4, 3), math.nan), "commanded path"),
        ([np.full((9, 3), math.nan)] * 3, LINE, "attained path 0: shape"),
        ([np.zeros((9, 2))] * 3, LINE, "attained path 0: shape"),
    ],
)
def test_paths_that_cannot_be_compared_are_refused(
    paths: list[np.ndarray], command: object, words: str
) -> None:
    with pytest.raises(BadInput, match=words) as refused:
        path_figures(paths, command)  # type: ignore[arg-type]
    assert refused.value.remedy


LEGS = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0]], dtype=float)


def test_a_corner_that_is_overshot() -> None:
    """Out to x = 1.02 m beyond the corner, then on: 20 mm, and the corner itself is met."""
    path = np.array([[0, 0, 0], [1.02, 0, 0], [1.02, 0.1, 0], [1, 0.3, 0], [1, 1, 0]])
    found = corner(path, LEGS)
    assert found.overshoot_m == pytest.approx(0.02)
    assert found.rounding_m == pytest.approx(0.0)


def test_a_corner_that_is_cut() -> None:
    """Straight from 0.1 m before to 0.1 m after: 0.1 / sqrt(2) from the corner, no overshoot."""
    path = np.array([[0, 0, 0], [0.9, 0, 0], [1, 0.1, 0], [1, 1, 0]])
    found = corner(path, LEGS)
    assert found.overshoot_m == pytest.approx(0.0)
    assert found.rounding_m == pytest.approx(0.1 / math.sqrt(2))


def test_later_legs_are_no_overshoot() -> None:
    """Round a square of which the third leg goes beyond the end of the second."""
    path = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [1.5, 1.2, 0], [0, 1.2, 0]])
    assert corner(path, LEGS).overshoot_m == 0.0


@given(seeds, st.floats(0.3, 2.8))
@settings(max_examples=30, deadline=None)
def test_a_corner_in_another_frame(seed: int, angle: float) -> None:
    rng = np.random.default_rng(seed)
    legs = np.array([[-1, 0, 0], [0, 0, 0], [math.cos(angle), math.sin(angle), 0]])
    path = np.array([[-1, 0, 0], [0.03, 0, 0.01], [0.02, 0.02, 0], 0.5 * legs[2], legs[2]])
    turn, shift = turned(rng), rng.normal(size=3)
    first = corner(path, legs)
    second = corner(7 * (path @ turn.T + shift), 7 * (legs @ turn.T + shift))
    assert second.overshoot_m == pytest.approx(7 * first.overshoot_m)
    assert second.rounding_m == pytest.approx(7 * first.rounding_m, abs=1e-12)


@pytest.mark.parametrize(
    ("path", "legs", "words"),
    [
        (LEGS, [[0, 0, 0], [1, 0, 0], [2, 0, 0]], "in line"),
        (LEGS, [[0, 0, 0], [1, 0, 0], [1, 0, 0]], "has no length"),
        (LEGS, LEGS[:2], "legs: shape"),
        (LEGS[:1], LEGS, "attained path: shape"),
    ],
)
def test_what_is_no_corner_is_refused(path: object, legs: object, words: str) -> None:
    with pytest.raises(BadInput, match=words):
        corner(path, legs)  # type: ignore[arg-type]


def test_corners_over_repeats() -> None:
    paths = [[[0, 0, 0], [1 + over, 0, 0], [1 + over, 1, 0]] for over in (0.01, 0.02, 0.03)]
    overshoot, rounding = corner_measures([corner(path, LEGS) for path in paths])
    assert overshoot.value == pytest.approx(0.02)
    assert (overshoot.n, overshoot.unit, rounding.value) == (3, "m", 0.0)
    holed = corner([[0, 0, 0], [math.nan, 0, 0], [1.02, 0, 0], [1.02, 1, 0]], LEGS)
    assert corner_measures([holed] * 3)[0].absent == 3
