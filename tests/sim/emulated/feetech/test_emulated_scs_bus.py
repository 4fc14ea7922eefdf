"""Servos of the SCS series on an emulated bus, alone and among others."""

from __future__ import annotations

import pytest
from feetech_wire import BAUD, BYTE_NS, START, STATE, ask, make_bus, mixed_bus, packets, value

from drivers.feetech.codec import BROADCAST, PING, READ, SYNC_READ, Decoder, Packet
from hil.errors import BadInput
from sim.emulated.feetech.bus import BusOptions, build
from sim.emulated.feetech.faults import BusFaults


@pytest.mark.parametrize(
    ("request_hex", "answer_hex"),
    [
        ("FF FF 01 02 01 FB", "FF FF 01 02 00 FC"),
        ("FF FF 01 04 02 03 02 F3", "FF FF 01 04 00 05 04 F1"),
        ("FF FF 01 04 02 38 02 BE", "FF FF 01 04 00 02 00 F8"),
        ("FF FF 01 05 03 2A 02 00 CA", "FF FF 01 02 00 FC"),
        ("FF FF FE 06 82 38 02 01 02 3C", ""),  # SYNC READ is unknown to the series
        ("FF FF FE 0A 83 2A 02 01 02 00 02 02 58 CB", ""),
    ],
)
def test_frames_of_the_scs_series(request_hex: str, answer_hex: str) -> None:
    answers = make_bus(model="scs0009").receive(bytes.fromhex(request_hex), START, BAUD)
    assert b"".join(answer.data for answer in answers) == bytes.fromhex(answer_hex)


@pytest.mark.parametrize("ids", [(1, 2), (1, 2, 3, 4, 5, 6, 7, 8), (11, 12), (0, 253)])
def test_servos_that_know_of_no_slots_are_not_understood_when_they_speak_at_once(
    ids: tuple[int, ...],
) -> None:
    (noise,) = ask(make_bus(ids, "scs0009"), Packet(BROADCAST, PING))
    assert noise.start_ns == START + 6 * BYTE_NS
    decoder = Decoder()
    assert decoder.feed(noise.data) == []
    assert decoder.counters.checksum_errors == 1


def test_one_of_them_alone_is_understood() -> None:
    assert packets(ask(make_bus((7,), "scs0009"), Packet(BROADCAST, PING))) == [Packet(7, 0)]
    bus = make_bus((1, 2, 7), "scs0009")
    bus.plant_faults(BusFaults(silent={1, 2}))
    assert packets(ask(bus, Packet(BROADCAST, PING))) == [Packet(7, 0)]


def test_both_series_on_one_bus_each_in_its_own_way() -> None:
    bus = mixed_bus({3: "sts3215", 4: "scs0009", 5: "sts3215", 6: "scs0009"})
    together = packets(ask(bus, Packet(BROADCAST, PING)))
    assert [packet.id for packet in together] == [3, 5]
    answers = ask(bus, Packet(BROADCAST, SYNC_READ, STATE + bytes((3, 4, 5, 6))))
    assert [packet.id for packet in packets(answers)] == [3, 5]
    assert answers[1].start_ns - answers[0].start_ns == 2 * 21 * BYTE_NS, "the gap of servo 4"
    positions = {
        servo: packets(ask(bus, Packet(servo, READ, bytes((56, 2)))))[0].params
        for servo in (3, 4, 5, 6)
    }
    assert positions == {3: b"\0\x08", 4: b"\x02\0", 5: b"\0\x08", 6: b"\x02\0"}


def test_one_servo_can_be_of_another_model_than_the_arms() -> None:
    bus = build(BusOptions(joints="so101", swapped={"gripper": "sts3250"}))
    assert [value(bus, i, 3, 2) for i in (5, 6)] == [777, 2825]
    with pytest.raises(BadInput, match="jaw") as caught:
        build(BusOptions(joints="so101", swapped={"jaw": "sts3250"}))
    assert "gripper" in str(caught.value)
    with pytest.raises(BadInput, match="sts9"):
        build(BusOptions(joints="so101", swapped={"gripper": "sts9"}))


def test_supply_is_each_motors_own_unless_it_is_said() -> None:
    for arm, voltage in (("so101", 120), ("amazing_hand", 60)):
        assert value(build(BusOptions(joints=arm)), 1, 62, 1) == voltage
    assert value(build(BusOptions(joints="amazing_hand", supply_v=5.0)), 1, 62, 1) == 50
