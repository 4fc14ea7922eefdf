"""The short way through the usual answers gives what the decoder gives, or nothing."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from drivers.dynamixel.codec2 import STATUS, Decoder, Packet, encode, encode_fast
from drivers.dynamixel.expected import FastAnswers, PlainAnswers
from drivers.dynamixel.fast import FastDecoder

alphabet = st.sampled_from([0xFF, 0xFD, 0x00, 0x55, 0x01])
servos = st.lists(st.integers(0, 252), min_size=1, max_size=6, unique=True)


@st.composite
def answers(draw: st.DrawFn) -> tuple[list[int], int, list[bytes]]:
    """Ids, a length, and data of that length for each; often with the pattern of the header."""
    ids, length = draw(servos), draw(st.integers(1, 11))
    one = st.one_of(
        st.binary(min_size=length, max_size=length),
        st.lists(alphabet, min_size=length, max_size=length).map(bytes),
    )
    return ids, length, [draw(one) for _ in ids]


def by_decoder(stream: bytes, ids: list[int], length: int) -> dict[int, bytes] | None:
    """What the decoder makes of it: None for anything but all answers, in order, in one piece."""
    decoder = Decoder()
    packets = decoder.feed(stream)
    usual = (
        [packet.id for packet in packets] == ids
        and not decoder.pending
        and not decoder.counters.resync_bytes
        and all(p.instruction == STATUS and not p.error for p in packets)
        and all(len(p.params) == length for p in packets)
    )
    return {packet.id: packet.params for packet in packets} if usual else None


@given(answers(), st.data())
def test_plain_answers_as_the_decoder_has_them(
    drawn: tuple[list[int], int, list[bytes]], data: st.DataObject
) -> None:
    ids, length, blocks = drawn
    pairs = zip(ids, blocks, strict=True)
    stream = bytearray(b"".join(encode(Packet(servo, STATUS, block)) for servo, block in pairs))
    expected = PlainAnswers(ids, length)
    if data.draw(st.booleans()):
        stream[data.draw(st.integers(0, len(stream) - 1))] ^= data.draw(st.integers(1, 255))
    if len(stream) != expected.size:
        return  # stuffed: the bus decodes it
    found, truth = expected.match(bytes(stream)), by_decoder(bytes(stream), ids, length)
    assert found == truth or found is None
    if not any(b"\xff\xff\xfd" in block for block in blocks) and truth is not None:
        assert found == truth or stream.count(b"\xff\xff\xfd") != len(ids)


@given(answers(), st.data())
def test_fast_answers_as_the_decoder_has_them(
    drawn: tuple[list[int], int, list[bytes]], data: st.DataObject
) -> None:
    ids, length, blocks = drawn
    pairs = zip(ids, blocks, strict=True)
    stream = bytearray(encode_fast([(servo, 0, block) for servo, block in pairs]))
    expected = FastAnswers(ids, length)
    assert expected.size == len(stream)
    if data.draw(st.booleans()):
        stream[data.draw(st.integers(0, len(stream) - 1))] ^= data.draw(st.integers(1, 255))
    decoder = FastDecoder([(servo, length) for servo in ids])
    packets = decoder.feed(bytes(stream))
    usual = len(packets) == len(ids) and not any(packet.error for packet in packets)
    truth = {packet.id: packet.params for packet in packets} if usual else None
    assert expected.match(bytes(stream)) == truth


def test_an_alert_goes_the_long_way() -> None:
    stream = encode(Packet(1, STATUS, b"abcd", error=0x80))
    assert PlainAnswers([1], 4).match(stream) is None
    assert FastAnswers([1], 4).match(encode_fast([(1, 0x80, b"abcd")])) is None


def test_unstuffed_pattern_goes_the_long_way() -> None:
    """A peer that does not stuff: the decoder decides what that means."""
    good = encode(Packet(1, STATUS, b"\x01\x02\x03\x04"))
    assert PlainAnswers([1], 4).match(good) == {1: b"\x01\x02\x03\x04"}
    other = encode_fast([(1, 0, b"\xff\xff\xfd\x01")])
    assert FastAnswers([1], 4).match(other) == {1: b"\xff\xff\xfd\x01"}, "never stuffed"
