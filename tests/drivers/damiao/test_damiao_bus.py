"""Requests and answers of motors that number nothing, on a virtual clock."""

from __future__ import annotations

import pytest
from scripted_can import ScriptedCan

from drivers.can.bus import BusSettings
from drivers.can.frames import CanFrame
from drivers.damiao.bus import REGISTER_MAX, Address, MotorBus
from drivers.damiao.codec import Special
from drivers.damiao.ledger import Heard
from drivers.damiao.registers import load_registers
from hil.clock import NS_PER_MS, Deadline, VirtualClock

ANSWER_NS = 5 * NS_PER_MS
MASTERS = {1: 0x11, 2: 0x12, 3: 0x13}
TICK_NS = 10 * NS_PER_MS


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def can(clock: VirtualClock) -> ScriptedCan:
    return ScriptedCan(clock, MASTERS)


@pytest.fixture
def bus(can: ScriptedCan, clock: VirtualClock) -> MotorBus:
    motors = [Address(motor, master) for motor, master in MASTERS.items()]
    return MotorBus(can, motors, BusSettings(1_000_000), ANSWER_NS, clock)


def after(clock: VirtualClock, ms: int) -> Deadline:
    return Deadline.after(clock, ms * NS_PER_MS)


def number(heard: Heard) -> int:
    """Which of the frames that the motor heard the state answers."""
    return int.from_bytes(heard.payload[1:3], "big")


def test_round_ends_with_the_last_answer(
    bus: MotorBus, can: ScriptedCan, clock: VirtualClock
) -> None:
    can.delay_ns = {2: 2 * NS_PER_MS}
    heard = bus.refresh([1, 2, 3], after(clock, 1000))
    assert sorted(heard) == [1, 2, 3]
    assert clock.now_ns() == 2 * NS_PER_MS
    assert heard[2].measured_ns == heard[2].asked_ns == 0
    assert heard[2].received_ns == 2 * NS_PER_MS


def test_silent_motor_costs_the_time_out_and_no_more(
    bus: MotorBus, can: ScriptedCan, clock: VirtualClock
) -> None:
    can.lose = {2: 10**6}
    assert sorted(bus.refresh([1, 2, 3], after(clock, 1000))) == [1, 3]
    assert clock.now_ns() < 2 * ANSWER_NS
    bus.settle(after(clock, 1000))
    assert bus.counters().lost_answers == {2: 1}


def test_deadline_sooner_than_the_time_out_is_kept(
    bus: MotorBus, can: ScriptedCan, clock: VirtualClock
) -> None:
    can.lose = {2: 10**6}
    for tick in range(5):
        deadline = after(clock, 2)
        assert sorted(bus.refresh([1, 2, 3], deadline)) == [1, 3], tick
        assert clock.now_ns() <= deadline.at_ns


def test_answers_to_commands_are_not_taken_for_states_asked(
    bus: MotorBus, clock: VirtualClock
) -> None:
    payload = bytes(8)
    for tick in range(1, 5):
        bus.command(dict.fromkeys(MASTERS, payload), after(clock, 5))
        heard = bus.refresh(list(MASTERS), after(clock, 5))
        assert {number(each) for each in heard.values()} == {2 * tick}
    assert bus.counters().unowed_answers == 0


def test_lost_answer_is_made_good_by_the_next_round(
    bus: MotorBus, can: ScriptedCan, clock: VirtualClock
) -> None:
    payloads = dict.fromkeys(MASTERS, bytes(8))
    for tick in range(8):
        began_ns = clock.now_ns()
        can.lose = {2: 1} if tick == 2 else can.lose
        heard = bus.refresh(list(MASTERS), Deadline(clock, began_ns + TICK_NS))
        assert (2 in heard) == (tick != 2)
        for motor, each in heard.items():
            assert number(each) == can.asked[motor], "the state just asked for"
            assert each.measured_ns >= began_ns
        bus.command(payloads, after(clock, 5))
        clock.sleep_until(began_ns + TICK_NS)
    assert bus.counters().lost_answers == {2: 1}


