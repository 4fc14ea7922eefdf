"""What the tests share: a record in windows of time, figures, and declared values.

A procedure goes by a timetable that follows from its parameters alone. So the score finds each
repeat by time, the same on every rig, and what was not done in its time shows as a figure that is
far off, or as a repeat that is missing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar, cast

import numpy as np
from pydantic import BaseModel

from hil.clock import NS_PER_S
from hil.contracts import FloatArray, IntArray
from hil.errors import BadInput
from hil.metrology.series import Series
from hil.metrology.summary import Measure
from hil.record.format import Channel, Episode
from hil.task import Condition, Draw, Score
from sim.tasks.kit.job import Job
from sim.tasks.kit.script import Desk, Moves
from sim.tasks.kit.seen import Seen, at_least, at_most

P = TypeVar("P", bound=BaseModel)

STAND = "stand"
"""Name of the stopwatch in every scene."""


@dataclass(frozen=True, slots=True)
class Record:
    """One episode; times in s count from the start of its loop, as a view's do, which is one
    period before its first grid point.

    Attributes:
        begun_ns: that instant.
        elapsed_s: (ticks,), of the rows of the witness.
    """

    episode: Episode
    seen: Seen
    begun_ns: int
    elapsed_s: FloatArray

    @classmethod
    def of(cls, episode: Episode) -> Record:
        seen, begun_ns = Seen.of(episode), 0
        if len(episode.ticks):
            period_ns = round(NS_PER_S / float(cast(float, episode.meta["rate_hz"])))
            begun_ns = int(episode.ticks["scheduled_ns"][0]) - period_ns
        stamps = np.empty(0) if seen.witness is None else seen.witness.stamp_ns - begun_ns
        return cls(episode, seen, begun_ns, stamps / NS_PER_S)

    @property
    def asked_ns(self) -> IntArray:
        """(ticks,): the instants of the views that were decided on."""
        return np.asarray(self.episode.ticks["sense_ns"], dtype=np.int64)

    def has(self, *labels: str) -> bool:
        """Whether the rig observes all these columns."""
        return all(self.seen.column(label) is not None for label in labels)

    def rows(self, labels: Sequence[str], start_s: float, end_s: float) -> FloatArray:
        """Columns of the witness side by side, (n, k), of the rows in a window; they have to be
        observed."""
        within = (self.elapsed_s >= start_s) & (self.elapsed_s <= end_s)
        found = [column for label in labels if (column := self.seen.column(label)) is not None]
        return np.stack(found, axis=1)[within]

    def series(self, labels: Sequence[str], start_s: float, end_s: float, name: str) -> Series:
        """The same with stamps; (n,) of one label. Errors: BadInput for fewer than two rows."""
        assert self.seen.witness is not None
        within = (self.elapsed_s >= start_s) & (self.elapsed_s <= end_s)
        values = self.rows(labels, start_s, end_s)
        return Series.of(
            name, self.seen.witness.stamp_ns[within], values[:, 0] if len(labels) == 1 else values
        )

    def joint(self, channel: str, joint: str, start_s: float, end_s: float, name: str) -> Series:
        """What the device says itself of a joint (`joints.position` ...), or was commanded, at
        the instants at which it was true. Errors: BadInput as `series`."""
        found: Channel = self.episode.channels[channel]
        place = found.labels.index(joint)
        stamps = found.stamp_ns - np.maximum(found.age_ns[:, place], 0)
        elapsed = (stamps - self.begun_ns) / NS_PER_S
        within = (elapsed >= start_s) & (elapsed <= end_s)
        return Series.of(name, stamps[within], found.value[within, place])

    def jump_ns(self, joint: str, start_s: float, end_s: float) -> int | None:
        """The instant in a window at which a command that asked for something else than the one
        before was written; None where there is none."""
        found = self.episode.channels["joints.desired"]
        wanted = found.value[:, found.labels.index(joint)]
        jumps = np.flatnonzero(np.abs(np.diff(wanted)) > 1e-9) + 1
        ticks = self.episode.ticks
        elapsed = (ticks["act_ns"] - self.begun_ns) / NS_PER_S
        within = [row for row in jumps.tolist() if start_s <= elapsed[row] <= end_s]
        return int(ticks["act_ns"][within[0]]) if within else None


@dataclass(frozen=True, slots=True)
class Found:
    """What a record shows: how many of the `wanted` repeats were carried `out`, None where the
    rig does not observe it, and figures of them where it was enough."""

    out: int | None
    wanted: int
    figures: Callable[[], Sequence[Measure]]


@dataclass(frozen=True, slots=True)
class Declared:
    """What a device is declared to do: the figure called `figure` is at most, or else at least,
    `bound`."""

    figure: str
    bound: float
    unit: str
    at_most: bool = True

    def condition(self, measures: Mapping[str, Measure]) -> Condition:
        """Of the figure's value; its interval is beside it in the score's measures."""
        check = at_most if self.at_most else at_least
        found = measures.get(self.figure)
        return check(self.figure, None if found is None else found.value, self.bound, self.unit)


def _none(_seen: Seen, _draw: Draw, _asked: BaseModel) -> tuple[Condition, ...]:
    return ()


def over(witness: Mapping[str, float]) -> bool:
    """Whether the stopwatch of the stand has run out."""
    return witness.get(f"{STAND}.left_s", 1.0) <= 0.0


@dataclass(frozen=True, kw_only=True)
class Procedure(Job[P]):
    """A job whose score is figures.

    Attributes:
        figures: of the record; it may raise BadInput where they cannot be had of it.
        declared: the values that the figures are held against.
    """

    figures: Callable[[Record, Draw, P], Found]
    declared: Callable[[P], tuple[Declared, ...]]
    conditions: Callable[[Seen, Draw, P], tuple[Condition, ...]] = _none
    finished: Callable[[Mapping[str, float]], bool] = over
    tracks: bool = False

    def score(self, episode: Episode, parameters: BaseModel) -> Score:
        asked = self._checked(parameters)
        found = self.figures(Record.of(episode), episode.draw, asked)
        conditions = [at_least("repeats carried out", found.out, found.wanted, "")]
        measures: dict[str, Measure] = {}
        if found.out is not None and found.out >= found.wanted:
            try:
                measures = {one.name: one for one in found.figures()}
            except BadInput as error:
                conditions.append(Condition("figures of the record", None, "", str(error), None))
        conditions += [one.condition(measures) for one in self.declared(asked)]
        return Score(tuple(conditions), flat(measures.values()))


def flat(measures: Iterable[Measure]) -> dict[str, float]:
    """Figures as a score has them: each by name and unit, with the ends of its interval and the
    number of repeats behind it. What is infinite is left out."""
    found: dict[str, float] = {}
    for one in measures:
        key = f"{one.name} [{one.unit}]"
        low, high = one.interval or (math.nan, math.nan)
        parts = {"": one.value, " from": low, " to": high}
        found |= {f"{key}{end}": value for end, value in parts.items() if math.isfinite(value)}
        found[f"{key} n"] = float(one.n)
    return found


def largest(name: str, measures: Sequence[Measure]) -> Measure:
    """The one with the largest value, under another name."""
    worst = max(measures, key=lambda one: one.value)
    said = f"{worst.name}, largest of {len(measures)}; {worst.method}"
    return Measure(
        name,
        worst.value,
        worst.unit,
        worst.interval,
        worst.n,
        said,
        sum(one.absent for one in measures),
        worst.never,
    )


def stopwatch(seconds: float) -> dict[str, object]:
    """The element that ends the episode when the timetable is through."""
    return {"kind": "timer", "name": STAND, "seconds": seconds}


def until(desk: Desk, instant_s: float) -> Moves:
    """Nothing, to an instant of the timetable."""
    while desk.view.elapsed_s < instant_s:
        yield


def go(desk: Desk, places: FloatArray, goal: FloatArray, start_s: float, seconds: float) -> Moves:
    """Motors `places` evenly from where they were sent last to `goal` rad, starting and stopping
    gently, between two instants of the timetable."""
    yield from until(desk, start_s)
    begun = desk.target[places].copy()
    part = 0.0
    while part < 1.0:
        part = min(1.0, max(0.0, (desk.view.elapsed_s - start_s) / seconds))
        desk.target[places] = begun + (0.5 - 0.5 * math.cos(math.pi * part)) * (goal - begun)
        yield
