"""Do the bounds hold as often as they say? On independent series, and on bursty ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
from scipy import stats

from hil.judge.dependence import dependence, effective_quantile_bound, effective_upper_bound
from hil.judge.samples import EpisodeTiming
from hil.judge.series import block_maxima, episode_maxima
from hil.statistics import quantile_rank, upper_bound

CONFIDENCE = 0.95
RUNS = 500
TICKS = 6000
BLOCK = 200
SCALE_NS = 1_000_000


@dataclass(frozen=True)
class Bursts:
    """Ticks are quick, or slow while a spell lasts: a Markov chain of two states."""

    begin: float = 0.002
    end: float = 0.1

    @property
    def share(self) -> float:
        return self.begin / (self.begin + self.end)

    def below(self, value: float) -> np.ndarray:
        """Probability of at most `value` in each state."""
        return np.array([stats.lognorm.cdf(value, 0.2), stats.lognorm.cdf(value / 6, 0.3)])

    def draw(self, runs: int, ticks: int, seed: int) -> np.ndarray:
        """Series in ns, shape (runs, ticks)."""
        rng = np.random.default_rng(seed)
        slow = np.empty((ticks, runs), dtype=bool)
        slow[0] = rng.random(runs) < self.share
        chance = rng.random((ticks, runs))
        for tick in range(1, ticks):
            leave = np.where(slow[tick - 1], self.end, self.begin)
            slow[tick] = slow[tick - 1] ^ (chance[tick] < leave)
        quick = rng.lognormal(0, 0.2, slow.shape)
        values = np.where(slow, 6 * rng.lognormal(0, 0.3, slow.shape), quick)
        return np.ascontiguousarray((values * SCALE_NS).astype(np.int64).T)

    def tick_cdf(self, value: float) -> float:
        return float(np.array([1 - self.share, self.share]) @ self.below(value))

    def block_cdf(self, value: float, length: int) -> float:
        """Probability that none of `length` ticks in a row is longer (transfer matrix)."""
        move = np.array([[1 - self.begin, self.begin], [self.end, 1 - self.end]])
        state = np.array([1 - self.share, self.share]) * self.below(value)
        for _ in range(length - 1):
            state = (state @ move) * self.below(value)
        return float(state.sum())


def quantile_of(cdf: Callable[[float], float], quantile: float) -> float:
    """Value in ns by bisection."""
    low, high = 0.01, 100.0
    while high - low > 1e-9:
        middle = (low + high) / 2
        low, high = (low, middle) if cdf(middle) >= quantile else (middle, high)
    return high * SCALE_NS


def episode(reaction: np.ndarray, cut_short: bool = False) -> EpisodeTiming:
    """An episode whose reaction is all in one stage, with no point skipped."""
    none = np.zeros(len(reaction), dtype=bool)
    nothing = np.empty(0, dtype=np.int64)
    return EpisodeTiming(
        name="0001",
        period_ns=SCALE_NS,
        stages={"wake": reaction},
        skipped=np.zeros(len(reaction), dtype=np.int32),
        no_answer=none,
        no_reaction=none,
        startup=nothing,
        device={"compute": nothing, "transport": nothing},
        flags={},
        woke_span_ns=0,
        cut_short=cut_short,
        age=np.full(len(reaction), -1),
        carried=nothing,
    )


def bound(samples: np.ndarray, quantile: float) -> int:
    rank = quantile_rank(len(samples), quantile, CONFIDENCE)
    assert rank is not None
    return int(np.sort(samples)[rank - 1])


def allowed(runs: int = RUNS) -> float:
    """Three standard errors above the error that the confidence leaves."""
    return 1 - CONFIDENCE + 3 * float(np.sqrt(CONFIDENCE * (1 - CONFIDENCE) / runs))


@pytest.fixture(scope="module")
def bursty() -> np.ndarray:
    return Bursts().draw(RUNS, TICKS, seed=11)


def test_tick_bound_holds_on_independent_ticks_and_not_on_bursty_ones(bursty: np.ndarray) -> None:
    truth = quantile_of(Bursts().tick_cdf, 0.99)
    wrong = np.mean([bound(run, 0.99) < truth for run in bursty])
    assert wrong > 2 * allowed(), "the naive bound is expected to fail here"
    rng = np.random.default_rng(12)
    mixed = rng.permuted(bursty.ravel()).reshape(bursty.shape)  # same values, no spells
    wrong = np.mean([bound(run, 0.99) < truth for run in mixed])
    assert wrong <= allowed()


def test_block_bound_holds_on_bursty_ticks(bursty: np.ndarray) -> None:
    model = Bursts()
    truth = quantile_of(lambda value: model.block_cdf(value, BLOCK), 0.9)
    bounds = [
        bound(np.asarray(block_maxima([episode(run)], "reaction", BLOCK)), 0.9) for run in bursty
    ]
    assert np.mean(np.array(bounds) < truth) <= allowed()
    assert np.mean(np.array(bounds) < quantile_of(model.tick_cdf, 0.9)) <= allowed()


def test_block_bound_holds_on_independent_ticks() -> None:
    rng = np.random.default_rng(13)
    series = (rng.lognormal(0, 0.5, (RUNS, TICKS)) * SCALE_NS).astype(np.int64)
    truth = float(stats.lognorm.ppf(0.9 ** (1 / BLOCK), 0.5)) * SCALE_NS
    wrong = [
        bound(np.asarray(block_maxima([episode(run)], "reaction", BLOCK)), 0.9) < truth
        for run in series
    ]
    assert np.mean(wrong) <= allowed()


def test_episode_bound_holds_on_bursty_ticks(bursty: np.ndarray) -> None:
    length, count = 300, 2 * 29
    model = Bursts()
    truth = quantile_of(lambda value: model.block_cdf(value, length), 0.9)
    rng = np.random.default_rng(14)
    starts = rng.integers(0, TICKS - length, (RUNS, count))
    runs = rng.integers(0, RUNS, (RUNS, count))
    wrong = []
    for picked, begun in zip(runs, starts, strict=True):
        parts = [episode(bursty[r, s : s + length]) for r, s in zip(picked, begun, strict=True)]
        wrong.append(bound(episode_maxima(parts, "reaction"), 0.9) < truth)
    assert np.mean(wrong) <= allowed()


def test_misses_by_tick_are_too_sure_on_bursty_ticks_and_by_block_are_not(
    bursty: np.ndarray,
) -> None:
    model, limit_ns = Bursts(), 3 * SCALE_NS
    late = 1 - model.tick_cdf(3)
    by_tick = [upper_bound(int((run > limit_ns).sum()), TICKS, CONFIDENCE) < late for run in bursty]
    assert np.mean(by_tick) > 2 * allowed()
    late_blocks = 1 - model.block_cdf(3, BLOCK)
    by_block = []
    for run in bursty:
        blocks = np.asarray(block_maxima([episode(run)], "reaction", BLOCK))
        shown = upper_bound(int((blocks > limit_ns).sum()), len(blocks), CONFIDENCE)
        by_block.append((shown < late_blocks, shown < late))
    wrong_of_blocks, wrong_of_ticks = np.mean(by_block, axis=0)
    assert wrong_of_blocks <= allowed()
    assert wrong_of_ticks <= allowed()


def test_dependence_is_seen_in_bursts(bursty: np.ndarray) -> None:
    found = [dependence(run, 0.99) for run in bursty[:100]]
    assert all(one is not None and one.dependent for one in found)
    middle = np.median([one.inflation for one in found if one is not None])
    rho = 1 - Bursts().begin - Bursts().end
    # of the indicator of a two-state chain, scaled to the level that the 99th percentile cuts
    assert 0.3 * (1 + rho) / (1 - rho) < middle < (1 + rho) / (1 - rho)


@pytest.mark.parametrize(("ticks", "quantile"), [(64, 0.5), (300, 0.95), (4000, 0.99)])
def test_independence_is_rarely_doubted(ticks: int, quantile: float) -> None:
    rng = np.random.default_rng(15)
    doubted = 0
    for _ in range(1000):
        found = dependence((rng.lognormal(size=ticks) * SCALE_NS).astype(np.int64), quantile)
        assert found is not None
        doubted += found.dependent
        assert found.dependent or found.effective == ticks
    assert doubted <= 5


def test_nothing_is_said_of_what_cannot_be_measured() -> None:
    assert dependence(np.arange(63), 0.5) is None
    assert dependence(np.full(1000, 7), 0.95) is None
    assert dependence(np.empty(0, dtype=np.int64), 0.95) is None


def test_effective_bounds_are_wider_and_err_less(bursty: np.ndarray) -> None:
    truth = quantile_of(Bursts().tick_cdf, 0.99)
    late = 1 - Bursts().tick_cdf(3)
    wrong = []
    for run in bursty:
        found = dependence(run, 0.99)
        assert found is not None
        wide = effective_quantile_bound(run, found, 0.99, CONFIDENCE)
        events = int((run > 3 * SCALE_NS).sum())
        share = effective_upper_bound(events, found, TICKS, CONFIDENCE)
        assert share >= upper_bound(events, TICKS, CONFIDENCE)
        assert wide is None or wide >= bound(run, 0.99)
        wrong.append((wide is not None and wide < truth, share < late))
    by_quantile, by_share = np.mean(wrong, axis=0)
    assert by_quantile <= 2 * allowed(), "an approximation, but not a useless one"
    assert by_share <= 2 * allowed()
