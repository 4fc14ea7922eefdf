"""From rows of ticks to samples: what one episode contributes to every claim on time.

A record can be longer than memory is large: rows are read block by block, and what is kept of
a tick is a few narrow integers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hil.errors import DamagedRecord
from hil.record.format import STAGES, TickFlag, stage_durations_ns
from hil.record.mapped import blocks

IntArray = NDArray[np.signedinteger[Any]]
"""Durations in ns, 32 bits wide where all of them fit."""

BoolArray = NDArray[np.bool_]

UNANSWERED = int(np.iinfo(np.int64).max)
"""Sample of something that never came: later than any bound."""

REACTION = "reaction"
DATA_AGE = "data_age"
NO_REACTION = TickFlag.NO_ANSWER | TickFlag.REPEATED_ACTION | TickFlag.NO_COMMAND
_DEVICE = ("compute", "transport")


@dataclass(frozen=True, slots=True)
class EpisodeTiming:
    """Timing of one episode from the end of its start-up on.

    `stages` holds durations as they passed, shape (ticks,), ns; `skipped` the grid points
    passed over before each tick; `no_answer` and `no_reaction` mark ticks without an inference
    and without a fresh action of it. `startup` holds the reactions of the grid points that were
    declared start-up, ns. `device` holds durations on and around the device, one a tick that
    carries its stamps. `flags` counts flags by name over all ticks, start-up included;
    `woke_span_ns` is the time from the first wake-up to the last. `cut_short` is true where the
    device gave up before the episode's end. `age` holds the data age at each tick's command,
    shape (ticks,), ns, negative where no input was behind it; `carried` that of the command
    before, still in force at the tick's own instant, for the ticks that passed over points, in
    their order.
    """

    name: str
    period_ns: int
    stages: Mapping[str, IntArray]
    skipped: IntArray
    no_answer: BoolArray
    no_reaction: BoolArray
    startup: NDArray[np.int64]
    device: Mapping[str, IntArray]
    flags: Mapping[str, int]
    woke_span_ns: int
    cut_short: bool
    age: IntArray
    carried: NDArray[np.int64]

    @property
    def ticks(self) -> int:
        """Ticks served."""
        return len(self.skipped)

    @property
    def points(self) -> int:
        """Grid points passed, skipped ones included."""
        return self.ticks + int(self.skipped.sum())

    @property
    def row(self) -> NDArray[np.int64]:
        """The tick that served each grid point, in the order of the grid, shape (points,)."""
        rows = np.arange(self.ticks, dtype=np.int64)
        return np.repeat(rows, self.skipped + 1) if self.skipped.any() else rows

    @property
    def reaction(self) -> NDArray[np.int64]:
        """Scheduled instant to command written, ns, one sample a grid point in the order of
        the grid, shape (points,); `UNANSWERED` where no fresh action came of it.

        Points that the loop skipped count from *their* scheduled instant to the command that
        finally came (no coordinated omission).
        """
        served = np.zeros(self.ticks, dtype=np.int64)
        for duration in self.stages.values():
            served += duration
        served[self.no_reaction] = UNANSWERED
        return _on_the_grid(served, self.skipped, self.period_ns)

    @property
    def data_age(self) -> IntArray:
        """Age of the oldest input behind what is commanded, ns, one sample a grid point in the
        order of the grid, shape (points,); `UNANSWERED` where no input was behind it.

        At a point that the loop skipped the command before is still in force: its age counts up
        to the end of that point's period.
        """
        passing = self.skipped > 0
        ages = self.age.astype(np.int64)
        ages[ages < 0] = UNANSWERED
        if not passing.any():
            return ages
        carried = np.full(self.ticks, UNANSWERED, dtype=np.int64)
        carried[passing] = self.carried
        row, behind = _behind(self.skipped)
        held = carried[row]
        known = (behind > 0) & (held != UNANSWERED)
        held[known] -= self.period_ns * (behind[known] - 1)
        return np.where(behind > 0, held, ages[row])

    def samples(self, metric: str) -> IntArray:
        """Samples of a stage, of the reaction or of the data age, ns; `UNANSWERED` where no
        answer came."""
        if metric == REACTION:
            return self.reaction
        if metric == DATA_AGE:
            return self.data_age
        duration = self.stages[metric]
        if metric != "infer" or not self.no_answer.any():
            return duration
        marked = duration.astype(np.int64)
        marked[self.no_answer] = UNANSWERED
        return marked


def _on_the_grid(served: NDArray[np.int64], skipped: IntArray, period_ns: int) -> NDArray[np.int64]:
    """Reactions of ticks spread over the points that each of them served."""
    if not skipped.any():
        return served
    row, behind = _behind(skipped)
    reaction = served[row]
    answered = reaction != UNANSWERED
    reaction[answered] += period_ns * behind[answered]
    return reaction


def _behind(skipped: IntArray) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The tick that served each grid point, and how many points before that tick's own it lies,
    both of shape (points,)."""
    last = np.cumsum(skipped + 1, dtype=np.int64) - 1
    row = np.repeat(np.arange(len(skipped), dtype=np.int64), skipped + 1)
    return row, last[row] - np.arange(len(row))


