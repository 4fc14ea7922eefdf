from __future__ import annotations

import math

import numpy as np
import pytest
from metrology_data import recorded, turned

from hil.errors import BadInput
from hil.metrology.arrival import arrival, arrival_measures
from hil.metrology.series import Series

BAND_M = 1e-3


def damped(decay: float = 5.0, turn_rad_s: float = 20.0, length_s: float = 4.0) -> Series:
    """An arrival along x from 0.1 m off: a decaying cosine."""

    def position(times: np.ndarray) -> np.ndarray:
        off = 0.1 * np.exp(-decay * times) * np.cos(turn_rad_s * times)
        return np.column_stack([0.3 + off, np.full_like(off, 0.1), np.full_like(off, 0.2)])

    return recorded(position, length_s)


def wanted() -> tuple[float, float]:
    """Stabilisation time and overshoot of the same on a fine grid."""
    times = np.linspace(0, 4, 4_000_001)
    off = np.abs(0.1 * np.exp(-5 * times) * np.cos(20 * times))
    first = int(np.flatnonzero(off <= BAND_M)[0])
    last = int(np.flatnonzero(off > BAND_M)[-1])
    return times[last] - times[first], float(off[first:].max())


def test_a_ringing_arrival() -> None:
    found = arrival(damped(), BAND_M, rest_s=1.0)
    settling_s, overshoot_m = wanted()
    assert found.settling_s == pytest.approx(settling_s, abs=1e-3)
    assert found.overshoot_m == pytest.approx(overshoot_m, rel=1e-2)


def test_the_frame_and_the_clock_do_not_matter() -> None:
    series, turn = damped(), turned(np.random.default_rng(2))
    moved = Series.of("tool", series.stamp_ns + 10**12, series.value @ turn.T - 4.0)
    first, second = arrival(series, BAND_M, 1.0), arrival(moved, BAND_M, 1.0)
    assert second.settling_s == pytest.approx(first.settling_s, abs=1e-6)
    assert second.overshoot_m == pytest.approx(first.overshoot_m)


def test_an_arrival_without_overshoot() -> None:
    creeping = recorded(lambda t: np.outer(0.1 * np.exp(-8 * t), [1.0, 0.0, 0.0]), 4.0)
    found = arrival(creeping, BAND_M, rest_s=1.0)
    assert (found.settling_s, found.overshoot_m) == (0.0, 0.0)


def test_one_that_leaves_the_band_again_never_settles() -> None:
    def position(times: np.ndarray) -> np.ndarray:
        along = np.where(times < 1, 0.1 * (1 - times), 0.003 * np.sin(50 * times))
        return np.outer(along, [1.0, 0.0, 0.0])

    found = arrival(recorded(position, 4.0), BAND_M, rest_s=1.0)
    assert found.settling_s == math.inf
    assert found.overshoot_m == pytest.approx(0.003, rel=0.05)


@pytest.mark.parametrize(
    ("series", "band", "words"),
    [
        (recorded(lambda t: np.zeros((len(t), 3)), 3.0), BAND_M, "from outside"),
        (damped(), 0.0, "band 0 m"),
        (recorded(lambda t: t, 3.0), BAND_M, "shape"),
        (damped(length_s=0.5), BAND_M, "are needed"),
    ],
)
def test_what_is_no_arrival_is_refused(series: Series, band: float, words: str) -> None:
    with pytest.raises(BadInput, match=words) as refused:
        arrival(series, band, rest_s=1.0)
    assert refused.value.remedy


def test_arrivals_over_repeats() -> None:
    found = [arrival(damped(decay), BAND_M, 1.0) for decay in (4.5, 5.0, 5.5)]
    settling, overshoot = arrival_measures(found)
    assert settling.value == pytest.approx(np.mean([one.settling_s for one in found]))
    assert (settling.unit, overshoot.unit, settling.n) == ("s", "m", 3)
    assert "ISO 9283, 7.4" in settling.method
    with pytest.raises(BadInput, match="2 repeats"):
        arrival_measures(found[:2])


def test_absent_samples_are_counted() -> None:
    series = damped()
    value = series.value.copy()
    value[100, 1] = math.nan
    holed = Series.of("tool", series.stamp_ns, value)
    found = arrival(holed, BAND_M, 1.0)
    assert found.absent == 1
    assert arrival_measures([found] * 3)[0].absent == 3
