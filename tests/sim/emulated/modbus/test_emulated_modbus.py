"""Emulated Modbus units on stamps alone: no descriptor, no clock."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from drivers.modbus.codec import answer_of, encode, request_frame
from drivers.modbus.framing import Decoder, reply_size
from drivers.modbus.line import Timing
from drivers.modbus.messages import (
    Done,
    Frame,
    ReadRegisters,
    Refused,
    Registers,
    Request,
    WriteRegister,
)
from drivers.modbus.register_file import RegisterFile
from hil.errors import BadInput
from sim.emulated.modbus import EMULATOR, FileBank
from sim.emulated.modbus_server import ModbusServer
from sim.twin.emulator import Emulator
from sim.twin.pacing import Transmission, wire_ns

BAUD, THINK_NS, S = 9600, 300_000, 1_000_000_000
UNIT = 3
GAP_NS = Timing(BAUD).gap_ns
FILE = RegisterFile.model_validate(
    {
        "model": "x",
        "unit": UNIT,
        "registers": [
            {"name": "set", "address": 0, "access": "rw"},
            {"name": "fixed", "address": 1},
        ],
    }
)
READ = ReadRegisters(0, 2)


@pytest.fixture
def unit() -> ModbusServer:
    return ModbusServer(UNIT, FileBank(FILE), BAUD, THINK_NS)


def wire(request: Request, unit: int = UNIT) -> bytes:
    return encode(request_frame(unit, request))


def answers(request: Request, sent: list[Transmission]) -> list[object]:
    frames = Decoder(reply_size).feed(b"".join(one.data for one in sent))
    return [answer_of(request, frame) for frame in frames]


def test_it_is_an_emulator(unit: ModbusServer) -> None:
    emulator: Emulator = unit
    assert emulator.baud == BAUD
    assert emulator.due_ns() is None


def test_answer_starts_a_gap_and_a_thought_after_the_request(unit: ModbusServer) -> None:
    data = wire(READ)
    (sent,) = unit.receive(data, S, BAUD)
    assert sent.start_ns == S + wire_ns(len(data), BAUD) + GAP_NS + THINK_NS
    assert sent.baud == BAUD
    assert answers(READ, [sent]) == [Registers((0, 0))]


def test_request_in_pieces_is_one(unit: ModbusServer) -> None:
    data = wire(READ)
    assert unit.receive(data[:3], S, BAUD) == []
    (sent,) = unit.receive(data[3:], S + 10_000, BAUD)
    assert sent.start_ns == S + wire_ns(len(data), BAUD) + GAP_NS + THINK_NS


def test_broken_off_request_is_noise_after_the_gap(unit: ModbusServer) -> None:
    data = wire(READ)
    unit.receive(data[:5], S, BAUD)
    due_ns = unit.due_ns()
    assert due_ns == S + wire_ns(5, BAUD) + GAP_NS
    assert unit.wake(due_ns) == []
    assert unit.due_ns() is None
    assert unit.status()["noise_bytes"] == 5
    assert len(unit.receive(data, due_ns + 1, BAUD)) == 1


def test_function_that_nobody_knows_is_refused_after_the_gap(unit: ModbusServer) -> None:
    data = encode(Frame(UNIT, 0x2B, b"\x0e\x01\x00"))
    assert unit.receive(data, S, BAUD) == []
    due_ns = unit.due_ns()
    assert due_ns is not None
    (sent,) = unit.wake(due_ns)
    assert sent.data[:3] == bytes((UNIT, 0xAB, 1))


def test_gap_that_nobody_woke_for_ends_it_too(unit: ModbusServer) -> None:
    unit.receive(encode(Frame(UNIT, 0x2B, b"\x0e\x01\x00")), S, BAUD)
    sent = unit.receive(wire(READ), 2 * S, BAUD)
    assert [one.data[1] for one in sent] == [0xAB, 3]


def test_damaged_and_other_units_requests_are_passed_over(unit: ModbusServer) -> None:
    spoilt = wire(READ)[:-1] + b"\0"
    assert unit.receive(spoilt, S, BAUD) == []
    assert unit.receive(wire(READ, UNIT + 1), 2 * S, BAUD) == []
    assert unit.status()["requests"] == 0
    assert unit.status()["damaged_requests"] == 1


def test_broadcast_is_carried_out_and_not_answered(unit: ModbusServer) -> None:
    assert unit.receive(wire(WriteRegister(0, 7), 0), S, BAUD) == []
    assert unit.status()["set"] == 7


def test_another_rate_is_not_heard(unit: ModbusServer) -> None:
    data = wire(WriteRegister(0, 7))
    assert unit.receive(data, S, 19_200) == []
    assert unit.status()["set"] == 0
    assert unit.status()["unheard_bytes"] == len(data)


def test_several_requests_are_answered_in_order(unit: ModbusServer) -> None:
    data = wire(WriteRegister(0, 1)) + wire(WriteRegister(0, 2))
    sent = unit.receive(data, S, BAUD)
    assert len(sent) == 2
    assert unit.status()["set"] == 2


def test_limited_functions(unit: ModbusServer) -> None:
    plain = ModbusServer(UNIT, FileBank(FILE), BAUD, functions=frozenset({3}))
    request = WriteRegister(0, 1)
    assert answers(request, plain.receive(wire(request), S, BAUD)) == [Refused(1)]
    assert answers(READ, plain.receive(wire(READ), 2 * S, BAUD)) == [Registers((0, 0))]


def spoilt(unit: ModbusServer, faults: dict, request: Request = READ) -> list[Transmission]:
    unit.control({"faults": faults})
    return unit.receive(wire(request), S, BAUD)


def test_faults_of_the_line(unit: ModbusServer) -> None:
    (good,) = spoilt(unit, {})
    assert spoilt(unit, {"silent": True}) == []
    (late,) = spoilt(unit, {"delay_us": 700})
    assert late.data == good.data
    assert late.start_ns - unit._line.quiet_ns == GAP_NS + THINK_NS + 700_000
    (short,) = spoilt(unit, {"truncate": 4})
    assert short.data == good.data[:4]
    one, again = spoilt(unit, {"duplicate": True})
    assert (one.data, again.start_ns) == (again.data, one.end_ns)
    (wrong,) = spoilt(unit, {"corrupt": 1})
    assert wrong.data[:-1] == good.data[:-1]
    assert wrong.data[-1] != good.data[-1]
    assert unit.receive(wire(READ), 2 * S, BAUD)[0].data == good.data  # used up
    (other,) = spoilt(unit, {"unit": 9})
    (frame,) = Decoder(reply_size).feed(other.data)
    assert (frame.unit, frame.body) == (9, good.data[2:-2])
    assert answers(READ, spoilt(unit, {"exception": 6})) == [Refused(6)]


def test_silent_unit_obeys_and_deaf_one_does_not(unit: ModbusServer) -> None:
    spoilt(unit, {"silent": True}, WriteRegister(0, 5))
    assert unit.status()["set"] == 5
    spoilt(unit, {"deaf": True}, WriteRegister(0, 6))
    assert unit.status()["set"] == 5


def test_refusing_unit_does_not_obey(unit: ModbusServer) -> None:
    spoilt(unit, {"exception": 4}, WriteRegister(0, 5))
    assert unit.status()["set"] == 0


def test_flood_comes_by_itself_and_ends(unit: ModbusServer) -> None:
    unit.control({"faults": {"flood_bytes_s": 2000}})
    due_ns = unit.due_ns()
    assert due_ns is not None
    sent = 0
    for now_ns in range(S, 2 * S, 1_000_000):
        sent += sum(len(one.data) for one in unit.wake(now_ns))
    assert sent == pytest.approx(2000, rel=0.05)
    unit.control({"faults": {}})
    assert unit.due_ns() is None


@pytest.mark.parametrize(
    ("args", "part"),
    [
        ({"faults": {"silence": True}}, "silent"),
        ({"faults": {"corrupt": -1}}, "corrupt"),
        ({"sets": {}}, "sets"),
        ({"set": {"nothing": 1}}, "set, fixed"),
    ],
)
def test_control_that_it_does_not_know_is_named(unit: ModbusServer, args: dict, part: str) -> None:
    with pytest.raises(BadInput) as caught:
        unit.control(args)
    assert part in str(caught.value)


def test_control_sets_even_what_a_client_may_not_write(unit: ModbusServer) -> None:
    assert answers(WriteRegister(1, 1), unit.receive(wire(WriteRegister(1, 1)), S, BAUD)) == [
        Refused(2)
    ]
    unit.control({"set": {"fixed": 12}})
    assert answers(READ, unit.receive(wire(READ), 2 * S, BAUD)) == [Registers((0, 12))]
    assert answers(WriteRegister(0, 9), unit.receive(wire(WriteRegister(0, 9)), 3 * S, BAUD)) == [
        Done()
    ]


@given(st.lists(st.tuples(st.binary(max_size=80), st.integers(0, 50_000_000)), max_size=12))
def test_any_bytes_at_any_time_do_no_harm(parts: list[tuple[bytes, int]]) -> None:
    unit = ModbusServer(UNIT, FileBank(FILE), BAUD)
    now_ns = S
    for data, wait_ns in parts:
        unit.receive(data, now_ns, BAUD)
        now_ns += wait_ns
        due_ns = unit.due_ns()
        if due_ns is not None and due_ns <= now_ns:
            unit.wake(now_ns)
    last_ns = now_ns + S
    unit.wake(last_ns)
    assert answers(READ, unit.receive(wire(READ), last_ns, BAUD)) != []


def test_options_are_checked() -> None:
    assert EMULATOR.options.model_validate({"registers": "box.toml"}).think_us == 1000
    for bad in ({}, {"registers": "x", "unit": 0}, {"registers": "x", "rate": 9600}):
        with pytest.raises(ValidationError):
            EMULATOR.options.model_validate(bad)
    with pytest.raises(BadInput, match="no such file"):
        EMULATOR.build(EMULATOR.options.model_validate({"registers": "/nowhere/box.toml"}))
