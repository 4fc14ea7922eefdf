"""How well a force (or any other quantity) follows its command: error, delay, bandwidth.

After the force tracking of the NIST hand metrics (draft NIST SP 1227, 2018); the evaluation is
what the docstrings here say. The overshoot of a step of force is that of
`hil.metrology.step`. A command is in force until the next one comes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from hil.clock import NS_PER_S
from hil.contracts import FloatArray
from hil.errors import BadInput
from hil.metrology.series import Series, absent_samples, scalar
from hil.metrology.summary import CONFIDENCE, Measure, mean_measure, numbers

_HALF_POWER_DB = -20 * math.log10(math.sqrt(2))
_RIVAL = 0.95


@dataclass(frozen=True, slots=True)
class Tracking:
    """One repeat: what was `commanded` and what was `measured`, scalar series on one clock."""

    commanded: Series
    measured: Series


def tracking_error(repeat: Tracking) -> float:
    """Root mean square of measured less commanded, over the samples measured from the first
    command on. A lag is in it.

    Errors: BadInput where nothing was measured then.
    """
    measured = _since_command(repeat)
    off = measured.value - repeat.commanded.held_at(measured.stamp_ns)
    return math.sqrt(float(np.square(off).mean()))


def tracking_delay(repeat: Tracking, longest_s: float) -> float:
    """Delay in s of measured behind commanded: the lag of the largest correlation coefficient
    of the two over what overlaps, among lags from 0 to `longest_s`.

    Both are put on a grid of the median distance between the samples measured, and a parabola
    through the largest coefficient and its neighbours gives the fraction of it. A pure delay is
    found as it is, a first-order lag of time constant T as T at most. The command is taken as
    held, so that what its own period adds before the device sees it is no part of the delay.
    Errors: BadInput for a command that does not change, a record shorter than three times
    `longest_s`, a correlation that still rises at `longest_s`, or a rival lag that fits nearly
    as well (a periodic command tells delays apart only within its period).
    """
    measured = _since_command(repeat)
    step_s = float(np.median(np.diff(measured.stamp_ns))) / NS_PER_S
    lags = math.ceil(longest_s / step_s) + 1
    if measured.span_s < 3 * longest_s or not longest_s > 0:
        raise BadInput(
            f"{measured.name}: {measured.span_s:g} s of record to look for delays up to"
            f" {longest_s:g} s",
            "record at least three times as long as the longest delay to look for",
        )
    start_ns = int(measured.stamp_ns[0])
    grid = start_ns + np.round(
        np.arange(int(measured.span_s / step_s) + 1) * step_s * NS_PER_S
    ).astype(np.int64)
    got = measured.at(np.minimum(grid, measured.stamp_ns[-1]))
    asked = repeat.commanded.held_at(grid)
    likeness = np.array([_correlation(asked, got, lag) for lag in range(-1, lags + 1)])
    best = 1 + int(likeness[1:-1].argmax())
    _check_peak(repeat, likeness, best, longest_s)
    return max((best - 1 + _vertex(likeness[best - 1 : best + 2])) * step_s, 0.0)


def tracking_measures(
    repeats: Sequence[Tracking], unit: str, longest_s: float, confidence: float = CONFIDENCE
) -> tuple[Measure, Measure]:
    """Tracking error in `unit` and delay in s over repeats. Errors: BadInput for fewer than
    three, and what `tracking_delay` refuses."""
    absent = absent_samples([one for r in repeats for one in (r.commanded, r.measured)])
    said = "after draft NIST SP 1227"
    errors = [tracking_error(repeat) for repeat in repeats]
    delays = [tracking_delay(repeat, longest_s) for repeat in repeats]
    return (
        mean_measure(
            "tracking error",
            errors,
            unit,
            confidence=confidence,
            method=f"{said}; root mean square",
            absent=absent,
        ),
        mean_measure(
            "tracking delay",
            delays,
            "s",
            confidence=confidence,
            method=f"{said}; largest correlation",
            absent=absent,
        ),
    )


def sine_response(
    repeat: Tracking, frequency_hz: float, skipped_cycles: int = 1
) -> tuple[float, float]:
    """Gain and phase in rad (negative where it lags) of the response to a sine.

    Least squares of a constant, a sine and a cosine on both, after `skipped_cycles` from the
    first command on in which the response may still be building up. The command is fitted as
    held, at the instants measured.
    Errors: BadInput for fewer than two cycles after that, fewer than four samples a cycle, or a
    command of which that frequency is not the greater part.
    """
    measured = _since_command(repeat)
    skipped_ns = round(skipped_cycles / frequency_hz * NS_PER_S)
    kept = measured.between(int(measured.stamp_ns[0]) + skipped_ns)
    cycles = kept.span_s * frequency_hz if len(kept.value) else 0.0
    # a record of two cycles ends one sample short of them
    if cycles < 2 - 3 / max(len(kept.value), 1) or len(kept.value) < 4 * cycles:
        raise BadInput(
            f"{measured.name}: {cycles:.3g} cycles of {frequency_hz:g} Hz in {len(kept.value)}"
            f" samples after the first {skipped_cycles}",
            "record at least two cycles, with four samples a cycle",
        )
    angle = 2 * np.pi * frequency_hz * kept.time_s
    basis = np.column_stack([np.ones_like(angle), np.cos(angle), np.sin(angle)])
    asked = repeat.commanded.held_at(kept.stamp_ns)
    command, response = _phasor(basis, asked), _phasor(basis, kept.value)
    if not abs(command) > float(asked.std()) / math.sqrt(2) > 0:
        raise BadInput(
            f"{repeat.commanded.name}: is no sine of {frequency_hz:g} Hz", "name its own frequency"
        )
    ratio = response / command
    return abs(ratio), math.atan2(ratio.imag, ratio.real)


def bandwidth(frequency_hz: ArrayLike, gain: ArrayLike, confidence: float = CONFIDENCE) -> Measure:
    """Frequency in Hz at which the gain is first 3 dB below that of the lowest frequency.

    `frequency_hz` (k,) rises, `gain` (repeats, k). Between two frequencies the gain in dB is a
    straight line over the logarithm of the frequency. A repeat whose gain never falls so low
    counts with the highest frequency, as a lower bound; one with a NaN is absent.
    Errors: BadInput for fewer than two frequencies, ones that do not rise, gains that are not
    positive, or fewer than three repeats.
    """
    frequency, gains = numbers("frequencies", frequency_hz), numbers("gains", gain)
    rises = frequency.ndim == 1 and len(frequency) > 1 and (np.diff(frequency) > 0).all()
    if not rises or not frequency[0] > 0 or gains.ndim != 2 or gains.shape[1] != len(frequency):
        raise BadInput(
            f"bandwidth: frequencies {frequency.tolist()} for gains of shape {gains.shape}",
            "give at least two frequencies in rising order, and one row of gains a repeat",
        )
    if (gains <= 0).any() or np.isinf(gains).any():
        raise BadInput(
            "bandwidth: a gain that is not positive and finite",
            "a gain that could not be measured is NaN",
        )
    found = np.array([_half_power(frequency, row) for row in gains])
    return mean_measure(
        "bandwidth",
        np.where(np.isinf(found), frequency[-1], found),
        "Hz",
        confidence=confidence,
        censored=np.isinf(found),
        method="gain 3 dB below that of the lowest frequency",
    )


def _phasor(basis: FloatArray, value: FloatArray) -> complex:
    """Amplitude and phase of the cosine and sine in `value`, by least squares."""
    factor = np.linalg.lstsq(basis, value, rcond=None)[0]
    return complex(factor[1], -factor[2])


def _half_power(frequency: FloatArray, gain: FloatArray) -> float:
    """Where one row of gains is first 3 dB down: infinite where it never is, NaN where a gain
    is absent."""
    if np.isnan(gain).any():
        return math.nan
    level = 20 * np.log10(gain / gain[0])
    below = np.flatnonzero(level <= _HALF_POWER_DB)
    if not len(below):
        return math.inf
    row = int(below[0])
    share = (_HALF_POWER_DB - level[row - 1]) / (level[row] - level[row - 1])
    return float(frequency[row - 1] * (frequency[row] / frequency[row - 1]) ** share)


def _since_command(repeat: Tracking) -> Series:
    scalar(repeat.commanded, repeat.measured)
    measured = repeat.measured.between(int(repeat.commanded.stamp_ns[0]))
    if len(measured.value) < 3:
        raise BadInput(
            f"{measured.name}: {len(measured.value)} samples since the first command",
            "record both on one clock, and for longer",
        )
    return measured


def _correlation(asked: FloatArray, got: FloatArray, lag: int) -> float:
    """Correlation coefficient of `got` with `asked` moved later by `lag` samples; -1 where one
    of them does not change."""
    if lag < 0:
        asked, got = got, asked
        lag = -lag
    first, second = asked[: len(asked) - lag], got[lag:]
    first, second = first - first.mean(), second - second.mean()
    size = math.sqrt(float(first @ first) * float(second @ second))
    return float(first @ second) / size if size > 0 else -1.0


def _check_peak(repeat: Tracking, likeness: FloatArray, best: int, longest_s: float) -> None:
    """`likeness` runs from lag -1 to one beyond the longest; `best` is the largest of it."""
    name = repeat.measured.name
    if likeness[best] <= 0:
        raise BadInput(
            f"{name}: does not follow its command at any delay up to {longest_s:g} s",
            "command something that changes, and look at the sign of both",
        )
    if best == len(likeness) - 2 and likeness[-1] > likeness[best]:
        raise BadInput(
            f"{name}: follows its command better still after more than {longest_s:g} s",
            "look for longer delays",
        )
    # the neighbourhood of the peak ends where the two are no longer alike
    low, high = best, best
    while low > 0 and likeness[low - 1] > 0:
        low -= 1
    while high < len(likeness) - 1 and likeness[high + 1] > 0:
        high += 1
    rival = np.concatenate([likeness[:low], likeness[high + 1 :]])
    if len(rival) and float(rival.max()) > _RIVAL * likeness[best]:
        raise BadInput(
            f"{name}: another delay up to {longest_s:g} s fits nearly as well",
            "look for delays within one period of the command only, or command something that"
            " does not repeat itself",
        )


def _vertex(three: FloatArray) -> float:
    """Where the parabola through values at -1, 0 and 1 is highest, between -1/2 and 1/2."""
    curve = three[0] - 2 * three[1] + three[2]
    return float(np.clip(0.5 * (three[0] - three[2]) / curve, -0.5, 0.5)) if curve < 0 else 0.0
