"""Inspire's native serial protocol, bytes to dataclasses and back. Experimental.

Frame: `EB 90 | id | length | command | address | data | checksum` to the hand, `90 EB ...` back;
address and data low byte first; the length counts command, address and data; the checksum is
the low byte of the sum from id on. The layout is the same in several public drivers, but no
independent implementation and no hand has confirmed this one: take it as experimental.

Read (0x11): the data of the request is the number of bytes wanted. Write (0x12): the answer's
data is one byte, 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from hil.errors import HarnessError

READ: Final = 0x11
WRITE: Final = 0x12

TO_HAND: Final = b"\xeb\x90"
FROM_HAND: Final = b"\x90\xeb"

MAX_DATA: Final = 252
"""Bytes of data: the length counts three more and is one byte."""

OVERHEAD: Final = 8
"""Bytes of a frame without data."""

_LENGTH_AT = 3
_LEAST_LENGTH = 3


@dataclass(frozen=True, slots=True)
class Packet:
    """One frame, either way."""

    id: int
    command: int
    address: int
    data: bytes = b""


@dataclass(slots=True)
class DecoderCounters:
    """What a decoder met since it was made. `noise_bytes` belong to no packet."""

    packets: int = 0
    damaged: int = 0
    noise_bytes: int = 0


def encode(packet: Packet, header: bytes = TO_HAND) -> bytes:
    """Bytes of `packet`. Errors: HarnessError where it has no form on the wire."""
    bytes_wide = (packet.id, packet.command)
    if not all(0 <= value <= 0xFF for value in bytes_wide) or not 0 <= packet.address <= 0xFFFF:
        raise HarnessError(f"{packet} has no form on the wire")
    if len(packet.data) > MAX_DATA:
        raise HarnessError(f"{len(packet.data)} bytes of data, the protocol allows {MAX_DATA}")
    body = bytes((packet.id, len(packet.data) + _LEAST_LENGTH, packet.command))
    body += packet.address.to_bytes(2, "little") + packet.data
    return header + body + bytes((sum(body) & 0xFF,))


class Decoder:
    """Incremental decoder of one direction: bytes in as they come, packets out.

    The result does not depend on how the stream is split. At most one unfinished packet is
    kept. A header whose packet turns out wrong costs one byte, and the search goes on inside.
    The checksum is one byte, so one damaged packet in 256 passes it.
    """

    def __init__(self, header: bytes) -> None:
        self.counters = DecoderCounters()
        self._header = header
        self._buffer = bytearray()

    @property
    def pending(self) -> int:
        """Bytes kept of an unfinished packet; at most `MAX_DATA` + `OVERHEAD`."""
        return len(self._buffer)

    def feed(self, data: bytes | bytearray) -> list[Packet]:
        """Packets completed by `data`, in order."""
        self._buffer += data
        packets: list[Packet] = []
        while self._seek_header():
            size = self._buffer[_LENGTH_AT] + OVERHEAD - _LEAST_LENGTH
            if len(self._buffer) < size:
                break
            body = self._buffer[2 : size - 1]
            if sum(body) & 0xFF == self._buffer[size - 1]:
                address = int.from_bytes(body[3:5], "little")
                packets.append(Packet(body[0], body[2], address, bytes(body[5:])))
                del self._buffer[:size]
            else:
                self.counters.damaged += 1
                self._skip(1)
        self.counters.packets += len(packets)
        return packets

    def finish(self) -> list[Packet]:
        """The line has been silent: whatever is unfinished is noise. Returns the packets that
        stood behind a false header, and leaves nothing pending."""
        packets: list[Packet] = []
        while self._buffer:
            self._skip(1)
            packets += self.feed(b"")
        return packets

    def _seek_header(self) -> bool:
        """Drop noise until a plausible header and its length are at the front."""
        while True:
            start = self._buffer.find(self._header)
            if start < 0:
                keep = 1 if self._buffer.endswith(self._header[:1]) else 0
                self._skip(len(self._buffer) - keep)
                return False
            self._skip(start)
            if len(self._buffer) <= _LENGTH_AT:
                return False
            if self._buffer[_LENGTH_AT] >= _LEAST_LENGTH:
                return True
            self._skip(1)

    def _skip(self, count: int) -> None:
        if count:
            del self._buffer[:count]
            self.counters.noise_bytes += count
