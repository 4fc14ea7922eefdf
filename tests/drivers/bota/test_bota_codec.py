"""Frames and answers of a Bota sensor: an independent layout, any bytes, any split."""

from __future__ import annotations

import ctypes
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.bota.codec import (
    SIZE,
    Answer,
    AnswerDecoder,
    Decoder,
    Frame,
    communication,
    crc16,
    encode,
    filtering,
)
from hil.errors import HarnessError

numbers = st.floats(width=32)
frames = st.builds(
    Frame,
    st.integers(0, 0xFFFF),
    st.tuples(*[numbers] * 6),
    st.integers(0, 0xFFFFFFFF),
    numbers,
)


class Packed(ctypes.LittleEndianStructure):
    """The packed structure of the maker's driver: a status, six forces, a time, a temperature."""

    _pack_ = 1
    _fields_ = (
        ("header", ctypes.c_uint8),
        ("status", ctypes.c_uint16),
        ("forces", ctypes.c_float * 6),
        ("timestamp", ctypes.c_uint32),
        ("temperature", ctypes.c_float),
        ("crc", ctypes.c_uint16),
    )


def crc_by_bits(data: bytes) -> int:
    """CRC-16/X-25 from its definition, not reflected: bits in and out turned round by hand."""
    crc = 0xFFFF
    for byte in data:
        for place in range(8):  # the lowest bit comes first
            top = crc >> 15 ^ byte >> place & 1
            crc = (crc << 1 & 0xFFFF) ^ (0x1021 if top else 0)
    return int(f"{crc:016b}"[::-1], 2) ^ 0xFFFF


def as_packed(frame: Frame) -> bytes:
    made = Packed(0xAA, frame.status, (ctypes.c_float * 6)(*frame.wrench), frame.time_us)
    made.temperature = frame.temperature
    made.crc = crc_by_bits(bytes(made)[1:-2])
    return bytes(made)


def same(one: Frame, other: Frame) -> bool:
    def key(frame: Frame) -> list[object]:
        values = [*frame.wrench, frame.temperature]
        return [frame.status, frame.time_us, *("nan" if math.isnan(x) else x for x in values)]

    return key(one) == key(other)


def test_the_crc_is_the_one_of_the_catalogue() -> None:
    assert crc16(b"123456789") == crc_by_bits(b"123456789") == 0x906E


@given(st.binary(max_size=40))
def test_the_crc_by_table_is_the_one_by_bits(data: bytes) -> None:
    assert crc16(data) == crc_by_bits(data)


@given(frames)
def test_any_frame_goes_both_ways_as_the_structure_has_it(frame: Frame) -> None:
    data = encode(frame)
    assert len(data) == SIZE
    assert data[:-2] == as_packed(frame)[:-2] or any(map(math.isnan, frame.wrench))
    (read,) = Decoder().feed(data)
    assert same(read, frame)


def test_a_frame_of_the_structure_is_read() -> None:
    frame = Frame(0x0002, (1.5, -2.25, 30.0, 0.125, 0.0, -0.5), 123_456_789, 31.5)
    decoder = Decoder()
    assert decoder.feed(as_packed(frame)) == [frame]
    assert encode(frame) == as_packed(frame)
    assert (decoder.counters.frames, decoder.counters.noise_bytes) == (1, 0)


@given(st.lists(frames, max_size=4), st.binary(max_size=50), st.lists(st.integers(1, 40)))
def test_the_split_makes_no_difference(some: list[Frame], noise: bytes, cuts: list[int]) -> None:
    stream = noise + b"".join(map(encode, some))
    whole, pieces = Decoder(), Decoder()
    read = whole.feed(stream)
    found, at = [], 0
    for size in [*cuts, len(stream)]:
        found += pieces.feed(stream[at : at + size])
        assert pieces.pending < SIZE
        at += size
    assert len(found) == len(read)
    assert all(map(same, found, read))
    assert pieces.counters == whole.counters


@given(frames, st.integers(0, SIZE - 1), st.integers(1, 255))
def test_a_spoiled_byte_is_no_frame_and_the_next_one_is_read(
    frame: Frame, place: int, change: int
) -> None:
    data = bytearray(encode(frame))
    data[place] ^= change
    good = Frame(0, (0.0,) * 6, 7, 25.0)
    decoder = Decoder()
    read = decoder.feed(bytes(data) + encode(good) * 2)
    assert read[-1] == good
    assert decoder.counters.noise_bytes > 0


@given(st.binary(max_size=400))
def test_no_bytes_break_it(data: bytes) -> None:
    decoder, answers = Decoder(), AnswerDecoder()
    decoder.feed(data)
    answers.feed(data)
    assert decoder.pending < SIZE
    assert answers.pending < 7


@given(st.binary(max_size=60), st.lists(st.integers(1, 20)))
def test_an_answer_is_found_behind_frames_at_any_split(noise: bytes, cuts: list[int]) -> None:
    stream = noise + encode(Frame(0, (1.0,) * 6, 5, 25.0)) + b"r,0,C,0\r\nr,0,f,3\r\n"
    decoder = AnswerDecoder()
    found, at = [], 0
    for size in [*cuts, len(stream)]:
        found += decoder.feed(stream[at : at + size])
        at += size
    assert found[-2:] == [Answer("C", 0), Answer("f", 3)]


def test_commands_are_those_of_the_makers_example() -> None:
    assert communication() == b"c,0,1,0,4"
    assert filtering(512, fir=False) == b"f,512,0,0,1"
    with pytest.raises(HarnessError, match="filter of 50"):
        filtering(50, fir=False)


def test_what_does_not_fit_a_frame_is_refused() -> None:
    for frame in (Frame(-1, (0.0,) * 6, 0, 0.0), Frame(0, (1e300,) * 6, 0, 0.0)):
        with pytest.raises(HarnessError, match="does not fit"):
            encode(frame)
