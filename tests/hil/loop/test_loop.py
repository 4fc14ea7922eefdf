"""The loop's rules with a job that takes as much virtual time as the test says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from hil.clock import Deadline, VirtualClock
from hil.errors import DeviceFault
from hil.loop.loop import LoopEnd, Timing, run_loop
from hil.loop.pacing import Pacing
from hil.loop.ticklog import TickLog, TickNote
from hil.record.format import TickFlag, reaction_ns, stage_durations_ns
from scenarios.schema import Budget, Loop, Rules

PERIOD = 20_000_000
MS = 1_000_000
TIMING = Timing(PERIOD, (1 * MS, 6 * MS, 9 * MS, 2 * MS, 20 * MS), infer_timeout_ns=100 * MS)


class TimedJob:
    """Takes the stated times; infer time may depend on the row."""

    def __init__(self, clock: VirtualClock, infer_ns: Callable[[int], int]) -> None:
        self.clock = clock
        self.infer_ns = infer_ns
        self.finish_at = 10**9
        self.deadlines: list[int] = []

    def sense(self, row: int, note: TickNote, deadline: Deadline) -> None:
        self.deadlines.append(deadline.at_ns - self.clock.now_ns())
        self.clock.advance(1_000_000)
        note.lost = int(row == 2)

    def infer(self, row: int, note: TickNote, deadline: Deadline) -> None:
        self.clock.advance(self.infer_ns(row))

    def act(self, row: int, note: TickNote, deadline: Deadline) -> None:
        self.clock.advance(500_000)

    def observe(self, row: int, deadline: Deadline) -> bool:
        return row >= self.finish_at


def run(
    infer_ns: Callable[[int], int], points: int = 10, finish_at: int = 10**9
) -> tuple[np.ndarray, LoopEnd, TimedJob]:
    clock, log = VirtualClock(), TickLog(points)
    job = TimedJob(clock, infer_ns)
    job.finish_at = finish_at
    end = run_loop(job, clock, TIMING, log, points, stop=lambda: False)
    return log.rows(), end, job


def test_punctual_ticks_stay_on_the_grid() -> None:
    ticks, end, job = run(lambda _: 3_000_000)
    assert end is LoopEnd.DURATION
    assert len(ticks) == 10
    assert set(np.diff(ticks["scheduled_ns"])) == {PERIOD}
    assert (ticks["woke_ns"] == ticks["scheduled_ns"]).all()
    assert (reaction_ns(ticks, PERIOD) == 4_500_000).all()
    assert set(job.deadlines) == {6 * MS}


def test_stages_add_up_to_the_reaction() -> None:
    ticks, _, _ = run(lambda row: 1_000_000 * row)
    stages = stage_durations_ns(ticks)
    assert (sum(stages.values()) == ticks["act_ns"] - ticks["scheduled_ns"]).all()
    assert list(stages["infer"]) == [1_000_000 * row for row in range(10)]


def test_slow_inference_skips_points_and_counts_from_their_instants() -> None:
    ticks, end, _ = run(lambda _: 50_000_000, points=12)
    assert end is LoopEnd.DURATION
    assert len(ticks) + ticks["skipped"].sum() == ticks["tick"][-1] + 1
    reactions = reaction_ns(ticks, PERIOD)
    assert len(reactions) == ticks["tick"][-1] + 1, "one sample for every grid point"
    assert (reactions > PERIOD).all(), "a device slower than the period misses every point"
    # a skipped point waited longer than the one that was served in its stead
    assert reactions.max() > (ticks["act_ns"] - ticks["scheduled_ns"]).max()


def test_one_stall_costs_its_own_points_only() -> None:
    ticks, _, _ = run(lambda row: 45_000_000 if row == 3 else 3_000_000)
    assert ticks["skipped"].sum() == 1
    assert (ticks["scheduled_ns"] - ticks["scheduled_ns"][0] == ticks["tick"] * PERIOD).all()
    assert ticks["woke_ns"][-1] == ticks["scheduled_ns"][-1]


def test_flags_and_finish() -> None:
    ticks, end, _ = run(lambda _: 1, finish_at=4)
    assert end is LoopEnd.FINISHED
    assert len(ticks) == 5
    assert ticks["lost"].tolist() == [0, 0, 1, 0, 0]
    assert not ticks["flags"].any()
    assert (ticks["device_start_ns"] == -1).all()


def test_each_stage_that_outruns_its_budget_is_flagged() -> None:
    ticks, _, _ = run(lambda row: 12 * MS if row == 1 else 19 * MS if row == 2 else MS, points=4)
    expected = [
        TickFlag.NONE,
        TickFlag.LATE_INFER,
        TickFlag.LATE_INFER | TickFlag.LATE,
        TickFlag.NONE,
    ]
    assert ticks["flags"].tolist() == [int(flags) for flags in expected]


def test_stop_request_ends_before_the_next_tick() -> None:
    clock, log = VirtualClock(), TickLog(10)
    job = TimedJob(clock, lambda _: 1)
    end = run_loop(job, clock, TIMING, log, 10, stop=lambda: len(log) == 3)
    assert end is LoopEnd.STOPPED
    assert len(log) == 3


def test_what_ends_the_episode_is_raised_once_its_tick_is_on_the_record() -> None:
    clock, log = VirtualClock(), TickLog(10)

    class Failing(TimedJob):
        def act(self, row: int, note: TickNote, deadline: Deadline) -> None:
            super().act(row, note, deadline)
            if row == 3:
                note.repeats, note.fault = 7, DeviceFault("given up")

    with pytest.raises(DeviceFault, match="given up"):
        run_loop(Failing(clock, lambda _: 1), clock, TIMING, log, 10, stop=lambda: False)
    assert log.rows()["repeats"].tolist() == [0, 0, 0, 7]


def test_too_many_late_points_in_a_row_end_the_loop() -> None:
    clock, log = VirtualClock(), TickLog(20)
    job = TimedJob(clock, lambda row: 19 * MS if row in (2, 5, 6, 7) else MS)
    strict = replace(TIMING, max_late_in_a_row=2)
    with pytest.raises(DeviceFault, match="3 grid points in a row"):
        run_loop(job, clock, strict, log, 20, stop=lambda: False)
    ticks = log.rows()
    assert len(ticks) == 8, "two in a row are allowed, and a punctual tick starts anew"
    assert ticks["flags"][-1] & TickFlag.LATE


def test_a_stall_counts_with_every_point_that_it_skipped() -> None:
    clock, log = VirtualClock(), TickLog(20)
    job = TimedJob(clock, lambda row: 90 * MS if row == 2 else MS)
    strict = replace(TIMING, max_late_in_a_row=3)
    with pytest.raises(DeviceFault, match="4 grid points in a row"):
        run_loop(job, clock, strict, log, 20, stop=lambda: False)
    ticks = log.rows()
    assert (len(ticks), ticks["skipped"][-1]) == (4, 3)


def test_an_overlapped_loop_gives_its_infer_stage_no_more_than_the_budget() -> None:
    budget = {"wake": 1000, "sense": 6000, "infer": 9000, "act": 2000, "reaction": 20_000}
    loop = Loop(rate_hz=50, infer_timeout_ms=100, budget_us=Budget(**budget))
    rules = Rules(max_age_ms=60, max_consecutive=5, max_late_in_a_row=7)
    assert Timing.of(loop).infer_timeout_ns == 100 * MS
    assert Timing.of(loop).max_late_in_a_row is None
    overlapped = loop.model_copy(update={"inference": "overlapped"})
    assert Timing.of(overlapped, rules).infer_timeout_ns == 9 * MS
    assert Timing.of(overlapped, rules).max_late_in_a_row == 7


class PretendedWall(VirtualClock):
    """Moves when told to, and says that it is the wall's: for what holds on a real clock only."""

    virtual = False


