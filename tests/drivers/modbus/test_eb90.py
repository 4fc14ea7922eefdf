"""Inspire's native protocol. Its vectors are arithmetic on a layout, verified by nobody else."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from modbus_bench import CLOCK, Rigged, soon

from drivers.modbus.eb90 import (
    FROM_HAND,
    MAX_DATA,
    OVERHEAD,
    READ,
    TO_HAND,
    WRITE,
    Decoder,
    Packet,
    encode,
)
from drivers.modbus.eb90_bus import Eb90Bus
from drivers.modbus.line import Timing
from drivers.transport.posix import open_serial
from hil.errors import DeadlineMissed, HarnessError, LinkLost
from sim.emulated.inspire import EMULATOR

FILE = Path(__file__).parents[2] / "vectors" / "inspire_eb90_unverified.json"
VECTORS = json.loads(FILE.read_text(encoding="utf-8"))["vectors"]
PACKETS = {
    "write_angle_set_all_1000": Packet(1, WRITE, 1486, b"\xe8\x03" * 6),
    "read_angle_act_12_bytes": Packet(1, READ, 1546, b"\x0c"),
}
ANGLE_SET, ANGLE_ACT = 1486, 1546

packets = st.builds(
    Packet,
    id=st.integers(0, 255),
    command=st.integers(0, 255),
    address=st.integers(0, 0xFFFF),
    # a small alphabet makes headers inside the data likely
    data=st.one_of(
        st.binary(max_size=MAX_DATA),
        st.lists(st.sampled_from([0xEB, 0x90, 3, 4, 0]), max_size=40).map(bytes),
    ),
)
noise = st.lists(st.sampled_from([0xEB, 0x90, 0, 3, 255]), max_size=300).map(bytes)


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_vector_both_ways(vector: dict) -> None:
    wire = bytes.fromhex(vector["tx"])
    assert encode(PACKETS[vector["name"]]) == wire
    assert Decoder(TO_HAND).feed(wire) == [PACKETS[vector["name"]]]


@given(packets, st.sampled_from([TO_HAND, FROM_HAND]))
def test_round_trip(packet: Packet, header: bytes) -> None:
    assert Decoder(header).feed(encode(packet, header)) == [packet]


@given(
    st.lists(st.one_of(packets.map(encode), noise, st.binary(max_size=40)), max_size=6), st.data()
)
def test_any_split_decodes_the_same(parts: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(parts)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    whole, split = Decoder(TO_HAND), Decoder(TO_HAND)
    expected = whole.feed(stream)
    ends = [*cuts, len(stream)]
    found = [
        packet
        for start, end in zip([0, *cuts], ends, strict=True)
        for packet in split.feed(stream[start:end])
    ]
    assert found == expected
    assert split.finish() == whole.finish()
    assert split.counters == whole.counters


@given(st.lists(st.one_of(noise, st.binary(max_size=300)), max_size=8))
def test_all_bytes_are_accounted_for_in_bounded_memory(parts: list[bytes]) -> None:
    decoder = Decoder(TO_HAND)
    found = []
    for part in parts:
        found += decoder.feed(part)
        assert decoder.pending <= MAX_DATA + OVERHEAD
    found += decoder.finish()
    used = sum(len(encode(packet)) for packet in found)
    assert used + decoder.counters.noise_bytes == sum(map(len, parts))
    assert decoder.counters.packets == len(found)


@given(noise, packets)
def test_a_quiet_line_makes_room_for_the_next_packet(before: bytes, packet: Packet) -> None:
    decoder = Decoder(TO_HAND)
    decoder.feed(before)
    decoder.finish()
    assert decoder.feed(encode(packet)) == [packet]


@pytest.mark.parametrize(
    "packet", [Packet(256, READ, 0), Packet(1, READ, -1), Packet(1, READ, 0, bytes(253))]
)
def test_packet_without_a_form_is_refused(packet: Packet) -> None:
    with pytest.raises(HarnessError):
        encode(packet)


@pytest.fixture
def bus(rigged: Rigged) -> Eb90Bus:
    path = rigged.line(EMULATOR.build(EMULATOR.options(protocol="eb90")))
    timing = Timing(115_200, answer_ns=100_000_000)
    master = Eb90Bus(open_serial(path, 115_200, CLOCK), CLOCK, timing)
    rigged.after(master.close)
    return master


def test_bus_reads_and_writes(bus: Eb90Bus) -> None:
    assert bus.read(1, ANGLE_SET, 12, soon()) == b"\xe8\x03" * 6
    bus.write(1, ANGLE_SET + 2, b"\xf4\x01", soon())
    assert bus.read(1, ANGLE_SET, 4, soon()) == b"\xe8\x03\xf4\x01"
    assert bus.counters() == dict.fromkeys(bus.counters(), 0) | {"requests": 3}


@pytest.mark.parametrize(
    ("faults", "counter"),
    [
        ({"silent": True}, "lost_answers"),
        ({"corrupt": 1}, "damaged_answers"),
        ({"unit": 9}, "wrong_answers"),
        ({"truncate": 5}, "lost_answers"),
    ],
)
def test_fault_is_counted_within_the_deadline(
    bus: Eb90Bus, rigged: Rigged, faults: dict, counter: str
) -> None:
    rigged.pump.control({"faults": faults})
    deadline = soon()
    with pytest.raises(DeadlineMissed, match="hand 1"):
        bus.read(1, ANGLE_ACT, 12, deadline)
    assert not deadline.expired
    assert bus.counters()[counter] == 1
    rigged.pump.control({"faults": {}})
    assert len(bus.read(1, ANGLE_ACT, 12, soon())) == 12


def test_register_that_is_not_there_is_silence(bus: Eb90Bus) -> None:
    with pytest.raises(DeadlineMissed):
        bus.read(1, 40, 2, soon())


def test_late_answer_is_dropped(bus: Eb90Bus, rigged: Rigged) -> None:
    rigged.pump.control({"faults": {"delay_us": 150_000}})
    with pytest.raises(DeadlineMissed):
        bus.read(1, ANGLE_ACT, 12, soon())
    rigged.pump.control({"faults": {}})
    assert bus.read(1, ANGLE_SET, 2, soon()) == b"\xe8\x03"
    assert bus.counters()["late_answers"] == 1


def test_flood_keeps_the_deadline(bus: Eb90Bus, rigged: Rigged) -> None:
    rigged.pump.control({"faults": {"silent": True, "flood_bytes_s": 100_000}})
    for _ in range(2):
        with pytest.raises(DeadlineMissed):
            bus.read(1, ANGLE_ACT, 12, soon(150))
    assert bus.counters()["noise_bytes"] > 1000


@pytest.mark.parametrize("after", range(21))
def test_unplugged_at_every_byte_of_an_answer(bus: Eb90Bus, rigged: Rigged, after: int) -> None:
    rigged.pump.unplug(after)
    if after == 20:
        assert len(bus.read(1, ANGLE_ACT, 12, soon())) == 12
    with pytest.raises(LinkLost):
        bus.read(1, ANGLE_ACT, 12, soon())
