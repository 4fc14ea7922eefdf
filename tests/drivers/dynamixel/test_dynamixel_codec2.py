"""Protocol 2.0 against the vectors of independent implementations, and for any input."""

from __future__ import annotations

import itertools
import json
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.dynamixel import instructions as ins
from drivers.dynamixel.codec2 import (
    ALERT,
    BROADCAST,
    MAX_ID,
    MAX_PARAMS,
    PATTERN,
    STATUS,
    Decoder,
    ErrorCode,
    Packet,
    encode,
    encode_fast,
    stuff,
    unstuff,
)
from drivers.dynamixel.crc import crc16
from drivers.dynamixel.fast import FastDecoder
from hil.errors import HarnessError

PATH = Path(__file__).parents[2] / "vectors" / "dynamixel_protocol2.json"
VECTORS = {v["name"]: v for v in json.loads(PATH.read_text(encoding="utf-8"))["vectors"]}

REQUESTS = {
    "ping_id1": ins.ping(1),
    "ping_broadcast": ins.ping(BROADCAST),
    "read_present_position": ins.read(1, 132, 4),
    "write_goal_position_512": ins.write(1, 116, (512).to_bytes(4, "little")),
    "reg_write_goal_velocity_200": ins.reg_write(1, 104, (200).to_bytes(4, "little")),
    "action_id1": ins.action(1),
    "reboot_id1": ins.reboot(1),
    "factory_reset_all_but_id": ins.factory_reset(1, ins.RESET_ALL_BUT_ID),
    "clear_multi_turn": ins.clear_multi_turn(1),
    "sync_read_2": ins.sync_read([1, 2], 132, 4),
    "sync_write_2": ins.sync_write(116, {1: b"\x96\0\0\0", 2: b"\xaa\0\0\0"}),
    "bulk_read_2": ins.bulk_read([(1, 144, 2), (2, 146, 1)]),
    "bulk_write_2": ins.bulk_write([(1, 32, b"\xa0\0"), (2, 31, b"\x50")]),
    "fast_sync_read_3": ins.sync_read([3, 7, 4], 132, 4, fast=True),
    "fast_bulk_read_3": ins.bulk_read([(3, 132, 4), (7, 124, 2), (4, 146, 1)], fast=True),
    "write_payload_FFFFFD_stuffed_CORRECT": ins.write(1, 116, b"\xff\xff\xfd\0"),
    "rx_stuffed_fffffd01": ins.read(1, 126, 4),
    "rx_stuffed_fffffdfffffd02": ins.read(1, 126, 7),
}

ANSWERS = {
    "ping_id1": [Packet(1, STATUS, bytes.fromhex("060426"))],
    "ping_broadcast": [Packet(i, STATUS, bytes.fromhex("060426")) for i in (1, 2)],
    "read_present_position": [Packet(1, STATUS, (166).to_bytes(4, "little"))],
    "write_goal_position_512": [Packet(1, STATUS)],
    "sync_read_2": [
        Packet(1, STATUS, (166).to_bytes(4, "little")),
        Packet(2, STATUS, (2079).to_bytes(4, "little")),
    ],
    "bulk_read_2": [Packet(1, STATUS, b"\x77\0"), Packet(2, STATUS, b"\x24")],
    "status_error_1_result_fail": [Packet(1, STATUS, error=ErrorCode.RESULT)],
    "status_error_2_instruction": [Packet(1, STATUS, error=ErrorCode.INSTRUCTION)],
    "status_error_3_crc": [Packet(1, STATUS, error=ErrorCode.CRC)],
    "status_error_4_data_range": [Packet(1, STATUS, error=ErrorCode.DATA_RANGE)],
    "status_error_5_data_length": [Packet(1, STATUS, error=ErrorCode.DATA_LENGTH)],
    "status_error_6_data_limit": [Packet(1, STATUS, error=ErrorCode.DATA_LIMIT)],
    "status_error_7_access": [Packet(1, STATUS, error=ErrorCode.ACCESS)],
    "status_alert_0x80_with_valid_data": [
        Packet(1, STATUS, (166).to_bytes(4, "little"), error=ALERT)
    ],
    "rx_stuffed_fffffd01": [Packet(1, STATUS, bytes.fromhex("FFFFFD01"))],
    "rx_stuffed_fffffffffd000000": [Packet(1, STATUS, bytes.fromhex("FFFFFFFFFD000000"))],
    "rx_stuffed_fffffd00fffdfd05": [Packet(1, STATUS, bytes.fromhex("FFFFFD00FFFDFD05"))],
    "rx_stuffed_fffffdfffffd02": [Packet(1, STATUS, bytes.fromhex("FFFFFDFFFFFD02"))],
    "rx_stuffed_fffffd": [Packet(1, STATUS, bytes.fromhex("FFFFFD"))],
}

