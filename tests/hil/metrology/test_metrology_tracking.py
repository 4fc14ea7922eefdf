from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from metrology_data import grid, recorded, stamps
from scipy import signal

from hil.errors import BadInput
from hil.metrology.series import Series
from hil.metrology.tracking import (
    Tracking,
    bandwidth,
    sine_response,
    tracking_delay,
    tracking_error,
    tracking_measures,
)


def smooth_noise(seed: int, length_s: float = 10.0, rate_hz: float = 500.0) -> np.ndarray:
    """A command that does not repeat itself, up to 3 Hz."""
    rng = np.random.default_rng(seed)
    times = grid(length_s, rate_hz)
    frequencies = rng.uniform(0.2, 3.0, 12)
    phases = rng.uniform(0, 2 * np.pi, 12)
    return np.sin(2 * np.pi * np.outer(times, frequencies) + phases).sum(axis=1)


def delayed(seed: int, delay_s: float, rate_hz: float = 500.0, noise: float = 0.0) -> Tracking:
    """The command, and itself `delay_s` later at the same rate."""
    rng = np.random.default_rng(seed)
    times = grid(10.0, rate_hz)
    command = smooth_noise(seed, rate_hz=rate_hz)
    late = np.interp(times - delay_s, times, command) + noise * rng.normal(size=len(times))
    return Tracking(
        Series.of("asked", stamps(times), command), Series.of("got", stamps(times), late)
    )


@given(st.integers(0, 10**6), st.floats(0.0, 0.15))
@settings(max_examples=30, deadline=None)
def test_a_pure_delay_is_found_to_a_fraction_of_a_sample(seed: int, delay_s: float) -> None:
    assert tracking_delay(delayed(seed, delay_s), 0.2) == pytest.approx(delay_s, abs=4e-4)


def test_a_delay_in_noise() -> None:
    found = [tracking_delay(delayed(seed, 0.04, noise=0.5), 0.2) for seed in range(10)]
    assert np.mean(found) == pytest.approx(0.04, abs=2e-3)


@given(st.floats(0.01, 100), st.floats(-10, 10), st.integers(-(10**15), 10**15))
@settings(max_examples=20, deadline=None)
def test_unit_offset_and_clock_do_not_change_a_delay(
    scale: float, offset: float, shift: int
) -> None:
    first = delayed(3, 0.05)
    second = Tracking(
        Series.of("asked", first.commanded.stamp_ns + shift, first.commanded.value),
        Series.of("got", first.measured.stamp_ns + shift, scale * first.measured.value + offset),
    )
    assert tracking_delay(second, 0.2) == pytest.approx(tracking_delay(first, 0.2), abs=1e-9)


def test_a_slow_command_is_held() -> None:
    """Commands at 20 Hz, followed at once and held: no delay, though samples come at 500 Hz."""
    times = grid(10.0, 20)
    asked = Series.of("asked", stamps(times), smooth_noise(4, rate_hz=20))
    fine = stamps(grid(10.0, 500))
    got = Series.of("got", fine, asked.held_at(fine))
    assert tracking_delay(Tracking(asked, got), 0.2) == pytest.approx(0.0, abs=1e-3)
    assert tracking_error(Tracking(asked, got)) == 0.0


def test_tracking_error_by_hand() -> None:
    """Off by 3, -4, 0, 0 of a command that stands: sqrt(25 / 4)."""
    asked = Series.of("asked", [0, 10], [7.0, 7.0])
    got = Series.of("got", [0, 10, 20, 30], [10.0, 3.0, 7.0, 7.0])
    assert tracking_error(Tracking(asked, got)) == pytest.approx(2.5)


def test_tracking_over_repeats() -> None:
    repeats = [delayed(seed, 0.05) for seed in range(4)]
    error, delay = tracking_measures(repeats, "N", 0.2)
    assert (error.unit, delay.unit, delay.n) == ("N", "s", 4)
    assert delay.value == pytest.approx(0.05, abs=1e-3)
    assert error.value == pytest.approx(np.mean([tracking_error(one) for one in repeats]))


@pytest.mark.parametrize(
    ("repeat", "longest", "words"),
    [
        (delayed(1, 0.15), 0.1, "better still after more than 0.1 s"),
        (delayed(1, 0.1), 5.0, "at least three times as long"),
        (delayed(1, 0.1), 0.0, "at least three times as long"),
        (
            Tracking(recorded(np.ones_like, 5.0, 100), recorded(np.sin, 5.0, 100)),
            0.2,
            "does not follow its command",
        ),
        (
            Tracking(
                recorded(lambda t: np.sin(20 * t), 9.0, 200, "asked"),
                recorded(lambda t: np.sin(20 * (t - 0.05)), 9.0, 200, "got"),
            ),
            0.5,
            "another delay up to 0.5 s fits nearly as well",
        ),
        (
            Tracking(recorded(np.sin, 5.0, 100), Series.of("got", [1, 2], [0, 0])),
            0.2,
            "0 samples since the first command",
        ),
        (
            Tracking(recorded(np.sin, 5.0, 100), recorded(lambda t: np.ones((len(t), 2)), 5.0)),
            0.2,
            "one value a sample",
        ),
    ],
)
def test_delays_that_cannot_be_told_are_refused(
    repeat: Tracking, longest: float, words: str
) -> None:
    with pytest.raises(BadInput, match=words) as refused:
        tracking_delay(repeat, longest)
    assert refused.value.remedy


