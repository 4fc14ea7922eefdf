from __future__ import annotations

from fractions import Fraction
from itertools import accumulate
from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hil.judge.live import so_far
from hil.statistics import (
    lower_bound,
    minimum_count,
    quantile_rank,
    successes_needed,
    upper_bound,
)


def exact_tail(successes: int, trials: int, p: Fraction) -> Fraction:
    """P[at least `successes` of `trials`], by the sum."""
    return sum(
        (comb(trials, i) * p**i * (1 - p) ** (trials - i) for i in range(successes, trials + 1)),
        start=Fraction(0),
    )


@pytest.mark.parametrize(
    ("p", "counts"),
    [
        (0.80, (11, 14, 21)),
        (0.85, (15, 19, 29)),
        (0.90, (22, 29, 44)),
        (0.95, (45, 59, 90)),
        (0.98, (114, 149, 228)),
        (0.99, (230, 299, 459)),
        (0.999, (2302, 2995, 4603)),
    ],
)
def test_trials_without_a_failure(p: float, counts: tuple[int, int, int]) -> None:
    assert tuple(minimum_count(p, c) for c in (0.90, 0.95, 0.99)) == counts


@pytest.mark.parametrize(
    ("p", "totals"),
    [
        (0.80, (14, 22, 30, 37, 44, 50, 57, 63, 69, 76, 82)),
        (0.90, (29, 46, 61, 76, 89, 103, 116, 129, 142, 154, 167)),
        (0.95, (59, 93, 124, 153, 181, 208, 234, 260, 286, 311, 336)),
    ],
)
def test_trials_with_failures(p: float, totals: tuple[int, ...]) -> None:
    for failures, total in enumerate(totals):
        assert lower_bound(total - failures, total, 0.95) >= p
        assert lower_bound(total - 1 - failures, total - 1, 0.95) < p


@pytest.mark.parametrize(
    ("k", "n", "bound"),
    [(10, 10, 0.741), (20, 20, 0.861), (30, 30, 0.905), (49, 50, 0.909), (98, 100, 0.938)],
)
def test_known_lower_bounds(k: int, n: int, bound: float) -> None:
    assert lower_bound(k, n, 0.95) == pytest.approx(bound, abs=5e-4)


@pytest.mark.parametrize(
    ("quantile", "count", "rank"),
    [
        (0.90, 100, 96),
        (0.95, 300, 292),
        (0.99, 500, 499),
        (0.99, 1000, 996),
        (0.99, 3000, 2980),
        (0.999, 10_000, 9996),
        (0.95, 59, 59),
        (0.95, 58, None),
        (0.99, 298, None),
        (0.5, 0, None),
    ],
)
def test_known_quantile_ranks(quantile: float, count: int, rank: int | None) -> None:
    assert quantile_rank(count, quantile, 0.95) == rank


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 60), st.data(), st.sampled_from([0.8, 0.9, 0.95, 0.99]))
def test_bounds_solve_the_exact_binomial(n: int, data: st.DataObject, confidence: float) -> None:
    k = data.draw(st.integers(1, n))
    low = lower_bound(k, n, confidence)
    assert float(exact_tail(k, n, Fraction(low))) == pytest.approx(1 - confidence, rel=1e-9)
    assert upper_bound(n - k, n, confidence) == pytest.approx(1 - low, rel=1e-9)


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 75), st.sampled_from([0.5, 0.8, 0.9, 0.95]))
def test_rank_is_the_smallest_that_covers(count: int, quantile: float) -> None:
    q = Fraction(quantile)
    below = accumulate(comb(count, i) * q**i * (1 - q) ** (count - i) for i in range(count))
    covered = [r for r, chance in enumerate(below, start=1) if chance >= Fraction(0.95)]
    assert quantile_rank(count, quantile, 0.95) == (covered[0] if covered else None)


@settings(deadline=None)
@given(st.integers(0, 80), st.floats(0.05, 0.99), st.sampled_from([0.8, 0.95]))
def test_successes_needed_is_the_least_that_shows(n: int, p: float, confidence: float) -> None:
    needed = successes_needed(n, p, confidence)
    shows = [k for k in range(n + 1) if lower_bound(k, n, confidence) >= p]
    assert needed == (shows[0] if shows else None)


@pytest.mark.parametrize("p", [0.7, 0.8, 0.93])
def test_success_bound_covers(p: float) -> None:
    rng = np.random.default_rng(4)
    trials, runs = 40, 4000
    drawn = rng.binomial(trials, p, runs)
    wrong = np.mean([lower_bound(int(k), trials, 0.95) > p for k in drawn])
    assert wrong <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / runs)


def test_quantile_bound_covers_and_is_not_idle() -> None:
    rng = np.random.default_rng(5)
    count, runs, quantile = 200, 3000, 0.95
    truth = float(np.exp(1.6448536269514722))
    rank = quantile_rank(count, quantile, 0.95)
    assert rank is not None
    samples = np.sort(rng.lognormal(size=(runs, count)), axis=1)
    wrong = float(np.mean(samples[:, rank - 1] < truth))
    assert wrong <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / runs)
    one_less = float(np.mean(samples[:, rank - 2] < truth))
    assert one_less > 0.05


@pytest.mark.parametrize(
    ("k", "n", "confidence"), [(-1, 3, 0.9), (4, 3, 0.9), (1, 3, 0.0), (1, 3, 1.0)]
)
def test_nonsense_is_refused(k: int, n: int, confidence: float) -> None:
    with pytest.raises(ValueError, match=r"not a count|must lie in"):
        lower_bound(k, n, confidence)
    with pytest.raises(ValueError, match=r"not a count|must lie in"):
        upper_bound(k, n, confidence)


def test_standing_while_a_run_goes_on() -> None:
    early = so_far(3, 3, 14, 0.8, 0.95)
    assert (early.possible, early.shown) == (True, False)
    lost = so_far(3, 4, 14, 0.8, 0.95)
    assert (lost.possible, lost.shown) == (False, False)
    done = so_far(14, 14, 14, 0.8, 0.95)
    assert (done.possible, done.shown) == (True, True)
    assert done.bound == lower_bound(14, 14, 0.95)
    sure = so_far(21, 21, 22, 0.8, 0.95)
    assert sure.shown
    hopeless = so_far(0, 0, 13, 0.8, 0.95)
    assert not hopeless.possible
    with pytest.raises(ValueError, match="not a run"):
        so_far(2, 1, 14, 0.8, 0.95)
