"""The frame that Dynamixel Protocol 1.0 and Feetech servos share; no input or output.

Frame: `FF FF | id | length | code | parameters | checksum`, where length counts code,
parameters and checksum, and the checksum is the inverted low byte of the sum from id on.
The host sends an instruction as `code`, a servo answers with its error bits there. Nothing
is stuffed: `FF FF` may stand inside the parameters, so only length and checksum delimit a
packet. Sources: Robotis, e-manual, Protocol 1.0; Feetech, communication protocol manual of
the SCS family.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from drivers.servo.framing import MORE, NOISE, FrameCounters, FrameDecoder
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

OVERHEAD: Final = 6
"""Bytes of a packet without parameters: header, id, length, code, checksum."""

_ID_AT, _LENGTH_AT, _CODE_AT, _PARAMS_AT = 2, 3, 4, 5

DecoderCounters = FrameCounters


@dataclass(frozen=True, slots=True)
class Packet:
    """One packet. `code` is the instruction (from the host) or the error bits (from a servo)."""

    id: int
    code: int
    params: bytes = b""

    @property
    def error(self) -> int:
        """The error bits, of an answer."""
        return self.code


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


class Decoder(FrameDecoder[Packet]):
    """Incremental decoder of this frame (see `FrameDecoder`).

    Args:
        max_params: a header that announces more parameter bytes than this is noise.
    """

    def __init__(self, max_params: int = MAX_PARAMS) -> None:
        self._max_length = min(max_params, MAX_PARAMS) + 2
        super().__init__(HEADER, self._size, _parse)

    def _size(self, buffer: bytearray, at: int) -> int:
        if len(buffer) - at <= _LENGTH_AT:
            return MORE
        length = buffer[at + _LENGTH_AT]
        plausible = buffer[at + _ID_AT] <= BROADCAST and 2 <= length <= self._max_length
        return length + OVERHEAD - 2 if plausible else NOISE


def _parse(buffer: bytearray, at: int, end: int) -> Packet | None:
    # a right checksum brings the sum over everything from the id on to FF
    if sum(buffer[at + _ID_AT : end]) & 0xFF != 0xFF:
        return None
    params = bytes(buffer[at + _PARAMS_AT : end - 1])
    return Packet(buffer[at + _ID_AT], buffer[at + _CODE_AT], params)