FAST = {
    "fast_sync_read_3": (
        [(3, 4), (7, 4), (4, 4)],
        [(3, 0, b"\xa6\0\0\0"), (7, 0, b"\x1f\x08\0\0"), (4, 0, b"\xff\x03\0\0")],
    ),
    "fast_bulk_read_3": (
        [(3, 4), (7, 2), (4, 1)],
        [(3, 0, b"\xa6\0\0\0"), (7, 0, b"\xa5\x01"), (4, 0, b"\x1f")],
    ),
}

alphabet = st.sampled_from([0xFF, 0xFD, 0x00, 0x55, 0x01, 0xFE])
bodies = st.one_of(st.binary(max_size=300), st.lists(alphabet, max_size=60).map(bytes))
ids = st.one_of(st.integers(0, MAX_ID), st.just(BROADCAST))
instructions = st.builds(
    Packet, id=ids, instruction=st.integers(0, 255).filter(lambda i: i != STATUS), params=bodies
)
statuses = st.builds(
    Packet, id=ids, instruction=st.just(STATUS), params=bodies, error=st.integers(0, 255)
)
packets = st.one_of(instructions, statuses)
noise = st.lists(alphabet, max_size=200).map(bytes)
blocks = st.lists(
    st.tuples(st.integers(0, MAX_ID), st.integers(0, 255), bodies.filter(lambda b: len(b) < 20)),
    min_size=1,
    max_size=6,
    unique_by=lambda block: block[0],
)


def wire(vector: dict[str, Any], side: str) -> bytes:
    found = vector[side]
    return bytes.fromhex(found if isinstance(found, str) else "".join(found))


@pytest.mark.parametrize("name", REQUESTS)
def test_request_of_a_vector_both_ways(name: str) -> None:
    bytes_ = wire(VECTORS[name], "tx")
    assert encode(REQUESTS[name]) == bytes_
    assert Decoder().feed(bytes_) == [REQUESTS[name]]


@pytest.mark.parametrize("name", ANSWERS)
def test_answer_of_a_vector_both_ways(name: str) -> None:
    bytes_ = wire(VECTORS[name], "rx")
    assert Decoder().feed(bytes_) == ANSWERS[name]
    assert b"".join(encode(packet) for packet in ANSWERS[name]) == bytes_


@pytest.mark.parametrize("name", FAST)
def test_fast_answer_of_a_vector_both_ways(name: str) -> None:
    bytes_ = wire(VECTORS[name], "rx")
    expected, found = FAST[name]
    assert encode_fast(found) == bytes_
    answers = FastDecoder(expected).feed(bytes_)
    assert [(a.id, a.error, a.params) for a in answers] == found
    assert [packet.id for packet in Decoder().feed(bytes_)] == [BROADCAST]


def test_every_vector_is_used() -> None:
    elsewhere = {
        "rx_bad_crc",
        "rx_silence",
        "rx_truncated",
        "rx_leading_noise",
        "rx_late_other_id_first",
        "write_payload_FFFFFD_as_sent_by_sdk_WRONG",
    }
    assert VECTORS.keys() == REQUESTS.keys() | ANSWERS.keys() | FAST.keys() | elsewhere


def test_crc_check_value() -> None:
    assert crc16(b"123456789") == 0xFEE8


