"""Response to a step of a command, of a joint or of a force, and what repeats of it say."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hil.errors import BadInput
from hil.metrology.series import Series, first_beyond, in_seconds, scalar, settled_from
from hil.metrology.summary import CONFIDENCE, Measure, mean_measure

_LEAST_SAMPLES = 3


@dataclass(frozen=True, slots=True)
class Step:
    """One response. Times in s, infinite where it never came; `overshoot` as a share of the
    step; `error` in the unit of what was measured, target less where it came to rest; `absent`
    the samples that were not received."""

    dead_s: float
    rise_s: float
    overshoot: float
    settling_s: float
    error: float
    absent: int = 0


def step_response(
    measured: Series,
    command_ns: int,
    target: float,
    *,
    rest_s: float,
    band: float = 0.02,
    onset: float = 0.02,
) -> Step:
    """Features of the response of `measured`, a scalar series, to a step to `target` at
    `command_ns`.

    The levels are those observed: `start`, the mean up to the command, and `end`, the mean of
    the last `rest_s` seconds; progress is (y - start) / (end - start).

    * dead time: from the command until progress first exceeds `onset`; the time to move so far
      is in it.
    * rise time: from the first crossing of 10 % to the first crossing of 90 %, the reference
      levels of IEEE Std 181 for a transition.
    * overshoot: largest progress less 1, at least 0.
    * settling time: from the command until progress stays within 1 ± `band` to the end of the
      record.
    * steady-state error: `target` - `end`.

    A response of less than half of the commanded step, or the other way, is none: everything
    but the error is infinite.
    Errors: BadInput where fewer than three samples lie before the command, where the record is
    shorter than `rest_s` after it, or where the noise before it exceeds the step asked for or
    `onset` of the step made.
    """
    scalar(measured)
    before = measured.between(int(measured.stamp_ns[0]), command_ns)
    if len(before.value) < _LEAST_SAMPLES:
        raise BadInput(
            f"{measured.name}: {len(before.value)} samples up to the command at {command_ns} ns;"
            f" at least {_LEAST_SAMPLES} are needed to know where it stood",
            "begin the record earlier than the command",
        )
    after, resting = measured.between(command_ns), measured.last(rest_s, _LEAST_SAMPLES)
    if resting.stamp_ns[0] <= command_ns:
        raise BadInput(
            f"{measured.name}: the last {rest_s:g} s, taken as rest, begin before the command",
            "record for longer after the command, or take less time as rest",
        )
    start, end = float(before.value.mean()), float(resting.value.mean())
    asked, noise = target - start, float(np.abs(before.value - start).max())
    if abs(asked) <= noise:
        raise BadInput(
            f"{measured.name}: the command asks for no step beyond the noise before it",
            "command a larger step",
        )
    if (end - start) / asked < 0.5:
        return Step(math.inf, math.inf, math.inf, math.inf, target - end, measured.absent)
    if noise > onset * abs(end - start):
        raise BadInput(
            f"{measured.name}: before the command it strays by {noise:.2g} of a step of"
            f" {abs(end - start):.2g}, and {100 * onset:g} % are to show its onset",
            "let it come to rest first, command a larger step, or raise `onset`",
        )
    progress = after.map(lambda value: (value - start) / (end - start))
    rise_ns = _reached(progress, 0.9) - _reached(progress, 0.1)
    settled_ns = settled_from(progress.map(lambda value: np.abs(value - 1)), band)
    return Step(
        dead_s=in_seconds(_reached(progress, onset) - command_ns),
        rise_s=in_seconds(rise_ns),
        overshoot=max(float(progress.value.max()) - 1, 0.0),
        settling_s=math.inf if settled_ns is None else in_seconds(settled_ns - command_ns),
        error=target - end,
        absent=measured.absent,
    )


def step_measures(
    steps: Sequence[Step], unit: str, confidence: float = CONFIDENCE
) -> tuple[Measure, Measure, Measure, Measure, Measure]:
    """Dead time, rise time, overshoot, settling time and steady-state error over repeats of one
    step; `unit` is that of what was measured. Errors: BadInput for fewer than three."""
    parts = [
        ("dead time", [step.dead_s for step in steps], "s"),
        ("rise time, 10 to 90 %", [step.rise_s for step in steps], "s"),
        ("overshoot", [step.overshoot for step in steps], "1"),
        ("settling time", [step.settling_s for step in steps], "s"),
        ("steady-state error", [step.error for step in steps], unit),
    ]
    absent = sum(step.absent for step in steps)
    first, second, third, fourth, fifth = (
        mean_measure(name, values, of, confidence=confidence, absent=absent)
        for name, values, of in parts
    )
    return first, second, third, fourth, fifth


def _reached(progress: Series, level: float) -> int:
    instant = first_beyond(progress, level)
    # the mean of its rest is 1, so that some sample is at least so high
    assert instant is not None
    return instant
