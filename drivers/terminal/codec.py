"""Frames of the terminal protocol: bytes <-> plain maps. Pure, incremental, no I/O.

frame = COBS(payload + CRC-32 of payload, little endian) + 00, payload = one MessagePack map.
`docs/terminal-agent.md` is the specification; `tests/vectors/terminal_agent.json` proves it.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass

import msgpack
from cobs import cobs

from hil.errors import BadInput

MAX_FRAME = 262_144
"""Longest frame accepted by default: COBS-encoded bytes, without the delimiter."""

_DELIMITER = b"\x00"
_CRC_BYTES = 4
_MAX_ITEMS = 256  # of one array or map; the data itself travels as byte strings


@dataclass(slots=True)
class CodecCounters:
    """What a decoder met since it was made; `frames` are the good ones."""

    frames: int = 0
    framing_errors: int = 0
    crc_errors: int = 0
    payload_errors: int = 0
    oversize_frames: int = 0


def encode(message: Mapping[str, object], max_frame: int = MAX_FRAME) -> bytes:
    """One frame, delimiter included.

    Errors: BadInput when the frame would be longer than the receiver's `max_frame`, or when
    the message holds something MessagePack has no type for.
    """
    try:
        payload: bytes = msgpack.packb(message, use_bin_type=True, strict_types=True)
    except (TypeError, ValueError, OverflowError) as error:
        raise BadInput(f"message {message.get('type')!r} cannot be packed: {error}") from error
    body: bytes = cobs.encode(payload + zlib.crc32(payload).to_bytes(_CRC_BYTES, "little"))
    if len(body) > max_frame:
        raise BadInput(
            f"message {message.get('type')!r} needs a frame of {len(body)} bytes,"
            f" the receiver takes {max_frame}",
            "send a smaller input (lower resolution or quality)",
        )
    return body + _DELIMITER


class Decoder:
    """Bytes in any portions -> messages. Never raises; holds at most `max_frame` bytes.

    What cannot be decoded is dropped up to the next delimiter and counted.
    """

    def __init__(self, max_frame: int = MAX_FRAME) -> None:
        self.counters = CodecCounters()
        self._max_frame = max_frame
        self._pending = bytearray()
        self._overflowed = False

    @property
    def pending(self) -> int:
        """Bytes held of a frame that is not complete yet."""
        return len(self._pending)

    def feed(self, data: bytes) -> list[dict[str, object]]:
        """Messages completed by `data`, in order."""
        *ends, rest = data.split(_DELIMITER)
        messages = []
        for piece in ends:
            self._extend(piece)
            message = self._finish()
            if message is not None:
                messages.append(message)
        self._extend(rest)
        return messages

    def _extend(self, piece: bytes) -> None:
        if self._overflowed or len(self._pending) + len(piece) > self._max_frame:
            self._overflowed = True
            self._pending.clear()
        else:
            self._pending += piece

    def _finish(self) -> dict[str, object] | None:
        frame = bytes(self._pending)
        self._pending.clear()
        if self._overflowed:
            self._overflowed = False
            self.counters.oversize_frames += 1
            return None
        return self._decode(frame) if frame else None  # doubled delimiters carry nothing

    def _decode(self, frame: bytes) -> dict[str, object] | None:
        try:
            body: bytes = cobs.decode(frame)
        except cobs.DecodeError:
            self.counters.framing_errors += 1
            return None
        payload, crc = body[:-_CRC_BYTES], body[-_CRC_BYTES:]
        if len(body) < _CRC_BYTES or zlib.crc32(payload).to_bytes(_CRC_BYTES, "little") != crc:
            self.counters.crc_errors += 1
            return None
        message = _unpack(payload)
        if message is None:
            self.counters.payload_errors += 1
        else:
            self.counters.frames += 1
        return message


def _unpack(payload: bytes) -> dict[str, object] | None:
    """One map with text keys, or None for anything else."""
    try:
        message = msgpack.unpackb(
            payload,
            raw=False,
            strict_map_key=True,
            max_array_len=_MAX_ITEMS,
            max_map_len=_MAX_ITEMS,
            max_ext_len=0,
            ext_hook=_refuse_extension,
        )
    except (ValueError, TypeError, OverflowError, msgpack.UnpackException):
        return None
    if not isinstance(message, dict) or not all(isinstance(key, str) for key in message):
        return None
    return message


def _refuse_extension(code: int, data: bytes) -> object:
    raise ValueError(f"extension type {code} ({len(data)} bytes) is not part of the protocol")
