"""How a loop kept time: from rows of ticks to samples, distributions, misses and blame."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hil.clock import NS_PER_MS, NS_PER_S, NS_PER_US
from hil.judge.model import StageTiming, Timing
from hil.record.format import STAGES, TickFlag, reaction_ns, stage_durations_ns

IntArray = NDArray[np.int64]

UNANSWERED = int(np.iinfo(np.int64).max)
"""Sample of something that never came: later than any bound."""

REACTION = "reaction"
NO_REACTION = TickFlag.NO_ANSWER | TickFlag.REPEATED_ACTION | TickFlag.NO_COMMAND


@dataclass(frozen=True, slots=True)
class EpisodeTiming:
    """Timing of one episode.

    `stages` holds durations as they passed, shape (ticks,), ns. `reaction` holds one sample a
    grid point in the order of the grid, skipped points included, shape (points,), ns;
    `UNANSWERED` where no fresh action came of it. `row` is the tick that served each point.
    `cut_short` is true where the device gave up before the episode's end.
    """

    ticks: NDArray[np.void]
    stages: Mapping[str, IntArray]
    reaction: IntArray
    row: IntArray
    cut_short: bool

    def samples(self, metric: str) -> IntArray:
        """Samples of a stage or of the reaction, ns; `UNANSWERED` where no answer came."""
        if metric == REACTION:
            return self.reaction
        duration = self.stages[metric].copy()
        if metric == "infer":
            duration[_flagged(self.ticks, TickFlag.NO_ANSWER)] = UNANSWERED
        return duration


def episode_timing(
    ticks: NDArray[np.void], period_ns: int, cut_short: bool = False
) -> EpisodeTiming:
    """Samples of one episode from its rows of dtype `TICK`."""
    row = np.arange(len(ticks), dtype=np.int64)
    skipped = ticks["skipped"].astype(np.int64)
    behind = [np.arange(1, count + 1, dtype=np.int64) for count in skipped[skipped > 0]]
    rows = np.concatenate([row, np.repeat(row, skipped)])
    points = np.concatenate([ticks["tick"], *_points_before(ticks, behind)]).astype(np.int64)
    reaction = reaction_ns(ticks, period_ns)
    reaction[_flagged(ticks, NO_REACTION)[rows]] = UNANSWERED
    order = np.argsort(points, kind="stable")
    return EpisodeTiming(ticks, stage_durations_ns(ticks), reaction[order], rows[order], cut_short)


def _points_before(ticks: NDArray[np.void], behind: Sequence[IntArray]) -> list[IntArray]:
    late = ticks["tick"][ticks["skipped"] > 0]
    return [tick - steps for tick, steps in zip(late, behind, strict=True)]


def _flagged(ticks: NDArray[np.void], flags: TickFlag) -> NDArray[np.bool_]:
    return np.asarray((ticks["flags"] & np.uint32(flags)) != 0)


def nearest_rank(samples: IntArray, quantile: float) -> int | None:
    """The ceil(q n)-th smallest sample; None where no sample lies beyond it, so that the
    figure would only be another name for the maximum."""
    count = len(samples)
    if count * (1 - quantile) < 1 - 1e-9:
        return None
    rank = max(1, math.ceil(quantile * count - 1e-9))
    return int(np.partition(samples, rank - 1)[rank - 1])


def stage_timing(stage: str, samples: IntArray, budget_us: int | None) -> StageTiming:
    """Distribution of samples in ns against a budget."""
    over = 0 if budget_us is None else int(np.count_nonzero(samples > budget_us * NS_PER_US))
    return StageTiming(
        stage,
        count=len(samples),
        unanswered=int(np.count_nonzero(samples == UNANSWERED)),
        p50_us=_us(nearest_rank(samples, 0.50)),
        p95_us=_us(nearest_rank(samples, 0.95)),
        p99_us=_us(nearest_rank(samples, 0.99)),
        max_us=_us(int(samples.max())) if len(samples) else None,
        budget_us=budget_us,
        over_budget=over,
    )


def _us(duration_ns: int | None) -> float | None:
    if duration_ns is None or duration_ns == UNANSWERED:
        return None
    return duration_ns / NS_PER_US


def duration_text(duration_us: float) -> str:
    """A duration for reading, rounded up, so that no bound looks better than it is."""
    if duration_us < NS_PER_MS / NS_PER_US:
        return f"{math.ceil(duration_us)} us"
    return f"{math.ceil(duration_us / 10) / 100:g} ms"


def pooled(episodes: Sequence[EpisodeTiming], metric: str) -> IntArray:
    """Samples of all episodes in one array, ns."""
    parts = [episode.samples(metric) for episode in episodes]
    return np.concatenate(parts) if parts else np.empty(0, dtype=np.int64)


def deadline_ns(period_ns: int, reaction_budget_us: int) -> int:
    """The instant after its grid point at which a reaction counts as missed."""
    return min(period_ns, reaction_budget_us * NS_PER_US)


def timing(
    episodes: Sequence[EpisodeTiming], rate_hz: float, budget_us: Mapping[str, int], measured: bool
) -> Timing:
    """Timing of one scenario over its episodes."""
    period_ns = round(NS_PER_S / rate_hz)
    limit_ns = deadline_ns(period_ns, budget_us[REACTION])
    missed = [episode.reaction > limit_ns for episode in episodes]
    return Timing(
        measured=measured,
        stages=tuple(
            stage_timing(stage, pooled(episodes, stage), budget_us[stage])
            for stage in (*STAGES, REACTION)
        ),
        device=device_timing(episodes),
        deadline_us=limit_ns / NS_PER_US,
        points=sum(len(episode.reaction) for episode in episodes),
        misses=sum(int(np.count_nonzero(points)) for points in missed),
        skipped=sum(int(episode.ticks["skipped"].sum()) for episode in episodes),
        longest_streak=max((longest_run(points) for points in missed), default=0),
        rate_hz=rate_hz,
        achieved_hz=achieved_hz(episodes),
        flags=flag_counts(episodes),
    )


def device_timing(episodes: Sequence[EpisodeTiming]) -> tuple[StageTiming, ...]:
    """Where the time of `infer` went, by the device's own stamps.

    `compute` is inference on the device's clock; `transport` is what is left of the host's
    `infer` outside the device (host time minus the device's received-to-sent span): two
    durations, so that no mapping between the clocks is needed. Empty without device stamps.
    """
    compute, transport = [], []
    for episode in episodes:
        ticks = episode.ticks
        stamped = (ticks["device_start_ns"] >= 0) & (ticks["device_sent_ns"] >= 0)
        answered = ticks[stamped & ~_flagged(ticks, TickFlag.NO_ANSWER)]
        compute.append(answered["device_end_ns"] - answered["device_start_ns"])
        host = answered["infer_ns"] - answered["sense_ns"]
        transport.append(host - (answered["device_sent_ns"] - answered["device_received_ns"]))
    if not sum(len(part) for part in compute):
        return ()
    return (
        stage_timing("compute", np.concatenate(compute).astype(np.int64), None),
        stage_timing("transport", np.concatenate(transport).astype(np.int64), None),
    )


def longest_run(missed: NDArray[np.bool_]) -> int:
    """Length of the longest run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], missed.astype(np.int8), [0]])))
    return int((edges[1::2] - edges[::2]).max(initial=0))


def achieved_hz(episodes: Sequence[EpisodeTiming]) -> float | None:
    """Ticks served per second, by the wake-ups; None with less than two ticks."""
    spans = [
        (len(e.ticks) - 1, int(e.ticks["woke_ns"][-1] - e.ticks["woke_ns"][0]))
        for e in episodes
        if len(e.ticks) > 1
    ]
    total_ns = sum(span for _, span in spans)
    if total_ns <= 0:
        return None
    return float(f"{sum(count for count, _ in spans) * NS_PER_S / total_ns:.9g}")


def flag_counts(episodes: Sequence[EpisodeTiming]) -> dict[str, int]:
    """Ticks by flag, in lower case; flags that never occurred are left out."""
    counts = {
        str(flag.name).lower(): sum(int(_flagged(e.ticks, flag).sum()) for e in episodes)
        for flag in TickFlag
    }
    return {name: count for name, count in counts.items() if count}


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
    durations = {s: np.concatenate(d) if d else np.empty(0) for s, d in stages.items()}
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
