"""What a Bota Systems force and torque sensor says on its serial line: pure, no input or output.

While it runs it streams frames of 37 bytes, little endian:

    AA | status 2 | fx fy fz tx ty tz, float32 in N and N·m | time 4, us | temperature, float32 |
    CRC-16 2

The CRC is CRC-16/X-25 over status to temperature. While it is being set up it takes commands of
text and answers each with `r,0,COMMAND,CODE`, code 0 for done. Source: the maker's own public
driver (`rokubimini_serial`, BSD-3-Clause) and example in Python for the BFT-SENS-SER-M8.
"""

from __future__ import annotations

import functools
import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from hil.errors import HarnessError

BAUD: Final = 460_800
"""bit/s: the highest it has, and the one at which its fastest filters fit the line."""

SIZE: Final = 37
AXES: Final = 6
CLOCK_HZ: Final = 51_200
"""It gives one sample after so many of these as its filter is long."""

SHORTEST, LONGEST = 51, 512
"""Lengths of the filter that it takes."""

SKIPPING: Final = 0x01
"""It could not keep up with its own filter."""
OVERRANGE: Final = 0x02
INVALID: Final = 0x04
"""Its measurements are not valid; it may be damaged."""
RAW: Final = 0x08
"""Of the gauges, without the calibration matrix: no newtons."""

CONFIGURE, RUN = b"C", b"R"

_HEADER: Final = 0xAA
_BODY = struct.Struct("<H6fIf")
_CRC = struct.Struct("<H")
_ANSWER = re.compile(rb"r,[0-9],([A-Za-z]),([0-9])")
_ANSWER_SIZE: Final = 7
_POLYNOMIAL: Final = 0x8408


@dataclass(frozen=True, slots=True)
class Frame:
    """One sample: status bits, N and N·m, its own time in us modulo 2^32, degrees Celsius."""

    status: int
    wrench: tuple[float, ...]
    time_us: int
    temperature: float


@dataclass(frozen=True, slots=True)
class Answer:
    """What it says of a command of text; code 0 is done."""

    command: str
    code: int


@dataclass(slots=True)
class DecoderCounters:
    """What a decoder met since it was made; `noise_bytes` belong to no frame with a right CRC."""

    frames: int = 0
    crc_errors: int = 0
    noise_bytes: int = 0


def crc16(data: bytes | bytearray) -> int:
    """CRC-16/X-25: polynomial 1021, start FFFF, reflected, final XOR FFFF. Of the text 123456789
    it is 906E."""
    table = _table()
    crc = 0xFFFF
    for byte in data:
        crc = crc >> 8 ^ table[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFF


def encode(frame: Frame) -> bytes:
    """Bytes of `frame`; its numbers are rounded to float32. Errors: HarnessError where one does
    not fit."""
    try:
        body = _BODY.pack(frame.status, *frame.wrench, frame.time_us, frame.temperature)
    except (struct.error, OverflowError) as error:
        raise HarnessError(f"{frame} does not fit a frame: {error}") from error
    return bytes((_HEADER,)) + body + _CRC.pack(crc16(body))


def communication(*, calibrated: bool = True) -> bytes:
    """Command: no temperature compensation, with the calibration matrix or without, binary
    frames, 460800 bit/s."""
    return f"c,0,{int(calibrated)},0,4".encode("ascii")


def filtering(length: int, *, fir: bool) -> bytes:
    """Command: the sinc filter's length, no chopping, not fast, and whether its FIR filter is
    used. Errors: HarnessError for a length that it does not take."""
    if not SHORTEST <= length <= LONGEST:
        raise HarnessError(f"a filter of {length} is not within {SHORTEST}..{LONGEST}")
    return f"f,{length},0,0,{int(not fir)}".encode("ascii")


class Decoder:
    """Incremental decoder of the stream: bytes in as they come, frames out, never an exception.

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
            body = buffer[at + 1 : at + SIZE - 2]
            if crc16(body) != _CRC.unpack_from(buffer, at + SIZE - 2)[0]:
                counters.crc_errors += 1
                counters.noise_bytes += 1
                at = self._seek(at + 1)
                continue
            status, *wrench, time_us, temperature = _BODY.unpack(body)
            frames.append(Frame(status, tuple(wrench), time_us, temperature))
            at = self._seek(at + SIZE)
        del buffer[:at]
        counters.frames += len(frames)
        return frames

    def _seek(self, at: int) -> int:
        """Place of the next header; what is passed over is noise."""
        start = self._buffer.find(_HEADER, at)
        start = len(self._buffer) if start < 0 else start
        self.counters.noise_bytes += start - at
        return start


class AnswerDecoder:
    """Incremental: finds answers of text in whatever comes, frames included. Never raises, keeps
    at most `_ANSWER_SIZE` - 1 bytes."""

    def __init__(self) -> None:
        self._buffer = b""

    @property
    def pending(self) -> int:
        """Bytes kept of what may become an answer."""
        return len(self._buffer)

    def feed(self, data: bytes) -> Sequence[Answer]:
        """Answers completed by `data`, in order."""
        buffer = self._buffer + data
        found, end = [], 0
        for match in _ANSWER.finditer(buffer):
            found.append(Answer(match[1].decode("ascii"), int(match[2])))
            end = match.end()
        self._buffer = buffer[max(end, len(buffer) - _ANSWER_SIZE + 1) :]
        return found


@functools.cache
def _table() -> tuple[int, ...]:
    """The CRC of every single byte."""

    def remainder(crc: int) -> int:
        for _ in range(8):
            crc = crc >> 1 ^ (_POLYNOMIAL if crc & 1 else 0)
        return crc

    return tuple(remainder(byte) for byte in range(256))
