"""Round trips of a device: the smallest question its protocol has, asked many times."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from hil.clock import NS_PER_US, Clock, Deadline
from hil.contracts import Device
from hil.errors import DeadlineMissed

_TRIP_WITHIN_S = 0.25


@dataclass(frozen=True)
class RoundTrips:
    """Times of the answered ones, in the order asked."""

    asked: int
    times_us: tuple[int, ...]

    @property
    def lost(self) -> int:
        return self.asked - len(self.times_us)

    def quantile(self, q: float) -> int | None:
        """Order statistic of the times in us; None when nothing answered."""
        if not self.times_us:
            return None
        return int(np.quantile(self.times_us, q, method="inverted_cdf"))


def measure_round_trips(
    device: Device, clock: Clock, count: int, stop: Callable[[], bool]
) -> RoundTrips:
    """Ask `count` times, one after another; a late answer counts as lost.

    Errors: LinkLost when the device goes away meanwhile.
    """
    times_us, asked = [], 0
    for _ in range(count):
        if stop():
            break
        asked += 1
        started_ns = clock.now_ns()
        try:
            device.ping(Deadline.after_s(clock, _TRIP_WITHIN_S))
        except DeadlineMissed:
            continue
        times_us.append((clock.now_ns() - started_ns) // NS_PER_US)
    return RoundTrips(asked, tuple(times_us))
