"""One command at a time, and the place found again after every trouble."""

from __future__ import annotations

from collections import deque

import pytest
from tiny_fixtures import Rig

from drivers.mlperf_tiny import codec
from drivers.mlperf_tiny.session import BoardRestarted, Session
from hil.clock import NS_PER_S, Deadline, VirtualClock
from hil.errors import DeadlineMissed, ProtocolError


def test_a_board_that_the_opening_has_reset_is_waited_for() -> None:
    rig = Rig(boot_ms=700).start()
    assert rig.session.mode == "performance"
    assert rig.session.counters()["probes"] == 1


def test_a_board_that_runs_already_is_asked_its_name() -> None:
    rig = Rig()
    rig.emulator.wake(0)
    while rig.line.read(rig.soon(1)):
        pass
    rig.start()
    assert rig.session.mode is None
    assert rig.board.name(rig.soon()) == codec.Name("dut", "emulated")


@pytest.mark.parametrize("left", ["na", "db 0102", "infer 1 ", "bogus", "x" * 200])
def test_a_command_that_somebody_left_half_sent_is_got_rid_of(left: str) -> None:
    rig = Rig()
    rig.line.read(rig.soon(1))
    rig.line.write(left.encode(), rig.soon())
    rig.start()
    assert rig.board.profile(rig.soon())[1] == "ic01"


def test_a_silent_board_costs_its_deadline_and_is_named() -> None:
    rig = Rig()
    rig.emulator.control({"silent": True})
    begun_ns = rig.clock.now_ns()
    with pytest.raises(DeadlineMissed, match="nothing there says its name"):
        rig.session.start(10**9, rig.soon(7))
    assert rig.clock.now_ns() - begun_ns == 7 * 10**9


def test_an_answer_that_comes_late_is_not_taken_for_the_next() -> None:
    rig = Rig(infer_us=3e6).start()
    rig.board.load(bytes(3072), rig.soon())
    with pytest.raises(DeadlineMissed, match="'infer 1 0'"):
        rig.board.infer(1, 0, rig.soon(1))
    assert rig.board.name(rig.soon()) == codec.Name("dut", "emulated")
    stamp_us, answer = rig.board.stamp(rig.soon())
    assert answer.messages == (codec.Lap(stamp_us or 0),)
    assert rig.session.counters()["timeouts"] == 1


def test_several_probes_of_a_busy_board_leave_nothing_behind() -> None:
    rig = Rig(infer_us=9e6).start()
    rig.board.load(bytes(3072), rig.soon())
    with pytest.raises(DeadlineMissed):
        rig.board.infer(1, 0, rig.soon(0.5))
    for _ in range(3):
        assert isinstance(rig.board.name(rig.soon()), codec.Name)
        assert rig.board.stamp(rig.soon())[0] is not None
    assert rig.session.counters()["probes"] >= 4


def test_debug_output_in_between_is_legal() -> None:
    rig = Rig(model="kws01").start()
    rig.emulator.control({"debug": "heap 1234\r\n"})
    rig.board.load(bytes(490), rig.soon(), read_back=True)
    assert len(rig.board.infer(2, 1, rig.soon()).results) == 12
    assert rig.session.counters()["debug_lines"] > 80


def test_a_flood_without_line_end_costs_the_deadline_and_no_memory() -> None:
    rig = Rig().start()
    rig.emulator.control({"flood": 5_000_000})
    begun_ns = rig.clock.now_ns()
    with pytest.raises(DeadlineMissed):
        rig.board.name(rig.soon(2))
    assert rig.clock.now_ns() - begun_ns == pytest.approx(2e9, abs=0.5e9)
    assert rig.session._decoder.lines.pending <= 4096


def test_a_restart_during_an_answer_is_named() -> None:
    rig = Rig().start()
    rig.emulator.control({"reset_after_lines": 1})
    with pytest.raises(BoardRestarted, match="during 'profile'"):
        rig.board.profile(rig.soon())
    assert rig.board.profile(rig.soon())[1] == "ic01"
    assert rig.session.counters()["restarts"] == 1


def test_a_restart_in_a_pause_is_named_too() -> None:
    rig = Rig().start()
    rig.emulator.control({"reset": True})
    assert rig.emulator.wake(rig.clock.now_ns()) == []
    rig.clock.advance(10**9)
    with pytest.raises(BoardRestarted, match="while nothing was asked"):
        rig.board.name(rig.soon())
    assert rig.board.name(rig.soon())


NAMED = b"m-name-dut-[x]\r\nm-ready\r\n"


class Script:
    """A line whose answers the test has written down; nothing left: time is up."""

    description = "scripted"

    def __init__(self, clock: VirtualClock, *answers: bytes) -> None:
        self.clock = clock
        self.answers = deque(answers)
        self.written = bytearray()

    def write(self, data: bytes, deadline: Deadline) -> None:
        self.written += data

    def read(self, deadline: Deadline) -> bytes:
        if self.answers and deadline.remaining_ns():
            return self.answers.popleft()
        self.clock.sleep_until(deadline.at_ns)
        return b""

    def discard(self) -> int:
        return 0

    def close(self) -> None:
        self.answers.clear()


def test_messages_without_end_are_bounded() -> None:
    clock = VirtualClock()
    line = Script(clock, NAMED)
    session = Session(line, clock)
    session.start(0, Deadline.after_s(clock, 1))
    line.answers.append(b"m-noise\r\n" * 9000)
    with pytest.raises(ProtocolError, match="without m-ready"):
        session.ask("help", Deadline.after_s(clock, 1))


def test_answers_to_whoever_had_the_line_before_are_not_taken() -> None:
    clock = VirtualClock()
    line = Script(clock, NAMED, NAMED, NAMED)  # to two questions of before, and to its own
    session = Session(line, clock)
    session.start(NS_PER_S, Deadline.after_s(clock, 5))
    assert bytes(line.written) == b"name%"
    line.answers.append(b"m-lap-us-7\r\nm-ready\r\n")
    answer = session.ask("timestamp", Deadline.after_s(clock, 1))
    assert [type(one).__name__ for one in answer.messages] == ["Lap"]


def test_a_line_that_does_not_fall_quiet_is_not_asked_anything() -> None:
    clock = VirtualClock()
    line = Script(clock, NAMED, NAMED)
    session = Session(line, clock)
    with pytest.raises(DeadlineMissed, match="earlier commands may still come"):
        session.start(0, Deadline.after_s(clock, 0.05))


def test_other_names_than_dut_are_taken() -> None:
    clock = VirtualClock()
    line = Script(clock, b"m-name-board-[Some Maker]\r\nm-ready\r\n")
    Session(line, clock).start(0, Deadline.after_s(clock, 5))
    assert bytes(line.written) == b"name%"
