"""The emulated gripper on stamps alone."""

from __future__ import annotations

import pytest

from drivers.modbus.robotiq_status import (
    ACTIVATE,
    IN,
    OUT,
    RESET,
    Action,
    Activation,
    Contact,
    Status,
    registers_to,
    status_of,
)
from drivers.modbus.robotiq_table import load_gripper
from hil.errors import BadInput
from sim.emulated.robotiq import EMULATOR, Fingers

S, MS = 1_000_000_000, 1_000_000
TABLE = load_gripper("2f-85")
CLOSE = Action(True, True, 255, 255, 128)
OPEN = Action(True, True, 0, 255, 128)


class Bench:
    """Fingers and the time on their clock."""

    def __init__(self, activated: bool = True) -> None:
        self.fingers = Fingers(TABLE, 1.2, activated)
        self.now_ns = 100 * S
        self.fingers.advance(self.now_ns)

    def act(self, action: Action) -> Status:
        assert self.fingers.write("holding", OUT, registers_to(action)) is None
        return self.status()

    def status(self) -> Status:
        registers = self.fingers.read("input", IN, 3)
        assert isinstance(registers, tuple)
        return status_of(registers)

    def run(self, duration_ns: int) -> Status:
        """Woken as it asks to be."""
        end_ns = self.now_ns + duration_ns
        while self.now_ns < end_ns:
            due_ns = self.fingers.due_ns()
            self.now_ns = end_ns if due_ns is None else min(end_ns, due_ns)
            self.fingers.advance(self.now_ns)
        return self.status()


def test_power_up_is_reset_and_says_that_it_was_alone() -> None:
    status = Bench(activated=False).status()
    assert (status.activated, status.activation, status.going) == (False, 0, False)
    assert status.fault == 9


def test_activation_takes_its_time_and_both_strokes() -> None:
    bench = Bench(activated=False)
    status = bench.act(ACTIVATE)
    assert (status.activation, status.current > 0) == (Activation.UNDER_WAY, True)
    assert bench.run(800 * MS).position == TABLE.counts.closed
    assert bench.status().activation == Activation.UNDER_WAY
    status = bench.run(401 * MS)
    assert (status.activation, status.position) == (Activation.COMPLETE, TABLE.counts.open)
    assert bench.fingers.due_ns() is None


def test_what_is_asked_too_early_is_a_passing_fault() -> None:
    bench = Bench(activated=False)
    assert bench.act(Action(False, True, 255, 255, 255)).fault == 7
    assert bench.act(CLOSE).fault == 5
    status = bench.run(3 * S)
    assert (status.fault, status.position) == (9, TABLE.counts.closed)  # and was left alone


def test_fingers_run_at_the_speed_asked_for() -> None:
    bench = Bench()
    slow = Action(True, True, 255, 0, 0)
    assert bench.act(slow).contact == Contact.MOVING
    status = bench.run(S)  # 0.020 m/s of a stroke of 0.085 m
    gone = (status.position - TABLE.counts.open) / (TABLE.counts.closed - TABLE.counts.open)
    assert gone == pytest.approx(0.020 / 0.085, abs=0.01)
    assert (status.contact, status.going) == (Contact.MOVING, True)


def test_fingers_arrive_and_rest() -> None:
    bench = Bench()
    bench.act(CLOSE)
    status = bench.run(900 * MS)
    assert (status.contact, status.position, status.current) == (
        Contact.AT_POSITION,
        TABLE.counts.closed,
        0,
    )
    assert bench.act(OPEN).contact == Contact.MOVING
    assert bench.run(900 * MS).position == TABLE.counts.open


def test_object_is_met_squeezed_and_lost() -> None:
    bench = Bench()
    bench.fingers.control({"object_m": 0.0425})
    bench.act(CLOSE)
    seen = set()
    while bench.status().contact == Contact.MOVING:
        seen.add(bench.run(10 * MS).current)
    assert max(seen) == CLOSE.force // 2
    status = bench.run(100 * MS)
    assert (status.contact, status.current) == (Contact.WHILE_CLOSING, 0)
    assert TABLE.to_opening(status.position) == pytest.approx(0.0425, abs=0.0004)
    bench.fingers.control({"object_m": None})
    assert bench.run(900 * MS).contact == Contact.AT_POSITION


