"""Rules for missing decisions and lateness: pure steps of small state machines.

The scenario decides (`scenarios.schema.Rules`), the loop obeys, and the record shows for every
tick what was commanded and why (`ActionReason`). Nothing here knows a device or a clock.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from hil.clock import NS_PER_MS
from hil.contracts import FloatArray, IntArray, JointLimits
from hil.errors import BadInput, DeviceFault, HilError, RigError
from hil.record.format import ActionReason, TickFlag
from scenarios.schema import Rules

_THEN = {
    "hold": ActionReason.HELD,
    "park": ActionReason.PARKED,
    "stop": ActionReason.REPEATED,
}

DEVICE_LATE = TickFlag.LATE_SENSE | TickFlag.LATE_INFER | TickFlag.LATE_ACT
"""Stages whose time is the device's; a late wake-up is the host's."""


@dataclass(frozen=True, slots=True)
class MissingRule:
    """What is commanded in the n-th tick in a row without a fresh decision.

    The last target for n <= `repeat_ticks`, `fallback` after that; the tick with n > `last`
    still commands what the one before did, and ends the episode.
    """

    repeat_ticks: int
    fallback: ActionReason
    last: int

    @classmethod
    def of(cls, rules: Rules) -> MissingRule:
        last = rules.repeated if rules.then == "stop" else rules.max_consecutive
        return cls(rules.repeated, _THEN[rules.then], last)


@dataclass(frozen=True, slots=True)
class Step:
    """What a tick has to command, how many in a row were `missed`, this one included, and
    whether the episode ends with it."""

    missed: int
    reason: ActionReason
    stop: bool


def next_step(rule: MissingRule, missed: int, decided: bool) -> Step:
    """The step after `missed` ticks in a row without a decision; `decided`: there is one now."""
    if decided:
        return Step(0, ActionReason.FRESH, False)
    missed += 1
    repeats = missed <= rule.repeat_ticks
    reason = ActionReason.REPEATED if repeats else rule.fallback
    return Step(missed, reason, missed > rule.last)


@dataclass(frozen=True, slots=True)
class LateRun:
    """Grid points in a row that were answered late: `points` up to now, the `longest` so far,
    and which stages were late in the present or last run.

    A skipped point counts: nothing answered it before its successor was due.
    """

    points: int = 0
    longest: int = 0
    stages: TickFlag = TickFlag.NONE

    def after(self, skipped: int, flags: TickFlag) -> LateRun:
        """The run after a tick with `flags`, before which `skipped` points passed."""
        late = bool(flags & TickFlag.LATE)
        if not (late or skipped or self.points):
            return self
        points = self.points + skipped + late
        stages = self.stages if self.points else TickFlag.NONE
        if late:
            stages |= flags & (DEVICE_LATE | TickFlag.LATE_WAKE)
        return LateRun(points if late else 0, max(self.longest, points), stages)


def late_fault(run: LateRun, limit: int | None) -> HilError | None:
    """What ends the episode once more than `limit` points in a row were late, or None.

    DeviceFault where a stage of the device was late, RigError where none was: then the host
    woke late, or what happens between ticks took too long.
    """
    if limit is None or run.longest <= limit:
        return None
    late = f"{run.longest} grid points in a row were answered late, allowed are {limit}"
    if run.stages & DEVICE_LATE:
        return DeviceFault(late)
    return RigError(
        f"{late}; no stage of the device was", "take load off the host; `hil bench loop` shows it"
    )


@dataclass(frozen=True, slots=True)
class AgeRule:
    """Greatest ages in ns: of each joint's value, shape (n,), and of the observation behind a
    decision (None: unlimited)."""

    joints_ns: IntArray
    decision_ns: int | None

    @classmethod
    def of(cls, rules: Rules, names: Sequence[str], overlapped: bool) -> AgeRule:
        """The limits for joints `names`. Errors: BadInput for a name that no joint has."""
        _require_known("max_age_of_ms", rules.max_age_of_ms, names)
        limits = [rules.max_age_of_ms.get(name, rules.max_age_ms) for name in names]
        decision_ms = rules.max_decision_age_ms
        if decision_ms is None and overlapped:
            decision_ms = rules.max_age_ms
        return cls(
            np.array([round(limit * NS_PER_MS) for limit in limits], dtype=np.int64),
            None if decision_ms is None else round(decision_ms * NS_PER_MS),
        )


@dataclass(frozen=True, slots=True)
class JointRules:
    """A scenario's rules for one arm. `park` (n,), rad, has NaN for joints that stay."""

    missing: MissingRule
    ages: AgeRule
    park: FloatArray

    @classmethod
    def of(
        cls, rules: Rules, names: Sequence[str], limits: JointLimits, overlapped: bool
    ) -> JointRules:
        """Errors: BadInput for joints that the arm does not have, or cannot bring there."""
        _require_known("park_rad", rules.park_rad, names)
        park = np.array([rules.park_rad.get(name, np.nan) for name in names])
        for name, angle, low, high in zip(names, park, limits.lower, limits.upper, strict=True):
            if angle < low or angle > high:
                raise BadInput(
                    f"rules.park_rad.{name} = {angle:g} rad is out of the joint's range",
                    f"{low:.3f} to {high:.3f} rad would do",
                )
        return cls(MissingRule.of(rules), AgeRule.of(rules, names, overlapped), park)


def _require_known(key: str, given: Iterable[str], names: Sequence[str]) -> None:
    unknown = sorted(set(given) - set(names))
    if unknown:
        raise BadInput(
            f"rules.{key}: the arm has no joint {', '.join(unknown)}",
            f"its joints are {', '.join(names)}",
        )
