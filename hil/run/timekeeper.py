"""How the loop of one bench keeps time: how it waits, and what its process asks of the system."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from hil.clock import NS_PER_US, Clock, WallClock
from hil.loop.realtime import Setting, realtime
from hil.loop.waiting import DEFAULT_FRACTION, Spin, WaitCost, Waiter, spin_for
from hil.rig import Bench

LONGEST_SPIN_NS = 500 * NS_PER_US
"""Where the rig file names no spin: more buys nothing on a host that is fit, and costs CPU."""


class Timekeeper:
    """Clocks for the loop, one a period, whose waiters stay warm from episode to episode.

    On a virtual clock there is nothing to wait for and nothing to ask of the system, and
    nothing of either on the record.
    """

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._waiters: dict[int, Waiter] = {}

    def clock(self, period_ns: int) -> Clock:
        """The clock that a loop of this period waits by. Errors: BadInput for a spin that the
        period cannot hold."""
        if self._bench.clock.virtual:
            return self._bench.clock
        if period_ns not in self._waiters:
            self._waiters[period_ns] = Waiter(self._spin(period_ns), margin_ns=0)
        return WallClock(self._waiters[period_ns].until)

    @contextmanager
    def episode(self, events: list[dict[str, Any]], period_ns: int) -> Iterator[Clock]:
        """Apply the rig's real-time settings while inside; asked and obtained, and what waiting
        cost, go to the episode's `events`."""
        clock = self.clock(period_ns)
        if clock.virtual:
            yield clock
            return
        waiter = self._waiters[period_ns]
        before = waiter.cost
        with self.settings() as settings:
            yield clock
        events.append({"event": "realtime", "settings": [one.as_data() for one in settings]})
        events.append({"event": "waiting", "cost": _since(before, waiter.cost)})

    @contextmanager
    def settings(self) -> Iterator[tuple[Setting, ...]]:
        """The rig's real-time settings, in force while inside."""
        with realtime(self._bench.rig.realtime) as settings:
            yield settings

    def _spin(self, period_ns: int) -> Spin:
        asked_us = self._bench.rig.realtime.spin_us
        if asked_us is not None:
            return spin_for(period_ns, asked_us)
        return Spin(min(round(period_ns * DEFAULT_FRACTION), LONGEST_SPIN_NS))


def _since(before: WaitCost, after: WaitCost) -> dict[str, int]:
    """What was added since; the longest spin and the margin are those of the loop so far."""
    first, last = before.as_data(), after.as_data()
    whole = {"longest_spin_ns", "margin_ns"}
    return {name: last[name] if name in whole else last[name] - first[name] for name in last}