class BlockingJob(TimedJob):
    """The read blocks until the device has something new, every `device_ns`."""

    def __init__(self, clock: VirtualClock, device_ns: Callable[[int], int]) -> None:
        super().__init__(clock, lambda _: MS)
        self.device_ns = device_ns
        self.next_ns = clock.now_ns()

    def sense(self, row: int, note: TickNote, deadline: Deadline) -> None:
        self.next_ns = max(self.next_ns + self.device_ns(row), self.clock.now_ns())
        self.clock.sleep_until(min(self.next_ns, deadline.at_ns))


def paced(
    clock: VirtualClock, device_ns: Callable[[int], int], points: int = 10, capacity: int = 20
) -> np.ndarray:
    timing = replace(
        TIMING,
        budget_ns=(MS, 15 * MS, 2 * MS, MS, 20 * MS),
        pacing=Pacing.DEVICE,
        shortest_ns=10 * MS,
    )
    log = TickLog(capacity)
    end = run_loop(BlockingJob(clock, device_ns), clock, timing, log, points, stop=lambda: False)
    assert end is LoopEnd.DURATION
    return log.rows()


def test_a_device_sets_the_pace_and_the_loop_does_not_wait_besides() -> None:
    ticks = paced(PretendedWall(), lambda _: 12 * MS)
    assert (np.diff(ticks["sense_ns"]) == 12 * MS).all(), "the device's own rate"
    assert (ticks["woke_ns"] == ticks["scheduled_ns"]).all()
    assert ticks["skipped"].sum() == 0
    assert ticks["scheduled_ns"][-1] < ticks["scheduled_ns"][0] + 10 * PERIOD, "it ends with time"
    assert len(ticks) > 10, "a device faster than its nominal rate is served as often as it comes"


def test_a_device_that_answers_at_once_does_not_spin_the_loop() -> None:
    ticks = paced(PretendedWall(), lambda _: 0)
    assert (np.diff(ticks["scheduled_ns"]) == 10 * MS).all()
    assert len(ticks) == 20, "no more than the shortest cycle allows"


def test_a_device_that_pauses_has_its_missed_periods_counted() -> None:
    """A tick of three nominal periods: two of them went by unserved."""
    clock = PretendedWall()
    timing = replace(TIMING, pacing=Pacing.DEVICE, shortest_ns=20 * MS)
    log = TickLog(20)
    job = TimedJob(clock, lambda row: 58_500_000 if row == 3 else MS)
    run_loop(job, clock, timing, log, 10, stop=lambda: False)
    ticks = log.rows()
    assert ticks["skipped"].tolist() == [0, 0, 0, 0, 2, 0, 0, 0]
    assert (ticks["tick"] == np.cumsum(ticks["skipped"] + 1) - 1).all()


def test_on_a_virtual_clock_a_device_paced_loop_runs_at_its_nominal_rate() -> None:
    ticks = paced(VirtualClock(), lambda _: 0)
    assert (np.diff(ticks["scheduled_ns"]) == PERIOD).all()
    assert len(ticks) == 10
