"""Conditions of the host's time that a run needs: no clock was set, the host did not sleep."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from hil.clock import NS_PER_MS, NS_PER_S, Clock

_SLEPT_NS = 50 * NS_PER_MS
_STEPPED_NS = 100 * NS_PER_MS
_SLEW = 1e-3
"""A clock that is being slewed runs off by less: adjtime allows 5e-4."""


@dataclass(frozen=True, slots=True)
class Clocks:
    """The host's three clocks read together, ns."""

    monotonic_ns: int
    boot_ns: int
    date_ns: int


def read_clocks() -> Clocks:
    """Read them one right after the other; a preemption in between shows as a step, so that
    the quickest of three readings is taken."""
    readings = [_read() for _ in range(3)]
    return min(readings, key=lambda pair: pair[0])[1]


def _read() -> tuple[int, Clocks]:
    began_ns = time.monotonic_ns()
    boot_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    date_ns = time.time_ns()
    return time.monotonic_ns() - began_ns, Clocks(began_ns, boot_ns, date_ns)


@dataclass
class Conditions:
    """Whether the host's time stayed in order since the last look.

    CLOCK_MONOTONIC itself never steps, so that the run's own stamps stay right; a stepped date
    or a host that slept still says that the run was not what its plan promised.
    """

    last: Clocks | None
    read: Callable[[], Clocks] = read_clocks

    @classmethod
    def of(cls, clock: Clock, read: Callable[[], Clocks] = read_clocks) -> Conditions:
        """Conditions from now on; on a virtual clock the host's does not matter."""
        return cls(None if clock.virtual else read(), read)

    def broken(self) -> str:
        """What has happened since the last look, or "" where all is well."""
        if self.last is None:
            return ""
        before, now = self.last, self.read()
        self.last = replace(now)
        return judge_clocks(before, now)


def judge_clocks(before: Clocks, after: Clocks) -> str:
    """What happened to the host's clocks between two readings; "" for nothing."""
    passed_ns = after.monotonic_ns - before.monotonic_ns
    slept_ns = after.boot_ns - before.boot_ns - passed_ns
    if slept_ns > _SLEPT_NS:
        return f"the host was suspended for {slept_ns / NS_PER_S:.3g} s"
    stepped_ns = after.date_ns - before.date_ns - passed_ns - slept_ns
    if abs(stepped_ns) > _STEPPED_NS + _SLEW * passed_ns:
        return f"the host's clock was set by {stepped_ns / NS_PER_S:+.3g} s"
    return ""
