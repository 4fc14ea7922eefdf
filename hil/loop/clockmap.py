"""Maps a device's clock to the host's by round trips: offset, drift, and how far off they may be.

One round trip gives four stamps: host sent (t1), device received (t2), device sent (t3), host
received (t4). With the device's clock ahead by o, t2 - t1 is o plus the way there and t3 - t4
is o less the way back, so that o lies between the two:

    offset = ((t2 - t1) + (t3 - t4)) / 2,   trip = (t4 - t1) - (t3 - t2),   |offset - o| <= trip / 2

That bound needs no assumption on how the trip divides into its two ways; that the two ways are
equal cannot be known, and is not assumed. Source: D. L. Mills, RFC 5905, section 8.

Of each window of time only the shortest trip is kept (minimum-delay filter), and of these only
windows with a trip near the shortest of all. A line through them, by the median of the slopes
between all pairs (Theil and Sen), is the map. What is assumed: the device's clock runs at one
rate over the time looked at. Then the line is off by at most half the longest kept trip plus
the largest residual at every kept point, and so everywhere between the first and the last of
them; beyond, that bound grows as the drift may be wrong.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from hil.clock import NS_PER_S
from hil.contracts import ClockExchange, IntArray

WINDOW_NS = NS_PER_S
"""Of the exchanges that begin within one window, the one with the shortest trip counts."""

NEAR = 2.0
"""A window whose shortest trip is more than so many times the shortest of all is left out."""

DRIFT_LIMIT_PPM = 200.0
"""Drift that a clock may have where the exchanges span too short a time to say: quartz is
specified to 100 ppm at most, and there are two of them."""

_MOST_POINTS = 512  # the fit looks at all pairs
_PPM = 1e6


@dataclass(frozen=True, slots=True)
class ClockMap:
    """How a device's clock stands against the host's, both in ns.

    At host time t the device's clock shows t + `offset_ns` + drift * (t - `reference_ns`).
    The offset is off by at most `base_ns` between `first_ns` and `last_ns` (host time), and by
    `drift_uncertainty_ppm` of the distance more outside. `trip_ns` is the longest of the
    round trips kept, `residual_ns` the largest distance of one of them from the line;
    `kept` of `exchanges` made the map.
    """

    reference_ns: int
    offset_ns: int
    drift_ppm: float
    drift_uncertainty_ppm: float
    trip_ns: int
    residual_ns: int
    first_ns: int
    last_ns: int
    kept: int
    exchanges: int

    @property
    def base_ns(self) -> int:
        """Largest error of the offset within the time of the exchanges."""
        return -(-self.trip_ns // 2) + self.residual_ns

    def to_host_ns(self, device_ns: IntArray) -> IntArray:
        """Host time of device stamps of any shape."""
        drift = self.drift_ppm / _PPM
        since = device_ns - (self.reference_ns + self.offset_ns)
        # only the small part goes through floats: stamps need all of their 63 bits
        gained: IntArray = np.rint(since * (drift / (1 + drift))).astype(np.int64)
        return since - gained + self.reference_ns

    def uncertainty_ns(self, host_ns: IntArray) -> IntArray:
        """Largest error of `to_host_ns` at host times of any shape."""
        outside = np.maximum(np.maximum(self.first_ns - host_ns, host_ns - self.last_ns), 0)
        grown: IntArray = np.ceil(outside * (self.drift_uncertainty_ppm / _PPM)).astype(np.int64)
        return grown + self.base_ns


def as_array(exchanges: Iterable[ClockExchange]) -> IntArray:
    """Exchanges as rows of `fit_clock`, shape (n, 4)."""
    rows = ((e.sent_ns, e.device_received_ns, e.device_sent_ns, e.received_ns) for e in exchanges)
    return np.fromiter(chain.from_iterable(rows), np.int64).reshape(-1, 4)


def fit_clock(exchanges: IntArray, window_ns: int = WINDOW_NS) -> ClockMap | None:
    """The map that `exchanges` give, shape (n, 4): host sent, device received, device sent,
    host received, in ns and in any order.

    None without a usable exchange; one that took no time or less is not usable, since one of
    the clocks was set meanwhile. Errors: ValueError for another shape.
    """
    if exchanges.ndim != 2 or exchanges.shape[1] != 4:
        raise ValueError(f"exchanges have shape {exchanges.shape}, not (n, 4)")
    sent, device_received, device_sent, received = exchanges[np.argsort(exchanges[:, 0])].T
    trip = (received - sent) - (device_sent - device_received)
    usable = (trip > 0) & (device_sent >= device_received)
    if not usable.any():
        return None
    middle = (sent + (received - sent) // 2)[usable]
    twice = ((device_received - sent) + (device_sent - received))[usable]
    kept = _shortest(middle, trip[usable], window_ns)
    return _line(middle[kept], twice[kept], trip[usable][kept], len(exchanges))


def _shortest(middle: IntArray, trip: IntArray, window_ns: int) -> NDArray[np.intp]:
    """Indices of the shortest trip of each window that is near the shortest of all.

    Windows grow where there would be too many for a fit over all pairs.
    """
    span = int(middle[-1] - middle[0])
    window = (middle - middle[0]) // max(window_ns, span // _MOST_POINTS + 1)
    order = np.lexsort((trip, window))
    first = np.unique(window[order], return_index=True)[1]
    best = order[first]
    return np.sort(best[trip[best] <= NEAR * trip[best].min()])


def _line(middle: IntArray, twice: IntArray, trip: IntArray, exchanges: int) -> ClockMap:
    reference, start = int(middle[len(middle) // 2]), int(twice[0]) // 2
    at_s = (middle - reference) / NS_PER_S
    offset = (twice - 2 * start) / 2  # ns above `start`, small enough for floats
    half_ns, span_ns = float(trip.max()) / 2, int(middle[-1] - middle[0])
    slope, level = _theil_sen(at_s, offset)
    residual_ns = float(np.abs(offset - level - slope * at_s).max())
    unsure_ppm = 2 * (half_ns + residual_ns) / span_ns * _PPM if span_ns else np.inf
    if unsure_ppm > DRIFT_LIMIT_PPM:  # too short a time: the slope would be noise
        slope, level, unsure_ppm = 0.0, float(np.median(offset)), DRIFT_LIMIT_PPM
        residual_ns = float(np.abs(offset - level).max())
    return ClockMap(
        reference_ns=reference,
        offset_ns=start + round(level),
        drift_ppm=slope / NS_PER_S * _PPM,
        drift_uncertainty_ppm=unsure_ppm,
        trip_ns=int(trip.max()),
        residual_ns=int(np.ceil(residual_ns)) + 1,  # the offset above is rounded
        first_ns=int(middle[0]),
        last_ns=int(middle[-1]),
        kept=len(middle),
        exchanges=exchanges,
    )


def _theil_sen(x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[float, float]:
    """Slope and value at 0 of a line that a few bad points do not move."""
    left, right = np.triu_indices(len(x), 1)
    if not len(left):
        return 0.0, float(y[0])
    slope = float(np.median((y[right] - y[left]) / (x[right] - x[left])))
    return slope, float(np.median(y - slope * x))
