"""A stretch of time in which a device's clock was not set: one line through it, or pieces.

The line goes through the windows with a trip near the shortest of all, by the median of the
slopes between all pairs (Theil and Sen). At every kept trip it is off by at most half the longest
of them plus the largest residual. The pieces go from trip to trip. At its ends a piece is off by
at most half the longer trip, and between them by that and what the clock may do meanwhile.

What a clock does between two exchanges nobody sees, so something is assumed: its rate is a
random walk. How fast it walks is read from how far trips lie from the straight way between their
neighbours, and taken together with `WANDER_PPM`, which counts as `_PRIOR_COUNT` such readings.
A piece is also allowed the whole of its own departure from the rate around it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hil.clock import NS_PER_S
from hil.contracts import FloatArray
from hil.loop.clocktrips import (
    DRIFT_LIMIT_PPM,
    PPM,
    WANDER_PPM,
    Trips,
    bowed_ns,
    rise_around,
    roamed_ns,
    worth_keeping,
)

NEAR = 2.0
"""A window whose shortest trip is more than so many times the shortest of all is not in the
line, but for the `_FEWEST` shortest: a line through two points agrees with anything."""

_FEWEST = 3

WORTH = 0.8
"""The line stays unless the pieces state less than so much of its largest error: through noise
alone they would often state a little less, of a clock that keeps one rate."""

_ROUNDED_NS = 2  # a trip's offset, and the line's
_PRIOR_COUNT = 4
_STEEPEST = 0.1
_CHI2_MEDIAN = 0.4549  # of one degree of freedom


@dataclass(frozen=True, slots=True)
class Piece:
    """A time over which the map is one line.

    At host time t the device's clock shows t + `offset_ns` + drift * (t - `reference_ns`). From
    `first_ns` to `last_ns` (host time) that is off by at most `unsure_ns`; outside by
    `beyond_ppm` of the distance more, and by what a rate does that walks `wander_ppm` per root
    second.
    """

    first_ns: int
    last_ns: int
    reference_ns: int
    offset_ns: int
    drift_ppm: float
    unsure_ns: int
    beyond_ppm: float
    wander_ppm: float

    def offset_at(self, host_ns: int) -> int:
        """Offset at a host time, ns."""
        return self.offset_ns + round((host_ns - self.reference_ns) * self.drift_ppm / PPM)

    def unsure_beyond_ns(self, distance_ns: int) -> int:
        """Largest error of the offset, so far before or after the piece, ns."""
        roamed = float(roamed_ns(np.array(distance_ns), self.wander_ppm))
        return self.unsure_ns + int(distance_ns * self.beyond_ppm / PPM + roamed) + 1


@dataclass(frozen=True, slots=True)
class Stretch:
    """The map over a time without a step: its pieces (one, where the line is the better map),
    the line itself, the longest trip and the number of trips that the pieces rest on."""

    pieces: tuple[Piece, ...]
    line: Piece
    trip_ns: int
    kept: int


def fit_stretch(trips: Trips) -> Stretch:
    """The map of trips between which the clock was not set, at least one."""
    asked = trips[trips.asked] if trips.asked.any() else trips
    wander_ppm = wander(asked)
    near = asked[asked.trip <= max(NEAR * asked.trip.min(), np.sort(asked.trip)[:_FEWEST][-1])]
    line = _line(near, wander_ppm)
    kept = trips[worth_keeping(trips, wander_ppm)]
    pieces = _pieces(kept, line, wander_ppm)
    allowed_ns = WORTH * _largest_ns(line, trips)
    if pieces and max(piece.unsure_ns for piece in pieces) < allowed_ns:
        return Stretch(pieces, line, int(kept.trip.max()), len(kept))
    return Stretch((line,), line, int(near.trip.max()), len(near))


def wander(trips: Trips) -> float:
    """How the rate wanders, ppm per root second: see the head of this module.

    From three points h1 and h2 s apart, the middle one lies off the straight way between the
    others with a variance of sigma^2 h1^2 h2^2 / 3 (h1 + h2). Points are taken so far apart as
    the longest gap is: how the clock behaves over that time is what matters most.
    """
    good = trips[trips.trip <= NEAR * np.quantile(trips.trip, 0.25)]
    good = good[np.array(_thinned(good.at / NS_PER_S))]
    at, offset, noise = good.at / NS_PER_S, good.offset, good.noise
    if len(good) < 3:
        return WANDER_PPM
    h1, h2 = np.diff(at)[:-1], np.diff(at)[1:]
    aside = offset[1:-1] - (offset[:-2] * h2 + offset[2:] * h1) / (h1 + h2)
    explained = noise[1:-1] + (noise[:-2] * h2 + noise[2:] * h1) / (h1 + h2)
    aside = np.maximum(np.abs(aside) - explained, 0.0)
    squares = (aside / NS_PER_S * PPM) ** 2 * 3 * (h1 + h2) / (h1 * h2) ** 2
    # by the median, so that one small step is no wander
    seen = len(squares) * float(np.median(squares)) / _CHI2_MEDIAN
    return float(np.sqrt((seen + _PRIOR_COUNT * WANDER_PPM**2) / (len(squares) + _PRIOR_COUNT)))


def _thinned(at: FloatArray) -> list[int]:
    """Places of points no nearer to each other than the longest gap; `at` (n,) ascends."""
    apart = float(np.diff(at).max(initial=0.0))
    rows, last = [0], float(at[0])
    while (row := int(np.searchsorted(at, last + apart))) < len(at) and apart > 0:
        rows.append(row)
        last = float(at[row])
    return rows


def _line(near: Trips, wander_ppm: float) -> Piece:
    """The line through `near`; beyond them its error grows as the drift may be wrong."""
    reference, start = int(near.at[len(near) // 2]), near.start_ns
    at_s, offset = (near.at - reference) / NS_PER_S, near.offset
    half_ns, span_ns = float(near.half.max()), int(near.at[-1] - near.at[0])
    slope, level = _theil_sen(at_s, offset)
    residual_ns = float(np.abs(offset - level - slope * at_s).max())
    unsure_ppm = 2 * (half_ns + residual_ns) / span_ns * PPM if span_ns else np.inf
    if unsure_ppm > DRIFT_LIMIT_PPM:  # too short a time: the slope would be noise
        slope, level, unsure_ppm = 0.0, float(np.median(offset)), DRIFT_LIMIT_PPM
        residual_ns = float(np.abs(offset - level).max())
    between_ns = bowed_ns(np.diff(near.at), wander_ppm) + _off_slope(near, slope / NS_PER_S)
    bow_ns = float(between_ns.max(initial=0.0))
    return Piece(
        first_ns=int(near.at[0]),
        last_ns=int(near.at[-1]),
        reference_ns=reference,
        offset_ns=start + round(level),
        drift_ppm=slope / NS_PER_S * PPM,
        unsure_ns=int(np.ceil(half_ns + residual_ns + bow_ns)) + _ROUNDED_NS,
        beyond_ppm=unsure_ppm,
        wander_ppm=wander_ppm,
    )


def _off_slope(near: Trips, slope: float) -> FloatArray:
    """How much farther than at its ends the line may be off within each gap, (n - 1,), ns, where
    the clock's rate around the gap is not that of the line: a small step bends the line."""
    rise, unsure = rise_around(near, near.noise)
    off = np.abs(rise - slope * np.diff(near.at)) - unsure
    return np.maximum(np.nan_to_num(off, nan=0.0, neginf=0.0), 0.0)


