from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hil.loop.pacing import Grid, next_point

GRID = Grid(start_ns=1_000, period_ns=100)


def test_next_point_ahead_is_waited_for() -> None:
    point = next_point(GRID, served=3, now_ns=GRID.at(3) + 40)
    assert (point.index, point.skipped) == (4, 0)


def test_a_tick_that_overran_is_served_late_and_never_twice() -> None:
    point = next_point(GRID, served=3, now_ns=GRID.at(4) + 1)
    assert (point.index, point.skipped) == (4, 0)


def test_points_that_passed_are_skipped_and_counted() -> None:
    point = next_point(GRID, served=3, now_ns=GRID.at(7) + 99)
    assert (point.index, point.skipped) == (7, 3)


@given(
    served=st.integers(-1, 10_000),
    late_ns=st.integers(0, 10**7),
    period_ns=st.integers(1, 10**6),
)
def test_no_burst_and_no_drift(served: int, late_ns: int, period_ns: int) -> None:
    """Every point is served at most once, in order, and late by less than a period."""
    grid = Grid(0, period_ns)
    now = grid.at(max(served, 0)) + late_ns
    point = next_point(grid, served, now)
    assert point.index > served
    assert point.skipped == point.index - served - 1
    assert now - grid.at(point.index) < period_ns