def test_bad_crc_is_counted_and_nothing_comes_out() -> None:
    decoder = Decoder()
    bad = wire(VECTORS["rx_bad_crc"], "rx")
    assert decoder.feed(bad) + decoder.finish() == []
    assert decoder.crc_errors == 1
    assert decoder.counters.resync_bytes == len(bad)


def test_truncated_packet_is_kept_until_the_line_is_quiet() -> None:
    decoder = Decoder()
    part = wire(VECTORS["rx_truncated"], "rx")
    assert decoder.feed(part) == []
    assert decoder.pending == len(part)
    assert decoder.finish() == []
    assert decoder.pending == 0


def test_noise_and_other_ids_do_not_hide_a_packet() -> None:
    wanted = Packet(1, STATUS, (166).to_bytes(4, "little"))
    decoder = Decoder()
    assert decoder.feed(wire(VECTORS["rx_leading_noise"], "rx")) == [wanted]
    assert decoder.counters.resync_bytes == 4
    found = decoder.feed(wire(VECTORS["rx_late_other_id_first"], "rx"))
    assert [packet.id for packet in found] == [2, 1]


def test_unstuffed_frame_of_the_vendors_sdk_is_read_as_it_was_meant() -> None:
    sent = wire(VECTORS["write_payload_FFFFFD_as_sent_by_sdk_WRONG"], "tx")
    assert Decoder().feed(sent) == [ins.write(1, 116, b"\xff\xff\xfd\0")]


def test_every_short_payload_of_the_reserved_bytes_round_trips() -> None:
    for length in range(1, 9):
        for payload in itertools.product((0xFF, 0xFD, 0x00), repeat=length):
            data = bytes(payload)
            frame = encode(Packet(1, STATUS, data))
            assert b"\xff\xff\xfd\0" not in frame[4:-2]
            assert Decoder().feed(frame) == [Packet(1, STATUS, data)]


def test_pattern_across_error_and_data_is_stuffed() -> None:
    packet = Packet(1, STATUS, b"\xff\xfd\x01", error=0xFF)
    assert Decoder().feed(encode(packet)) == [packet]
    assert len(encode(packet)) == 11 + 3 + 1


@pytest.mark.parametrize(
    "packet",
    [
        Packet(253, 1),
        Packet(255, 1),
        Packet(-1, 1),
        Packet(1, 256),
        Packet(1, STATUS, error=256),
        Packet(1, 1, bytes(MAX_PARAMS + 1)),
    ],
)
def test_packet_without_a_form_is_refused(packet: Packet) -> None:
    with pytest.raises(HarnessError):
        encode(packet)


def test_announced_length_beyond_the_bound_is_noise() -> None:
    wanted = Packet(1, STATUS, b"\x01\x02")
    assert Decoder(8).feed(b"\xff\xff\xfd\0\x01\xff\x0f\x55" + encode(wanted)) == [wanted]


@given(bodies)
def test_stuffing_is_undone(body: bytes) -> None:
    stuffed = stuff(body)
    assert unstuff(stuffed) == body
    assert len(stuffed) == len(body) + body.count(PATTERN)


@given(packets)
def test_round_trip(packet: Packet) -> None:
    assert Decoder().feed(encode(packet)) == [packet]


@given(st.lists(st.one_of(packets.map(encode), noise, bodies), max_size=5), st.data())
def test_any_split_decodes_the_same(parts: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(parts)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    whole, pieces = Decoder(), Decoder()
    expected = whole.feed(stream)
    found = [
        packet
        for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)
        for packet in pieces.feed(stream[start:end])
    ]
    assert found == expected
    assert pieces.counters == whole.counters
    assert pieces.finish() == whole.finish()
    assert pieces.counters == whole.counters


@given(st.lists(st.one_of(noise, st.binary(max_size=300)), max_size=6))
def test_any_bytes_are_accounted_for_within_bounded_memory(parts: list[bytes]) -> None:
    decoder = Decoder(64)
    found = []
    for part in parts:
        found += decoder.feed(part)
        assert decoder.pending < 7 + 66 * 4 // 3 + 3
    found += decoder.finish()
    assert decoder.counters.packets == len(found)
    assert decoder.counters.resync_bytes <= sum(map(len, parts))


