"""Time: integer nanoseconds, two clocks with one face, and deadlines.

`WallClock` is CLOCK_MONOTONIC. `VirtualClock` moves only when it is told to, so that a
simulated run is bit-reproducible and as fast as the processor allows.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

NS_PER_S = 1_000_000_000
NS_PER_MS = 1_000_000
NS_PER_US = 1_000


class Clock(Protocol):
    """Source of stamps for one run."""

    @property
    def virtual(self) -> bool:
        """True where durations are declared and not measured."""
        ...

    def now_ns(self) -> int:
        """Stamp in ns; the origin is arbitrary, never a wall date."""
        ...

    def sleep_until(self, stamp_ns: int) -> None:
        """Return at or after `stamp_ns`, at once if it has passed."""
        ...


def _sleep_until(stamp_ns: int) -> None:
    remaining_ns = stamp_ns - time.monotonic_ns()
    if remaining_ns > 0:
        time.sleep(remaining_ns / NS_PER_S)


class WallClock:
    """CLOCK_MONOTONIC of this host; `wait` brings a loop's own way of waiting for an instant."""

    virtual = False

    def __init__(self, wait: Callable[[int], None] = _sleep_until) -> None:
        self._wait = wait

    def now_ns(self) -> int:
        return time.monotonic_ns()

    def sleep_until(self, stamp_ns: int) -> None:
        self._wait(stamp_ns)


class VirtualClock:
    """Clock that stands still until somebody advances it; starts at 0."""

    virtual = True

    def __init__(self) -> None:
        self._now_ns = 0

    def now_ns(self) -> int:
        return self._now_ns

    def sleep_until(self, stamp_ns: int) -> None:
        self._now_ns = max(self._now_ns, stamp_ns)

    def advance(self, duration_ns: int) -> None:
        """Let `duration_ns` >= 0 pass."""
        if duration_ns < 0:
            raise ValueError(f"a clock cannot go back by {-duration_ns} ns")
        self._now_ns += duration_ns


@dataclass(frozen=True, slots=True)
class Deadline:
    """The instant by which a blocking call has to return; handed down the call chain."""

    clock: Clock
    at_ns: int

    @classmethod
    def after(cls, clock: Clock, duration_ns: int) -> Deadline:
        """Deadline `duration_ns` from now on `clock`."""
        return cls(clock, clock.now_ns() + duration_ns)

    @classmethod
    def after_s(cls, clock: Clock, duration_s: float) -> Deadline:
        """Deadline `duration_s` seconds from now on `clock`."""
        return cls.after(clock, round(duration_s * NS_PER_S))

    def remaining_ns(self) -> int:
        """Time left in ns, never negative."""
        return max(0, self.at_ns - self.clock.now_ns())

    def remaining_s(self) -> float:
        """Time left in seconds, never negative."""
        return self.remaining_ns() / NS_PER_S

    @property
    def expired(self) -> bool:
        return self.clock.now_ns() >= self.at_ns

    def sooner(self, duration_ns: int) -> Deadline:
        """The earlier of this deadline and `duration_ns` from now."""
        return Deadline(self.clock, min(self.at_ns, self.clock.now_ns() + duration_ns))
