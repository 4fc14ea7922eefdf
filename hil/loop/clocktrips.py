"""Round trips as the clock mapping looks at them, and what a clock's rate may do by itself."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hil.clock import NS_PER_S
from hil.contracts import FloatArray, IntArray

DRIFT_LIMIT_PPM = 200.0
"""Drift that a clock may have where the exchanges span too short a time to say: quartz is
specified to 100 ppm at most, and there are two of them."""

PPM = 1e6

WANDER_PPM = 0.3
"""ppm per root second: how a clock's rate may wander where the exchanges do not say; after a
minute 2.3 ppm, as a quartz that warms up by a few kelvin."""

_BESIDE_NS = NS_PER_S // 20

SIGMAS = 3.0
"""How many standard deviations of its wander a clock is allowed."""


@dataclass(frozen=True, slots=True)
class Trips:
    """Round trips in the order of time, one of each window; arrays of shape (n,), ns.

    `at` is the middle of each on the host's clock, `shown` the device's offset as the trip shows
    it, `trip` how long it was on the way: the offset is off by at most half of that. `asked`
    marks those that were made to ask the clock; the others are witnesses, whose two ways may
    differ by much.
    """

    at: IntArray
    shown: IntArray
    trip: IntArray
    asked: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.at)

    def __getitem__(self, part: slice | NDArray[np.intp] | NDArray[np.bool_]) -> Trips:
        return Trips(self.at[part], self.shown[part], self.trip[part], self.asked[part])

    @property
    def start_ns(self) -> int:
        """Offset of the first; what `offset` counts from."""
        return int(self.shown[0])

    @property
    def offset(self) -> FloatArray:
        """Offsets above `start_ns`, ns: small enough for floats while the clock is not set."""
        return np.asarray(self.shown - self.start_ns, dtype=np.float64)

    @property
    def half(self) -> FloatArray:
        """Largest error of each offset, ns."""
        return np.asarray(self.trip / 2, dtype=np.float64)

    @property
    def noise(self) -> FloatArray:
        """Largest error of each offset, ns, if the least time of each way stays the same: then
        all offsets are wrong by one amount, which is no matter to a rate, and each by at most
        half of what its trip took longer than the shortest."""
        return np.asarray((self.trip - self.trip.min()) / 2, dtype=np.float64)


def merged(one: Trips, other: Trips) -> Trips:
    """Both, in the order of time; of `other` what is not right beside one of the first."""
    other = other[_distance_ns(one.at, other.at) > _BESIDE_NS]
    pairs = zip(
        (one.at, one.shown, one.trip, one.asked),
        (other.at, other.shown, other.trip, other.asked),
        strict=True,
    )
    at, shown, trip, asked = (np.concatenate(pair) for pair in pairs)
    order = np.argsort(at, kind="stable")
    return Trips(at, shown, trip, asked)[order]


def _distance_ns(points: IntArray, at: IntArray) -> IntArray:
    """From each of `at` to the nearest of `points`, which ascend and are not empty."""
    right = np.searchsorted(points, at)
    before, after = points[np.maximum(right - 1, 0)], points[np.minimum(right, len(points) - 1)]
    return np.asarray(np.minimum(np.abs(at - before), np.abs(after - at)))


def split(trips: Trips, gaps: Iterable[tuple[int, int]]) -> list[Trips]:
    """The stretches between `gaps`, host times from and to, in order; what lies within a gap is
    in none of them."""
    edges = [int(trips.at[0]), *(edge for gap in gaps for edge in gap), int(trips.at[-1])]
    return [
        trips[(trips.at >= first) & (trips.at <= last)]
        for first, last in zip(edges[::2], edges[1::2], strict=True)
    ]


def rise_around(trips: Trips, errors: FloatArray) -> tuple[FloatArray, FloatArray]:
    """By how much the offset would grow over each gap, (n - 1,), ns, at the rate it has before
    and after it; and the largest error of that, ns, where those of the offsets are `errors`, (n,).
    NaN and inf where there is nothing around.

    The rate is taken over twice the gap, on both sides alike where both have so much.
    """
    at, offset = trips.at, trips.offset
    gap = np.diff(at)
    before, after = at[:-1] - at[0], at[-1] - at[1:]
    left = np.searchsorted(at, at[:-1] - np.maximum(gap, 2 * gap - after), side="right") - 1
    right = np.searchsorted(at, at[1:] + np.maximum(gap, 2 * gap - before), side="left")
    left, right = np.maximum(left, 0), np.minimum(right, len(at) - 1)
    here, there = np.arange(len(gap)), np.arange(len(gap)) + 1
    span = (at[here] - at[left]) + (at[right] - at[there])
    with np.errstate(divide="ignore", invalid="ignore"):
        share = gap / span
        rise = (offset[here] - offset[left]) + (offset[right] - offset[there])
        unsure = (errors[here] + errors[left]) * (left < here)
        unsure += (errors[there] + errors[right]) * (right > there)
        return rise * share, np.where(span > 0, unsure * share, np.inf)


def bowed_ns(gap_ns: FloatArray | IntArray, wander_ppm: float) -> FloatArray:
    """How far a clock whose rate is a random walk may leave the straight way between two known
    points `gap_ns` apart, ns: `SIGMAS` deviations half-way, where they are largest,
    sigma T^(3/2) / sqrt(48) (the integrated random walk given both its ends)."""
    return np.asarray(SIGMAS / np.sqrt(48) * _walked_ns(gap_ns, wander_ppm), dtype=np.float64)


def roamed_ns(since_ns: FloatArray | IntArray, wander_ppm: FloatArray | float) -> FloatArray:
    """How far such a clock may leave a straight way, `since_ns` after its last known point:
    `SIGMAS` deviations, sigma T^(3/2) / sqrt(3)."""
    return np.asarray(SIGMAS / np.sqrt(3) * _walked_ns(since_ns, wander_ppm), dtype=np.float64)


def _walked_ns(time_ns: FloatArray | IntArray, wander_ppm: FloatArray | float) -> FloatArray:
    return np.asarray((time_ns / NS_PER_S) ** 1.5 * NS_PER_S * (wander_ppm / PPM))


def worth_keeping(trips: Trips, wander_ppm: float) -> NDArray[np.intp]:
    """The trips that say more than their neighbours do: one by one the worst of the others is
    left out, unless it contradicts them. First and last stay."""
    rows = np.arange(len(trips))
    while len(rows) > 2:
        at, offset, half = trips.at[rows], trips.offset[rows], trips.half[rows]
        share = (at[1:-1] - at[:-2]) / (at[2:] - at[:-2])
        without = half[:-2] * (1 - share) + half[2:] * share
        without += bowed_ns(at[2:] - at[:-2], wander_ppm)
        middle = offset[:-2] * (1 - share) + offset[2:] * share
        agrees = np.abs(offset[1:-1] - middle) <= half[1:-1] + without
        gain = np.where(agrees, half[1:-1] - without, -np.inf)
        if gain.max() <= 0:
            break
        rows = np.delete(rows, 1 + int(gain.argmax()))
    return rows
