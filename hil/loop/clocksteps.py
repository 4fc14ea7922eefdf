"""Finds where a device's clock was set: where its offset changes by more than a rate can."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from hil.contracts import FloatArray
from hil.loop.clocktrips import DRIFT_LIMIT_PPM, PPM, Trips, rise_around

RATE_CHANGE_PPM = 20.0
"""By how much a clock's rate over a gap may differ from its rate before and after: a quartz
changes by about 1 ppm a kelvin. A smaller step cannot be told from that, is not named, and is
in the uncertainty of its piece."""

_AS_LARGE = 0.6
_USUAL = 2.0


def find_steps(trips: Trips) -> list[tuple[int, int]]:
    """The times within which the clock was set: from one trip to another, host times in ns.

    A step is named where the offset changed by more than `DRIFT_LIMIT_PPM` allows, or by more
    than the rate around the gap give or take `RATE_CHANGE_PPM`, and in both cases by more than
    the trips leave open. The largest excess comes first, since a step spoils the rate around
    its neighbours; what it cannot be told from (of two gaps, either may hold it) is named too.
    """
    trips = trips[_usual(trips)]
    found: list[int] = []
    open_parts = [(0, len(trips))]
    while open_parts:
        first, last = open_parts.pop()
        excess = _excess(trips[first:last])
        if not len(excess) or excess.max() <= 0:
            continue
        gaps = first + np.flatnonzero(excess >= _AS_LARGE * excess.max())
        found += gaps.tolist()
        edges = [first, *(gaps + 1).tolist(), last]
        open_parts += pairwise(edges)
    return [(int(trips.at[gap]), int(trips.at[gap + 1])) for gap in sorted(found)]


def _usual(trips: Trips) -> NDArray[np.bool_]:
    """Which trips took no longer than is usual with their kind; a long one would hide in its
    width what the others show. First and last count in any case."""
    usual = np.zeros(len(trips), dtype=np.bool_)
    for kind in (trips.asked, ~trips.asked):
        if kind.any():
            usual |= kind & (trips.trip <= _USUAL * np.quantile(trips.trip[kind], 0.25))
    usual[[0, -1]] = True
    return usual


def _excess(trips: Trips) -> FloatArray:
    """What is left of the change over each gap, (n - 1,), ns, when all is taken off that a clock
    which was not set may do; not above 0 where nothing is."""
    if len(trips) < 2:
        return np.empty(0)
    gap, change = np.diff(trips.at), np.diff(trips.offset)
    known = trips.half[:-1] + trips.half[1:]
    rise, unsure = rise_around(trips, trips.half)
    too_fast = np.abs(change) - gap * (DRIFT_LIMIT_PPM / PPM)
    off_trend = np.abs(change - rise) - unsure - gap * (RATE_CHANGE_PPM / PPM)
    off_trend = np.where(np.isfinite(off_trend), off_trend, -np.inf)
    return np.asarray(np.maximum(too_fast, off_trend) - known, dtype=np.float64)