@dataclass(frozen=True, slots=True)
class _Part:
    """What is kept of one block of rows."""

    stages: Mapping[str, IntArray]
    skipped: IntArray
    tick: IntArray
    flags: NDArray[np.uint32]
    stamped: BoolArray
    device: Mapping[str, IntArray]
    age: IntArray


def episode_timing(
    ticks: NDArray[np.void],
    period_ns: int,
    cut_short: bool = False,
    startup_ticks: int = 0,
    name: str = "",
) -> EpisodeTiming:
    """Samples of one episode from its rows of dtype `TICK`.

    `startup_ticks` is the number of grid points at the episode's start that no claim covers.
    Errors: DamagedRecord where the rows do not stand on one grid: a point that is neither
    served nor counted as skipped would be a lateness that nobody sees.
    """
    parts = [_part(block) for block in blocks(ticks)] or [_part(ticks)]
    skipped = np.concatenate([part.skipped for part in parts])
    last = np.cumsum(skipped + 1, dtype=np.int64) - 1
    _check_grid(np.concatenate([part.tick for part in parts]), last, name)
    flags = np.concatenate([part.flags for part in parts])
    first = int(np.searchsorted(last, startup_ticks))
    woke_ns = ticks["woke_ns"][first:]
    whole = EpisodeTiming(
        name=name,
        period_ns=period_ns,
        stages={s: np.concatenate([part.stages[s] for part in parts]) for s in STAGES},
        skipped=skipped,
        no_answer=_has(flags, TickFlag.NO_ANSWER),
        no_reaction=_has(flags, NO_REACTION),
        startup=np.empty(0, dtype=np.int64),
        device={d: np.concatenate([part.device[d] for part in parts]) for d in _DEVICE},
        flags=_flag_counts(flags),
        woke_span_ns=int(woke_ns[-1] - woke_ns[0]) if len(woke_ns) else 0,
        cut_short=cut_short,
        age=np.concatenate([part.age for part in parts]),
        carried=_carried(ticks, np.flatnonzero(skipped)),
    )
    if not startup_ticks:
        return whole
    stamped = np.concatenate([part.stamped for part in parts])
    return _after_startup(
        whole,
        startup_ticks,
        first=first,
        passed=int(last[first]) - startup_ticks if len(woke_ns) else 0,
        stamped=int(stamped[:first].sum()),
    )


def _part(block: NDArray[np.void]) -> _Part:
    durations = stage_durations_ns(block)
    stages = {stage: _narrow(ns) for stage, ns in durations.items()}
    flags = block["flags"].astype(np.uint32)
    stamped = (block["device_start_ns"] >= 0) & (block["device_sent_ns"] >= 0)
    stamped &= ~_has(flags, TickFlag.NO_ANSWER)
    return _Part(
        stages=stages,
        skipped=_narrow(block["skipped"].astype(np.int64)),
        tick=_narrow(block["tick"].astype(np.int64)),
        flags=flags,
        stamped=stamped,
        device=_device_durations(block, durations["infer"], stamped),
        age=_narrow(block["data_age_ns"].astype(np.int64)),
    )


