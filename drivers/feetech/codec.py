"""Feetech STS/SMS/SCS packets: bytes to dataclasses and back, no input or output.

Frame: `FF FF | id | length | code | parameters | checksum`, where length counts code,
parameters and checksum, and the checksum is the inverted low byte of the sum from id on.
The host sends an instruction as `code`, a servo answers with its error bits there. Nothing
is stuffed: `FF FF` may stand inside the parameters, so only length and checksum delimit a
packet. Source: Feetech, communication protocol manual of the SCS family.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntFlag
from typing import Final, Literal

from hil.errors import HarnessError

PING: Final = 0x01
READ: Final = 0x02
WRITE: Final = 0x03
REG_WRITE: Final = 0x04
ACTION: Final = 0x05
RESET: Final = 0x06
SYNC_READ: Final = 0x82
SYNC_WRITE: Final = 0x83

BROADCAST: Final = 0xFE
"""Id that every servo listens to; never the id of an answer."""

HEADER: Final = b"\xff\xff"
MAX_PARAMS: Final = 253
"""The length byte counts code and checksum too: 255 - 2."""

_OVERHEAD = 6  # header, id, length, code, checksum
_LENGTH_AT = 3

ByteOrder = Literal["little", "big"]
"""Order of two-byte registers: little on STS and SMS, big on SCS."""


class ServoError(IntFlag):
    """Error bits of a status packet, and of the status register."""

    NONE = 0
    VOLTAGE = 1
    ANGLE = 2
    OVERHEAT = 4
    CURRENT = 8
    OVERLOAD = 32


@dataclass(frozen=True, slots=True)
class Packet:
    """One packet. `code` is the instruction (from the host) or the error bits (from a servo)."""

    id: int
    code: int
    params: bytes = b""


@dataclass(slots=True)
class DecoderCounters:
    """What a decoder met since it was made.

    `resync_bytes` are bytes that belong to no packet with a right checksum.
    """

    packets: int = 0
    checksum_errors: int = 0
    resync_bytes: int = 0


def checksum(body: bytes | bytearray) -> int:
    """Inverted low byte of the sum of `body`, which runs from id to the last parameter."""
    return ~sum(body) & 0xFF


def encode(packet: Packet) -> bytes:
    """Bytes of `packet`. Errors: HarnessError where it has no form on the wire."""
    if not 0 <= packet.id <= BROADCAST:
        raise HarnessError(f"servo id {packet.id} is outside 0..{BROADCAST}")
    if not 0 <= packet.code <= 0xFF:
        raise HarnessError(f"code {packet.code} of a packet to servo {packet.id} is not one byte")
    if len(packet.params) > MAX_PARAMS:
        raise HarnessError(
            f"packet to servo {packet.id} has {len(packet.params)} parameter bytes,"
            f" the protocol allows {MAX_PARAMS}"
        )
    body = bytes((packet.id, len(packet.params) + 2, packet.code)) + packet.params
    return HEADER + body + bytes((checksum(body),))


class Decoder:
    """Incremental decoder: bytes in as they come, packets out, never an exception.

    The result does not depend on how the stream is split. At most one unfinished packet is
    kept. A header whose packet turns out wrong costs one byte, and the search goes on inside
    it, so a good packet behind or within noise is found.

    Args:
        max_params: a header that announces more parameter bytes than this is noise.
    """

    def __init__(self, max_params: int = MAX_PARAMS) -> None:
        self.counters = DecoderCounters()
        self._buffer = bytearray()
        self._max_length = min(max_params, MAX_PARAMS) + 2

    @property
    def pending(self) -> int:
        """Bytes kept of an unfinished packet; at most `max_params` + 5."""
        return len(self._buffer)

    def feed(self, data: bytes) -> list[Packet]:
        """Packets completed by `data`, in order."""
        self._buffer += data
        packets: list[Packet] = []
        while self._seek_header():
            length = self._buffer[_LENGTH_AT]
            size = length + _OVERHEAD - 2
            if len(self._buffer) < size:
                break
            body = self._buffer[2 : size - 1]
            if checksum(body) == self._buffer[size - 1]:
                packets.append(Packet(body[0], body[2], bytes(body[3:])))
                del self._buffer[:size]
            else:
                self.counters.checksum_errors += 1
                self._skip(1)
        self.counters.packets += len(packets)
        return packets

    def finish(self) -> list[Packet]:
        """Say that the sender has gone quiet: whatever is unfinished is noise.

        Returns the packets that stood behind a false header, and leaves nothing pending.
        """
        packets: list[Packet] = []
        while self._buffer:
            self._skip(1)
            packets += self.feed(b"")
        return packets

    def _seek_header(self) -> bool:
        """Drop noise until id and length of a plausible packet are at the front."""
        while True:
            start = self._buffer.find(HEADER)
            if start < 0:
                # a last FF may be the first half of a header
                keep = 1 if self._buffer.endswith(b"\xff") else 0
                self._skip(len(self._buffer) - keep)
                return False
            self._skip(start)
            if len(self._buffer) <= _LENGTH_AT:
                return False
            servo, length = self._buffer[2], self._buffer[_LENGTH_AT]
            if servo <= BROADCAST and 2 <= length <= self._max_length:
                return True
            self._skip(1)

    def _skip(self, count: int) -> None:
        if count:
            del self._buffer[:count]
            self.counters.resync_bytes += count


def decode_signed(raw: int, sign_bit: int) -> int:
    """Sign-magnitude to integer: bit `sign_bit` is the sign, the bits below the magnitude."""
    magnitude = raw & ((1 << sign_bit) - 1)
    return -magnitude if raw >> sign_bit & 1 else magnitude


def encode_signed(value: int, sign_bit: int) -> int:
    """Integer to sign-magnitude. Errors: HarnessError where the magnitude does not fit."""
    magnitude = abs(value)
    if magnitude >> sign_bit:
        raise HarnessError(f"{value} does not fit {sign_bit} bits of magnitude")
    return magnitude | 1 << sign_bit if value < 0 else magnitude
