"""Maps a device's clock to the host's by round trips: offset, drift, and how far off they may be.

One round trip gives four stamps: host sent (t1), device received (t2), device sent (t3), host
received (t4). With the device's clock ahead by o, t2 - t1 is o plus the way there and t3 - t4
is o less the way back, so that o lies between the two:

    offset = ((t2 - t1) + (t3 - t4)) / 2,   trip = (t4 - t1) - (t3 - t2),   |offset - o| <= trip / 2

That bound needs no assumption on how the trip divides into its two ways; that the two ways are
equal cannot be known, and is not assumed. Source: D. L. Mills, RFC 5905, section 8.

Of each window of time only the shortest trip is kept (minimum-delay filter). Where the clock was
set between two of these, the map is in two stretches with a step between (`hil.loop.clocksteps`).
Over a stretch the map is one line, or pieces from trip to trip, whichever states the smaller
largest error (`hil.loop.clockpieces`): a steady clock gives the line, one that wanders the pieces.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain, pairwise

import numpy as np
from numpy.typing import NDArray

from hil.clock import NS_PER_S
from hil.contracts import ClockExchange, FloatArray, IntArray
from hil.loop.clockpieces import Piece, Stretch, fit_stretch
from hil.loop.clocksteps import find_steps
from hil.loop.clocktrips import DRIFT_LIMIT_PPM, PPM, Trips, merged, roamed_ns, split

__all__ = ["DRIFT_LIMIT_PPM", "ClockMap", "ClockStep", "as_array", "fit_clock"]

WINDOW_NS = NS_PER_S
"""Of the exchanges that begin within one window, the one with the shortest trip counts."""

_MOST_POINTS = 512  # the fit looks at all pairs
_MOST_NS = 1 << 62  # stamps beyond are none: differences would not fit


@dataclass(frozen=True, slots=True)
class ClockStep:
    """The device's clock was set forward by `size_ns` (or back, below 0), give or take
    `unsure_ns`, some time between `first_ns` and `last_ns` on the host's."""

    first_ns: int
    last_ns: int
    size_ns: int
    unsure_ns: int


