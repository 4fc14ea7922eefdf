"""Frames of the emergency stop box: vectors of the specification, any bytes, any split."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.estop.codec import SIZE, Decoder, Frame, crc8, encode
from hil.errors import HarnessError

SPECIFICATION = Path(__file__).parents[3] / "docs" / "estop-box.md"
ROW = r"\| `([0-9A-F ]+)` \| (\w+) \| (\w+) \| (\w+) \| (\w+) \| (\d+) \| (\d+) \|"

frames = st.builds(
    Frame,
    st.booleans(),
    st.booleans(),
    st.booleans(),
    st.booleans(),
    st.integers(0, 255),
    st.integers(0, 65535),
)


def crc_by_bits(data: bytes) -> int:
    """CRC-8/AUTOSAR as the specification words it, one bit after the other."""
    crc = 0xFF
    for byte in data:
        for place in range(7, -1, -1):
            top = crc >> 7 ^ byte >> place & 1
            crc = (crc << 1 & 0xFF) ^ (0x2F if top else 0)
    return crc ^ 0xFF


def as_specified(frame: Frame) -> bytes:
    flags = sum(
        1 << bit
        for bit, on in enumerate((frame.a_closed, frame.b_closed, frame.latched, frame.fault))
        if on
    )
    low, high = frame.uptime_ms % 256, frame.uptime_ms // 256
    body = bytes((1, flags, frame.sequence, low, high))
    return b"\xa5\x5a" + body + bytes((crc_by_bits(body),))


def vectors() -> list[tuple[bytes, Frame]]:
    found = []
    for row in re.findall(ROW, SPECIFICATION.read_text()):
        data, words, (sequence, uptime_ms) = row[0], row[1:5], map(int, row[5:])
        flags = [word in ("closed", "yes") for word in words]
        found.append((bytes.fromhex(data), Frame(*flags, sequence, uptime_ms)))
    return found


def test_the_specification_has_vectors_for_every_flag() -> None:
    frames = [frame for _, frame in vectors()]
    assert len(frames) == 7
    for name in ("a_closed", "b_closed", "latched", "fault"):
        assert {getattr(frame, name) for frame in frames} == {True, False}


@pytest.mark.parametrize(("data", "frame"), vectors(), ids=lambda value: str(value)[:20])
def test_vectors_both_ways(data: bytes, frame: Frame) -> None:
    assert as_specified(frame) == data
    assert encode(frame) == data
    assert Decoder().feed(data) == [frame]


def test_the_crc_is_the_one_of_the_catalogue() -> None:
    assert crc8(b"123456789") == crc_by_bits(b"123456789") == 0xDF


@given(st.binary(max_size=20))
def test_the_crc_by_table_is_the_one_by_bits(data: bytes) -> None:
    assert crc8(data) == crc_by_bits(data)


@given(frames)
def test_any_frame_round_trips_and_is_as_specified(frame: Frame) -> None:
    data = encode(frame)
    assert len(data) == SIZE
    assert data == as_specified(frame)
    assert Decoder().feed(data) == [frame]
    expected = frame.a_closed and frame.b_closed and not frame.latched and not frame.fault
    assert frame.released == expected


@given(
    st.lists(st.one_of(frames.map(encode), st.binary(max_size=12)), max_size=6),
    st.lists(st.integers(1, 9), max_size=40),
)
def test_any_split_gives_the_same(parts: list[bytes], cuts: list[int]) -> None:
    data = b"".join(parts)
    whole, split = Decoder(), Decoder()
    expected = whole.feed(data)
    found: list[Frame] = []
    at = 0
    for cut in [*cuts, len(data)]:
        found += split.feed(data[at : at + cut])
        at += cut
        assert split.pending < SIZE
    assert found == expected
    assert split.counters == whole.counters
    told = whole.counters
    taken = SIZE * (told.frames + told.foreign_frames) + told.noise_bytes
    assert taken + whole.pending == len(data)


@given(st.binary(max_size=30), frames)
def test_a_frame_behind_noise_is_found(noise: bytes, frame: Frame) -> None:
    """A false header right before it can take up to a frame; two behind it cannot be missed."""
    decoder = Decoder()
    found = decoder.feed(noise + 3 * encode(frame))
    assert found.count(frame) >= 2


@given(frames, st.integers(16, 8 * SIZE - 1), st.integers(1, 7))
def test_up_to_three_wrong_bits_are_noticed(frame: Frame, bit: int, step: int) -> None:
    number = int.from_bytes(encode(frame), "big")
    for wrong in ({bit}, {bit, (bit + step) % 48 + 16}, {16, bit, (bit + step) % 48 + 16}):
        mask = sum(1 << (8 * SIZE - 1 - place) for place in wrong)
        decoder = Decoder()
        assert decoder.feed((number ^ mask).to_bytes(SIZE, "big")) == []
        assert decoder.counters.crc_errors == 1


def test_other_versions_and_wrong_crcs_are_counted_by_name() -> None:
    text = SPECIFICATION.read_text()
    foreign, wrong = "A5 5A 02 03 00 00 00 C8", "A5 5A 01 03 00 00 00 11"
    assert f"`{foreign}`" in text
    assert f"`{wrong}`" in text
    decoder = Decoder()
    assert decoder.feed(bytes.fromhex(foreign + wrong)) == []
    counters = decoder.counters
    assert (counters.foreign_frames, counters.crc_errors, counters.noise_bytes) == (1, 1, 8)


@pytest.mark.parametrize(("sequence", "uptime_ms"), [(256, 0), (-1, 0), (0, 65536), (0, -1)])
def test_what_does_not_fit_is_not_sent(sequence: int, uptime_ms: int) -> None:
    with pytest.raises(HarnessError, match="does not fit"):
        encode(Frame(True, True, False, False, sequence, uptime_ms))
