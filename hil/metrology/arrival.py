"""Position stabilisation time and overshoot, after ISO 9283:1998, clauses 7.4 and 7.5.

The standard asks for 3 repeats at a pose.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hil.errors import BadInput
from hil.metrology.series import Series, first_beyond, in_seconds, settled_from
from hil.metrology.summary import CONFIDENCE, Measure, mean_measure

ARRIVAL_CYCLES = 3
"""Repeats that ISO 9283 asks for."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """Stabilisation of one arrival: `settling_s` from the first entry into the band until it
    stays there, `overshoot_m` the farthest from rest after that entry, 0 within the band, `absent`
    the samples that were not received."""

    settling_s: float
    overshoot_m: float
    absent: int = 0


def arrival(position_m: Series, band_m: float, rest_s: float) -> Arrival:
    """Stabilisation time and overshoot of one arrival (ISO 9283, 7.4 and 7.5).

    `position_m` has values (n, 3) from on the way to at rest. The attained position is the mean
    of the last `rest_s` seconds; `band_m` is the radius of the limit band about it, for which
    the standard takes the repeatability or what the manufacturer says. The time is infinite
    where the robot does not stay in the band to the end of the record.
    Errors: BadInput where the record begins in the band or is shorter than `rest_s`, or the
    band has no width.
    """
    if position_m.value.ndim != 2 or not band_m > 0:
        raise BadInput(
            f"{position_m.name}: values of shape {position_m.value.shape}, band {band_m:g} m",
            "give positions (n, 3) and a band wider than 0",
        )
    rest = position_m.last(rest_s).value.mean(axis=0)
    distance = position_m.map(lambda value: np.linalg.norm(value - rest, axis=1))
    entered = first_beyond(distance.map(np.negative), -band_m)
    if entered is None or entered == distance.stamp_ns[0]:
        raise BadInput(
            f"{position_m.name}: it never comes into the band of {band_m:g} m from outside",
            "begin the record on the way to the pose, or choose the band to suit its rest",
        )
    settled = settled_from(distance, band_m)
    farthest = float(distance.between(entered).value.max())
    return Arrival(
        settling_s=math.inf if settled is None else in_seconds(settled - entered),
        overshoot_m=farthest if farthest > band_m else 0.0,
        absent=position_m.absent,
    )


def arrival_measures(
    arrivals: Sequence[Arrival], confidence: float = CONFIDENCE
) -> tuple[Measure, Measure]:
    """Stabilisation time in s and overshoot in m over repeats. Errors: BadInput for fewer than
    three."""
    absent = sum(one.absent for one in arrivals)
    return (
        mean_measure(
            "position stabilisation time",
            [one.settling_s for one in arrivals],
            "s",
            confidence=confidence,
            method="after ISO 9283, 7.4",
            absent=absent,
        ),
        mean_measure(
            "position overshoot",
            [one.overshoot_m for one in arrivals],
            "m",
            confidence=confidence,
            method="after ISO 9283, 7.5",
            absent=absent,
        ),
    )