@dataclass(frozen=True, slots=True)
class ClockMap:
    """How a device's clock stands against the host's.

    `pieces` follow each other in time, and hold where exactly; between two of them the clock
    was set, where `steps` say so. `longest` is the one line through the longest stretch without
    a step: offset and drift to be told in few words. `trip_ns` is the longest of the round trips
    that the map rests on, `kept` of `exchanges`.
    """

    pieces: tuple[Piece, ...]
    steps: tuple[ClockStep, ...]
    longest: Piece
    trip_ns: int
    kept: int
    exchanges: int

    @property
    def first_ns(self) -> int:
        """Host time of the first exchange kept."""
        return self.pieces[0].first_ns

    @property
    def last_ns(self) -> int:
        """Host time of the last exchange kept."""
        return self.pieces[-1].last_ns

    @property
    def base_ns(self) -> int:
        """Largest error of the offset within the time of the exchanges, steps left out."""
        return max(piece.unsure_ns for piece in self.pieces)

    def to_host_ns(self, device_ns: IntArray, about_ns: IntArray | None = None) -> IntArray:
        """Host time of device stamps of any shape.

        `about_ns` is a host time near each: a clock that was set back shows the same time twice,
        and only this tells which is meant. It may be left out where there is no step.
        """
        if about_ns is None:
            whole = self.longest
            about_ns = _to_host(device_ns, whole.reference_ns, whole.offset_ns, whole.drift_ppm)
        place = self._place(about_ns)
        reference, offset = self._ints("reference_ns")[place], self._ints("offset_ns")[place]
        return _to_host(device_ns, reference, offset, self._floats("drift_ppm")[place])

    def uncertainty_ns(self, host_ns: IntArray) -> IntArray:
        """Largest error of `to_host_ns` at host times of any shape; where the clock was set, it
        contains the step."""
        place = self._place(host_ns)
        first, last = self._ints("first_ns")[place], self._ints("last_ns")[place]
        outside = np.maximum(np.maximum(first - host_ns, host_ns - last), 0)
        grown = outside * (self._floats("beyond_ppm")[place] / PPM)
        grown += roamed_ns(outside, self._floats("wander_ppm")[place])
        # a stamp from the other side of a step is also scaled by the wrong rate
        rate = 1 + (np.abs(self._floats("drift_ppm")[place]) + DRIFT_LIMIT_PPM) / PPM
        for step in self.steps:
            beside = (host_ns > step.first_ns) & (host_ns < step.last_ns)
            grown += beside * rate * (abs(step.size_ns) + step.unsure_ns)
        total: IntArray = np.ceil(grown).astype(np.int64) + self._ints("unsure_ns")[place]
        return total

    def settled(self, begin_ns: IntArray, end_ns: IntArray) -> NDArray[np.bool_]:
        """Whether the clock was surely not set from `begin_ns` to `end_ns`, host times of equal
        shape, so that stamps taken meanwhile have one meaning."""
        sure = np.ones(np.shape(begin_ns), dtype=np.bool_)
        for step in self.steps:
            sure &= (end_ns <= step.first_ns) | (begin_ns >= step.last_ns)
        return sure

    def _place(self, host_ns: IntArray) -> NDArray[np.intp]:
        """Which piece a host time belongs to; within a step, the nearer."""
        edges, first = self._ints("last_ns")[:-1], self._ints("first_ns")[1:]
        # pieces touch but where there is a step
        edges[edges != first] = [(step.first_ns + step.last_ns) // 2 for step in self.steps]
        return np.searchsorted(edges, host_ns, side="right")

    def _ints(self, name: str) -> IntArray:
        return np.array([getattr(piece, name) for piece in self.pieces], dtype=np.int64)

    def _floats(self, name: str) -> FloatArray:
        return np.array([getattr(piece, name) for piece in self.pieces], dtype=np.float64)


def as_array(exchanges: Iterable[ClockExchange]) -> IntArray:
    """Exchanges as rows of `fit_clock`, shape (n, 4)."""
    rows = ((e.sent_ns, e.device_received_ns, e.device_sent_ns, e.received_ns) for e in exchanges)
    return np.fromiter(chain.from_iterable(rows), np.int64).reshape(-1, 4)


def fit_clock(
    exchanges: IntArray, witnesses: IntArray | None = None, window_ns: int = WINDOW_NS
) -> ClockMap | None:
    """The map that `exchanges` give, shape (n, 4): host sent, device received, device sent,
    host received, in ns and in any order.

    `witnesses`, of the same form, are round trips that were made for another purpose: they bound
    the offset as well, so that they show a step or contradict a line, but their two ways may
    differ by much, so that no line is put through them. None without a usable exchange; one that
    took no time or less is not usable, since one of the clocks was set meanwhile. Errors:
    ValueError for another shape.
    """
    trips = _trips(exchanges, True, window_ns)
    if not len(trips):
        return None
    if witnesses is not None:
        trips = merged(trips, _trips(witnesses, False, window_ns))
    gaps = find_steps(trips)
    stretches = [fit_stretch(part) for part in split(trips, gaps)]
    longest = max(stretches, key=lambda one: one.line.last_ns - one.line.first_ns)
    return ClockMap(
        pieces=tuple(piece for one in stretches for piece in one.pieces),
        steps=tuple(_step(gap, *pair) for gap, pair in zip(gaps, pairwise(stretches), strict=True)),
        longest=longest.line,
        trip_ns=max(one.trip_ns for one in stretches),
        kept=sum(one.kept for one in stretches),
        exchanges=len(exchanges),
    )


def _trips(exchanges: IntArray, asked: bool, window_ns: int) -> Trips:
    if exchanges.ndim != 2 or exchanges.shape[1] != 4:
        raise ValueError(f"exchanges have shape {exchanges.shape}, not (n, 4)")
    # no absolute value: the one of -2**63 is -2**63
    possible = exchanges[((exchanges > -_MOST_NS) & (exchanges < _MOST_NS)).all(axis=1)]
    sent, device_received, device_sent, received = possible[np.argsort(possible[:, 0])].T
    trip = (received - sent) - (device_sent - device_received)
    usable = (received > sent) & (device_sent >= device_received) & (trip > 0)
    middle = (sent + (received - sent) // 2)[usable]
    # half of each first, since twice an offset may not fit
    shown = ((device_received - sent) // 2 + (device_sent - received) // 2)[usable]
    best = _shortest(middle, trip[usable], window_ns)
    return Trips(middle[best], shown[best], trip[usable][best], np.full(len(best), asked))


def _shortest(middle: IntArray, trip: IntArray, window_ns: int) -> NDArray[np.intp]:
    """Indices of the shortest trip of each window. A window begins with the first exchange after
    the one before; windows grow where there would be too many for a fit over all pairs."""
    if not len(middle):
        return np.empty(0, np.intp)
    length = max(window_ns, (int(middle[-1]) - int(middle[0])) // _MOST_POINTS + 1)
    best, first = [], 0
    while first < len(middle):
        end = int(np.searchsorted(middle, int(middle[first]) + length))
        best.append(first + int(trip[first:end].argmin()))
        first = end
    return np.array(best)


def _step(gap: tuple[int, int], before: Stretch, after: Stretch) -> ClockStep:
    """What happened between two stretches: how far their maps are apart half-way."""
    left, right = before.pieces[-1], after.pieces[0]
    middle_ns = (gap[0] + gap[1]) // 2
    return ClockStep(
        *gap,
        size_ns=right.offset_at(middle_ns) - left.offset_at(middle_ns),
        unsure_ns=left.unsure_beyond_ns(middle_ns - left.last_ns)
        + right.unsure_beyond_ns(right.first_ns - middle_ns),
    )


def _to_host(
    device_ns: IntArray,
    reference_ns: IntArray | int,
    offset_ns: IntArray | int,
    drift_ppm: FloatArray | float,
) -> IntArray:
    drift = drift_ppm / PPM
    since = device_ns - (reference_ns + offset_ns)
    # only the small part goes through floats: stamps need all of their 63 bits
    gained: IntArray = np.rint(since * (drift / (1 + drift))).astype(np.int64)
    return since - gained + reference_ns
