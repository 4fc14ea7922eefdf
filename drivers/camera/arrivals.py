"""What the stamps of arriving frames say: which are missing, which are repeated, at what rate.

Pure: no clock, no picture.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from hil.clock import NS_PER_S
from hil.contracts import NEVER

_LATE = 0.75
"""A gap counts as one missing frame from 1.75 periods on: a frame that is merely late has most
of a period to come, while a gap of two periods may lose a quarter of one to jitter."""

_RATE_STAMPS = 32
_SPAN_NS = 2 * NS_PER_S
"""The rate is that of the last stamps, at most so many and not older than this."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """One frame's place among the others; fields as in `hil.contracts.Frame`."""

    index: int
    missed: int
    repeated: bool


@dataclass(slots=True)
class Totals:
    """Counts since the first frame. `still_since_ns` is the stamp of the first frame of the
    present run of equal pictures."""

    frames: int = 0
    missed: int = 0
    repeated: int = 0
    still_since_ns: int = NEVER
    last_ns: int = NEVER


class Arrivals:
    """Keeps count of a stream that was asked to come at `rate_hz`.

    A gap is measured by the camera's own stamps where it has them, since the host's carry the
    jitter of the link.
    """

    def __init__(self, rate_hz: float) -> None:
        self.totals = Totals()
        self._period_ns = NS_PER_S / rate_hz
        self._device_ns = NEVER
        self._stamps: deque[int] = deque(maxlen=_RATE_STAMPS)

    def note(self, stamp_ns: int, device_ns: int, same: bool) -> Arrival:
        """A frame that came at `stamp_ns` of the host and `device_ns` of the camera's clock
        (NEVER without one); `same` where its picture equals the one before.

        A camera whose clock stands still while frames come is frozen as well.
        """
        totals = self.totals
        first = totals.last_ns == NEVER
        clocked = device_ns != NEVER and self._device_ns != NEVER
        repeated = not first and (same or (clocked and device_ns == self._device_ns))
        gap_ns = device_ns - self._device_ns if clocked else stamp_ns - totals.last_ns
        missed = 0 if first else missing_in(gap_ns, self._period_ns)
        if not repeated:
            totals.still_since_ns = stamp_ns
        totals.frames += 1
        totals.missed += missed
        totals.repeated += repeated
        totals.last_ns, self._device_ns = stamp_ns, device_ns
        self._stamps.append(stamp_ns)
        while self._stamps[0] < stamp_ns - _SPAN_NS:
            self._stamps.popleft()
        return Arrival(totals.frames - 1, missed, repeated)

    def rate_hz(self) -> float:
        """Frames a second over the last two seconds at most; NaN before there are two."""
        span_ns = self._stamps[-1] - self._stamps[0] if self._stamps else 0
        return (len(self._stamps) - 1) * NS_PER_S / span_ns if span_ns > 0 else float("nan")


def missing_in(gap_ns: float, period_ns: float) -> int:
    """Frames that should have come within a gap between two that did."""
    return max(0, int(gap_ns / period_ns + 1 - _LATE) - 1)
