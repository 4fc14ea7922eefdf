"""Pacing policies, as pure functions over plain data: when does the next tick begin?

*Periodic*: an absolute grid that never moves; lateness of one tick costs that tick and no
other. Points that passed while a tick was still at work are skipped and counted, never made
up for in a burst. *Device-paced*: the device's read blocks until it has something and so
drives the loop, which does not wait itself, except for a shortest cycle that keeps a device
that answers at once from spinning it. *Lockstep*: the world of a virtual clock stands still
while a tick is at work, so every tick is served, a period after the one before it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import assert_never

from hil.errors import BadInput

SHORTEST_CYCLE_NS = 100_000
"""Default guard of device pacing: far below any bus's cycle, far above a spinning loop's."""


class Pacing(StrEnum):
    """Names of the policies."""

    PERIODIC = "periodic"
    DEVICE = "device"
    LOCKSTEP = "lockstep"


def on_clock(asked: Pacing, virtual: bool) -> Pacing:
    """The policy in force: a simulated device answers at once and paces nothing, so that on a
    virtual clock a loop that its device would pace runs in lockstep at the nominal rate."""
    return Pacing.LOCKSTEP if virtual and asked is Pacing.DEVICE else asked


@dataclass(frozen=True, slots=True)
class Cycle:
    """Where a loop's time begins, its nominal period, and the guard of device pacing, in ns.

    Errors: BadInput for a period or a guard that is not positive.
    """

    start_ns: int
    period_ns: int
    shortest_ns: int = SHORTEST_CYCLE_NS

    def __post_init__(self) -> None:
        if self.period_ns <= 0 or self.shortest_ns <= 0:
            raise BadInput(
                f"period of {self.period_ns} ns with a shortest cycle of {self.shortest_ns} ns",
                "both must be longer than 0 ns",
            )

    @property
    def guard_ns(self) -> int:
        """The shortest cycle, at most the period."""
        return min(self.shortest_ns, self.period_ns)


@dataclass(frozen=True, slots=True)
class Turn:
    """One tick to serve: its number, how many were missed before it, when it is due."""

    index: int
    skipped: int
    at_ns: int


def next_turn(policy: Pacing, cycle: Cycle, last: Turn | None, now_ns: int) -> Turn:
    """The tick after `last` (None before the first) under the named policy."""
    match policy:
        case Pacing.PERIODIC:
            return periodic(cycle, last, now_ns)
        case Pacing.DEVICE:
            return device_paced(cycle, last, now_ns)
        case Pacing.LOCKSTEP:
            return lockstep(cycle, last, now_ns)
    assert_never(policy)


def periodic(cycle: Cycle, last: Turn | None, now_ns: int) -> Turn:
    """The point after `last` on the grid start + i * period while that lies ahead.

    When it has passed, the newest passed point is due at once, late by less than a period, and
    those in between are skipped.
    """
    served = -1 if last is None else last.index
    index = max(served + 1, (now_ns - cycle.start_ns) // cycle.period_ns)
    return Turn(index, index - served - 1, cycle.start_ns + index * cycle.period_ns)


def device_paced(cycle: Cycle, last: Turn | None, now_ns: int) -> Turn:
    """Due at once, but not sooner than the shortest cycle after the last.

    Missed are the nominal periods beyond one that fit between the two, to the nearest whole: a
    device a little off its nominal rate misses nothing, one that pauses for three periods
    misses two. An estimate from one interval, since the device says no number itself.
    """
    if last is None:
        return Turn(0, 0, max(cycle.start_ns, now_ns))
    at_ns = max(now_ns, last.at_ns + cycle.guard_ns)
    whole = (at_ns - last.at_ns + cycle.period_ns // 2) // cycle.period_ns
    skipped = max(0, whole - 1)
    return Turn(last.index + 1 + skipped, skipped, at_ns)


def lockstep(cycle: Cycle, last: Turn | None, now_ns: int) -> Turn:
    """Due one period after the last, or now where that tick took longer; none is ever missed.

    Only for a virtual clock: the world waits, which flatters a slow device under test.
    """
    if last is None:
        return Turn(0, 0, max(cycle.start_ns, now_ns))
    return Turn(last.index + 1, 0, max(last.at_ns + cycle.period_ns, now_ns))
