"""Do the intervals hold as often as they say? By simulation with fixed seeds.

A limit is the nominal share less about four standard errors of the simulation; where an
interval is known to fall short, the limit is what its docstring admits.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from metrology_data import stamps

from hil.metrology.drift import drift
from hil.metrology.pose import barycentre_radius, position_accuracy, position_repeatability
from hil.metrology.series import Series
from hil.metrology.summary import (
    mean_measure,
    quantile_measure,
    spread_interval,
    student_interval,
)

RUNS = 1500
Interval = tuple[float, float] | None


def coverage(draw: Callable[[np.random.Generator], Interval], truth: float, runs: int) -> float:
    rng = np.random.default_rng(20260101)
    held = 0
    for _ in range(runs):
        interval = draw(rng)
        held += interval is not None and interval[0] <= truth <= interval[1]
    return held / runs


@pytest.mark.parametrize("count", [3, 5, 30])
@pytest.mark.parametrize("confidence", [0.9, 0.95])
def test_student(count: int, confidence: float) -> None:
    found = coverage(
        lambda rng: student_interval(rng.normal(7, 2, count), confidence), 7.0, 2 * RUNS
    )
    assert found == pytest.approx(confidence, abs=0.02)


def test_student_of_what_is_absent_at_random() -> None:
    """A fifth of the repeats is absent for reasons of its own: the mean of the rest is unbiased."""

    def draw(rng: np.random.Generator) -> Interval:
        values = rng.normal(7, 2, 12)
        values[rng.random(12) < 0.2] = np.nan
        return mean_measure("x", values, "N").interval

    assert coverage(draw, 7.0, RUNS) == pytest.approx(0.95, abs=0.025)


def test_lower_bounds_bound_the_mean_from_below() -> None:
    """Pulls that end at 12 N hide what lies above; the open interval still holds the mean."""

    def draw(rng: np.random.Generator) -> Interval:
        force = rng.normal(10, 3, 10)
        return mean_measure("x", np.minimum(force, 12), "N", censored=force > 12).interval

    assert coverage(draw, 10.0, RUNS) > 0.93


@pytest.mark.parametrize("count", [29, 60])
@pytest.mark.parametrize("side", ["upper", "lower"])
def test_order_statistics_of_a_skew_distribution(count: int, side: str) -> None:
    truth = np.exp(1.2815515655446004)  # the 90 % quantile; its mirror is the 10 % one

    def draw(rng: np.random.Generator) -> Interval:
        values = rng.lognormal(size=count)
        return quantile_measure("t", values, "s", 0.9, side=side).interval  # type: ignore[arg-type]

    held = coverage(draw, truth if side == "upper" else 1 / truth, RUNS)
    assert held > 0.95 - 0.0225


def test_spread() -> None:
    found = coverage(
        lambda rng: spread_interval(float(rng.normal(0, 2, 10).std(ddof=1)), 9), 2.0, RUNS
    )
    assert found == pytest.approx(0.95, abs=0.0225)


@pytest.mark.parametrize("spread", [(1, 1, 1), (1, 0.3, 0.1), (1, 0, 0)])
@pytest.mark.parametrize("count", [10, 30])
def test_pose_repeatability_and_accuracy(spread: tuple[float, ...], count: int) -> None:
    """RP_l falls short of 95 %, as its docstring says; AP_P holds more often than it says."""
    many = np.random.default_rng(3).normal(size=(500_000, 3)) * spread
    truth = barycentre_radius(many)

    def radius(rng: np.random.Generator) -> Interval:
        return position_repeatability(rng.normal(size=(count, 3)) * spread)[0].interval

    def length(rng: np.random.Generator) -> Interval:
        arrivals = rng.normal(size=(count, 3)) * spread + [0.3, 0.4, 0.0]
        return position_accuracy(arrivals, np.zeros(3))[0].interval

    assert 0.87 < coverage(radius, truth, 500) < 0.97
    assert coverage(length, 0.5, 500) > 0.95


@pytest.mark.parametrize(("likeness", "limit"), [(0.0, 0.92), (0.5, 0.88), (0.8, 0.84)])
def test_drift_rate_with_readings_that_follow_one_another(likeness: float, limit: float) -> None:
    """Autoregressive readings. Without the correction the last case holds in half of all."""
    times = np.arange(60) * 60.0

    def draw(rng: np.random.Generator) -> Interval:
        noise = rng.normal(size=60)
        for row in range(1, 60):
            noise[row] += likeness * noise[row - 1]
        return drift(Series.of("x", stamps(times), 1e-3 * times + noise), "rad").slope.interval

    assert coverage(draw, 1e-3, 250) > limit


def test_time_constant_and_total() -> None:
    times = np.arange(60) * 60.0
    held = {"constant": 0, "total": 0}
    rng = np.random.default_rng(20260101)
    for _ in range(250):
        value = 10 * -np.expm1(-times / 600) + rng.normal(size=60)
        found = drift(Series.of("x", stamps(times), value), "rad")
        assert found.time_constant is not None
        assert found.total is not None
        low, high = found.time_constant.interval or (0, 0)
        held["constant"] += low <= 600 <= high
        low, high = found.total.interval or (0, 0)
        held["total"] += low <= 10 <= high
    assert min(held.values()) / 250 > 0.90


def test_a_straight_course_is_seldom_taken_for_a_saturating_one() -> None:
    times = np.arange(60) * 60.0
    rng = np.random.default_rng(20260101)
    taken = sum(
        drift(
            Series.of("x", stamps(times), 2e-3 * times + rng.normal(size=60)), "rad"
        ).time_constant
        is not None
        for _ in range(250)
    )
    assert taken <= 0.05 * 250
