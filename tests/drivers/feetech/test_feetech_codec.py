import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.feetech import codec
from drivers.feetech.codec import Decoder, Packet, ServoError, decode_signed, encode, encode_signed
from hil.errors import HarnessError

VECTORS = json.loads(
    (Path(__file__).parents[2] / "vectors" / "feetech_scs.json").read_text(encoding="utf-8")
)

packets = st.builds(
    Packet,
    id=st.integers(0, codec.BROADCAST),
    code=st.integers(0, 255),
    # a small alphabet makes headers inside the data likely
    params=st.one_of(
        st.binary(max_size=codec.MAX_PARAMS),
        st.lists(st.sampled_from([0xFF, 0xFE, 1, 2, 3]), max_size=40).map(bytes),
    ),
)
noise = st.lists(st.sampled_from([0xFF, 0x00, 0x01, 0x02, 0x04, 0xFB]), max_size=300).map(bytes)


@pytest.mark.parametrize("vector", VECTORS["packets"], ids=lambda vector: vector["name"])
def test_vector_both_ways(vector: dict) -> None:
    packet = Packet(vector["id"], vector["code"], bytes.fromhex(vector["params"]))
    wire = bytes.fromhex(vector["bytes"])
    assert encode(packet) == wire
    assert Decoder().feed(wire) == [packet]


@pytest.mark.parametrize("vector", VECTORS["signed"], ids=lambda vector: str(vector["value"]))
def test_signed_vector_both_ways(vector: dict) -> None:
    assert encode_signed(vector["value"], vector["sign_bit"]) == vector["raw"]
    assert decode_signed(vector["raw"], vector["sign_bit"]) == vector["value"]


@pytest.mark.parametrize("vector", VECTORS["streams"], ids=lambda vector: vector["name"])
def test_several_packets_in_one_read(vector: dict) -> None:
    assert [p.id for p in Decoder().feed(bytes.fromhex(vector["bytes"]))] == vector["ids"]


@pytest.mark.parametrize("vector", VECTORS["damaged"], ids=lambda vector: vector["name"])
def test_damaged_packet_is_counted_and_the_next_one_found(vector: dict) -> None:
    decoder = Decoder()
    good = Packet(3, 0, b"\x10\x08")
    assert decoder.feed(bytes.fromhex(vector["bytes"]) + encode(good)) == [good]
    assert decoder.counters.checksum_errors == 1
    assert decoder.counters.resync_bytes == len(vector["bytes"]) // 2


def test_error_bits_have_names() -> None:
    assert ServoError(0x21) == ServoError.VOLTAGE | ServoError.OVERLOAD
    assert ServoError(0x50) != ServoError.NONE  # unknown bits are kept


def test_third_ff_before_the_id_is_skipped() -> None:
    wanted = Packet(1, 0, b"\x00\x08")
    assert Decoder().feed(b"\xff" + encode(wanted)) == [wanted]


def test_false_header_in_front_of_a_packet_holds_it_only_until_finish() -> None:
    decoder = Decoder()
    wanted = Packet(5, 0, b"\x01\x02")
    assert decoder.feed(b"\xff\xff\x01\xfd" + encode(wanted)) == []
    assert decoder.finish() == [wanted]
    assert decoder.pending == 0


def test_announced_length_beyond_the_bound_is_noise() -> None:
    decoder = Decoder(max_params=4)
    wanted = Packet(5, 0, b"\x01\x02")
    assert decoder.feed(b"\xff\xff\x01\xfd" + encode(wanted)) == [wanted]


@pytest.mark.parametrize(
    "packet", [Packet(255, 1), Packet(-1, 1), Packet(1, 256), Packet(1, 1, bytes(254))]
)
def test_packet_without_a_form_is_refused(packet: Packet) -> None:
    with pytest.raises(HarnessError):
        encode(packet)


@pytest.mark.parametrize(("value", "bit"), [(32768, 15), (-32768, 15), (1024, 10)])
def test_magnitude_too_large_is_refused(value: int, bit: int) -> None:
    with pytest.raises(HarnessError):
        encode_signed(value, bit)


@given(packets)
def test_round_trip(packet: Packet) -> None:
    assert Decoder().feed(encode(packet)) == [packet]


@given(st.integers(-2047, 2047))
def test_signed_round_trip(value: int) -> None:
    assert decode_signed(encode_signed(value, 11), 11) == value


@given(
    st.lists(st.one_of(packets.map(encode), noise, st.binary(max_size=40)), max_size=6), st.data()
)
def test_any_split_decodes_the_same(parts: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(parts)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    whole, pieces = Decoder(), Decoder()
    expected = whole.feed(stream)
    ends = [*cuts, len(stream)]
    found = [
        packet
        for start, end in zip([0, *cuts], ends, strict=True)
        for packet in pieces.feed(stream[start:end])
    ]
    assert found == expected
    assert pieces.counters == whole.counters
    assert pieces.finish() == whole.finish()
    assert pieces.counters == whole.counters


@given(st.lists(st.one_of(noise, st.binary(max_size=300)), max_size=8))
def test_any_bytes_are_accounted_for_within_bounded_memory(parts: list[bytes]) -> None:
    decoder = Decoder()
    found = []
    for part in parts:
        found += decoder.feed(part)
        assert decoder.pending <= codec.MAX_PARAMS + 5
    found += decoder.finish()
    used = sum(len(encode(packet)) for packet in found)
    assert used + decoder.counters.resync_bytes == sum(map(len, parts))
    assert decoder.counters.packets == len(found)


@given(noise, packets)
def test_a_quiet_line_makes_room_for_the_next_packet(before: bytes, packet: Packet) -> None:
    decoder = Decoder()
    decoder.feed(before)
    decoder.finish()
    assert decoder.feed(encode(packet)) == [packet]


@given(st.lists(st.integers(0, 254), max_size=300).map(bytes), packets)
def test_packet_behind_noise_without_a_header_comes_at_once(before: bytes, packet: Packet) -> None:
    decoder = Decoder()
    assert decoder.feed(before + encode(packet)) == [packet]
    assert decoder.counters.resync_bytes == len(before)