def test_ring_is_met_while_opening() -> None:
    bench = Bench()
    bench.act(CLOSE)
    bench.run(900 * MS)
    bench.fingers.control({"ring_m": 0.05})
    bench.act(OPEN)
    assert bench.run(900 * MS).contact == Contact.WHILE_OPENING


def test_things_need_room() -> None:
    bench = Bench()
    with pytest.raises(BadInput, match="open wider"):
        bench.fingers.control({"ring_m": 0.01})
    bench.act(CLOSE)
    bench.run(900 * MS)
    with pytest.raises(BadInput, match="not open that wide"):
        bench.fingers.control({"object_m": 0.03})


def test_stop_stops_at_once_and_tells_when() -> None:
    bench = Bench()
    bench.act(Action(True, True, 255, 0, 0))
    bench.run(500 * MS)
    assert bench.fingers.status()["torque_on"] == 1
    before = bench.status().position
    status = bench.act(ACTIVATE)
    assert (status.going, status.activated, status.activation) == (False, True, 3)
    off_ns = bench.now_ns
    assert bench.run(S - MS).position == before
    assert bench.fingers.status()["torque_on"] == 0
    assert bench.fingers.status()["torque_off_ns"] == off_ns


def test_major_fault_stops_until_a_reset() -> None:
    bench = Bench()
    bench.act(CLOSE)
    bench.run(100 * MS)
    bench.fingers.control({"fault": 14, "controller_fault": 12})
    before = bench.status()
    assert (before.fault, before.controller_fault, before.going) == (14, 12, False)
    assert bench.run(500 * MS).position == before.position
    assert bench.act(OPEN).fault == 14
    assert bench.act(RESET).fault == 0
    assert bench.act(ACTIVATE).activation == Activation.UNDER_WAY


def test_activation_that_fails() -> None:
    bench = Bench(activated=False)
    bench.fingers.control({"activation_fails": True})
    bench.act(ACTIVATE)
    status = bench.run(900 * MS)
    assert bench.run(400 * MS).fault == 13
    assert status.activation == Activation.UNDER_WAY


def test_second_of_silence_is_told_until_the_next_command() -> None:
    bench = Bench()
    bench.act(CLOSE)
    assert bench.run(S + MS).fault == 9
    assert bench.status().fault == 9
    assert bench.act(CLOSE).fault == 0


def test_power_cycle_forgets_activation() -> None:
    bench = Bench()
    bench.act(CLOSE)
    bench.run(300 * MS)
    bench.fingers.control({"power_cycle": True})
    assert bench.status().activation == Activation.RESET


def test_parts_of_the_registers() -> None:
    bench = Bench()
    assert bench.fingers.write("holding", OUT + 1, (0x00AB, 0x1234)) is None
    assert bench.fingers.read("holding", OUT, 3) == (0x0100, 0x00AB, 0x1234)
    assert bench.status().echo == 0xAB
    assert bench.fingers.read("input", IN + 2, 1) == (TABLE.counts.open << 8,)
    for space, address, count in (("input", IN, 4), ("holding", OUT - 1, 1), ("coil", OUT, 1)):
        assert bench.fingers.read(space, address, count) == 2
    assert bench.fingers.write("holding", OUT + 2, (0, 0)) == 2
    assert bench.fingers.write("holding", IN, (0,)) == 2


def test_options_and_control_are_checked() -> None:
    assert EMULATOR.build(EMULATOR.options(model="hand-e")).baud == 115_200
    with pytest.raises(BadInput, match="2f-85"):
        EMULATOR.build(EMULATOR.options(model="3f"))
    with pytest.raises(BadInput, match="object_m"):
        Bench().fingers.control({"object": 1})
