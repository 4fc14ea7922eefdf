"""Figures of a whole grasp after the NIST hand metrics: cycle time, efficiency, motion in it.

Source: J. Falco, K. Van Wyk and E. Messina, Performance Metrics and Test Methods for Robotic
Hands, draft NIST SP 1227 (2018). How a record is evaluated is what the docstrings here say, and
not the wording of the draft.
A sequence holds one entry a repeat.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hil.contracts import FloatArray
from hil.errors import BadInput
from hil.metrology.hand import NIST, check_friction, sustained, total_force
from hil.metrology.series import Series, absent_samples, crossing, in_seconds, scalar, unwrapped
from hil.metrology.summary import CONFIDENCE, Measure, mean_measure, quantile_measure


def cycle_times(
    opening: Series, grip_n: Series, opened: float, grasped_n: float, held_s: float = 0.1
) -> FloatArray:
    """Times in s from open over a grasp to open again, one a cycle, shape (cycles,).

    `opening` (n,) is how far the hand is open (rad or m) and `opened` from where on it is open;
    a cycle runs from one fall below that to the next rise to it, between samples by a straight
    line. It is a grasp where the total force `grip_n` stays at `grasped_n` or more for `held_s`
    within it. A cycle without a grasp, or without an end, is infinite, so `opened` has to lie
    clear of the noise of an open hand.
    Errors: BadInput where the record does not begin with an open hand.
    """
    scalar(opening)
    shut = opening.value < opened
    if shut[0]:
        raise BadInput(
            f"{opening.name}: the record does not begin with an open hand ({opened:g})",
            "open the hand first, and record from then on",
        )
    times = []
    change = np.diff(shut.astype(np.int8))
    ends = [crossing(opening, int(row) + 1, opened) for row in np.flatnonzero(change < 0)]
    for at, row in enumerate(np.flatnonzero(change > 0).tolist()):
        start = crossing(opening, row + 1, opened)
        grasped = at < len(ends) and _grasped(grip_n.between(start, ends[at]), grasped_n, held_s)
        times.append(in_seconds(ends[at] - start) if grasped else math.inf)
    return np.array(times)


def grasp_cycle(
    times_s: FloatArray, quantile: float = 0.9, confidence: float = CONFIDENCE
) -> tuple[Measure, Measure]:
    """Grasp cycle time in s: its mean, and the bound below which the share `quantile` of cycles
    lies, from an order statistic (29 cycles are needed for 0.9 at 95 %).

    Errors: BadInput for fewer than three cycles.
    """
    name = "grasp cycle time"
    return (
        mean_measure(name, times_s, "s", confidence=confidence, method=NIST),
        quantile_measure(name, times_s, "s", quantile, confidence=confidence, method=NIST),
    )


@dataclass(frozen=True, slots=True)
class InHand:
    """Motion of an object within a grasp: `commanded` and `achieved` (n,), rad or m, of the
    object in the hand; `dropped_ns` when it was lost, None where it was kept."""

    commanded: Series
    achieved: Series
    dropped_ns: int | None = None


def in_hand_motion(
    motions: Sequence[InHand], unit: str, confidence: float = CONFIDENCE
) -> tuple[Measure, Measure]:
    """Range of motion and error of position within a grasp, in `unit`.

    Range: the largest less the smallest value achieved before a drop; a rotation is unfolded and
    signed, so that rocking to and fro adds nothing. Error: root mean square over the targets of
    achieved less commanded, each by the last sample before the next target, the drop or the
    end; so a command that stands is judged by where the object came to, and one that
    moves by how far the object trails. An error in rad is folded into half a turn.
    Errors: BadInput for fewer than three repeats, fewer than two samples before a drop, or an
    angle that changes by more than a quarter of a turn between samples.
    """
    ranges, errors = [], []
    for motion in motions:
        scalar(motion.commanded, motion.achieved)
        achieved = motion.achieved
        if motion.dropped_ns is not None:
            achieved = achieved.between(int(achieved.stamp_ns[0]), motion.dropped_ns)
        if len(achieved.value) < 2:
            raise BadInput(
                f"{achieved.name}: {len(achieved.value)} samples before the drop",
                "record from the grasp on",
            )
        if unit == "rad":
            achieved = unwrapped(achieved)
        off = _off_target(motion.commanded, achieved)
        if unit == "rad":
            off = np.remainder(off + np.pi, 2 * np.pi) - np.pi
        ranges.append(float(np.ptp(achieved.value)))
        errors.append(math.sqrt(float(np.square(off).mean())))
    drops = sum(motion.dropped_ns is not None for motion in motions)
    said = f"{NIST}; {drops} of {len(motions)} were dropped" if drops else NIST
    absent = absent_samples(
        [one for motion in motions for one in (motion.commanded, motion.achieved)]
    )
    return (
        mean_measure(
            "in-hand range", ranges, unit, confidence=confidence, method=said, absent=absent
        ),
        mean_measure(
            "in-hand error",
            errors,
            unit,
            confidence=confidence,
            method=f"{said}; root mean square over targets",
            absent=absent,
        ),
    )


@dataclass(frozen=True, slots=True)
class Hold:
    """An object held against a load: `grip_n` (n, fingers) normal forces, `load_n` the pull
    along the contacts (weight and what comes besides), `kept` whether it was held to the end."""

    grip_n: Series
    load_n: Series | float
    kept: bool = True


def grasp_efficiency(
    holds: Sequence[Hold], friction: float, confidence: float = CONFIDENCE
) -> Measure:
    """Force needed over force applied, averaged over the samples of the grip: load / mu over the
    sum of the normal forces.

    For two fingers and a weight alone this is F_min / F with F_min = m g / (2 mu). A hold that
    was lost counts as 0. Above 1 the friction is better than `friction` says.
    Errors: BadInput where `friction` is not positive, for a grip force of 0 in a hold that was
    kept, for grip and load that were not recorded together, or fewer than three repeats.
    """
    check_friction(friction)
    values = [_efficiency(hold, friction) for hold in holds]
    series = [one for hold in holds for one in (hold.grip_n, hold.load_n)]
    absent = absent_samples([one for one in series if isinstance(one, Series)])
    said = f"{NIST}; needed over applied normal force, coefficient of friction {friction:g}"
    return mean_measure(
        "grasp efficiency", values, "1", confidence=confidence, method=said, absent=absent
    )


def _off_target(commanded: Series, achieved: Series) -> FloatArray:
    """Achieved less commanded at the end of each target, shape (targets,): the last sample
    before the next target came, which may share the stamp of the sample after it."""
    first, last = int(achieved.stamp_ns[0]), int(achieved.stamp_ns[-1])
    changes = commanded.stamp_ns[1:][np.diff(commanded.value) != 0]
    ends = np.append(changes[(changes > first) & (changes <= last)] - 1, last)
    return achieved.held_at(ends) - commanded.held_at(ends)


def _efficiency(hold: Hold, friction: float) -> float:
    if not hold.kept:
        return 0.0
    grip, load = hold.grip_n, hold.load_n
    if isinstance(load, Series):
        grip = grip.between(int(load.stamp_ns[0]), int(load.stamp_ns[-1]))
    applied = total_force(grip.value)
    if not len(applied) or not float(applied.min()) > 0:
        raise BadInput(
            f"{grip.name}: no grip is shown at some sample, or no sample while the load was"
            " recorded, but the object is said to have been kept",
            "look at the force sensors and the clocks, or give the hold as not kept",
        )
    needed = load.at(grip.stamp_ns) if isinstance(load, Series) else load
    return float((needed / friction / applied).mean())


def _grasped(grip_n: Series, level_n: float, held_s: float) -> bool:
    """Whether the total force held the level for so long."""
    if len(grip_n.value) < 2 or grip_n.span_s <= held_s:
        return False
    return sustained(grip_n.map(total_force), held_s) >= level_n
