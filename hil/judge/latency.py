"""How a loop kept time: from samples to distributions, misses and blame."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hil.clock import NS_PER_S, NS_PER_US
from hil.contracts import NEVER
from hil.judge.model import StageTiming, Timing, WorstSecond
from hil.judge.samples import (
    DATA_AGE,
    REACTION,
    UNANSWERED,
    BoolArray,
    EpisodeTiming,
    IntArray,
    pooled,
)
from hil.judge.wording import duration_text
from hil.record.format import STAGES

QUANTILES = (0.50, 0.95, 0.99, 0.999)
STARTUP = "start-up"


def nearest_ranks(samples: IntArray, quantiles: Sequence[float]) -> list[int | None]:
    """The ceil(q n)-th smallest sample for each q; None where no sample lies beyond it, so that
    the figure would only be another name for the maximum. The samples are put in another order:
    a copy of ten million would be the most that the judge needs."""
    count = len(samples)
    ranks = [
        None if count * (1 - q) < 1 - 1e-9 else max(1, math.ceil(q * count - 1e-9))
        for q in quantiles
    ]
    places = sorted({rank - 1 for rank in ranks if rank is not None})
    if not places:
        return [None for _ in ranks]
    samples.partition(places)
    return [None if rank is None else int(samples[rank - 1]) for rank in ranks]


def stage_timing(stage: str, samples: IntArray, budget_us: float | None) -> StageTiming:
    """Distribution of samples in ns against a budget; puts them in another order."""
    over = 0 if budget_us is None else int(np.count_nonzero(samples > budget_us * NS_PER_US))
    p50, p95, p99, p999 = (_us(ns) for ns in nearest_ranks(samples, QUANTILES))
    return StageTiming(
        stage,
        count=len(samples),
        unanswered=int(np.count_nonzero(samples == UNANSWERED)),
        p50_us=p50,
        p95_us=p95,
        p99_us=p99,
        p999_us=p999,
        max_us=_us(int(samples.max())) if len(samples) else None,
        budget_us=budget_us,
        over_budget=over,
    )


def _us(duration_ns: int | None) -> float | None:
    if duration_ns is None or duration_ns == UNANSWERED:
        return None
    return duration_ns / NS_PER_US


def deadline_ns(period_ns: int, reaction_budget_us: int) -> int:
    """The instant after its grid point at which a reaction counts as missed."""
    return min(period_ns, reaction_budget_us * NS_PER_US)


def timing(
    episodes: Sequence[EpisodeTiming],
    rate_hz: float,
    budget_us: Mapping[str, int],
    measured: bool,
    startup_ticks: int = 0,
) -> Timing:
    """Timing of one scenario over its episodes."""
    period_ns = round(NS_PER_S / rate_hz)
    limit_ns = deadline_ns(period_ns, budget_us[REACTION])
    misses, streak, worst = _misses(episodes, limit_ns, rate_hz)
    return Timing(
        measured=measured,
        stages=tuple(
            stage_timing(stage, pooled(episodes, stage), budget_us[stage])
            for stage in (*STAGES, REACTION)
        ),
        device=device_timing(episodes),
        deadline_us=limit_ns / NS_PER_US,
        points=sum(episode.points for episode in episodes),
        misses=misses,
        skipped=sum(int(episode.skipped.sum()) for episode in episodes),
        longest_streak=streak,
        rate_hz=rate_hz,
        achieved_hz=achieved_hz(episodes),
        flags=flag_counts(episodes),
        worst_second=worst,
        startup_ticks=startup_ticks,
        startup=_startup(episodes, limit_ns) if startup_ticks else None,
        data_age=_data_age(episodes),
    )


def _data_age(episodes: Sequence[EpisodeTiming]) -> StageTiming | None:
    """How old the input was behind what was commanded; None where none of it was recorded."""
    if not any(episode.age.max(initial=NEVER) >= 0 for episode in episodes):
        return None
    return stage_timing(DATA_AGE, pooled(episodes, DATA_AGE), None)


def _misses(
    episodes: Sequence[EpisodeTiming], limit_ns: int, rate_hz: float
) -> tuple[int, int, WorstSecond | None]:
    """Late points, the longest run of them within an episode, and the worst second."""
    total, streak, seconds = 0, 0, []
    for episode in episodes:
        missed = episode.reaction > limit_ns
        total += int(np.count_nonzero(missed))
        streak = max(streak, longest_run(missed))
        if len(missed):
            seconds.append(worst_second(episode, missed, rate_hz))
    return total, streak, max(seconds, key=lambda second: second.misses, default=None)


def worst_second(episode: EpisodeTiming, missed: BoolArray, rate_hz: float) -> WorstSecond:
    """The first of the windows of one second, at any grid point, that hold most misses."""
    window = min(len(missed), max(1, round(rate_hz)))
    before = np.concatenate([[0], np.cumsum(missed, dtype=np.int32)])
    first = int(np.argmax(before[window:] - before[:-window]))
    served = np.cumsum(episode.skipped + 1, dtype=np.int64) - 1
    ticks = int(np.diff(np.searchsorted(served, [first, first + window]))[0])
    return WorstSecond(
        episode=episode.name,
        first_point=first + len(episode.startup),
        points=window,
        misses=int(before[first + window] - before[first]),
        achieved_hz=float(f"{ticks / window * rate_hz:.9g}"),
    )


def _startup(episodes: Sequence[EpisodeTiming], limit_ns: int) -> StageTiming:
    reactions = [episode.startup for episode in episodes]
    pool = np.concatenate(reactions) if reactions else np.empty(0, dtype=np.int64)
    return stage_timing(STARTUP, pool, limit_ns / NS_PER_US)


def device_timing(episodes: Sequence[EpisodeTiming]) -> tuple[StageTiming, ...]:
    """Where the time of `infer` went, by the device's own stamps: `compute` on the device,
    `transport` around it. Empty without device stamps."""
    if not any(len(episode.device["compute"]) for episode in episodes):
        return ()
    return tuple(
        stage_timing(stage, np.concatenate([e.device[stage] for e in episodes]), None)
        for stage in ("compute", "transport")
    )


def longest_run(missed: BoolArray) -> int:
    """Length of the longest run of True."""
    edges = np.flatnonzero(np.diff(missed, prepend=False, append=False))
    return int((edges[1::2] - edges[::2]).max(initial=0))


def achieved_hz(episodes: Sequence[EpisodeTiming]) -> float | None:
    """Ticks served per second, by the wake-ups; None with less than two ticks."""
    spans = [(e.ticks - 1, e.woke_span_ns) for e in episodes if e.ticks > 1]
    total_ns = sum(span for _, span in spans)
    if total_ns <= 0:
        return None
    return float(f"{sum(count for count, _ in spans) * NS_PER_S / total_ns:.9g}")


def flag_counts(episodes: Sequence[EpisodeTiming]) -> dict[str, int]:
    """Ticks by flag, in lower case; flags that never occurred are left out."""
    total: Counter[str] = Counter()
    for episode in episodes:
        total.update(episode.flags)
    return dict(total)


@dataclass(frozen=True, slots=True)
class Blame:
    """The stage that made ticks late; `over_budget` is false where every stage kept its own
    budget and it is merely the longest."""

    stage: str
    mean_us: float
    budget_us: int
    late_ticks: int
    over_budget: bool

    def __str__(self) -> str:
        mean, budget = duration_text(self.mean_us), duration_text(self.budget_us)
        figures = f"on average {mean} against a budget of {budget}"
        where = f"in the {self.late_ticks} late ticks"
        if self.over_budget:
            return f"stage {self.stage} is to blame: {figures} {where}"
        return f"no stage left its budget; {self.stage} is the longest: {figures} {where}"


def blame(
    episodes: Sequence[EpisodeTiming], limit_ns: int, budget_us: Mapping[str, int]
) -> Blame | None:
    """The stage whose time exceeds its budget most, on average, in the ticks that served a
    late grid point; None where no tick is late."""
    stages: dict[str, list[IntArray]] = {stage: [] for stage in STAGES}
    for episode in episodes:
        late = np.unique(episode.row[episode.reaction > limit_ns])
        for stage in STAGES:
            stages[stage].append(episode.stages[stage][late])
    durations = {s: np.concatenate(d) if d else np.empty(0, np.int64) for s, d in stages.items()}
    count = len(durations[STAGES[0]])
    if not count:
        return None
    mean_us = {stage: float(d.mean()) / NS_PER_US for stage, d in durations.items()}
    excess = {
        stage: float(np.maximum(d / NS_PER_US - budget_us[stage], 0).mean())
        for stage, d in durations.items()
    }
    over = max(excess.values()) > 0
    ranking = excess if over else mean_us
    worst = max(STAGES, key=lambda stage: ranking[stage])
    return Blame(worst, mean_us[worst], budget_us[worst], count, over)
