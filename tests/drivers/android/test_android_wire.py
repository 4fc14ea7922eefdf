"""Framing between adb client and server."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.android.wire import (
    MAX_DATA,
    SHELL_HEAD,
    SYNC_HEAD,
    Decoder,
    Entry,
    Forward,
    Listed,
    Packet,
    entry,
    forwards,
    length,
    listed,
    packet,
    plain_entry,
    properties,
    request,
    shell_decoder,
    sync_decoder,
)
from hil.errors import BadInput

PIECES = st.lists(st.integers(1, 40), max_size=30)


def fed(decoder: Decoder[Packet] | Decoder[Entry], data: bytes, cuts: list[int]) -> list[object]:
    """What comes of `data` in pieces of the sizes in `cuts`."""
    found: list[object] = []
    at = 0
    for size in [*cuts, len(data)]:
        found += decoder.feed(data[at : at + size])
        at += size
    return found


def test_requests_as_the_real_client_writes_them() -> None:
    # seen between adb 36.0.0 and its server
    assert request("host:version") == b"000chost:version"
    assert request("host-serial:EMULATED0001:features") == b"0021host-serial:EMULATED0001:features"
    with pytest.raises(BadInput, match="65536"):
        request("x" * 65536)


@given(st.text(max_size=300))
def test_a_request_tells_its_own_length(service: str) -> None:
    try:
        data = request(service)
    except UnicodeEncodeError:  # lone surrogates
        return
    assert length(data[:4]) == len(data) - 4


@given(st.binary(max_size=8))
def test_length_is_four_digits_or_none(digits: bytes) -> None:
    found = length(digits)
    assert found is None or b"%04x" % found == digits.lower()


@pytest.mark.parametrize("digits", [b"", b"00", b"00g0", b"+001", b" 12 ", b"0_10", b"\xff" * 4])
def test_what_is_no_length(digits: bytes) -> None:
    assert length(digits) is None


@given(st.lists(st.tuples(st.integers(0, 255), st.binary(max_size=90)), max_size=8), PIECES)
def test_packets_of_a_shell_come_through_however_they_are_cut(
    sent: list[tuple[int, bytes]], cuts: list[int]
) -> None:
    data = b"".join(packet(kind, content) for kind, content in sent)
    expected = [Packet(kind, content) for kind, content in sent]
    assert fed(shell_decoder(), data, cuts) == expected


@given(st.lists(st.binary(max_size=90), max_size=8), PIECES)
def test_entries_of_sync_come_through_however_they_are_cut(
    contents: list[bytes], cuts: list[int]
) -> None:
    sent = [entry(b"DATA", content) for content in contents]
    data = b"".join(sent) + plain_entry(b"DONE", 4_000_000_000)
    found = fed(sync_decoder(), data, cuts)
    expected = [Entry(b"DATA", len(content), content) for content in contents]
    assert found == [*expected, Entry(b"DONE", 4_000_000_000, b"")]


@given(st.binary(max_size=400), PIECES)
def test_no_bytes_make_a_decoder_raise(data: bytes, cuts: list[int]) -> None:
    for make in (shell_decoder, sync_decoder):
        whole = fed(make(), data, [])
        assert fed(make(), data, cuts) == whole


def test_what_is_too_long_is_skipped_and_counted() -> None:
    for make, head in (
        (shell_decoder, SHELL_HEAD.pack(1, MAX_DATA + 1)),
        (sync_decoder, SYNC_HEAD.pack(b"DATA", MAX_DATA + 1)),
    ):
        decoder = make()
        assert decoder.feed(head) == []
        for _ in range(MAX_DATA):
            assert decoder.feed(b"x") == []
            assert len(decoder._buffer) <= 8
        good = packet(1, b"ok") if make is shell_decoder else entry(b"DATA", b"ok")
        assert [one.data for one in decoder.feed(b"x" + good)] == [b"ok"]
        assert decoder.too_long == 1


def test_lists() -> None:
    text = "A1\tdevice\n192.168.1.2:5555\toffline\nZ\tno permissions (user in plugdev); see [x]\n\n"
    assert listed(text) == [
        Listed("A1", "device"),
        Listed("192.168.1.2:5555", "offline"),
        Listed("Z", "no permissions (user in plugdev); see [x]"),
    ]
    assert listed("* daemon started *\n") == []
    assert forwards("A1 tcp:40001 localabstract:agent\n\n") == [
        Forward("A1", "tcp:40001", "localabstract:agent")
    ]


def test_properties() -> None:
    text = "[ro.a]: [x y]\r\n[ro.b]: []\n[ro.c]: [two\nlines]\n[ro.d]: [[1]]\nnoise\n"
    assert properties(text) == {"ro.a": "x y", "ro.b": "", "ro.d": "[1]"}


@given(st.text(max_size=200))
def test_no_text_makes_a_parser_raise(text: str) -> None:
    listed(text)
    forwards(text)
    properties(text)
