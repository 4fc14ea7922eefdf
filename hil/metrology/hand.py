"""Figures of a hand after the NIST hand metrics: strength, slip resistance and touch.

Source: J. Falco, K. Van Wyk and E. Messina, Performance Metrics and Test Methods for Robotic
Hands, draft NIST SP 1227 (2018). How a record is evaluated is what the docstrings here say, and
not the wording of the draft. What a grasp does as a whole is in `hil.metrology.grasp`, force
tracking in `hil.metrology.tracking`.

A sequence holds one entry a repeat. Forces are in N.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hil.clock import NS_PER_S
from hil.contracts import FloatArray
from hil.errors import BadInput
from hil.metrology.series import Series, absent_samples, first_beyond, scalar, settled_from
from hil.metrology.summary import CONFIDENCE, Measure, mean_measure

SLIP_M = 0.001
"""Relative motion beyond which a grasp has slipped."""

NIST = "after draft NIST SP 1227"


def finger_strength(
    force_n: Sequence[Series], held_s: float = 0.1, confidence: float = CONFIDENCE
) -> Measure:
    """Largest force that a finger held for `held_s` against a fixed force sensor, N.

    Of each repeat: the largest level below which the force did not fall for so long, so that
    the blow of the first contact is no strength. With `held_s` = 0 it is the peak.
    Errors: BadInput for fewer than three repeats, or one shorter than `held_s`.
    """
    values = [sustained(one, held_s) for one in force_n]
    absent = absent_samples(force_n)
    said = f"{NIST}; force held for {held_s:g} s"
    return mean_measure(
        "finger strength", values, "N", confidence=confidence, method=said, absent=absent
    )


def grasp_strength(
    force_n: Sequence[Series], steady_s: float = 0.5, confidence: float = CONFIDENCE
) -> Measure:
    """Total force of a grasp on a split cylinder, N: of each repeat, with values (n, fingers),
    the sum over fingers, averaged over the last `steady_s` seconds.

    Errors: BadInput for fewer than three repeats, or one shorter than `steady_s`.
    """
    values = [float(total_force(one.last(steady_s).value).mean()) for one in force_n]
    absent = absent_samples(force_n)
    said = f"{NIST}; sum over fingers, mean of the last {steady_s:g} s"
    return mean_measure(
        "grasp strength", values, "N", confidence=confidence, method=said, absent=absent
    )


@dataclass(frozen=True, slots=True)
class Pull:
    """A pull on a grasped object: `pull_n` (n,) along the pull; `slide_m` (n,) or (n, 3) where
    the object is in the hand's frame; `grip_n` (n, fingers) normal forces, where known."""

    pull_n: Series
    slide_m: Series
    grip_n: Series | None = None


@dataclass(frozen=True, slots=True)
class Slip:
    """`instant_ns` of the slip and the force there, or else the end of the pull and the largest
    force that did not make it slip."""

    instant_ns: int
    force_n: float
    slipped: bool


def slip(pull: Pull, moved_m: float = SLIP_M) -> Slip:
    """The first instant at which the object is more than `moved_m` from where it was in the hand
    at the first sample, and the pull at that instant.

    Errors: BadInput where the pull has no sample on both sides of that instant.
    """
    start = pull.slide_m.value[0]
    moved = pull.slide_m.map(lambda value: _length(value - start))
    instant = first_beyond(moved, moved_m)
    if instant is None:
        force = float(pull.pull_n.value.max())
        return Slip(int(pull.pull_n.stamp_ns[-1]), force, slipped=False)
    return Slip(instant, float(pull.pull_n.at(instant)[0]), slipped=True)


def slip_resistance(
    pulls: Sequence[Pull], moved_m: float = SLIP_M, confidence: float = CONFIDENCE
) -> Measure:
    """Pull in N at the first relative motion of more than `moved_m`.

    A pull that ended before anything slipped counts with its largest force, as a lower bound;
    the interval is then open above. Errors: BadInput for fewer than three repeats.
    """
    slips = [slip(pull, moved_m) for pull in pulls]
    return mean_measure(
        "slip resistance",
        [one.force_n for one in slips],
        "N",
        confidence=confidence,
        censored=np.array([not one.slipped for one in slips], dtype=bool),
        method=f"{NIST}; pull at {1000 * moved_m:g} mm of relative motion",
        absent=_absent(pulls),
    )