def _pieces(kept: Trips, line: Piece, wander_ppm: float) -> tuple[Piece, ...]:
    """From each of `kept` to the next; none where there is but one."""
    if len(kept) < 2:
        return ()
    gap, change, half = np.diff(kept.at), np.diff(kept.offset), kept.half
    rise, _ = rise_around(kept, half)
    aside = np.nan_to_num(np.abs(change - rise), nan=0.0)
    # between two trips that say next to nothing, a rate may come out that is none
    kept_rate = np.clip(change, -_STEEPEST * gap, _STEEPEST * gap)
    aside += np.abs(change - kept_rate)
    between = np.maximum(aside, bowed_ns(gap, wander_ppm))
    unsure = np.ceil(np.maximum(half[:-1], half[1:]) + between).astype(np.int64) + _ROUNDED_NS
    rates = kept_rate / gap * PPM
    return tuple(
        Piece(
            first_ns=int(kept.at[row]),
            last_ns=int(kept.at[row + 1]),
            reference_ns=int(kept.at[row]),
            offset_ns=int(kept.shown[row]),
            drift_ppm=float(rates[row]),
            unsure_ns=int(unsure[row]),
            beyond_ppm=line.beyond_ppm + abs(float(rates[row]) - line.drift_ppm),
            wander_ppm=wander_ppm,
        )
        for row in range(len(gap))
    )


def _largest_ns(line: Piece, trips: Trips) -> float:
    """Largest error that the line states over the time of all trips; inf where one of them
    contradicts it."""
    outside = np.maximum(np.maximum(line.first_ns - trips.at, trips.at - line.last_ns), 0)
    stated = line.unsure_ns + outside * (line.beyond_ppm / PPM)
    stated += roamed_ns(outside, line.wander_ppm)
    told = (trips.at - line.reference_ns) * (line.drift_ppm / PPM)
    off = trips.offset + (trips.start_ns - line.offset_ns) - told
    contradicted = (np.abs(off) > trips.half + stated + 1).any()
    return np.inf if contradicted else float(stated.max())


def _theil_sen(x: FloatArray, y: FloatArray) -> tuple[float, float]:
    """Slope and value at 0 of a line that a few bad points do not move."""
    left, right = np.triu_indices(len(x), 1)
    if not len(left):
        return 0.0, float(y[0])
    slope = float(np.median((y[right] - y[left]) / (x[right] - x[left])))
    return slope, float(np.median(y - slope * x))
