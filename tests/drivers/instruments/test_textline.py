"""Lines of text from bytes: bounded, the same however the bytes are cut, and asked for in time."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from drivers.textline import LONGEST_LINE, LineDecoder

printable = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=40)


@given(st.lists(printable), st.sampled_from([b"\n", b"\r\n", b"\r"]), st.integers(1, 9))
def test_lines_come_out_as_they_went_in_however_they_are_cut(
    lines: list[str], end: bytes, size: int
) -> None:
    stream = b"".join(line.encode() + end for line in lines)
    decoder = LineDecoder()
    found = [
        line
        for start in range(0, len(stream), size)
        for line in decoder.feed(stream[start : start + size])
    ]
    assert found == lines
    assert decoder.counters.lines == len(lines)


@given(st.binary(max_size=300), st.data())
def test_any_bytes_decode_the_same_split_anywhere_and_never_raise(
    data: bytes, draw: st.DataObject
) -> None:
    whole = LineDecoder()
    expected = whole.feed(data)
    cut = draw.draw(st.integers(0, len(data)))
    parted = LineDecoder()
    assert parted.feed(data[:cut]) + parted.feed(data[cut:]) == expected
    assert parted.counters == whole.counters


def test_a_line_without_end_is_dropped_and_what_follows_is_not() -> None:
    decoder = LineDecoder()
    for _ in range(100):
        assert decoder.feed(b"x" * 1000) == []
    assert decoder.feed(b"tail\nnext\n") == ["next"]
    assert decoder.counters.overlong_lines == 1
    assert decoder.feed(b"y" * LONGEST_LINE + b"\n") == ["y" * LONGEST_LINE]
