"""slcan both ways: vectors, damage, and what holds for any bytes."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.can import codec
from drivers.can.codec import (
    Ack,
    Command,
    FrameLine,
    Malformed,
    Nak,
    Other,
    StatusFlag,
    encode_command,
    encode_frame,
    encode_reply,
)
from drivers.can.decoder import LINE_MAX, ReplyDecoder, RequestDecoder
from drivers.can.frames import FD_LENGTHS, CanFrame, defect
from hil.errors import HarnessError

VECTORS = json.loads(
    (Path(__file__).parents[2] / "vectors" / "slcan.json").read_text(encoding="utf-8")
)


def frame_of(vector: dict) -> CanFrame:
    named = ("extended", "remote_length", "fd", "bit_rate_switch")
    data = bytes.fromhex(vector.get("data", ""))
    return CanFrame(vector["id"], data, **{key: vector[key] for key in named if key in vector})


@st.composite
def frames(draw: st.DrawFn) -> CanFrame:
    extended = draw(st.booleans())
    number = draw(st.integers(0, 0x1FFF_FFFF if extended else 0x7FF))
    kind = draw(st.sampled_from(["classic", "remote", "fd"]))
    if kind == "remote":
        return CanFrame(number, extended=extended, remote_length=draw(st.integers(0, 8)))
    length = draw(st.sampled_from(FD_LENGTHS)) if kind == "fd" else draw(st.integers(0, 8))
    data = draw(st.binary(min_size=length, max_size=length))
    switch = kind == "fd" and draw(st.booleans())
    return CanFrame(number, data, extended=extended, fd=kind == "fd", bit_rate_switch=switch)


stamps = st.none() | st.integers(0, 0xFFFF)
# letters of the protocol, digits and both ends make lines that nearly are something
noise = st.lists(st.sampled_from(b"tTrRdDbBzZVNFCO0128fF\r\a#\xff"), max_size=300).map(bytes)
streams = st.lists(
    st.one_of(
        st.builds(encode_frame, frames(), stamps),
        st.sampled_from([b"\r", b"\a", b"z\r", b"Z\r", b"V1013\r", b"F04\r"]),
        noise,
        st.binary(max_size=200),
    ),
    max_size=8,
)


@pytest.mark.parametrize("vector", VECTORS["frames"], ids=lambda vector: vector["name"])
def test_frame_both_ways(vector: dict) -> None:
    frame, stamp_ms = frame_of(vector), vector.get("stamp_ms")
    line = vector["line"].encode()
    assert encode_frame(frame, stamp_ms) == line
    assert ReplyDecoder().feed(line) == [FrameLine(frame, stamp_ms)]
    if stamp_ms is None:
        assert RequestDecoder().feed(line) == [FrameLine(frame)]


def test_lower_case_digits_are_read() -> None:
    vector = VECTORS["lower_case"]
    assert ReplyDecoder().feed(vector["line"].encode()) == [FrameLine(frame_of(vector))]


@pytest.mark.parametrize("vector", VECTORS["commands"], ids=lambda vector: repr(vector["line"]))
def test_command_both_ways(vector: dict) -> None:
    command = Command(vector["letter"], vector["argument"])
    assert RequestDecoder().feed(vector["line"].encode()) == [command]
    if command.letter:
        assert encode_command(command) == vector["line"].encode()


def test_what_python_can_sends_to_open_a_channel() -> None:
    found = RequestDecoder().feed(VECTORS["open_1M_of_python_can"].encode())
    assert found == [
        Command("C"),
        Command("S", "8"),
        Command(""),
        Command("O"),
        Command("O"),
    ]


@pytest.mark.parametrize("vector", VECTORS["replies"], ids=lambda vector: repr(vector["line"]))
def test_reply_both_ways(vector: dict) -> None:
    kind = getattr(codec, vector["kind"])
    value = [vector["value"]] if "value" in vector else []
    reply = kind(*map(StatusFlag, value)) if vector["kind"] == "Status" else kind(*value)
    assert ReplyDecoder().feed(vector["line"].encode()) == [reply]
    assert encode_reply(reply) == vector["line"].encode()


@pytest.mark.parametrize("line", VECTORS["malformed"])
def test_damaged_line_is_counted_and_the_next_one_found(line: str) -> None:
    decoder = ReplyDecoder()
    good = CanFrame(0x11, b"\xab")
    found = decoder.feed(line.encode("latin-1") + encode_frame(good))
    assert isinstance(found[0], Malformed)
    assert found[1] == FrameLine(good)
    assert (decoder.counters.malformed, decoder.counters.frames) == (1, 1)


def test_bell_cuts_a_line_off_and_is_a_refusal() -> None:
    decoder = ReplyDecoder()
    assert decoder.feed(b"t01\az\r") == [Nak(), Ack("z")]
    assert decoder.counters.broken_bytes == 3


def test_line_without_end_is_dropped_and_counted() -> None:
    decoder = ReplyDecoder()
    assert decoder.feed(b"t" + b"0" * (2 * LINE_MAX)) == []
    assert decoder.pending == 0
    assert decoder.feed(b"00\rz\r") == [Ack("z")]
    assert decoder.counters.broken_bytes == 2 * LINE_MAX + 3


def test_stamp_is_not_taken_from_a_host() -> None:
    assert isinstance(RequestDecoder().feed(b"t0112ABCDEA5F\r")[0], Malformed)


@pytest.mark.parametrize(
    "frame",
    [
        CanFrame(0x800),
        CanFrame(-1),
        CanFrame(0x2000_0000, extended=True),
        CanFrame(1, bytes(9)),
        CanFrame(1, bytes(9), fd=True),
        CanFrame(1, bytes(65), fd=True),
        CanFrame(1, b"\0", bit_rate_switch=True),
        CanFrame(1, b"\0", remote_length=1),
        CanFrame(1, remote_length=9),
        CanFrame(1, remote_length=1, fd=True),
    ],
)
def test_frame_without_a_form_is_refused(frame: CanFrame) -> None:
    assert defect(frame)
    with pytest.raises(HarnessError):
        encode_frame(frame)


@pytest.mark.parametrize("letter", ["t", "T", "B", "", "VV"])
def test_letter_that_is_no_command_is_refused(letter: str) -> None:
    with pytest.raises(HarnessError):
        encode_command(Command(letter))


def test_stamp_that_does_not_fit_is_refused() -> None:
    with pytest.raises(HarnessError):
        encode_frame(CanFrame(1), 0x10000)


@given(frames(), stamps)
def test_round_trip(frame: CanFrame, stamp_ms: int | None) -> None:
    assert not defect(frame)
    assert ReplyDecoder().feed(encode_frame(frame, stamp_ms)) == [FrameLine(frame, stamp_ms)]
    assert RequestDecoder().feed(encode_frame(frame)) == [FrameLine(frame)]


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=40))
def test_text_of_an_adapter_is_never_lost(text: str) -> None:
    found = ReplyDecoder().feed(text.encode() + b"\r")
    assert len(found) == 1
    if isinstance(found[0], Other | Malformed):
        assert found[0].text == text


@pytest.mark.parametrize("make", [ReplyDecoder, RequestDecoder])
@given(parts=streams, data=st.data())
def test_any_split_decodes_the_same(make: type, parts: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(parts)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    whole, pieces = make(), make()
    expected = whole.feed(stream)
    ends = [*cuts, len(stream)]
    found = [
        item
        for start, end in zip([0, *cuts], ends, strict=True)
        for item in pieces.feed(stream[start:end])
    ]
    assert found == expected
    assert pieces.counters == whole.counters
    assert pieces.pending == whole.pending


@pytest.mark.parametrize("make", [ReplyDecoder, RequestDecoder])
@given(parts=streams)
def test_any_bytes_are_accounted_for_within_bounded_memory(make: type, parts: list[bytes]) -> None:
    decoder = make()
    for part in parts:
        decoder.feed(part)
        assert decoder.pending <= LINE_MAX
    stream = b"".join(parts)
    ends = stream.count(b"\r") + stream.count(b"\a")
    assert decoder.counters.lines <= ends
    assert decoder.counters.frames + decoder.counters.malformed <= decoder.counters.lines