@given(noise, packets)
def test_a_quiet_line_makes_room_for_the_next_packet(before: bytes, packet: Packet) -> None:
    decoder = Decoder()
    decoder.feed(before)
    decoder.finish()
    assert decoder.feed(encode(packet)) == [packet]


@given(blocks, st.data())
def test_fast_blocks_round_trip_however_they_are_split(
    given_: list[tuple[int, int, bytes]], data: st.DataObject
) -> None:
    stream = encode_fast(given_)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    decoder = FastDecoder([(servo, len(body)) for servo, _, body in given_])
    found = [
        packet
        for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)
        for packet in decoder.feed(stream[start:end])
    ]
    assert [(p.id, p.error, p.params) for p in found] == given_
    assert decoder.done
    assert (decoder.crc_errors, decoder.wrong_id, decoder.resync_bytes) == (0, 0, 0)


@given(blocks, st.data())
def test_fast_blocks_before_a_break_are_kept(
    given_: list[tuple[int, int, bytes]], data: st.DataObject
) -> None:
    stream = bytearray(encode_fast(given_))
    ends = list(itertools.accumulate((len(b) + 4 for _, _, b in given_), initial=8))
    at = data.draw(st.integers(8, len(stream) - 1))
    stream[at] ^= data.draw(st.integers(1, 255))
    whole = sum(end <= at for end in ends[1:])
    decoder = FastDecoder([(servo, len(body)) for servo, _, body in given_])
    found = decoder.feed(bytes(stream))
    assert [(p.id, p.error, p.params) for p in found] == given_[:whole]
    assert decoder.crc_errors == 1
    cut = FastDecoder([(servo, len(body)) for servo, _, body in given_])
    assert len(cut.feed(bytes(stream[:at]))) == whole
    assert not cut.done


@given(blocks, st.lists(st.one_of(noise, st.binary(max_size=200)), max_size=5))
def test_fast_decoder_takes_any_bytes(
    given_: list[tuple[int, int, bytes]], parts: list[bytes]
) -> None:
    decoder = FastDecoder([(servo, len(body)) for servo, _, body in given_])
    for part in parts:
        decoder.feed(part)
        assert decoder.pending < 8 + 20 + 4


def test_fast_block_of_another_servo_ends_it() -> None:
    decoder = FastDecoder([(1, 2), (2, 2)])
    assert len(decoder.feed(encode_fast([(1, 0, b"ab"), (3, 0, b"cd")]))) == 1
    assert (decoder.done, decoder.wrong_id) == (True, 1)


@given(st.one_of(st.binary(max_size=60), bodies))
def test_readers_of_parameters_take_any_bytes(params: bytes) -> None:
    ins.spans_of_sync_read(params)
    ins.spans_of_bulk_read(params)
    for reader in (ins.writes_of_sync_write, ins.writes_of_bulk_write):
        found = reader(params)
        assert found is None or all(0 <= servo <= 255 for servo, _, _ in found)


def test_readers_undo_the_writers() -> None:
    rng = random.Random(1)
    data = {servo: rng.randbytes(4) for servo in range(16)}
    assert ins.writes_of_sync_write(ins.sync_write(116, data).params) == [
        (servo, 116, value) for servo, value in data.items()
    ]
    parts = [(servo, 100 + servo, rng.randbytes(servo + 1)) for servo in range(8)]
    assert ins.writes_of_bulk_write(ins.bulk_write(parts).params) == parts
    spans = [(1, 144, 2), (2, 300, 1)]
    assert ins.spans_of_bulk_read(ins.bulk_read(spans).params) == spans
    assert ins.spans_of_sync_read(ins.sync_read([5, 6], 132, 4).params) == [
        (5, 132, 4),
        (6, 132, 4),
    ]


@pytest.mark.parametrize("values", [{}, {1: b"a", 2: b"bc"}])
def test_sync_write_of_uneven_values_is_refused(values: dict[int, bytes]) -> None:
    with pytest.raises(HarnessError, match="lengths"):
        ins.sync_write(116, values)


def test_address_that_does_not_fit_is_refused() -> None:
    with pytest.raises(HarnessError, match="address"):
        ins.read(1, 70_000, 4)
