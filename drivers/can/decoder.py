"""Incremental decoders of slcan, one for each side's lines: they never raise, keep at most one
unfinished line, and give the same result however the stream is split."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from drivers.can.codec import (
    BEL,
    KINDS,
    STAMP_DIGITS,
    Ack,
    Command,
    FrameLine,
    Malformed,
    Nak,
    Other,
    Reply,
    Request,
    SerialNumber,
    Status,
    StatusFlag,
    Version,
)
from drivers.can.frames import (
    CLASSIC_LENGTH_MAX,
    EXTENDED_ID_MAX,
    FD_LENGTHS,
    STANDARD_ID_MAX,
    CanFrame,
)

LINE_MAX: Final = 160
"""Longest line kept, in bytes; the longest frame has 142: kind, 8 + 1 + 2 * 64 + 4 digits."""

_HEX = re.compile(r"[0-9A-Fa-f]*")
_TEXT = re.compile(r"[ -~]*")
_ENDS = re.compile(rb"[\r\a]")


@dataclass(slots=True)
class DecoderCounters:
    """What a decoder met since it was made. `broken_bytes` belong to no complete line:
    too long, or cut off by BEL; `malformed` are lines that look like a frame and are none."""

    lines: int = 0
    frames: int = 0
    malformed: int = 0
    broken_bytes: int = 0


Said = TypeVar("Said", bound=Reply | Request)


class _Decoder(Generic[Said]):
    """Splits a stream into lines without their CR, and BEL as a line of its own; keeps at most
    one unfinished line."""

    def __init__(self, parse: Callable[[bytes], Said]) -> None:
        self.counters = DecoderCounters()
        self._parse = parse
        self._buffer = bytearray()
        self._too_long = False

    @property
    def pending(self) -> int:
        """Bytes kept of an unfinished line; at most `LINE_MAX`."""
        return len(self._buffer)

    def feed(self, data: bytes) -> list[Said]:
        """What the lines say that `data` completes, in order."""
        found = [self._parse(line) for line in self._lines(data)]
        self.counters.lines += len(found)
        self.counters.frames += sum(isinstance(said, FrameLine) for said in found)
        self.counters.malformed += sum(isinstance(said, Malformed) for said in found)
        return found

    def _lines(self, data: bytes) -> list[bytes]:
        lines: list[bytes] = []
        start = 0
        for end in _ENDS.finditer(data):
            self._keep(data[start : end.start()])
            line = self._take()
            if end.group() == BEL:
                self.counters.broken_bytes += len(line or b"")
                line = BEL
            if line is not None:
                lines.append(line)
            start = end.end()
        self._keep(data[start:])
        return lines

    def _keep(self, part: bytes) -> None:
        if self._too_long or len(self._buffer) + len(part) > LINE_MAX:
            self.counters.broken_bytes += len(self._buffer) + len(part)
            self._buffer.clear()
            self._too_long = True
        else:
            self._buffer += part

    def _take(self) -> bytes | None:
        """The line that ends here; None for one that was too long."""
        line = None if self._too_long else bytes(self._buffer)
        self._buffer.clear()
        self._too_long = False
        return line


class ReplyDecoder(_Decoder[Reply]):
    """Incremental decoder of what an adapter says; never raises."""

    def __init__(self) -> None:
        super().__init__(_reply)


class RequestDecoder(_Decoder[Request]):
    """Incremental decoder of what a host says, where an empty line is `Command("")`; never
    raises."""

    def __init__(self) -> None:
        super().__init__(_request)


def _reply(line: bytes) -> Reply:
    if line == BEL:
        return Nak()
    text = _printable(line)
    if text is None:
        return _malformed(line)
    if text in ("", "z", "Z"):
        return Ack(text)
    if text[0] in KINDS and " " not in text:  # a firmware's name may begin with such a letter
        return _frame_line(text) or _malformed(line)
    if text[0] == "V":
        return Version(text[1:])
    if text[0] == "N":
        return SerialNumber(text[1:])
    if text[0] == "F" and len(text) == 3 and _HEX.fullmatch(text[1:]):
        return Status(StatusFlag(int(text[1:], 16)))
    return Other(text)


def _request(line: bytes) -> Request:
    text = _printable(line)
    if text is None:
        return _malformed(line)
    if text[:1] not in KINDS:
        return Command(text[:1], text[1:])
    found = _frame_line(text)
    return found if found is not None and found.stamp_ms is None else _malformed(line)


def _malformed(line: bytes) -> Malformed:
    return Malformed(line.decode("ascii", "replace"))


def _printable(line: bytes) -> str | None:
    text = line.decode("ascii", "replace")
    return text if _TEXT.fullmatch(text) else None


def _frame_line(text: str) -> FrameLine | None:
    """The frame of a line whose first letter says that it is one; None where it is not."""
    kind = KINDS[text[0]]
    digits = text[1:]
    id_end = 8 if kind.extended else 3
    if not _HEX.fullmatch(digits) or len(digits) <= id_end:
        return None
    number = int(digits[:id_end], 16)
    code = int(digits[id_end], 16)
    if number > (EXTENDED_ID_MAX if kind.extended else STANDARD_ID_MAX):
        return None
    if code > CLASSIC_LENGTH_MAX and not kind.fd:
        return None
    length = FD_LENGTHS[code]
    data_end = id_end + 1 + (0 if kind.remote else 2 * length)
    stamp = digits[data_end:]
    if len(digits) < data_end or len(stamp) not in (0, STAMP_DIGITS):
        return None
    frame = CanFrame(
        number,
        b"" if kind.remote else bytes.fromhex(digits[id_end + 1 : data_end]),
        extended=kind.extended,
        remote_length=length if kind.remote else None,
        fd=kind.fd,
        bit_rate_switch=kind.switch,
    )
    return FrameLine(frame, int(stamp, 16) if stamp else None)