def coulomb_ratio(
    pulls: Sequence[Pull],
    friction: float,
    moved_m: float = SLIP_M,
    confidence: float = CONFIDENCE,
) -> Measure:
    """Slip resistance over what Coulomb friction holds: F_slip / (mu sum(F_i)) with the normal
    forces at the instant of the slip, which for two equal fingers is F_slip / (2 mu F).

    A pull without a slip counts as in `slip_resistance`.
    Errors: BadInput where `friction` is not positive, or a pull lacks grip forces or shows none
    at the slip.
    """
    check_friction(friction)
    slips = [slip(pull, moved_m) for pull in pulls]
    ratios = []
    for at, (pull, found) in enumerate(zip(pulls, slips, strict=True)):
        if pull.grip_n is None:
            raise BadInput(f"pull {at}: no grip forces", "record the normal force of each finger")
        ended_ns = int(pull.grip_n.stamp_ns[-1])
        instant_ns = found.instant_ns if found.slipped else min(found.instant_ns, ended_ns)
        held = friction * float(total_force(pull.grip_n.at(instant_ns))[0])
        if not held > 0:
            raise BadInput(
                f"pull {at}: no grip is shown at {instant_ns} ns, when the object slipped",
                "look at the force sensors and the clocks; an object that was let go did not slip",
            )
        ratios.append(found.force_n / held)
    return mean_measure(
        "slip resistance over Coulomb friction",
        ratios,
        "1",
        confidence=confidence,
        censored=np.array([not one.slipped for one in slips], dtype=bool),
        method=f"{NIST}; coefficient of friction {friction:g}",
        absent=_absent(pulls),
    )


@dataclass(frozen=True, slots=True)
class Touch:
    """A finger that closes on a reference sensor until it notices: `force_n` (n,) of the sensor,
    `speed` (n,) of the finger in rad/s or m/s."""

    force_n: Series
    speed: Series


def touch_sensitivity(
    touches: Sequence[Touch],
    contact_n: float,
    rest_speed: float,
    confidence: float = CONFIDENCE,
) -> Measure:
    """Peak force in N up to the instant at which the finger stopped by itself.

    It has stopped from the instant on from which its speed stays within `rest_speed`. A finger
    that never stops, or that stops before the sensor shows `contact_n` (the level of its noise),
    has not felt the contact: such a repeat is infinite.
    Errors: BadInput for fewer than three repeats, or where the force does not reach back before
    the stop.
    """
    values = [_felt(one, contact_n, rest_speed) for one in touches]
    absent = absent_samples([one for touch in touches for one in (touch.force_n, touch.speed)])
    said = f"{NIST}; peak force until the finger stopped"
    return mean_measure(
        "touch sensitivity", values, "N", confidence=confidence, method=said, absent=absent
    )


def sustained(force: Series, held_s: float) -> float:
    """Largest level below which a scalar series did not fall for `held_s` seconds.

    Errors: BadInput where it is shorter than that.
    """
    scalar(force)
    window_ns = round(held_s * NS_PER_S)
    starts = np.flatnonzero(force.stamp_ns + window_ns <= force.stamp_ns[-1])
    if not len(starts):
        raise BadInput(
            f"{force.name}: {force.span_s:g} s to look for a force held for {held_s:g} s",
            "record for longer",
        )
    # the first sample at or after the end of a window belongs to it: the force is not known to
    # have held before
    ends = np.searchsorted(force.stamp_ns, force.stamp_ns[starts] + window_ns, side="left") + 1
    lowest = [float(force.value[a:b].min()) for a, b in zip(starts, ends, strict=True)]
    return max(lowest)


def _felt(touch: Touch, contact_n: float, rest_speed: float) -> float:
    scalar(touch.force_n, touch.speed)
    stopped = settled_from(touch.speed.map(np.abs), rest_speed)
    if stopped is None:
        return math.inf
    before = touch.force_n.between(int(touch.force_n.stamp_ns[0]), stopped)
    if not len(before.value):
        raise BadInput(
            f"{touch.force_n.name}: no force was recorded before the finger stopped",
            "record force and speed on one clock, from before the contact on",
        )
    peak = float(before.value.max())
    return peak if peak >= contact_n else math.inf


def _absent(pulls: Sequence[Pull]) -> int:
    series = [one for pull in pulls for one in (pull.pull_n, pull.slide_m, pull.grip_n)]
    return absent_samples([one for one in series if one is not None])


def check_friction(friction: float) -> None:
    """Errors: BadInput for a coefficient of friction that is not positive and finite."""
    if not (math.isfinite(friction) and friction > 0):
        raise BadInput(
            f"coefficient of friction {friction:g}", "give a measured one, larger than 0"
        )


def total_force(forces: FloatArray) -> FloatArray:
    """Sum over fingers of forces (n, fingers), shape (n,); forces (n,) are the sum already."""
    return forces if forces.ndim == 1 else np.asarray(forces.sum(axis=1), dtype=np.float64)


def _length(offset: FloatArray) -> FloatArray:
    if offset.ndim == 1:
        return np.abs(offset)
    return np.asarray(np.linalg.norm(offset, axis=1), dtype=np.float64)
