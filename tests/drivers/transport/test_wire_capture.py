"""Capturing what passes on a link, its format, and its bounds."""

import json
import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wire_ends import Script

from drivers.transport.capture import CapturedTransport, WireBuffer
from drivers.transport.wire import (
    HEAD,
    Capture,
    Kind,
    Record,
    header_line,
    parse_capture,
    read_capture,
)
from hil.clock import NS_PER_MS, Deadline, VirtualClock
from hil.errors import BadInput, DeadlineMissed, LinkLost

HEADER = header_line("arm", "script", "virtual", 0)


def parsed(buffer: WireBuffer) -> Capture:
    return parse_capture(HEADER + buffer.take())


def shape(capture: Capture) -> list[tuple[Kind, bytes]]:
    return [(record.kind, record.data) for record in capture.records]


def test_everything_that_passes_is_kept_in_order() -> None:
    clock = VirtualClock()
    script = Script(clock, [(3 * NS_PER_MS, b"answer"), (5 * NS_PER_MS, b"stale")])
    buffer = WireBuffer(1000)
    link = CapturedTransport(script, buffer, clock)
    link.write(b"ask", Deadline(clock, NS_PER_MS))
    assert link.read(Deadline(clock, NS_PER_MS)) == b""
    assert link.read(Deadline(clock, 4 * NS_PER_MS)) == b"answer"
    clock.sleep_until(6 * NS_PER_MS)
    assert link.discard() == 5
    link.close()
    link.close()
    capture = parsed(buffer)
    assert [(r.stamp_ns // NS_PER_MS, r.kind, r.data) for r in capture.records] == [
        (0, Kind.WRITTEN, b"ask"),
        (1, Kind.SILENCE, b""),
        (3, Kind.READ, b"answer"),
        (6, Kind.DISCARDED, b"stale"),
        (6, Kind.END, b""),
    ]
    assert capture.complete
    assert script.closed


def test_failures_are_kept_with_the_call_that_met_them() -> None:
    clock = VirtualClock()

    class Slow(Script):
        def write(self, data: bytes, deadline: Deadline) -> None:
            raise DeadlineMissed("took 0 of 3 bytes")

    buffer = WireBuffer(1000)
    with pytest.raises(DeadlineMissed):
        CapturedTransport(Slow(clock), buffer, clock).write(b"ask", Deadline(clock, 0))
    script = Script(clock)
    script.lost = True
    link = CapturedTransport(script, buffer, clock)
    with pytest.raises(LinkLost):
        link.write(b"ask", Deadline(clock, 0))
    with pytest.raises(LinkLost):
        link.read(Deadline(clock, 0))
    with pytest.raises(LinkLost):
        link.discard()
    assert shape(parsed(buffer)) == [
        (Kind.WRITTEN, b"ask"),
        (Kind.WRITE_LATE, b"took 0 of 3 bytes"),
        (Kind.WRITTEN, b"ask"),
        (Kind.WRITE_LOST, b"script is gone"),
        (Kind.READ_LOST, b"script is gone"),
        (Kind.DISCARDED, b""),
        (Kind.DISCARD_LOST, b"script is gone"),
    ]


def test_a_full_buffer_counts_what_it_misses_and_goes_on_after_it_was_emptied() -> None:
    buffer = WireBuffer(3 * HEAD.size + 16 + 8)
    buffer.put(Kind.READ, 1, b"fits")
    buffer.put(Kind.READ, 2, b"this one does not")
    buffer.put(Kind.READ, 3, b"nor")  # would fit, but a gap has one place
    capture = parsed(buffer)
    assert shape(capture) == [(Kind.READ, b"fits"), (Kind.GAP, struct.pack("<QQ", 2, 20))]
    assert capture.records[1].stamp_ns == 2
    assert not capture.complete
    buffer.put(Kind.READ, 4, b"next")
    assert shape(parsed(buffer)) == [(Kind.READ, b"next")]
    assert shape(parsed(buffer)) == []


def test_memory_is_taken_once() -> None:
    buffer = WireBuffer(4096)
    before = id(buffer._memory), len(buffer._memory)
    for number in range(1000):
        buffer.put(Kind.READ, number, bytes(100))
    buffer.take()
    assert (id(buffer._memory), len(buffer._memory)) == before


def test_format_as_documented() -> None:
    """Bytes spelled out by hand, as docs/wire-capture.md describes them."""
    content = (
        b'{"format":"hil-wire","version":1,"role":"arm","link":"/dev/x","clock":'
        b'"CLOCK_MONOTONIC","opened_ns":5}\n'
        + bytes.fromhex("0a000000000000000300000001000000")
        + b"abc"
        + bytes.fromhex("0b00000000000000000000000a000000")
    )
    capture = parse_capture(content)
    assert capture.records == (Record(10, Kind.WRITTEN, b"abc"), Record(11, Kind.END, b""))
    assert content.startswith(header_line("arm", "/dev/x", "CLOCK_MONOTONIC", 5))
    assert json.loads(content.splitlines()[0])["opened_ns"] == 5


RECORDS = st.lists(
    st.builds(
        Record,
        st.integers(-(2**63), 2**63 - 1),
        st.sampled_from(list(Kind)),
        st.binary(max_size=40),
    ),
    max_size=20,
)


@given(RECORDS)
@settings(max_examples=100)
def test_records_come_back_as_they_were_put(records: list[Record]) -> None:
    buffer = WireBuffer(10_000)
    for record in records:
        buffer.put(record.kind, record.stamp_ns, record.data)
    assert list(parsed(buffer).records) == records


@given(st.binary(max_size=200))
@settings(max_examples=300)
def test_no_content_raises_anything_but_value_error(noise: bytes) -> None:
    for content in (noise, HEADER + noise):
        try:
            parse_capture(content)
        except ValueError:
            continue


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "first line"),
        (b"{}\n", "first line"),
        (b'{"format":"hil-wire","version":9}\n', "version 9"),
        (HEADER + b"x", "head of a record"),
        (HEADER + HEAD.pack(1, 5, Kind.READ) + b"four", "bytes of a record"),
        (HEADER + HEAD.pack(1, 0, 77), "77"),
        (b"not json\n", "Expecting value"),
    ],
)
def test_what_is_no_capture_is_refused_by_name(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "arm.wire"
    path.write_bytes(content)
    with pytest.raises(BadInput, match=says) as caught:
        read_capture(path)
    assert str(path) in caught.value.message
    with pytest.raises(BadInput, match="No such file"):
        read_capture(tmp_path / "none.wire")
