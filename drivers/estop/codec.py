"""Frames of an emergency stop box: bytes to dataclasses and back, no input or output.

Frame, 8 bytes: `A5 5A | version | flags | sequence | uptime (ms, little endian, 2) | CRC-8`. The
CRC is CRC-8/AUTOSAR over version to uptime. `docs/estop-box.md` is the specification.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Final

from hil.errors import HarnessError

HEADER: Final = b"\xa5\x5a"
VERSION: Final = 1
SIZE: Final = 8
PERIOD_MS: Final = 10
"""Between the starts of two frames."""
BAUD: Final = 115_200

CHANNEL_A: Final = 0x01
CHANNEL_B: Final = 0x02
LATCHED: Final = 0x04
FAULT: Final = 0x08

_POLYNOMIAL = 0x2F


@dataclass(frozen=True, slots=True)
class Frame:
    """What the box says: its two contacts, its latch, its own fault; `sequence` counts frames
    modulo 256, `uptime_ms` modulo 65536."""

    a_closed: bool
    b_closed: bool
    latched: bool
    fault: bool
    sequence: int
    uptime_ms: int

    @property
    def released(self) -> bool:
        """Whether nobody wants the rig to stop."""
        return self.a_closed and self.b_closed and not self.latched and not self.fault


@dataclass(slots=True)
class DecoderCounters:
    """What a decoder met since it was made.

    `noise_bytes` belong to no frame with a right CRC; `foreign_frames` have one, and another
    version than `VERSION`.
    """

    frames: int = 0
    crc_errors: int = 0
    foreign_frames: int = 0
    noise_bytes: int = 0


def crc8(data: bytes | bytearray) -> int:
    """CRC-8/AUTOSAR: polynomial 2F, start FF, final XOR FF, not reflected; it detects up to
    three wrong bits in a frame of this length. Of the text 123456789 it is DF."""
    table = _table()
    crc = 0xFF
    for byte in data:
        crc = table[crc ^ byte]
    return crc ^ 0xFF


def encode(frame: Frame) -> bytes:
    """Bytes of `frame`. Errors: HarnessError where a number does not fit its field."""
    if not (0 <= frame.sequence <= 0xFF and 0 <= frame.uptime_ms <= 0xFFFF):
        raise HarnessError(f"{frame} does not fit a frame of an emergency stop box")
    flags = (
        CHANNEL_A * frame.a_closed
        | CHANNEL_B * frame.b_closed
        | LATCHED * frame.latched
        | FAULT * frame.fault
    )
    body = bytes((VERSION, flags, frame.sequence)) + frame.uptime_ms.to_bytes(2, "little")
    return HEADER + body + bytes((crc8(body),))


class Decoder:
    """Incremental decoder: bytes in as they come, frames out, never an exception.

    The result does not depend on how the stream is split, and at most `SIZE` - 1 bytes are kept.
    A header whose frame turns out wrong costs one byte, and the search goes on inside it.
    """

    def __init__(self) -> None:
        self.counters = DecoderCounters()
        self._buffer = bytearray()

    @property
    def pending(self) -> int:
        """Bytes kept of an unfinished frame."""
        return len(self._buffer)

    def feed(self, data: bytes) -> list[Frame]:
        """Frames completed by `data`, in order."""
        buffer, counters = self._buffer, self.counters
        buffer += data
        frames: list[Frame] = []
        at = self._seek(0)
        while len(buffer) - at >= SIZE:
            body = buffer[at + 2 : at + SIZE - 1]
            if crc8(body) != buffer[at + SIZE - 1]:
                counters.crc_errors += 1
                counters.noise_bytes += 1
                at = self._seek(at + 1)
                continue
            if body[0] == VERSION:
                frames.append(_frame(body))
            else:
                counters.foreign_frames += 1
            at = self._seek(at + SIZE)
        del buffer[:at]
        counters.frames += len(frames)
        return frames

    def _seek(self, at: int) -> int:
        """Place of the next header, or of what may become one; what is passed over is noise."""
        start = self._buffer.find(HEADER, at)
        if start < 0:
            start = len(self._buffer)
            if start > at and self._buffer[-1] == HEADER[0]:
                start -= 1
        self.counters.noise_bytes += start - at
        return start


def _frame(body: bytearray) -> Frame:
    flags = body[1]
    return Frame(
        a_closed=bool(flags & CHANNEL_A),
        b_closed=bool(flags & CHANNEL_B),
        latched=bool(flags & LATCHED),
        fault=bool(flags & FAULT),
        sequence=body[2],
        uptime_ms=body[3] | body[4] << 8,
    )


@functools.cache
def _table() -> bytes:
    """The CRC of every single byte."""

    def remainder(crc: int) -> int:
        for _ in range(8):
            crc = crc << 1 ^ (_POLYNOMIAL if crc & 0x80 else 0)
        return crc & 0xFF

    return bytes(remainder(byte) for byte in range(256))
