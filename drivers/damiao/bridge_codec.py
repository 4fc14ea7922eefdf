"""Frames of Damiao's own USB-to-CAN bridge: bytes to CAN frames and back, no input or output.

To the bridge, 30 bytes: `55 AA 1E 03`, how often and how far apart (1, 10), id type, CAN id,
frame type, length, two steps, 8 bytes of data, and a last byte that it does not look at. From
the bridge, 16 bytes: `AA`, what it is about, length with the id type in bit 6 and the frame
type in bit 7, CAN id, 8 bytes of data, `55`. Numbers are little-endian.

There is no checksum. A header, a tail, a known second byte and a possible length are all that
tells a frame from noise, so damage inside the data goes unseen; the decoder can do no more.

Source: the maker's published example code; the layout is the same in all public drivers seen,
and no bridge has answered to this implementation yet.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, Generic, TypeVar

from drivers.can.frames import CLASSIC_LENGTH_MAX, CanFrame, defect
from hil.errors import HarnessError

SENT_LENGTH: Final = 30
RECEIVED_LENGTH: Final = 16

_FORWARD = 3  # and do not report whether it was sent
_HEAD: Final = bytes((0x55, 0xAA, SENT_LENGTH, _FORWARD))
_ONCE: Final = struct.pack("<II", 1, 10)
_START, _END = 0xAA, 0x55
_EXTENDED, _REMOTE = 0x40, 0x80
_LENGTH_MASK = 0x3F


class Report(IntEnum):
    """Second byte of what the bridge sends."""

    HEARTBEAT = 0x00
    RECEIVE_FAILED = 0x01
    SEND_FAILED = 0x02
    RATE_FAILED = 0x03
    RECEIVED = 0x11
    SENT = 0x12
    RATE_SET = 0x13
    ERROR = 0xEE


_REPORTS: Final = {int(report): report for report in Report}


@dataclass(frozen=True, slots=True)
class BridgeMessage:
    """What the bridge says; `frame` is meant where a frame was received."""

    report: Report
    frame: CanFrame


@dataclass(slots=True)
class DecoderCounters:
    """`skipped_bytes` belong to no frame."""

    messages: int = 0
    skipped_bytes: int = 0


def encode_sent(frame: CanFrame) -> bytes:
    """A frame for the bridge to send. Errors: HarnessError (FD, or no form at all)."""
    wrong = "the bridge's protocol has no FD frames" if frame.fd else defect(frame)
    if wrong:
        raise HarnessError(f"frame {frame}: {wrong}")
    remote = frame.remote_length is not None
    length = len(frame.data) if frame.remote_length is None else frame.remote_length
    kind = struct.pack("<BIBBBB", frame.extended, frame.id, remote, length, 0, 0)
    return _HEAD + _ONCE + kind + frame.data.ljust(CLASSIC_LENGTH_MAX, b"\0") + b"\0"


def encode_received(message: BridgeMessage) -> bytes:
    """What the bridge sends, for an emulated one. Errors: HarnessError (no form)."""
    frame = message.frame
    wrong = "the bridge's protocol has no FD frames" if frame.fd else defect(frame)
    if wrong:
        raise HarnessError(f"frame {frame}: {wrong}")
    length = len(frame.data) if frame.remote_length is None else frame.remote_length
    form = length | (_EXTENDED if frame.extended else 0)
    form |= 0 if frame.remote_length is None else _REMOTE
    head = struct.pack("<BBBI", _START, message.report, form, frame.id)
    return head + frame.data.ljust(CLASSIC_LENGTH_MAX, b"\0") + bytes((_END,))


T = TypeVar("T")


class _Decoder(Generic[T]):
    """Finds frames of one length behind one first byte; keeps at most one unfinished."""

    def __init__(self, first: int, length: int, parse: Callable[[bytes], T | None]) -> None:
        self.counters = DecoderCounters()
        self._first, self._length, self._parse = first, length, parse
        self._buffer = bytearray()

    @property
    def pending(self) -> int:
        """Bytes kept of an unfinished frame; less than its length."""
        return len(self._buffer)

    def feed(self, data: bytes) -> list[T]:
        """What `data` completes, in order."""
        self._buffer += data
        found: list[T] = []
        at = 0
        while (at := self._seek(at)) + self._length <= len(self._buffer):
            item = self._parse(bytes(self._buffer[at : at + self._length]))
            if item is None:
                self.counters.skipped_bytes += 1
                at += 1
            else:
                found.append(item)
                at += self._length
        del self._buffer[:at]
        self.counters.messages += len(found)
        return found

    def _seek(self, at: int) -> int:
        """Where the next frame may begin, from `at` on."""
        start = self._buffer.find(self._first, at)
        start = len(self._buffer) if start < 0 else start
        self.counters.skipped_bytes += start - at
        return start


class BridgeDecoder(_Decoder[BridgeMessage]):
    """Incremental decoder of what the bridge sends; never raises."""

    def __init__(self) -> None:
        super().__init__(_START, RECEIVED_LENGTH, _message)


class BridgeRequestDecoder(_Decoder[CanFrame]):
    """Incremental decoder of what the host sends, for an emulated bridge; never raises."""

    def __init__(self) -> None:
        super().__init__(_HEAD[0], SENT_LENGTH, _sent)


def _message(raw: bytes) -> BridgeMessage | None:
    report = _REPORTS.get(raw[1])
    length = raw[2] & _LENGTH_MASK
    if report is None or raw[-1] != _END or length > CLASSIC_LENGTH_MAX:
        return None
    remote = bool(raw[2] & _REMOTE)
    frame = CanFrame(
        int.from_bytes(raw[3:7], "little"),
        b"" if remote else raw[7 : 7 + length],
        extended=bool(raw[2] & _EXTENDED),
        remote_length=length if remote else None,
    )
    return None if defect(frame) else BridgeMessage(report, frame)


def _sent(raw: bytes) -> CanFrame | None:
    extended, number, remote, length = struct.unpack_from("<BIBB", raw, 12)
    if raw[:3] != _HEAD[:3] or max(extended, remote) > 1 or length > CLASSIC_LENGTH_MAX:
        return None
    frame = CanFrame(
        number,
        b"" if remote else raw[21 : 21 + length],
        extended=bool(extended),
        remote_length=length if remote else None,
    )
    return None if defect(frame) else frame
