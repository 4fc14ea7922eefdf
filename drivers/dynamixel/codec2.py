"""Dynamixel Protocol 2.0 packets: bytes to dataclasses and back, no input or output.

Frame: `FF FF FD 00 | id | length (2) | instruction | [error] parameters | CRC (2)`, low bytes
first; length counts everything behind it, the CRC covers everything before it. So that no
header stands inside a packet, `FF FF FD` in instruction to parameters is sent as
`FF FF FD FD`; length and CRC count the inserted byte. The one exception is the answer to a
fast read, one packet of all servos with the broadcast id, which is sent as it is.
Source: Robotis, e-manual, Protocol 2.0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum, IntFlag
from typing import Final

from drivers.dynamixel.crc import crc16
from drivers.servo.framing import MORE, NOISE, FrameDecoder
from hil.errors import HarnessError


class Instruction(IntEnum):
    """Instruction byte of a packet; STATUS marks an answer."""

    PING = 0x01
    READ = 0x02
    WRITE = 0x03
    REG_WRITE = 0x04
    ACTION = 0x05
    FACTORY_RESET = 0x06
    REBOOT = 0x08
    CLEAR = 0x10
    BACKUP = 0x20
    STATUS = 0x55
    SYNC_READ = 0x82
    SYNC_WRITE = 0x83
    FAST_SYNC_READ = 0x8A
    BULK_READ = 0x92
    BULK_WRITE = 0x93
    FAST_BULK_READ = 0x9A


STATUS: Final = int(Instruction.STATUS)


class ErrorCode(IntEnum):
    """Low seven bits of the error byte: what became of the instruction."""

    NONE = 0
    RESULT = 1
    INSTRUCTION = 2
    CRC = 3
    DATA_RANGE = 4
    DATA_LENGTH = 5
    DATA_LIMIT = 6
    ACCESS = 7


ALERT: Final = 0x80
"""Bit of the error byte: look at the hardware error status. The data of the answer are valid."""


class HardwareError(IntFlag):
    """Bits of the hardware error status register of X series motors."""

    NONE = 0
    INPUT_VOLTAGE = 1
    OVERHEATING = 4
    ENCODER = 8
    ELECTRICAL_SHOCK = 16
    OVERLOAD = 32


BROADCAST: Final = 0xFE
MAX_ID: Final = 252
HEADER: Final = b"\xff\xff\xfd\x00"
PATTERN: Final = b"\xff\xff\xfd"
STUFFED: Final = b"\xff\xff\xfd\xfd"
MAX_PARAMS: Final = 4096
"""Bound on memory: more than a fast read of sixteen bytes from every possible id."""

OVERHEAD: Final = 10
"""Bytes of an instruction without parameters; a status packet has one more, its error."""

_ID_AT, _LENGTH_AT, _BODY_AT = 4, 5, 7
_CRC_SIZE = 2
_HEADER_CRC = crc16(HEADER)


@dataclass(frozen=True, slots=True)
class Packet:
    """One packet, without stuffing. `error` is that of a status packet, 0 in any other.

    The answer to a fast read is a status packet of the broadcast id whose `params` hold the
    blocks of all servos; `drivers.dynamixel.fast` takes them apart.
    """

    id: int
    instruction: int
    params: bytes = b""
    error: int = 0


def stuff(body: bytes) -> bytes:
    """`body` with a byte inserted behind each header pattern."""
    return body.replace(PATTERN, STUFFED)


def unstuff(body: bytes) -> bytes:
    """`body` without the inserted bytes; the inverse of `stuff`."""
    return body.replace(STUFFED, PATTERN)


def encode(packet: Packet) -> bytes:
    """Bytes of `packet`, stuffed. Errors: HarnessError where it has no form on the wire."""
    if not (0 <= packet.id <= MAX_ID or packet.id == BROADCAST):
        raise HarnessError(f"servo id {packet.id} is not one of 0..{MAX_ID}, {BROADCAST}")
    if not (0 <= packet.instruction <= 0xFF and 0 <= packet.error <= 0xFF):
        raise HarnessError(f"instruction or error of a packet to {packet.id} is not one byte")
    if len(packet.params) > MAX_PARAMS:
        raise HarnessError(f"{len(packet.params)} parameter bytes, at most {MAX_PARAMS}")
    if packet.instruction != STATUS:
        return _framed(packet.id, stuff(bytes((packet.instruction,)) + packet.params))
    body = bytes((STATUS, packet.error)) + packet.params
    return _framed(packet.id, body if packet.id == BROADCAST else stuff(body))


def encode_fast(blocks: Sequence[tuple[int, int, bytes]]) -> bytes:
    """The one answer of several servos to a fast read, from (id, error, data) of each.

    Every block ends with a CRC over all before it, so the last is that of the packet.
    Errors: HarnessError for no blocks, or too many.
    """
    length = 1 + sum(len(data) + 4 for _, _, data in blocks)
    if not blocks or length > MAX_PARAMS:
        raise HarnessError(f"fast read answer of {len(blocks)} blocks and {length} bytes")
    frame = bytearray(HEADER)
    frame += bytes((BROADCAST, length & 0xFF, length >> 8, STATUS))
    for servo, error, data in blocks:
        frame += bytes((error, servo)) + data
        frame += crc16(frame).to_bytes(_CRC_SIZE, "little")
    return bytes(frame)


def _framed(servo: int, body: bytes) -> bytes:
    length = len(body) + _CRC_SIZE
    frame = HEADER + bytes((servo, length & 0xFF, length >> 8)) + body
    return frame + crc16(frame).to_bytes(_CRC_SIZE, "little")


class Decoder(FrameDecoder[Packet]):
    """Incremental decoder of this frame (see `FrameDecoder`); reads both directions.

    Args:
        max_params: a header that announces more parameter bytes than this is noise.
    """

    def __init__(self, max_params: int = MAX_PARAMS) -> None:
        body = min(max_params, MAX_PARAMS) + 2  # instruction and error
        self._max_length = body + body // 3 + _CRC_SIZE  # as much as stuffing may add
        super().__init__(HEADER, self._size, _parse)

    @property
    def crc_errors(self) -> int:
        """Packets whose CRC did not fit."""
        return self.counters.checksum_errors

    def _size(self, buffer: bytearray, at: int) -> int:
        if len(buffer) - at <= _BODY_AT:
            return MORE
        servo = buffer[at + _ID_AT]
        length = buffer[at + _LENGTH_AT] | buffer[at + _LENGTH_AT + 1] << 8
        least = 4 if buffer[at + _BODY_AT] == STATUS else 3  # a status packet has its error
        plausible = (servo <= MAX_ID or servo == BROADCAST) and least <= length <= self._max_length
        return _BODY_AT + length if plausible else NOISE


def _parse(buffer: bytearray, at: int, end: int) -> Packet | None:
    crc_at = end - _CRC_SIZE
    if crc16(buffer[at + len(HEADER) : crc_at], _HEADER_CRC) != (
        buffer[crc_at] | buffer[crc_at + 1] << 8
    ):
        return None
    servo = buffer[at + _ID_AT]
    body = bytes(buffer[at + _BODY_AT : crc_at])
    if body[0] != STATUS:
        body = unstuff(body)
        return Packet(servo, body[0], body[1:])
    if servo != BROADCAST:  # the answer to a fast read is not stuffed
        body = unstuff(body)
    return Packet(servo, STATUS, body[2:], body[1])