def low_pass(corner_hz: float, frequency_hz: float) -> Tracking:
    """A sine and what a first-order low pass makes of it, simulated by SciPy."""
    times = grid(6 / frequency_hz, 200 * frequency_hz)
    asked = np.sin(2 * np.pi * frequency_hz * times)
    system = signal.TransferFunction([1.0], [1 / (2 * np.pi * corner_hz), 1.0])
    got = signal.lsim(system, asked, times)[1]
    return Tracking(Series.of("asked", stamps(times), asked), Series.of("got", stamps(times), got))


@pytest.mark.parametrize("frequency", [0.5, 2.0, 5.0])
def test_gain_and_phase_of_a_low_pass(frequency: float) -> None:
    gain, phase = sine_response(low_pass(2.0, frequency), frequency, skipped_cycles=3)
    assert gain == pytest.approx(1 / math.hypot(1, frequency / 2), abs=1e-3)
    assert phase == pytest.approx(-math.atan(frequency / 2), abs=1e-3)


def test_bandwidth_of_a_low_pass() -> None:
    """The corner frequency, but for the gain at the lowest frequency and the straight line."""
    frequencies = np.array([0.1, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0])
    rows = [
        [sine_response(low_pass(corner, f), f, 3)[0] for f in frequencies]
        for corner in (1.8, 2.0, 2.2)
    ]
    found = bandwidth(frequencies, rows)
    assert found.value == pytest.approx(2.0, rel=0.01)
    assert (found.unit, found.n) == ("Hz", 3)


@given(st.floats(0.1, 10), st.floats(0.01, 100))
@settings(max_examples=30, deadline=None)
def test_bandwidth_scales_with_frequency_and_not_with_gain(scale: float, gain: float) -> None:
    frequency = np.array([1.0, 2.0, 4.0, 8.0])
    rows = np.array([[1.0, 0.9, 0.5, 0.2], [1.0, 1.1, 0.7, 0.2], [1.0, 0.8, 0.6, 0.3]])
    wanted = bandwidth(frequency, rows).value
    assert bandwidth(scale * frequency, gain * rows).value == pytest.approx(scale * wanted)


def test_bandwidth_by_hand() -> None:
    """0 dB at 1 Hz and -6.02 dB at 4 Hz: -3.01 dB half-way on the logarithm, at 2 Hz."""
    found = bandwidth([1.0, 4.0], [[1.0, 0.5]] * 3)
    assert found.value == pytest.approx(2.0)


def test_a_gain_that_does_not_fall_is_a_lower_bound() -> None:
    found = bandwidth([1.0, 4.0], [[1.0, 0.5], [1.0, 0.9], [1.0, 0.5], [1.0, math.nan]])
    assert found.value == pytest.approx((2.0 + 4.0 + 2.0) / 3)
    assert found.interval is not None
    assert (found.interval[1], found.n, found.absent) == (math.inf, 3, 1)


@pytest.mark.parametrize(
    ("frequency", "gain", "words"),
    [
        ([1.0], [[1.0]] * 3, "at least two frequencies"),
        ([2.0, 1.0], [[1.0, 1.0]] * 3, "rising order"),
        ([0.0, 1.0], [[1.0, 1.0]] * 3, "rising order"),
        ([1.0, 2.0], [[1.0]] * 3, "one row of gains a repeat"),
        ([1.0, 2.0], [[1.0, 0.0]] * 3, "not positive"),
        ([1.0, 2.0], [[1.0, 0.5]] * 2, "2 repeats"),
    ],
)
def test_gains_that_are_none_are_refused(frequency: object, gain: object, words: str) -> None:
    with pytest.raises(BadInput, match=words):
        bandwidth(frequency, gain)  # type: ignore[arg-type]


def test_too_little_of_a_sine_is_refused() -> None:
    with pytest.raises(BadInput, match="at least two cycles"):
        sine_response(low_pass(2.0, 1.0), 1.0, skipped_cycles=5)
    coarse = Tracking(recorded(np.sin, 60.0, 0.5), recorded(np.sin, 60.0, 0.5))
    with pytest.raises(BadInput, match="four samples a cycle"):
        sine_response(coarse, 1 / (2 * np.pi))
    still = recorded(np.zeros_like, 6.0, 100, "asked")
    with pytest.raises(BadInput, match="is no sine of 1 Hz"):
        sine_response(Tracking(still, recorded(np.sin, 6.0, 100)), 1.0)
    other = recorded(lambda t: np.sin(2 * np.pi * 3 * t), 6.0, 100, "asked")
    with pytest.raises(BadInput, match="is no sine of 1 Hz"):
        sine_response(Tracking(other, other), 1.0)


def test_two_cycles_are_enough() -> None:
    two = recorded(lambda t: np.sin(2 * np.pi * t), 1.99, 100)
    gain, phase = sine_response(Tracking(two, two), 1.0, skipped_cycles=0)
    assert (gain, phase) == (pytest.approx(1.0), pytest.approx(0.0))