@pytest.mark.parametrize("delay_ms", [6, 9, 13, 15, 20, 28, 37, 44, 60, 110, 205])
def test_motor_that_is_always_late_is_never_taken_for_fresh(
    bus: MotorBus, can: ScriptedCan, clock: VirtualClock, delay_ms: int
) -> None:
    """An answer may be dated too old and never too young."""
    can.delay_ns = {2: delay_ms * NS_PER_MS}
    payloads = dict.fromkeys(MASTERS, bytes(8))
    heard_at: dict[int, int] = {}
    taken = 0
    for _ in range(60):
        began_ns = clock.now_ns()
        before = can.asked[2]
        heard = bus.refresh(list(MASTERS), Deadline(clock, began_ns + TICK_NS // 2))
        heard_at |= dict.fromkeys(range(before + 1, can.asked[2] + 1), began_ns)
        if 2 in heard:
            taken += 1
            assert heard[2].measured_ns <= heard_at[number(heard[2])] + TICK_NS // 2
        assert sorted(set(heard) - {2}) == [1, 3]
        before = can.asked[2]
        bus.command(payloads, after(clock, 5))
        heard_at |= dict.fromkeys(range(before + 1, can.asked[2] + 1), clock.now_ns())
        clock.sleep_until(began_ns + TICK_NS)
    assert bus.counters().late_answers > 0
    assert taken <= 3


def test_motor_that_recovers_is_heard_again(
    bus: MotorBus, can: ScriptedCan, clock: VirtualClock
) -> None:
    can.lose = {2: 7}
    found = []
    for _ in range(12):
        began_ns = clock.now_ns()
        heard = bus.refresh(list(MASTERS), Deadline(clock, began_ns + TICK_NS))
        found.append(2 in heard)
        clock.sleep_until(began_ns + TICK_NS)
    assert found[-5:] == [True] * 5


def test_answer_that_comes_twice_is_taken_once(
    bus: MotorBus, can: ScriptedCan, clock: VirtualClock
) -> None:
    def twice(frame: CanFrame) -> CanFrame:
        can.say(frame, NS_PER_MS // 4)
        return frame

    can.spoil = twice
    for _ in range(4):
        heard = bus.refresh([1], after(clock, 5))
        assert number(heard[1]) == can.asked[1]
        clock.advance(NS_PER_MS)
    assert bus.counters().unowed_answers == 3


@pytest.mark.parametrize(
    ("spoilt", "counter"),
    [
        (CanFrame(0x12, bytes((0x13, 0, 0, 0, 0, 0, 0, 0))), "wrong_id"),
        (CanFrame(0x77, bytes(8)), "foreign_frames"),
        (CanFrame(0x12, bytes(7)), "wrong_length"),
        (CanFrame(0x12, bytes(8), extended=True), "foreign_frames"),
        (CanFrame(0x12, remote_length=8), "foreign_frames"),
    ],
    ids=["id of another motor", "id of nobody", "short", "extended", "remote"],
)
def test_frame_that_is_no_answer_is_counted(
    bus: MotorBus, can: ScriptedCan, clock: VirtualClock, spoilt: CanFrame, counter: str
) -> None:
    can.spoil = lambda frame: spoilt if frame.id == 0x12 else frame
    assert sorted(bus.refresh([1, 2, 3], after(clock, 50))) == [1, 3]
    assert getattr(bus.counters(), counter) == 1


def test_registers_are_read_and_written_by_motor(
    bus: MotorBus, can: ScriptedCan, clock: VirtualClock
) -> None:
    can.registers = {(motor, 21): bytes((motor, 0, 0, 0)) for motor in MASTERS}
    found = bus.read_register(21, [1, 2, 3], after(clock, 50))
    assert found == {motor: bytes((motor, 0, 0, 0)) for motor in MASTERS}
    echoed = bus.write_register(9, {1: b"\x10\x27\0\0", 2: b"\x01\0\0\0"}, after(clock, 50))
    assert echoed == {1: b"\x10\x27\0\0", 2: b"\x01\0\0\0"}
    assert can.registers[1, 9] == b"\x10\x27\0\0"


def test_late_answer_about_a_register_is_no_state_and_no_other_register(
    bus: MotorBus, can: ScriptedCan, clock: VirtualClock
) -> None:
    can.delay_ns = {1: 20 * NS_PER_MS}
    can.registers = {(1, 21): b"\xaa\0\0\0", (1, 22): b"\xbb\0\0\0"}
    assert bus.read_register(21, [1], after(clock, 10)) == {}
    can.delay_ns = {}
    assert bus.read_register(22, [1], after(clock, 50)) == {1: b"\xbb\0\0\0"}
    clock.advance(20 * NS_PER_MS)
    heard = bus.refresh([1], after(clock, 50))
    assert number(heard[1]) == can.asked[1]
    assert bus.counters().late_answers == 1
    assert bus.counters().lost_answers == {1: 1}


@pytest.mark.parametrize("later_ms", [0, 1500], ids=["at once", "much later"])
def test_second_answer_to_a_register_asked_twice_is_no_state(
    bus: MotorBus, can: ScriptedCan, clock: VirtualClock, later_ms: int
) -> None:
    can.delay_ns = {1: (20 + later_ms) * NS_PER_MS}
    can.registers = {(1, 21): b"\xaa\0\0\0"}
    assert bus.read_register(21, [1], after(clock, 10)) == {}
    assert bus.read_register(21, [1], after(clock, 10)) == {}
    can.delay_ns = {}
    clock.advance((10 + later_ms) * NS_PER_MS)
    assert bus.read_register(21, [1], after(clock, 50)) == {1: b"\xaa\0\0\0"}
    can.delay_ns = {1: 4 * NS_PER_MS}
    for _ in range(4):
        heard = bus.refresh([1], after(clock, 50))
        assert number(heard[1]) == can.asked[1], "the state just asked for"
    assert bus.counters().late_answers == 2


def test_late_answer_to_a_call_is_not_taken_for_a_mark(
    bus: MotorBus, can: ScriptedCan, clock: VirtualClock
) -> None:
    """A state that was given up comes behind it, and would be dated to a later question."""
    can.delay_ns = {1: 14 * NS_PER_MS}
    assert bus.read_register(1, [1], after(clock, 6)) == {}
    can.delay_ns = {1: 9 * NS_PER_MS}
    assert bus.refresh([1], after(clock, 6)) == {}
    can.delay_ns = {1: 20 * NS_PER_MS}
    assert bus.refresh([1], after(clock, 50)) == {}
    assert bus.counters().late_answers == 2


@pytest.mark.parametrize("operation", [0x33, 0x55, 0xAA])
def test_answer_about_a_register_to_another_host_is_no_state(
    bus: MotorBus, can: ScriptedCan, clock: VirtualClock, operation: int
) -> None:
    """Its first byte would say that the motor is off, which proves something."""
    answer = CanFrame(0x11, bytes((0x01, 0x00, operation, REGISTER_MAX, 0x08, 0x00, 30, 28)))
    can.spoil = lambda frame: answer if frame.id == 0x11 else frame
    assert bus.refresh([1], after(clock, 50)) == {}
    assert bus.counters().late_answers == 1


@pytest.mark.parametrize("velocity", [0x7F, 0x80])
def test_motor_that_stands_at_the_end_of_its_scale_tells_so(
    bus: MotorBus, can: ScriptedCan, clock: VirtualClock, velocity: int
) -> None:
    """Position 0033 are the bytes that an answer about a register has there."""
    state = CanFrame(0x11, bytes((0x01, 0x00, 0x33, velocity, 0xF7, 0xFF, 30, 28)))
    can.spoil = lambda frame: state if frame.id == 0x11 else frame
    assert bus.refresh([1], after(clock, 50))[1].payload == state.data


def test_every_register_of_the_table_is_known_as_one() -> None:
    assert max(register.number for register in load_registers().values()) == REGISTER_MAX


def test_special_command_goes_to_each_at_once(
    bus: MotorBus, can: ScriptedCan, clock: VirtualClock
) -> None:
    bus.special([1, 2, 3], Special.DISABLE, after(clock, 50))
    assert clock.now_ns() == 0
    assert [(frame.id, frame.data[-1]) for frame in can.sent] == [(1, 0xFD), (2, 0xFD), (3, 0xFD)]


def test_look_around_finds_who_else_is_there(
    bus: MotorBus, can: ScriptedCan, clock: VirtualClock
) -> None:
    can.masters[9] = 0x19
    can.asked[9] = 0
    assert bus.look_around(range(1, 16), after(clock, 30)) == [
        (1, 0x11),
        (2, 0x12),
        (3, 0x13),
        (9, 0x19),
    ]
    assert clock.now_ns() == 30 * NS_PER_MS


def test_fd_bus_sends_fd_frames(can: ScriptedCan, clock: VirtualClock) -> None:
    bus = MotorBus(can, [Address(1, 0x11)], BusSettings(1_000_000, 5_000_000), ANSWER_NS, clock)
    bus.refresh([1], after(clock, 50))
    assert [(frame.fd, frame.bit_rate_switch) for frame in can.sent] == [(True, True)]


def test_commands_without_reads_do_not_pile_up(
    bus: MotorBus, can: ScriptedCan, clock: VirtualClock
) -> None:
    can.lose = {1: 10**6}
    for _ in range(2000):
        bus.command({1: bytes(8)}, after(clock, 5))
    assert len(bus._ledgers[1].owed) <= 256
