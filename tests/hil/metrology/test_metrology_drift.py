from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from metrology_data import stamps
from scipy import stats

from hil.errors import BadInput
from hil.metrology.drift import Drift, drift
from hil.metrology.series import Series
from hil.metrology.summary import Measure

TIMES_S = np.arange(60) * 60.0


def readings(value: np.ndarray, times_s: np.ndarray = TIMES_S) -> Series:
    return Series.of("position at rest", stamps(times_s), value)


def drifting(constant_s: float = 600.0, total: float = 10.0, noise: float = 1.0) -> np.ndarray:
    rng = np.random.default_rng(11)
    return 3 + total * -np.expm1(-TIMES_S / constant_s) + noise * rng.normal(size=60)


def parts(found: Drift) -> tuple[Measure, Measure]:
    assert found.time_constant is not None
    assert found.total is not None
    return found.time_constant, found.total


def test_slope_and_interval_agree_with_scipy_where_readings_are_independent() -> None:
    """Residuals of which neighbours are of opposite sign are not worth more than their number."""
    value = 2e-3 * TIMES_S + np.tile([1.0, -1.0], 30)
    found = drift(readings(value), "rad").slope
    wanted = stats.linregress(TIMES_S, value)
    assert found.value == pytest.approx(wanted.slope)
    half = stats.t.ppf(0.975, 58) * wanted.stderr
    assert found.interval == pytest.approx((wanted.slope - half, wanted.slope + half))
    assert (found.unit, found.n) == ("rad/s", 60)


def test_readings_that_follow_one_another_are_worth_fewer() -> None:
    """Each reading given twice: a lag-one correlation near 1/2, so that n is worth about n/3."""
    rng = np.random.default_rng(2)
    single = rng.normal(size=30)
    twice = drift(readings(np.repeat(single, 2)), "rad").slope
    mixed = drift(readings(rng.permutation(np.repeat(single, 2))), "rad").slope
    assert twice.interval is not None
    assert mixed.interval is not None
    assert np.ptp(twice.interval) > 1.4 * np.ptp(mixed.interval)


def test_a_saturating_course() -> None:
    constant, total = parts(drift(readings(drifting()), "rad"))
    assert constant.interval is not None
    assert constant.interval[0] < 600 < constant.interval[1]
    assert constant.value == pytest.approx(600, rel=0.3)
    assert total.interval is not None
    assert total.interval[0] < 10 < total.interval[1]
    assert (constant.unit, total.unit) == ("s", "rad")


def test_without_noise_it_is_exact() -> None:
    constant, total = parts(drift(readings(drifting(noise=0.0)), "rad"))
    assert constant.value == pytest.approx(600, rel=1e-4)
    assert total.value == pytest.approx(10, rel=1e-4)


@given(st.floats(0.01, 100), st.floats(-100, 100), st.floats(0.1, 10), st.integers(0, 10**15))
@settings(max_examples=15, deadline=None)
def test_unit_zero_and_clock(scale: float, offset: float, slower: float, shift: int) -> None:
    first = drift(readings(drifting()), "rad")
    moved = readings(scale * drifting() + offset, TIMES_S * slower)
    second = drift(Series.of("x", moved.stamp_ns + shift, moved.value), "mm")
    assert second.slope.value == pytest.approx(first.slope.value * scale / slower, rel=1e-6)
    constant, total = parts(first)
    later, larger = parts(second)
    assert later.value == pytest.approx(slower * constant.value, rel=1e-3)
    assert larger.value == pytest.approx(scale * total.value, rel=1e-3)


@pytest.mark.parametrize("seed", range(5))
def test_a_straight_course_has_no_time_constant(seed: int) -> None:
    noise = np.random.default_rng(seed).normal(size=60)
    found = drift(readings(2e-3 * TIMES_S + noise), "rad")
    assert (found.time_constant, found.total) == (None, None)


def test_a_first_reading_that_is_off_is_no_time_constant() -> None:
    value = np.random.default_rng(1).normal(size=60)
    value[0] -= 20
    assert drift(readings(value), "rad").time_constant is None


def test_a_course_that_has_not_saturated_has_no_time_constant() -> None:
    assert drift(readings(drifting(constant_s=20_000.0)), "rad").time_constant is None


def test_readings_all_alike_do_not_drift() -> None:
    found = drift(readings(np.full(60, 4.0)), "rad")
    assert found.slope.value == pytest.approx(0.0, abs=1e-15)
    assert found.time_constant is None


def test_absent_readings_are_left_out_and_counted() -> None:
    value = drifting()
    holed = value.copy()
    holed[[5, 17]] = math.nan
    found = drift(readings(holed), "rad").slope
    kept = ~np.isnan(holed)
    wanted = stats.linregress(TIMES_S[kept], value[kept])
    assert found.value == pytest.approx(wanted.slope)
    assert (found.n, found.absent) == (58, 2)


def test_too_few_readings_are_refused() -> None:
    with pytest.raises(BadInput, match="position at rest: 7 readings") as refused:
        drift(readings(np.zeros(7), TIMES_S[:7]), "rad")
    assert refused.value.remedy
    with pytest.raises(BadInput, match="one value a sample"):
        drift(readings(np.zeros((60, 2))), "rad")
