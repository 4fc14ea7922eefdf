"""The clock mapping against clocks whose truth is known, with delays that are not symmetric."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hil.clock import NS_PER_MS, NS_PER_S, NS_PER_US
from hil.contracts import ClockExchange, IntArray
from hil.loop.clockmap import DRIFT_LIMIT_PPM, as_array, fit_clock


@dataclass(frozen=True)
class Truth:
    """A device's clock: t + offset + drift * (t - begin), and the least time of each way."""

    offset_ns: int
    drift_ppm: float
    there_ns: int = 60_000
    back_ns: int = 60_000
    noise_ns: float = 100_000
    begin_ns: int = 5_000 * NS_PER_S

    def device(self, host_ns: IntArray) -> IntArray:
        gained = np.rint((host_ns - self.begin_ns) * (self.drift_ppm * 1e-6)).astype(np.int64)
        return host_ns + gained + self.offset_ns

    def exchanges(self, bursts: int, each: int, apart_s: float, seed: int) -> IntArray:
        """Bursts of round trips with exponential noise on both ways."""
        rng = np.random.default_rng(seed)
        starts = self.begin_ns + np.arange(bursts)[:, None] * round(apart_s * NS_PER_S)
        sent = (starts + np.arange(each) * 2 * NS_PER_MS).ravel().astype(np.int64)
        there, back = (
            least + rng.exponential(self.noise_ns, len(sent)).astype(np.int64)
            for least in (self.there_ns, self.back_ns)
        )
        arrived = sent + there
        answered = arrived + 20_000
        return np.column_stack(
            [sent, self.device(arrived), self.device(answered), answered + back]
        ).astype(np.int64)


def errors(truth: Truth, exchanges: IntArray, beyond_s: float = 0.0) -> tuple[IntArray, IntArray]:
    """Error of the mapped stamps and the stated uncertainty, over the run and beyond it."""
    found = fit_clock(exchanges)
    assert found is not None
    margin = round(beyond_s * NS_PER_S)
    host = np.linspace(exchanges[0, 0] - margin, exchanges[-1, 3] + margin, 201).astype(np.int64)
    mapped = found.to_host_ns(truth.device(host))
    return np.abs(mapped - host), found.uncertainty_ns(host)


@given(
    offset_ns=st.integers(-(2**60), 2**60),
    drift_ppm=st.floats(-DRIFT_LIMIT_PPM, DRIFT_LIMIT_PPM),
    there_ns=st.integers(1_000, 3_000_000),
    back_ns=st.integers(1_000, 3_000_000),
    bursts=st.integers(1, 20),
    seed=st.integers(0, 2**32 - 1),
)
@settings(max_examples=150, deadline=None)
def test_the_error_never_leaves_the_stated_uncertainty(
    offset_ns: int, drift_ppm: float, there_ns: int, back_ns: int, bursts: int, seed: int
) -> None:
    truth = Truth(offset_ns, drift_ppm, there_ns, back_ns)
    error, stated = errors(truth, truth.exchanges(bursts, 24, 6.0, seed), beyond_s=30)
    # rates are read from stamps rounded to whole ns
    assert (error <= stated + 2).all()


def test_over_short_ways_the_error_is_small_and_inside_the_statement() -> None:
    outside, worst = 0, []
    for seed in range(200):
        drift = float(np.random.default_rng(seed).uniform(-80, 80))
        truth = Truth(10**17, drift, there_ns=50_000, back_ns=90_000)
        error, stated = errors(truth, truth.exchanges(15, 24, 5.0, seed))
        outside += int((error > stated).sum())
        worst.append(int(error.max()))
    assert outside == 0
    assert np.quantile(worst, 0.99) < 100 * NS_PER_US


def test_the_stated_uncertainty_is_not_arbitrarily_wide() -> None:
    truth = Truth(-(10**15), 40.0)
    exchanges = truth.exchanges(15, 24, 5.0, seed=1)
    found = fit_clock(exchanges)
    assert found is not None
    shortest = (truth.there_ns + truth.back_ns) // 2
    assert shortest <= found.base_ns < 3 * shortest
    assert found.longest.drift_ppm == pytest.approx(40.0, abs=found.longest.beyond_ppm)
    assert found.longest.beyond_ppm < 10


def test_delays_in_some_windows_do_not_move_the_map() -> None:
    truth = Truth(7 * NS_PER_S, 20.0)
    exchanges = truth.exchanges(20, 24, 5.0, seed=3)
    delayed = np.repeat(np.arange(20) % 2 == 1, 24)
    exchanges[delayed, 0] -= 5 * NS_PER_MS  # on the way there alone
    found = fit_clock(exchanges)
    assert found is not None
    assert found.trip_ns < NS_PER_MS, "a delayed window was kept"
    error, stated = errors(truth, exchanges)
    assert (error <= stated).all()
    assert error.max() < 100 * NS_PER_US


def test_one_short_burst_says_nothing_of_the_drift_and_admits_it() -> None:
    truth = Truth(123, 150.0)
    exchanges = truth.exchanges(1, 24, 0.0, seed=4)
    found = fit_clock(exchanges)
    assert found is not None
    assert found.longest.drift_ppm == 0
    assert found.longest.beyond_ppm == DRIFT_LIMIT_PPM
    later = exchanges[-1:, 3] + 10 * NS_PER_S
    assert found.uncertainty_ns(later)[0] >= 10 * NS_PER_S * DRIFT_LIMIT_PPM * 1e-6
    assert abs(found.to_host_ns(truth.device(later)) - later)[0] <= found.uncertainty_ns(later)[0]


def test_many_windows_are_merged_and_order_does_not_matter() -> None:
    truth = Truth(-5, -30.0)
    exchanges = truth.exchanges(3000, 1, 1.0, seed=5)
    found = fit_clock(exchanges)
    assert found is not None
    assert found.kept <= 513
    assert fit_clock(exchanges[::-1].copy()) == found
    error, stated = errors(truth, exchanges)
    assert (error <= stated).all()


def test_exchanges_that_cannot_be_are_left_out() -> None:
    truth = Truth(1000, 0.0, noise_ns=1)
    good = truth.exchanges(1, 4, 0.0, seed=6)
    before, back = good[0].copy(), good[0].copy()
    before[2] += NS_PER_S  # the device's part took longer than the whole
    back[2] = back[1] - 1  # the device's clock was set back
    found = fit_clock(np.vstack([before, good, back]))
    assert found is not None
    assert (found.kept, found.exchanges) == (1, 6)
    assert abs(found.longest.offset_ns - 1000) <= found.base_ns < 100_000
    assert fit_clock(np.vstack([before, back])) is None
    assert fit_clock(np.empty((0, 4), np.int64)) is None


def test_another_shape_is_refused() -> None:
    with pytest.raises(ValueError, match="not \\(n, 4\\)"):
        fit_clock(np.zeros((4, 3), np.int64))


def test_exchanges_become_rows_in_the_order_of_their_fields() -> None:
    rows = as_array([ClockExchange(1, 2, 3, 4), ClockExchange(5, 6, 7, 8)])
    assert rows.tolist() == [[1, 2, 3, 4], [5, 6, 7, 8]]
    assert as_array([]).shape == (0, 4)
