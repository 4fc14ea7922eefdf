"""Paced output and the step grid, on stamps alone."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from sim.twin.pacing import PacedOutput, StepGrid, Transmission, wire_ns

MS = 1_000_000
BAUDS = st.sampled_from([1_000_000, 500_000, 115_200, 38_400])
packets = st.builds(
    Transmission,
    st.integers(0, 5 * MS),
    BAUDS,
    st.binary(min_size=1, max_size=20),
)


def test_wire_time_is_ten_bits_a_byte_rounded_up() -> None:
    assert wire_ns(126, 1_000_000) == 1_260_000
    assert wire_ns(1, 115_200) == 86_806


def test_bytes_leave_one_after_the_other() -> None:
    output = PacedOutput()
    output.add(Transmission(1_000, 1_000_000, b"abc"))
    assert output.take_due(10_999) == b""
    assert output.take_due(11_000) == b"a"
    assert output.next_wake_ns() == 31_000
    assert output.take_due(31_000) == b"bc"
    assert output.next_wake_ns() is None


def test_an_earlier_packet_overtakes_one_that_has_not_begun() -> None:
    output = PacedOutput()
    output.add(Transmission(50 * MS, 1_000_000, b"late"))
    output.add(Transmission(0, 1_000_000, b"soon"))
    assert output.take_due(MS) == b"soon"
    assert output.take_due(60 * MS) == b"late"


def test_a_packet_under_way_is_not_broken_into() -> None:
    output = PacedOutput()
    output.add(Transmission(10_000, 1_000_000, b"abcd"))
    assert output.take_due(25_000) == b"a"
    output.add(Transmission(0, 1_000_000, b"xy"))
    assert output.take_due(MS) == b"bcdxy"
    assert output.overlaps == 1


@settings(deadline=None)
@given(st.lists(packets, max_size=6), st.lists(st.integers(0, 20 * MS), max_size=12))
def test_no_byte_is_early_lost_or_doubled(sending: list[Transmission], instants: list[int]) -> None:
    output = PacedOutput()
    for packet in sending:
        output.add(packet)
    received = b""
    for now_ns in sorted(instants):
        received += output.take_due(now_ns)
        allowed = sum(
            sum(packet.due_ns(index) <= now_ns for index in range(len(packet.data)))
            for packet in sending
        )
        assert len(received) <= allowed
    received += output.take_due(10**12)
    in_order = sorted(sending, key=lambda packet: packet.start_ns)
    assert received == b"".join(packet.data for packet in in_order)


def run_until(grid: StepGrid, now_ns: int) -> int:
    steps = 0
    while grid.due(now_ns):
        grid.done()
        steps += 1
    return steps


def test_a_grid_in_time_takes_one_step_a_period() -> None:
    grid = StepGrid(MS, 0)
    assert [run_until(grid, t * MS) for t in range(4)] == [0, 1, 1, 1]
    assert (grid.overruns, grid.worst_late_ns) == (0, 0)


def test_a_late_grid_catches_up() -> None:
    grid = StepGrid(MS, 0, catch_up=20)
    assert run_until(grid, 15 * MS) == 15
    assert grid.skipped == 0
    assert grid.worst_late_ns == 14 * MS


def test_a_grid_too_late_gives_up_and_says_so() -> None:
    grid = StepGrid(MS, 0, catch_up=20)
    assert run_until(grid, 100 * MS) == 1
    assert (grid.overruns, grid.skipped) == (1, 99)
    assert run_until(grid, 101 * MS) == 1


def test_announced_work_is_counted_apart() -> None:
    grid = StepGrid(MS, 0)
    grid.excuse(40 * MS)
    assert run_until(grid, 40 * MS) == 1
    assert (grid.stalls, grid.stalled) == (1, 39)
    assert (grid.overruns, grid.skipped) == (0, 0)


def test_short_announced_work_is_caught_up() -> None:
    grid = StepGrid(MS, 0, catch_up=20)
    grid.excuse(15 * MS)
    assert run_until(grid, 15 * MS) == 15
    assert (grid.stalls, grid.stalled, grid.skipped) == (1, 0, 0)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(1, 60 * MS), st.booleans()), max_size=30))
def test_every_period_is_stepped_skipped_or_excused(jumps: list[tuple[int, bool]]) -> None:
    grid = StepGrid(MS, 0, catch_up=20)
    now_ns = 0
    for jump_ns, announced in jumps:
        now_ns += jump_ns
        if announced:
            grid.excuse(now_ns)
        run_until(grid, now_ns)
        assert grid.steps + grid.skipped + grid.stalled == now_ns // MS
        assert grid.next_ns == (now_ns // MS + 1) * MS
