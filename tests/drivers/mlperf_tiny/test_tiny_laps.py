from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.mlperf_tiny.laps import (
    COUNTER_US,
    Throughput,
    Timeline,
    elapsed_us,
    granularity_us,
    print_us,
)


@given(st.integers(0, COUNTER_US - 1), st.integers(0, COUNTER_US - 1))
def test_a_counter_that_wraps_still_gives_the_time_between(start: int, passed: int) -> None:
    assert elapsed_us(start, (start + passed) % COUNTER_US) == passed


def test_a_wider_counter_does_not_wrap() -> None:
    assert elapsed_us(COUNTER_US - 5, COUNTER_US + 5) == 10
    assert elapsed_us(COUNTER_US + 5, COUNTER_US + 1) == -4


@given(
    st.sampled_from([1, 4, 10, 1000]), st.lists(st.integers(1, 1000), min_size=1), st.integers(0)
)
def test_the_step_divides_every_distance(step: int, distances: list[int], start: int) -> None:
    stamps = [start * step % COUNTER_US]
    for distance in distances:
        stamps.append((stamps[-1] + distance * step) % COUNTER_US)
    found = granularity_us(stamps)
    assert found is not None
    assert found % step == 0


def test_a_clock_that_stands_still_has_no_step() -> None:
    assert granularity_us([7, 7, 7]) is None
    assert granularity_us([1000, 3000, 10_000]) == 1000


@given(
    st.lists(st.integers(0, 20 * COUNTER_US), min_size=1, max_size=8),
    st.floats(-100e-6, 100e-6),
    st.integers(0, COUNTER_US - 1),
)
def test_a_timeline_follows_the_counter_over_any_pause(
    pauses: list[int], drift: float, start: int
) -> None:
    timeline = Timeline()
    true_us, host_ns = start, 1_000
    first = timeline.place(true_us % COUNTER_US, host_ns)
    for pause in pauses:
        true_us += pause
        host_ns += round(pause * (1 + drift) * 1000)
        assert timeline.place(true_us % COUNTER_US, host_ns) == first + (true_us - start) * 1000


def test_a_short_window_says_what_of_it_is_printing_and_what_would_be_long_enough() -> None:
    printing = print_us(1213389749, 115_200)
    assert printing == 1823  # 21 characters of 10 bits: the reference measured 1.8 ms
    short = Throughput(1, 2000 + printing, 1, printing)
    assert short.rate_hz == pytest.approx(1e6 / 3823)
    assert short.lowest_hz < short.rate_hz < short.highest_hz
    assert short.highest_hz == pytest.approx(1e6 / 1999)
    assert not short.long_enough
    assert short.iterations_needed == 5003
    assert "needs 5003 iterations" in str(short)


def test_a_long_window_is_what_the_rules_ask_for() -> None:
    long = Throughput(5003, 10_010_000, 1, 1823)
    assert long.long_enough
    assert long.highest_hz / long.lowest_hz < 1.001
    assert "needs" not in str(long)


@given(
    st.integers(1, 10_000),
    st.integers(1, 10_000_000),
    st.sampled_from([1, 1000]),
    st.integers(0, 20_000),
)
def test_so_many_iterations_do_fill_the_window(
    count: int, each_us: int, step: int, printing: int
) -> None:
    window = count * each_us + printing
    found = Throughput(count, window, step, printing)
    if window - printing - step > 0:
        assert found.iterations_needed * each_us >= 10_000_000 * (1 - 1 / found.iterations_needed)
    else:
        assert found.iterations_needed == 10 * count


def test_a_window_shorter_than_a_step_has_no_highest_rate() -> None:
    nothing = Throughput(1, 0, 1000, 1823)
    assert nothing.highest_hz == float("inf")
    assert nothing.iterations_needed == 10
