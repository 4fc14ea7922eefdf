"""The size of a JPEG picture from its header, before anything is made of its pixels."""

from __future__ import annotations

from typing import Final

MAX_PIXELS: Final = 2**24
"""Pixels of the largest picture that the agent decodes: 16.7 million, 50 MB of them."""

_FRAME_HEADERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_ALONE = frozenset({0x01, *range(0xD0, 0xD8)})
"""Markers without a length: TEM and the restart markers."""


def jpeg_size(data: bytes) -> tuple[int, int] | None:
    """Width and height in pixels; None for what does not begin as a JPEG picture does.

    A few bytes can announce a picture of four thousand million pixels, and a decoder makes room
    for them first. Source: ITU-T T.81, annex B.
    """
    if data[:2] != b"\xff\xd8":
        return None
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:  # a fill byte
            at += 1
        elif marker in _ALONE:
            at += 2
        elif marker in _FRAME_HEADERS:
            return _frame_size(data, at + 5)
        else:
            at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return None


def _frame_size(data: bytes, at: int) -> tuple[int, int] | None:
    if at + 4 > len(data):
        return None
    height, width = (int.from_bytes(data[at + k : at + k + 2], "big") for k in (0, 2))
    return (width, height) if width and height else None
