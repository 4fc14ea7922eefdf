"""Servos on one emulated bus: bytes against known frames, timing, faults, baud rates."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from feetech_wire import BAUD, BYTE_NS, MODELS, START, STATE, ask, make_bus, packets, value
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.feetech.arm_table import load_arm
from drivers.feetech.codec import (
    ACTION,
    BROADCAST,
    PING,
    READ,
    REG_WRITE,
    SYNC_READ,
    SYNC_WRITE,
    WRITE,
    Decoder,
    Packet,
    encode,
)
from hil.errors import BadInput
from sim.emulated.feetech.bus import BusOptions, ServoBus, build
from sim.emulated.feetech.faults import BusFaults
from sim.emulated.feetech.servo import Servo
from sim.twin.emulator import Body, JointEmulator


@pytest.fixture
def bus() -> ServoBus:
    return make_bus()


@pytest.mark.parametrize(
    ("request_hex", "answer_hex"),
    [
        ("FF FF 01 02 01 FB", "FF FF 01 02 00 FC"),
        ("FF FF 01 04 02 03 02 F3", "FF FF 01 04 00 09 03 EE"),
        ("FF FF 01 04 02 38 02 BE", "FF FF 01 04 00 00 08 F2"),
        ("FF FF 01 05 03 2A 00 08 C4", "FF FF 01 02 00 FC"),
        ("FF FF 01 0A 03 29 32 00 08 00 00 E8 03 A3", "FF FF 01 02 00 FC"),
        ("FF FF 01 04 03 28 01 CE", "FF FF 01 02 00 FC"),
        ("FF FF 01 05 04 2A 00 08 C3", "FF FF 01 02 00 FC"),
        ("FF FF FE 02 05 FA", ""),
        (
            "FF FF FE 06 82 38 02 01 02 3C",
            "FF FF 01 04 00 00 08 F2 FF FF 02 04 00 00 08 F1",
        ),
        ("FF FF FE 0A 83 2A 02 01 00 08 02 10 08 25", ""),
        ("FF FF 01 04 02 38 02 BF", ""),  # wrong checksum
        ("FF FF 07 02 01 F5", ""),  # nobody has this id
    ],
)
def test_frames_as_the_vendor_tools_exchange_them(
    bus: ServoBus, request_hex: str, answer_hex: str
) -> None:
    answers = bus.receive(bytes.fromhex(request_hex), START, BAUD)
    assert b"".join(answer.data for answer in answers) == bytes.fromhex(answer_hex)


def test_an_answer_follows_request_and_return_delay(bus: ServoBus) -> None:
    (answer,) = ask(bus, Packet(1, PING))
    assert answer.start_ns == START + 6 * BYTE_NS
    assert answer.end_ns == START + 12 * BYTE_NS
    ask(bus, Packet(1, WRITE, bytes((7, 250))), START + 1_000_000)
    (answer,) = ask(bus, Packet(1, PING), START + 2_000_000)
    assert answer.start_ns == START + 2_000_000 + 6 * BYTE_NS + 500_000


@pytest.mark.parametrize("baud", [1_000_000, 500_000, 115_200, 38_400])
def test_timing_scales_with_the_baud_rate(make_servo: Callable[..., Servo], baud: int) -> None:
    bus = ServoBus({"joint": make_servo(1, baud=baud)}, baud)
    request = encode(Packet(1, READ, STATE))
    (answer,) = bus.receive(request, START, baud)
    byte_ns = 10 * 1e9 / baud
    assert answer.start_ns == pytest.approx(START + len(request) * byte_ns, abs=2)
    assert answer.due_ns(0) == pytest.approx(answer.start_ns + byte_ns, abs=2)
    assert answer.end_ns == pytest.approx(answer.start_ns + 21 * byte_ns, abs=2)


def test_requests_written_at_once_cross_the_wire_one_after_the_other(bus: ServoBus) -> None:
    two = encode(Packet(1, PING)) + encode(Packet(2, PING))
    first, second = bus.receive(two, START, BAUD)
    assert first.start_ns == START + 6 * BYTE_NS
    assert second.start_ns == START + 12 * BYTE_NS


def test_a_request_in_pieces_counts_from_its_last_byte(bus: ServoBus) -> None:
    request = encode(Packet(1, READ, STATE))
    assert bus.receive(request[:3], START, BAUD) == []
    (answer,) = bus.receive(request[3:], START + 300_000, BAUD)
    assert answer.start_ns == START + 300_000 + (len(request) - 3) * BYTE_NS


def test_a_request_broken_off_does_not_swallow_the_next_client(bus: ServoBus) -> None:
    assert bus.receive(b"\xff\xff\x01\xf0\x03", START, BAUD) == []
    (answer,) = ask(bus, Packet(1, PING), START + 1_000_000_000)
    assert answer.data == encode(Packet(1, 0))


def test_sync_read_answers_in_the_order_asked(bus: ServoBus) -> None:
    answers = ask(bus, Packet(BROADCAST, SYNC_READ, STATE + bytes((3, 1, 2))))
    assert [packet.id for packet in packets(answers)] == [3, 1, 2]
    request_ns, slot_ns = 11 * BYTE_NS, 21 * BYTE_NS
    assert [answer.start_ns - START - request_ns for answer in answers] == [0, slot_ns, 2 * slot_ns]


@pytest.mark.parametrize("cause", ["silent", "missing"])
def test_sync_read_leaves_a_gap_for_a_servo_that_keeps_silent(cause: str) -> None:
    bus = make_bus((1, 2, 3) if cause == "silent" else (1, 3))
    bus.plant_faults(BusFaults(silent={2}))
    answers = ask(bus, Packet(BROADCAST, SYNC_READ, STATE + bytes((1, 2, 3))))
    assert [packet.id for packet in packets(answers)] == [1, 3]
    assert answers[1].start_ns - answers[0].start_ns == 2 * 21 * BYTE_NS


def test_broadcast_ping_is_answered_in_slots_by_id() -> None:
    answers = ask(make_bus((9, 4)), Packet(BROADCAST, PING))
    assert [packet.id for packet in packets(answers)] == [4, 9]
    assert answers[0].end_ns <= answers[1].start_ns
    assert answers[1].start_ns - answers[0].start_ns == 5 * 6 * BYTE_NS


def test_sync_write_gives_each_servo_its_own_part(bus: ServoBus) -> None:
    params = bytes((48, 2)) + b"\x01\x0a\x00" + b"\x03\x0b\x01"
    assert ask(bus, Packet(BROADCAST, SYNC_WRITE, params)) == []
    assert [value(bus, i, 48, 2) for i in (1, 2, 3)] == [10, 1000, 267]


@settings(deadline=None)
@given(st.sampled_from(MODELS), st.binary(max_size=40))
def test_sync_packets_of_any_content_are_survived(model: str, params: bytes) -> None:
    bus = make_bus((1, 2), model)
    for code in (SYNC_WRITE, SYNC_READ):
        for answer in ask(bus, Packet(BROADCAST, code, params)):
            assert answer.start_ns >= START


@settings(deadline=None)
@given(st.sampled_from(MODELS), st.lists(st.binary(max_size=60), max_size=8))
def test_any_bytes_are_survived(model: str, pieces: list[bytes]) -> None:
    bus = make_bus((1, 2), model)
    now_ns = START
    for piece in pieces:
        now_ns += 1_000_000
        for answer in bus.receive(piece, now_ns, BAUD):
            assert answer.start_ns > now_ns


def test_registered_writes_act_together(bus: ServoBus) -> None:
    for servo_id in (1, 2):
        ask(bus, Packet(servo_id, REG_WRITE, bytes((41, 10 + servo_id))))
    assert [value(bus, i, 41, 1) for i in (1, 2, 3)] == [0, 0, 0]
    assert ask(bus, Packet(BROADCAST, ACTION)) == []
    assert [value(bus, i, 41, 1) for i in (1, 2, 3)] == [11, 12, 0]


def test_another_line_rate_is_not_understood(bus: ServoBus) -> None:
    request = encode(Packet(1, PING))
    assert bus.receive(request, START, 115_200) == []
    assert bus.status()["unheard_bytes"] == len(request)
    assert len(bus.receive(request, START, BAUD)) == 1


def test_a_new_baud_rate_holds_after_the_answer(bus: ServoBus) -> None:
    (answer,) = ask(bus, Packet(1, WRITE, bytes((6, 4))))
    assert answer.baud == BAUD
    assert ask(bus, Packet(1, PING)) == []
    (answer,) = bus.receive(encode(Packet(1, PING)), START, 115_200)
    assert answer.data == encode(Packet(1, 0))
    assert bus.receive(encode(Packet(2, PING)), START, 115_200) == []


def test_a_silent_servo_still_obeys(bus: ServoBus) -> None:
    bus.plant_faults(BusFaults(silent={1}))
    assert ask(bus, Packet(1, WRITE, bytes((41, 8)))) == []
    bus.plant_faults(BusFaults())
    assert value(bus, 1, 41, 1) == 8


def test_a_corrupted_answer_has_a_wrong_checksum_and_is_used_up(bus: ServoBus) -> None:
    bus.plant_faults(BusFaults(corrupt={2: 1}))
    spoiled = ask(bus, Packet(2, PING))
    decoder = Decoder()
    assert decoder.feed(spoiled[0].data) == []
    assert decoder.counters.checksum_errors == 1
    assert packets(ask(bus, Packet(2, PING))) == [Packet(2, 0)]


def test_a_delayed_answer_does_not_hold_the_others_up(bus: ServoBus) -> None:
    bus.plant_faults(BusFaults(delay_us={1: 40_000}))
    late, prompt = ask(bus, Packet(BROADCAST, SYNC_READ, STATE + bytes((1, 2))))
    assert late.start_ns - START == 10 * BYTE_NS + 40_000_000
    assert prompt.start_ns - START == 31 * BYTE_NS


def test_error_bits_can_be_planted_and_taken_away(bus: ServoBus) -> None:
    bus.control({"faults": {"errors": {"3": 36}}})
    assert packets(ask(bus, Packet(3, PING))) == [Packet(3, 36)]
    bus.plant_faults(BusFaults())
    assert packets(ask(bus, Packet(3, PING))) == [Packet(3, 0)]


@pytest.mark.parametrize(
    "faults", [{"deaf": [1]}, {"silent": [300]}, {"corrupt": {"1": -1}}, {"delay_us": "x"}, 5]
)
def test_faults_that_make_no_sense_are_refused(bus: ServoBus, faults: object) -> None:
    with pytest.raises(BadInput, match="control of the servo bus"):
        bus.control({"faults": faults})
    assert packets(ask(bus, Packet(3, PING))) == [Packet(3, 0)]


def test_what_can_be_done_to_the_bus_is_said(bus: ServoBus) -> None:
    with pytest.raises(BadInput, match="known here: faults, power_cycle"):
        bus.control({"unplug": True})
    with pytest.raises(BadInput, match="no motor has id 9"):
        bus.control({"power_cycle": [1, 9]})


def test_a_power_cycle_forgets_what_was_not_kept(bus: ServoBus) -> None:
    ask(bus, Packet(2, WRITE, bytes((40, 1))))
    assert bus.status()["torque_on"] == 1
    bus.control({"power_cycle": [2]})
    assert packets(ask(bus, Packet(2, READ, bytes((40, 1))), 2 * START))[0].params == b"\0"
    status = bus.status()
    assert (status["torque_on"], status["torque_off_ns"]) == (0, 2 * START)


@pytest.mark.parametrize("arm", ["so101", "amazing_hand"])
def test_every_servo_drives_the_joint_of_its_name(arm: str) -> None:
    bus = build(BusOptions(joints=arm))
    assert isinstance(bus, JointEmulator)
    assert bus.joints == load_arm(arm).names
    assert [servo.table for servo in bus.servos] == list(load_arm(arm).tables)
    bodies = [Body(0.1 * place, 0.0, 0.0) for place in range(len(bus.joints))]
    assert [drive.target for drive in bus.step(1e-3, bodies)] == [b.position for b in bodies]
    assert (bus.due_ns(), bus.wake(START)) == (None, [])
