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
from hil.loop.pacing import SHORTEST_CYCLE_NS, Cycle, Pacing, Turn, next_turn, on_clock
from hil.loop.rules import LateRun, late_fault
from hil.loop.ticklog import TickLog, TickNote
from hil.record.format import TickFlag
from scenarios.schema import Loop, Rules

_SETTLE_NS = 2 * NS_PER_MS


class LoopEnd(StrEnum):
    """Why the loop returned."""

    FINISHED = "finished"  # the job says that nothing more can change its score
    DURATION = "duration"  # the episode's time is over
    STOPPED = "stopped"  # a person or the system asked for it


class Job(Protocol):
    """The stages of a tick. `row` is the place of the tick in the logs; what was out of the
    ordinary goes into `note`. Errors end the episode; a missed deadline is no error but a flag,
    and what ends the episode once the tick is on the record goes into `note.fault`.
    """

    def sense(self, row: int, note: TickNote, deadline: Deadline) -> None: ...

    def infer(self, row: int, note: TickNote, deadline: Deadline) -> None: ...

    def act(self, row: int, note: TickNote, deadline: Deadline) -> None: ...

    def observe(self, row: int, deadline: Deadline) -> bool:
        """Look at what the tick did; True when the job is finished."""
        ...


@dataclass(frozen=True, slots=True)
class Timing:
    """Times of a loop in ns.

    `budget_ns` holds wake, sense, infer, act and reaction, in this order. Sense and act are cut
    off at their budgets; an inference is waited for up to `infer_timeout_ns`, which overlapped
    is no more than its budget, since nobody waits. More than `max_late_in_a_row` grid points
    in a row answered late end the episode. `pacing` says who sets the pace; `shortest_ns` is
    the guard where the device does.
    """

    period_ns: int
    budget_ns: tuple[int, int, int, int, int]
    infer_timeout_ns: int
    max_late_in_a_row: int | None = None
    pacing: Pacing = Pacing.PERIODIC
    shortest_ns: int = SHORTEST_CYCLE_NS

    @classmethod
    def of(cls, loop: Loop, rules: Rules | None = None) -> Timing:
        us = loop.budget_us
        stages = (us.wake, us.sense, us.infer, us.act, us.reaction)
        budget = tuple(stage * NS_PER_US for stage in stages)
        waits_ns = round(loop.infer_timeout_ms * NS_PER_MS)
        if loop.inference == "overlapped":
            waits_ns = us.infer * NS_PER_US
        limit = None if rules is None else rules.max_late_in_a_row
        pacing, shortest_ns = Pacing(loop.pacing), loop.shortest_cycle_ns
        return cls(loop.period_ns, budget, waits_ns, limit, pacing, shortest_ns)  # type: ignore[arg-type]


_LATE = (
    TickFlag.LATE_WAKE,
    TickFlag.LATE_SENSE,
    TickFlag.LATE_INFER,
    TickFlag.LATE_ACT,
    TickFlag.LATE,
)


def lateness(stamps_ns: tuple[int, int, int, int, int], timing: Timing) -> TickFlag:
    """Which stages outran their budgets; `stamps_ns`: scheduled, woke, sense, infer, act."""
    scheduled, woke, sense, infer, act = stamps_ns
    spent = (woke - scheduled, sense - woke, infer - sense, act - infer, act - scheduled)
    flags = TickFlag.NONE
    for flag, took, budget in zip(_LATE, spent, timing.budget_ns, strict=True):
        if took > budget:
            flags |= flag
    return flags


def run_loop(
    job: Job, clock: Clock, timing: Timing, log: TickLog, points: int, stop: Callable[[], bool]
) -> LoopEnd:
    """Serve `points` periods' time of ticks, the first one period from now.

    A periodic loop serves grid points 0 .. `points` - 1. One that its device paces may serve
    more or fewer ticks in that time; it ends with the time, or when the log is full.

    An inference that is late is waited for up to its timeout, so that its true time is on the
    record; the points that pass meanwhile are skipped and counted. Errors: those of the job;
    what its rules or the rule of late points end the episode with, once the tick is logged.
    """
    policy = on_clock(timing.pacing, clock.virtual)
    cycle = Cycle(clock.now_ns() + timing.period_ns, timing.period_ns, timing.shortest_ns)
    end_ns = cycle.start_ns + points * timing.period_ns
    turn: Turn | None = None
    late = LateRun()
    while not stop():
        turn = next_turn(policy, cycle, turn, clock.now_ns())
        if turn.at_ns >= end_ns or len(log) >= log.capacity:
            return LoopEnd.DURATION
        note = TickNote()
        clock.sleep_until(turn.at_ns)
        finished = _tick(job, clock, timing, log, turn, note, clock.now_ns())
        late = late.after(turn.skipped, note.flags)
        fault = note.fault or late_fault(late, timing.max_late_in_a_row)
        if fault is not None:
            raise fault
        if finished:
            return LoopEnd.FINISHED
    return LoopEnd.STOPPED


def _tick(
    job: Job,
    clock: Clock,
    timing: Timing,
    log: TickLog,
    turn: Turn,
    note: TickNote,
    woke_ns: int,
) -> bool:
    row = len(log)
    _, sense_budget_ns, _, act_budget_ns, _ = timing.budget_ns
    scheduled_ns = turn.at_ns
    job.sense(row, note, Deadline(clock, woke_ns + sense_budget_ns))
    sense_ns = clock.now_ns()
    job.infer(row, note, Deadline(clock, sense_ns + timing.infer_timeout_ns))
    infer_ns = clock.now_ns()
    job.act(row, note, Deadline(clock, infer_ns + act_budget_ns))
    act_ns = clock.now_ns()
    # What is left of the period belongs to the witness; a late tick still gives it a moment.
    rest_ns = max(scheduled_ns + timing.period_ns, act_ns + _SETTLE_NS)
    finished = job.observe(row, Deadline(clock, rest_ns))
    edges = (scheduled_ns, woke_ns, sense_ns, infer_ns, act_ns)
    if late := lateness(edges, timing):
        note.flags |= late
    log.append(turn.index, turn.skipped, (*edges, clock.now_ns()), note)
    return finished
