"""From the ledger's attempts to one result an episode."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from hil.clock import NS_PER_S
from hil.errors import HarnessError
from hil.judge.inputs import AttemptRow, PlannedEpisode, PlannedLoop, Record
from hil.judge.model import Attempt, ConditionResult, EpisodeResult, rounded
from hil.judge.samples import EpisodeTiming, episode_timing
from hil.record.format import TICK, Episode, EpisodeEnd
from hil.record.mapped import blocks
from hil.task import Score

ANSWERABLE = (EpisodeEnd.COMPLETED, EpisodeEnd.DEVICE_FAULT)
"""Ends for which the device under test is answerable."""


class Scorer(Protocol):
    """What the judge needs of a `hil.task.Task`."""

    Parameters: type[BaseModel]

    def score(self, episode: Episode, parameters: BaseModel) -> Score: ...


@dataclass(frozen=True, slots=True)
class Scored:
    """An episode's result, and the timing of the attempt that counts; None where none does."""

    result: EpisodeResult
    timing: EpisodeTiming | None


def score_episode(
    planned: PlannedEpisode,
    rows: Sequence[AttemptRow],
    record: Record,
    task: Scorer,
    parameters: BaseModel,
    loop: PlannedLoop,
) -> Scored:
    """Result of one planned episode from its attempts in order.

    The first attempt for which the device is answerable counts and no later one does, so that
    trying again after a failure never helps. Without one the episode is undecided.
    """
    counting = next((row for row in rows if row.end in ANSWERABLE), None)
    attempts = tuple(Attempt(row.attempt, row.end.value, row.reason) for row in rows)
    if counting is None:
        return Scored(_undecided(planned, attempts), None)
    episode = record.episode(counting.folder) if counting.folder else None
    fault = counting.end is EpisodeEnd.DEVICE_FAULT
    score = None if fault or episode is None else _score(task, episode, parameters)
    success = False if fault else None if score is None else score.success
    ticks = np.empty(0, TICK) if episode is None else episode.ticks
    timing = episode_timing(
        ticks,
        round(NS_PER_S / loop.rate_hz),
        cut_short=fault,
        startup_ticks=loop.startup_ticks,
        name=planned.name,
    )
    result = EpisodeResult(
        name=planned.name,
        seed=planned.seed,
        success=success,
        end=counting.end.value,
        reason=_reason(score, success, counting.reason),
        record=counting.folder,
        ticks=len(ticks),
        cycle_s=_cycle_s(ticks),
        conditions=() if score is None else _conditions(score),
        measures={} if score is None else {k: rounded(v) for k, v in score.measures.items()},
        attempts=attempts,
        lost={} if episode is None else _lost(episode),
    )
    return Scored(result, timing)


def _undecided(planned: PlannedEpisode, attempts: tuple[Attempt, ...]) -> EpisodeResult:
    last = attempts[-1] if attempts else Attempt(0, "missing", "it was not run")
    return EpisodeResult(
        name=planned.name,
        seed=planned.seed,
        success=None,
        end=last.end,
        reason=last.reason or last.end,
        record="",
        ticks=0,
        cycle_s=None,
        attempts=attempts,
    )


def _score(task: Scorer, episode: Episode, parameters: BaseModel) -> Score:
    try:
        return task.score(episode, parameters)
    except (ValueError, LookupError, TypeError, ArithmeticError) as error:
        raise HarnessError(
            f"episode {episode.name} cannot be scored: {type(error).__name__}: {error}",
            "the archetype's score() has to answer for every record; report it to its author",
        ) from error


def _reason(score: Score | None, success: bool | None, said: str) -> str:
    """Why an episode did not succeed, in words; empty where it did."""
    if success:
        return ""
    if score is None:
        return said or "nothing was recorded"
    named = [c for c in score.conditions if c.ok is success]
    if success is None:
        return "not observed: " + (", ".join(c.name for c in named) or "no condition")
    return "; ".join(
        f"{c.name}: {'no value' if c.value is None else f'{c.value:.4g} {c.unit}'.strip()}"
        f" (limit {c.limit})"
        for c in named
    )


def _conditions(score: Score) -> tuple[ConditionResult, ...]:
    return tuple(
        ConditionResult(
            c.name, rounded(c.value), c.unit, c.limit, None if c.ok is None else bool(c.ok)
        )
        for c in score.conditions
    )


def _lost(episode: Episode) -> dict[str, int]:
    """Reads that a joint did not answer: rows in which it is absent, by its name."""
    channel = episode.channels.get("joints.position")
    if channel is None:
        return {}
    counts = np.zeros(len(channel.labels), dtype=np.int64)
    for rows in blocks(channel.value):
        counts += np.isnan(rows).sum(axis=0)
    return {label: int(count) for label, count in zip(channel.labels, counts, strict=True) if count}


def _cycle_s(ticks: NDArray[np.void]) -> float | None:
    if not len(ticks):
        return None
    return rounded(int(ticks["done_ns"][-1] - ticks["scheduled_ns"][0]) / NS_PER_S)
