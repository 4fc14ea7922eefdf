"""What the clock mapping states of clocks that wander or are set, by simulation with seeds.

The truth is known, and has to lie inside the stated uncertainty at 99 % of the times at least,
whatever the ways of the round trips are like.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from clock_worlds import (
    WAYS,
    Offset,
    Runs,
    decisions,
    device_ns,
    exchanges,
    host_ns,
    steady,
    stepped,
    wandering,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from hil.clock import NS_PER_MS, NS_PER_S
from hil.loop.clockmap import ClockMap, fit_clock

SEEDS = range(16)
SCHEDULES = (Runs(3, 10.0), Runs(10, 10.0), Runs(6, 40.0))
ROUNDING_NS = 3
Make = Callable[[Runs, int], Offset]


def drift_ppm(seed: int) -> float:
    return float(np.random.default_rng(seed + 77).uniform(-60, 60))


def inside(clock: ClockMap, offset: Offset, runs: Runs) -> tuple[np.ndarray, np.ndarray]:
    """For times in the loops: whether the truth is inside the statement, and whether the map
    says that the clock was not set about then."""
    at_s = runs.loops_s(60)
    host = host_ns(at_s)
    error = np.abs(clock.to_host_ns(device_ns(offset, at_s), host) - host)
    return error <= clock.uncertainty_ns(host) + ROUNDING_NS, clock.settled(host, host)


def coverage(make: Make, runs: Runs, kind: str) -> tuple[float, list[ClockMap]]:
    """Share of the settled times of all seeds that are inside, and the maps."""
    good = total = 0
    maps = []
    for seed in SEEDS:
        offset = make(runs, seed)
        witnesses = decisions(offset, runs, kind, seed)
        clock = fit_clock(exchanges(offset, runs, kind, seed), witnesses)
        assert clock is not None
        held, settled = inside(clock, offset, runs)
        assert held[~settled].all(), "the uncertainty of a step has to contain it"
        good, total = good + int(held[settled].sum()), total + int(settled.sum())
        maps.append(clock)
    assert total > 0
    return good / total, maps


def one_step(step_ns: float) -> Make:
    """Set once, in the middle half of the run."""

    def make(runs: Runs, seed: int) -> Offset:
        when_s = np.random.default_rng(seed).uniform(0.25, 0.75) * runs.span_s
        return stepped(drift_ppm(seed), step_ns, when_s)

    return make


def wander(ppm: float) -> Make:
    return lambda runs, seed: wandering(drift_ppm(seed), ppm, runs.span_s, seed)


@pytest.mark.parametrize("kind", WAYS)
@pytest.mark.parametrize("runs", SCHEDULES, ids=lambda runs: f"{runs.episodes}x{runs.loop_s:g}s")
@pytest.mark.parametrize(
    "make",
    [
        lambda _, seed: steady(drift_ppm(seed)),
        wander(0.05),
        wander(0.3),
        wander(1.0),
        one_step(200e3),
        one_step(1e6),
        one_step(5e6),
        one_step(-3600e9),
    ],
    ids=["steady", "wander .05", "wander .3", "wander 1", "200us", "1ms", "5ms", "-1h"],
)
def test_the_truth_is_inside_99_times_of_100(make: Make, runs: Runs, kind: str) -> None:
    share, _ = coverage(make, runs, kind)
    assert share >= 0.99


@pytest.mark.parametrize("runs", SCHEDULES, ids=lambda runs: f"{runs.episodes}x{runs.loop_s:g}s")
@pytest.mark.parametrize("step_ns", [5_000_000, -40_000_000, 3_600 * NS_PER_S])
def test_a_step_is_named_with_its_time_and_size(runs: Runs, step_ns: int) -> None:
    for seed in range(10):
        when_s = float(np.random.default_rng(seed).uniform(0.25, 0.75)) * runs.span_s
        offset = stepped(drift_ppm(seed), step_ns, when_s)
        clock = fit_clock(
            exchanges(offset, runs, "even", seed), decisions(offset, runs, "even", seed)
        )
        assert clock is not None
        (step,) = clock.steps
        assert step.first_ns <= host_ns(np.array(when_s)) <= step.last_ns
        assert abs(step.size_ns - step_ns) <= step.unsure_ns
        assert step.unsure_ns < 2 * NS_PER_MS
        # the decisions themselves show it, so that no more than seconds are in doubt
        in_loop = np.searchsorted(runs.bursts_s, when_s) % 2 == 1
        if in_loop:
            assert step.last_ns - step.first_ns < 5 * NS_PER_S


def test_a_clock_that_only_drifts_or_wanders_was_never_set() -> None:
    for make in (lambda _, seed: steady(drift_ppm(seed)), wander(0.3), wander(1.0)):
        for kind in WAYS:
            _, maps = coverage(make, Runs(10, 10.0), kind)
            assert not any(clock.steps for clock in maps)


def test_a_steady_clock_keeps_its_line_and_a_wandering_one_gets_pieces() -> None:
    runs = Runs(10, 10.0)
    _, steadies = coverage(lambda _, seed: steady(drift_ppm(seed)), runs, "one way")
    assert all(len(clock.pieces) == 1 for clock in steadies)
    _, wanderers = coverage(wander(3.0), runs, "one way")
    assert np.mean([len(clock.pieces) > 1 for clock in wanderers]) > 0.8
    for clock in wanderers:
        for before, after in zip(clock.pieces[:-1], clock.pieces[1:], strict=True):
            assert before.last_ns == after.first_ns
            seam = before.offset_at(before.last_ns) - after.offset_at(after.first_ns)
            assert abs(seam) <= 1, "pieces meet"


def test_pieces_state_less_than_one_line_would_of_a_clock_that_wanders() -> None:
    runs = Runs(10, 10.0)
    _, wanderers = coverage(wander(3.0), runs, "even")
    pieced = [clock for clock in wanderers if len(clock.pieces) > 1]
    assert pieced
    assert all(clock.base_ns < 0.8 * clock.longest.unsure_ns for clock in pieced)


def test_a_statement_about_a_steady_clock_is_little_more_than_half_its_trips() -> None:
    """As narrow as before pieces: half the longest trip kept, noise, and a few us of wander."""
    for runs, most in ((Runs(1, 10.0), 1.15), (Runs(10, 10.0), 1.25)):
        _, maps = coverage(lambda _, seed: steady(drift_ppm(seed)), runs, "even")
        assert np.median([clock.base_ns / (clock.trip_ns / 2) for clock in maps]) < most


def test_within_one_gap_a_small_step_cannot_be_told_from_drift_but_a_large_one_can() -> None:
    runs = Runs(1, 10.0)
    limit_ns = 200e-6 * runs.loop_s * NS_PER_S
    for factor, found in ((0.5, False), (3.0, True)):
        offset = stepped(0.0, factor * limit_ns, runs.span_s / 2)
        clock = fit_clock(exchanges(offset, runs, "even", 1))
        assert clock is not None
        assert bool(clock.steps) is found


def test_stamps_that_no_clock_gives_are_left_out() -> None:
    rows = exchanges(steady(10.0), Runs(2, 5.0), "even", 1)
    absurd = np.array(
        [
            [0, 2**63 - 1, 2**63 - 1, 1],
            [-(2**63), 0, 0, 2**63 - 1],
            [1, -(2**63), 16278, 296],
            [5, 9, 9, 5],
        ]
    )
    assert fit_clock(np.vstack([rows, absurd])) is not None
    assert fit_clock(absurd) is None
    with pytest.raises(ValueError, match="not \\(n, 4\\)"):
        fit_clock(rows, np.zeros((2, 3), np.int64))


@given(
    rows=st.lists(
        st.tuples(*[st.integers(-(2**63), 2**63 - 1) | st.integers(0, 30 * NS_PER_S)] * 4),
        min_size=1,
        max_size=40,
    ),
    witnesses=st.integers(0, 20),
)
@settings(max_examples=300, deadline=None)
def test_no_stamps_make_it_fail(rows: list[tuple[int, ...]], witnesses: int) -> None:
    """A record may hold anything; tests run with warnings as errors."""
    given_rows = np.array(rows, dtype=np.int64)
    clock = fit_clock(given_rows[witnesses:], given_rows[:witnesses])
    if clock is not None:
        at = np.array([clock.first_ns, clock.last_ns, (clock.first_ns + clock.last_ns) // 2])
        assert (clock.uncertainty_ns(at) > 0).all()
        clock.to_host_ns(at, at)
        clock.settled(at, at)
