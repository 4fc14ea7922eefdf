"""What was heard of a sensor's stream, and how old it is: rules over frames and stamps, no clock.

A frame is dated when it is read, but never later than the date of the frame before plus the time
that has passed for the sensor, with an eighth of that to spare for the difference of the clocks.
So what has waited in a buffer while nobody looked is known to be old.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from drivers.bota.codec import AXES, INVALID, OVERRANGE, SKIPPING, Frame
from hil.clock import NS_PER_US
from hil.contracts import NEVER, SensorSample

_SPARE = 8
"""Fraction (one in so many) by which the sensor's clock may be slow."""

_WRAP_US = 1 << 32


@dataclass(slots=True)
class StreamCounters:
    """Frames with these bits set; `invalid` counts those without numbers too."""

    skipping: int = 0
    overranges: int = 0
    invalid: int = 0


class Newest:
    """The newest frame and its date. Stamps are ns of one clock."""

    def __init__(self) -> None:
        self.counters = StreamCounters()
        self.frame: Frame | None = None
        self.heard = 0
        """Frames so far."""
        self._dated_ns = NEVER

    def take(self, frames: Sequence[Frame], now_ns: int) -> None:
        """Take what was read at `now_ns`."""
        for frame in frames:
            self._date(frame, now_ns)
            self._count(frame)
        self.heard += len(frames)

    def sample(self, now_ns: int) -> SensorSample:
        """N and N·m with their age; absent before the first frame, and where the sensor itself
        says that its newest measurement is not valid."""
        frame = self.frame
        if frame is None or not _valid(frame):
            absent = np.full(AXES, NEVER, dtype=np.int64)
            return SensorSample(now_ns, np.full(AXES, np.nan), absent)
        age_ns = np.full(AXES, now_ns - self._dated_ns, dtype=np.int64)
        return SensorSample(now_ns, np.array(frame.wrench), age_ns)

    def _date(self, frame: Frame, now_ns: int) -> None:
        before, self.frame = self.frame, frame
        if before is None:
            self._dated_ns = now_ns
            return
        passed_ns = (frame.time_us - before.time_us) % _WRAP_US * NS_PER_US
        self._dated_ns = min(now_ns, self._dated_ns + passed_ns + passed_ns // _SPARE)

    def _count(self, frame: Frame) -> None:
        self.counters.skipping += bool(frame.status & SKIPPING)
        self.counters.overranges += bool(frame.status & OVERRANGE)
        self.counters.invalid += not _valid(frame)


def _valid(frame: Frame) -> bool:
    return not frame.status & INVALID and bool(np.isfinite(frame.wrench).all())
