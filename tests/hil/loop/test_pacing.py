"""Pacing policies with a virtual clock: no drift, no burst, nothing missed unsaid."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hil.clock import VirtualClock
from hil.errors import BadInput
from hil.loop.pacing import Cycle, Pacing, Turn, next_turn, on_clock, periodic

PERIOD = 1_000_000
CYCLE = Cycle(start_ns=5 * PERIOD, period_ns=PERIOD)

durations = st.lists(st.integers(0, 6 * PERIOD), min_size=1, max_size=80)


def serve(policy: Pacing, cycle: Cycle, work_ns: list[int]) -> list[tuple[Turn, int]]:
    """Turns and when each began, with ticks that take `work_ns`."""
    clock, last, served = VirtualClock(), None, []
    for took in work_ns:
        last = next_turn(policy, cycle, last, clock.now_ns())
        clock.sleep_until(last.at_ns)
        served.append((last, clock.now_ns()))
        clock.advance(took)
    return served


def test_a_tick_that_overran_is_served_late_and_never_twice() -> None:
    turn = periodic(CYCLE, Turn(3, 0, CYCLE.start_ns + 3 * PERIOD), CYCLE.start_ns + 4 * PERIOD + 1)
    assert turn == Turn(4, 0, CYCLE.start_ns + 4 * PERIOD)


def test_points_that_passed_are_skipped_and_counted() -> None:
    now_ns = CYCLE.start_ns + 8 * PERIOD - 1
    turn = periodic(CYCLE, Turn(3, 0, CYCLE.start_ns + 3 * PERIOD), now_ns)
    assert (turn.index, turn.skipped) == (7, 3)


def test_a_device_paces_nothing_on_a_virtual_clock() -> None:
    assert on_clock(Pacing.DEVICE, virtual=True) is Pacing.LOCKSTEP
    assert on_clock(Pacing.DEVICE, virtual=False) is Pacing.DEVICE
    assert on_clock(Pacing.PERIODIC, virtual=True) is Pacing.PERIODIC


@given(durations)
def test_periodic_never_drifts_and_never_bursts(work_ns: list[int]) -> None:
    served = serve(Pacing.PERIODIC, CYCLE, work_ns)
    for turn, began in served:
        assert turn.at_ns == CYCLE.start_ns + turn.index * PERIOD, "on the grid, for ever"
        assert 0 <= began - turn.at_ns < PERIOD, "late by less than a period"
    indices = [turn.index for turn, _ in served]
    assert indices == sorted(set(indices)), "no point twice"
    assert indices[-1] + 1 == len(served) + sum(turn.skipped for turn, _ in served)


@given(durations)
def test_after_a_stall_periodic_serves_one_late_point_and_not_the_backlog(
    work_ns: list[int],
) -> None:
    served = serve(Pacing.PERIODIC, CYCLE, [10 * PERIOD + 1, *[0] * len(work_ns)])
    late = [began > turn.at_ns for turn, began in served]
    assert late.count(True) <= 1
    assert sum(turn.skipped for turn, _ in served) == (9 if len(served) > 1 else 0)


def test_a_period_that_is_no_whole_number_of_us_still_keeps_its_rate() -> None:
    cycle = Cycle(0, round(1e9 / 30))
    served = serve(Pacing.PERIODIC, cycle, [1_000_000] * 1801)
    span_s = (served[-1][1] - served[0][1]) / 1e9
    assert 1800 / span_s == pytest.approx(30, rel=1e-7)


@given(durations)
def test_device_pacing_begins_at_once_but_never_spins(work_ns: list[int]) -> None:
    served = serve(Pacing.DEVICE, CYCLE, work_ns)
    for (_, began), (turn, next_began), took in zip(served, served[1:], work_ns, strict=False):
        assert next_began - began >= CYCLE.guard_ns
        assert next_began == turn.at_ns
        assert next_began == max(began + took, began + CYCLE.guard_ns)


@pytest.mark.parametrize(
    ("took", "missed"),
    [(PERIOD, 0), (PERIOD * 14 // 10, 0), (PERIOD * 6 // 10, 0), (3 * PERIOD, 2), (0, 0)],
)
def test_periods_without_a_cycle_of_the_device_are_counted(took: int, missed: int) -> None:
    served = serve(Pacing.DEVICE, CYCLE, [took, 0])
    assert served[1][0].skipped == missed
    assert served[1][0].index == missed + 1


@given(durations)
def test_lockstep_serves_every_tick(work_ns: list[int]) -> None:
    served = serve(Pacing.LOCKSTEP, CYCLE, work_ns)
    assert [turn.index for turn, _ in served] == list(range(len(served)))
    assert all(turn.skipped == 0 for turn, _ in served)
    began = [at for _, at in served]
    assert all(later - earlier >= PERIOD for earlier, later in pairwise(began))


def test_the_guard_is_never_longer_than_the_period() -> None:
    assert Cycle(0, 50_000).guard_ns == 50_000
    assert Cycle(0, PERIOD, shortest_ns=200_000).guard_ns == 200_000


@pytest.mark.parametrize(("period_ns", "shortest_ns"), [(0, 1), (-5, 1), (10, 0)])
def test_a_cycle_without_length_is_refused(period_ns: int, shortest_ns: int) -> None:
    with pytest.raises(BadInput, match="ns"):
        Cycle(0, period_ns, shortest_ns)
