"""Backlash of a geared joint, from slow sweeps to and fro with both sides measured."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from hil.contracts import FloatArray
from hil.errors import BadInput
from hil.metrology.series import Series, absent_samples, scalar
from hil.metrology.summary import CONFIDENCE, Measure, mean_measure

_BINS = 20
_LEAST_BINS = 5


def backlash(
    motor: Series,
    load: Series,
    *,
    turn: float,
    guard: float = 0.1,
    unit: str = "rad",
    confidence: float = CONFIDENCE,
) -> Measure:
    """Width of the hysteresis between motor and load, the mean over pairs of sweeps.

    `motor` and `load` are scalar series on one clock and of one unit on one side of the gear
    (divide the motor's angle by the ratio). A sweep ends where the motor turns back by more
    than `turn`, which has to be larger than its noise. Sweep 1 is held against sweep 2, 3
    against 4, and so on. In each the lead of the motor over the load is averaged in bins of the
    load's position; the width is the mean over bins of the lead upwards less the lead
    downwards. Over position of the load an eccentric gear cancels, and the taking up of play at
    a reversal, during which the load stands, lies outside of the `guard` share of the common
    range that is left out at each end.

    What is found is the lost motion: the play, and what friction winds up elastically. A delay
    between the two sides' stamps adds twice speed times delay. A load that presses one flank
    (gravity, a spring) hides the play.
    Errors: BadInput for fewer than three pairs of sweeps, series that do not overlap, or a load
    that does not sweep over a common range.
    """
    scalar(motor, load)
    if not turn > 0 or not 0 <= guard < 0.5:
        raise BadInput(
            f"{motor.name}: turns of more than {turn:g}, a guard of {guard:g}",
            "give a turn larger than the noise, and a guard from 0 to less than 0.5",
        )
    both = motor.between(int(load.stamp_ns[0]), int(load.stamp_ns[-1]))
    if len(both.value) < 2:
        raise BadInput(
            f"{motor.name}: no samples while {load.name} was recorded",
            "record both sides at the same time, on one clock",
        )
    position = load.at(both.stamp_ns)
    sweeps = _sweeps(both.value, turn)
    pairs = list(zip(sweeps[::2], sweeps[1::2], strict=False))
    widths = [
        _width(both.value, position, pair, guard, f"{load.name}, sweeps {2 * at} and {2 * at + 1}")
        for at, pair in enumerate(pairs)
    ]
    speed = float(np.abs(np.diff(both.value)).sum()) / both.span_s
    return mean_measure(
        "backlash",
        widths,
        unit,
        confidence=confidence,
        method=f"hysteresis of sweeps to and fro at {speed:.2g} {unit}/s",
        absent=absent_samples([motor, load]),
    )


def _sweeps(position: FloatArray, turn: float) -> list[slice]:
    """Rows of the runs between turning points: a run ends at its extreme once the position has
    gone back from there by more than `turn`."""
    corners, extreme, way = [0], 0, 0
    for row, here in enumerate(position.tolist()):
        moved = here - float(position[extreme])
        if way == 0:
            # which way the first run goes is known once it has gone far enough
            if abs(here - float(position[0])) > turn:
                way, extreme = (1 if here > position[0] else -1), row
        elif moved * way >= 0:
            extreme = row
        elif abs(moved) > turn:
            corners.append(extreme)
            way, extreme = -way, row
    corners.append(extreme)
    return [slice(a, b + 1) for a, b in pairwise(corners) if b > a]


def _width(
    motor: FloatArray, load: FloatArray, pair: Sequence[slice], guard: float, name: str
) -> float:
    first, second = pair
    low = max(float(load[rows].min()) for rows in pair)
    high = min(float(load[rows].max()) for rows in pair)
    margin = guard * (high - low)
    edges = np.linspace(low + margin, high - margin, _BINS + 1)
    upwards = 1.0 if motor[first.stop - 1] > motor[first.start] else -1.0
    leads = (
        [_lead(motor[rows], load[rows], edges) for rows in (first, second)] if high > low else []
    )
    difference = leads[0] - leads[1] if leads else np.empty(0)
    known = difference[~np.isnan(difference)]
    if len(known) < _LEAST_BINS:
        raise BadInput(
            f"{name}: the load has samples in common over {len(known)} of {_BINS} parts of its way",
            "sweep farther and more slowly, and see that the load follows",
        )
    return upwards * float(known.mean())


def _lead(motor: FloatArray, load: FloatArray, edges: FloatArray) -> FloatArray:
    """Mean of motor less load in each bin of the load, NaN for an empty one."""
    place = np.searchsorted(edges, load, side="right") - 1
    inside = (place >= 0) & (place < len(edges) - 1)
    count = np.bincount(place[inside], minlength=len(edges) - 1)
    total = np.bincount(place[inside], weights=(motor - load)[inside], minlength=len(edges) - 1)
    return total / np.where(count > 0, count, np.nan)
