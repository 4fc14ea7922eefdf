"""The timed loop: wait for the grid point, sense, infer, act, stamp.

The loop knows nothing of devices or tasks. A `Job` brings the stages; the clock decides
whether time is the wall's or virtual (lockstep), and nothing else differs between the two.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from hil.clock import NS_PER_MS, NS_PER_US, Clock, Deadline
from hil.contracts import DeviceStamps
from hil.loop.pacing import Grid, next_point
from hil.loop.ticklog import TickLog
from hil.record.format import TickFlag
from scenarios.schema import Loop

_SETTLE_NS = 2 * NS_PER_MS


class LoopEnd(StrEnum):
    """Why the loop returned."""

    FINISHED = "finished"  # the job says that nothing more can change its score
    DURATION = "duration"  # the episode's time is over
    STOPPED = "stopped"  # a person or the system asked for it


class Job(Protocol):
    """The stages of a tick; each returns what was out of the ordinary.

    `row` is the place of the tick in the logs. Errors end the episode; a missed deadline is
    no error but a flag.
    """

    def sense(self, row: int, deadline: Deadline) -> TickFlag: ...

    def infer(self, row: int, deadline: Deadline) -> tuple[TickFlag, DeviceStamps | None]: ...

    def act(self, row: int, deadline: Deadline) -> TickFlag: ...

    def observe(self, row: int, deadline: Deadline) -> bool:
        """Look at what the tick did; True when the job is finished."""
        ...


@dataclass(frozen=True, slots=True)
class Timing:
    """Times of a loop in ns; `timeout` bounds one inference beyond its budget."""

    period_ns: int
    sense_ns: int
    infer_timeout_ns: int
    act_ns: int

    @classmethod
    def of(cls, loop: Loop) -> Timing:
        return cls(
            period_ns=loop.period_ns,
            sense_ns=loop.budget_us.sense * NS_PER_US,
            infer_timeout_ns=round(loop.infer_timeout_ms * NS_PER_MS),
            act_ns=loop.budget_us.act * NS_PER_US,
        )


def run_loop(
    job: Job, clock: Clock, timing: Timing, log: TickLog, points: int, stop: Callable[[], bool]
) -> LoopEnd:
    """Serve grid points 0 .. `points` - 1, the first one period from now.

    An inference that is late is waited for up to its timeout, so that its true time is on the
    record; the points that pass meanwhile are skipped and counted.
    """
    grid = Grid(clock.now_ns() + timing.period_ns, timing.period_ns)
    served = -1
    while not stop():
        point = next_point(grid, served, clock.now_ns())
        if point.index >= points:
            return LoopEnd.DURATION
        clock.sleep_until(grid.at(point.index))
        finished = _tick(job, clock, timing, log, point.index, point.skipped, grid)
        served = point.index
        if finished:
            return LoopEnd.FINISHED
    return LoopEnd.STOPPED


def _tick(
    job: Job, clock: Clock, timing: Timing, log: TickLog, index: int, skipped: int, grid: Grid
) -> bool:
    row = len(log)
    scheduled_ns = grid.at(index)
    woke_ns = clock.now_ns()
    flags = job.sense(row, Deadline(clock, woke_ns + timing.sense_ns))
    sense_ns = clock.now_ns()
    infer_flags, device = job.infer(row, Deadline(clock, sense_ns + timing.infer_timeout_ns))
    infer_ns = clock.now_ns()
    flags |= infer_flags | job.act(row, Deadline(clock, infer_ns + timing.act_ns))
    act_ns = clock.now_ns()
    # What is left of the period belongs to the witness; a late tick still gives it a moment.
    rest_ns = max(scheduled_ns + timing.period_ns, act_ns + _SETTLE_NS)
    finished = job.observe(row, Deadline(clock, rest_ns))
    stamps = (scheduled_ns, woke_ns, sense_ns, infer_ns, act_ns, clock.now_ns())
    log.append(index, skipped, stamps, device, flags)
    return finished