def _carried(ticks: NDArray[np.void], rows: NDArray[np.intp]) -> NDArray[np.int64]:
    """Data age, at the instant for which tick `rows` were scheduled, of the command before."""
    before = ticks[np.maximum(rows - 1, 0)]
    age = before["data_age_ns"].astype(np.int64)
    waited = ticks[rows]["scheduled_ns"] - before["act_ns"]
    known = (rows > 0) & (age >= 0)
    return np.where(known, age + waited, UNANSWERED)


def _device_durations(
    block: NDArray[np.void], host_ns: NDArray[np.int64], stamped: BoolArray
) -> dict[str, IntArray]:
    """Where the time of `infer` went: `compute` is inference on the device's clock,
    `transport` what is left of the host's time outside the device. Two durations, so that no
    mapping between the clocks is needed."""
    if not stamped.any():
        empty = np.empty(0, dtype=np.int32)
        return dict.fromkeys(_DEVICE, empty)
    compute = (block["device_end_ns"] - block["device_start_ns"])[stamped]
    inside = (block["device_sent_ns"] - block["device_received_ns"])[stamped]
    return {"compute": _narrow(compute), "transport": _narrow(host_ns[stamped] - inside)}


def _after_startup(
    whole: EpisodeTiming, startup: int, *, first: int, passed: int, stamped: int
) -> EpisodeTiming:
    """The part of an episode from grid point `startup` on.

    Tick `first` serves it, after passing over `passed` points that are not start-up; `stamped`
    ticks before it carry a device's stamps.
    """
    skipped = whole.skipped[first:].copy()
    skipped[:1] = passed
    return replace(
        whole,
        stages={stage: ns[first:] for stage, ns in whole.stages.items()},
        skipped=skipped,
        no_answer=whole.no_answer[first:],
        no_reaction=whole.no_reaction[first:],
        startup=whole.reaction[:startup],
        age=whole.age[first:],
        carried=whole.carried[np.count_nonzero(whole.skipped[: first + (not passed)]) :],
        device={name: ns[stamped:] for name, ns in whole.device.items()},
    )


def _check_grid(tick: IntArray, last: NDArray[np.int64], name: str) -> None:
    wrong = np.flatnonzero(tick != last)
    if len(wrong):
        row = int(wrong[0])
        raise DamagedRecord(
            f"episode {name}: row {row} of ticks.npy serves grid point {int(tick[row])}, but the"
            f" rows before it and what it counts as skipped lead to {int(last[row])}",
            "points were lost from the record, so that it can prove nothing of lateness: run again",
        )


def _has(flags: NDArray[np.uint32], wanted: TickFlag) -> BoolArray:
    return np.asarray((flags & np.uint32(wanted)) != 0)


def _flag_counts(flags: NDArray[np.uint32]) -> dict[str, int]:
    counts = {str(flag.name).lower(): int(_has(flags, flag).sum()) for flag in TickFlag}
    return {name: count for name, count in counts.items() if count}


def _narrow(values: IntArray) -> IntArray:
    """The same values in 32 bits where they fit (durations up to 2.1 s)."""
    limits = np.iinfo(np.int32)
    if len(values) and (values.min() < limits.min or values.max() > limits.max):
        return values
    return values.astype(np.int32)


def each(episodes: Sequence[EpisodeTiming], metric: str) -> Iterator[IntArray]:
    """Samples of one episode after the other."""
    return (episode.samples(metric) for episode in episodes)


def pooled(episodes: Sequence[EpisodeTiming], metric: str) -> IntArray:
    """Samples of all episodes in one array of its own, ns."""
    if metric in (REACTION, DATA_AGE):
        return _pooled_on_the_grid(episodes, metric)
    parts = list(each(episodes, metric))
    return np.concatenate(parts) if parts else np.empty(0, dtype=np.int64)


def _pooled_on_the_grid(episodes: Sequence[EpisodeTiming], metric: str) -> IntArray:
    """Filled in place, and narrow for as long as all fits: these samples are computed, and two
    wide copies of all are too many."""
    pool: IntArray = np.empty(sum(episode.points for episode in episodes), dtype=np.int32)
    start = 0
    for samples in map(_narrow, each(episodes, metric)):
        if samples.dtype == np.int64 and pool.dtype == np.int32:
            pool = pool.astype(np.int64)
        pool[start : start + len(samples)] = samples
        start += len(samples)
    return pool
