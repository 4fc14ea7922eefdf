"""Instruction packets of Dynamixel Protocol 2.0: what each carries, and how to read it back.

Addresses and lengths take two bytes, low byte first. The readers serve emulators and captures;
they give None for parameters that make no such instruction, and never raise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from drivers.dynamixel.codec2 import BROADCAST, Instruction, Packet
from hil.errors import HarnessError

CLEAR_MULTI_TURN: Final = b"\x01\x44\x58\x4c\x22"
"""Parameters of CLEAR that bring the position back into one turn."""

RESET_ALL: Final = 0xFF
RESET_ALL_BUT_ID: Final = 0x01
RESET_ALL_BUT_ID_AND_BAUD: Final = 0x02
"""Parameter of FACTORY RESET."""

Span = tuple[int, int, int]
"""Id, address and length in bytes of one servo's part of a bulk read."""


def _words(*values: int) -> bytes:
    for value in values:
        if not 0 <= value <= 0xFFFF:
            raise HarnessError(f"{value} is no address or length")
    return b"".join(value.to_bytes(2, "little") for value in values)


def _word(params: bytes, at: int) -> int:
    return int.from_bytes(params[at : at + 2], "little")


def ping(servo: int) -> Packet:
    """Answered with model number (2) and firmware version (1), whatever the status level."""
    return Packet(servo, Instruction.PING)


def read(servo: int, address: int, length: int) -> Packet:
    """Answered with `length` bytes."""
    return Packet(servo, Instruction.READ, _words(address, length))


def write(servo: int, address: int, data: bytes) -> Packet:
    """Answered by an empty status packet where the status level is 2."""
    return Packet(servo, Instruction.WRITE, _words(address) + data)


def reg_write(servo: int, address: int, data: bytes) -> Packet:
    """As `write`, carried out at the next ACTION."""
    return Packet(servo, Instruction.REG_WRITE, _words(address) + data)


def action(servo: int = BROADCAST) -> Packet:
    """Carry out what REG WRITE has left."""
    return Packet(servo, Instruction.ACTION)


def reboot(servo: int) -> Packet:
    """As if the power had been cycled; clears a shutdown."""
    return Packet(servo, Instruction.REBOOT)


def clear_multi_turn(servo: int) -> Packet:
    """Bring the present position back into one turn."""
    return Packet(servo, Instruction.CLEAR, CLEAR_MULTI_TURN)


def factory_reset(servo: int, spare: int = RESET_ALL_BUT_ID_AND_BAUD) -> Packet:
    """EEPROM to its defaults, except what `spare` says."""
    return Packet(servo, Instruction.FACTORY_RESET, bytes((spare,)))


def sync_read(servos: Sequence[int], address: int, length: int, *, fast: bool = False) -> Packet:
    """The same bytes of several servos; each answers in turn, or all in one packet if `fast`."""
    code = Instruction.FAST_SYNC_READ if fast else Instruction.SYNC_READ
    return Packet(BROADCAST, code, _words(address, length) + bytes(servos))


def sync_write(address: int, values: Mapping[int, bytes]) -> Packet:
    """Values of one length by id; nobody answers.

    Errors: HarnessError for values of different lengths, or none.
    """
    lengths = {len(value) for value in values.values()}
    if len(lengths) != 1:
        raise HarnessError(f"sync write of values of lengths {sorted(lengths)}")
    params = bytearray(_words(address, lengths.pop()))
    for servo, value in values.items():
        params.append(servo)
        params += value
    return Packet(BROADCAST, Instruction.SYNC_WRITE, bytes(params))


def bulk_read(spans: Sequence[Span], *, fast: bool = False) -> Packet:
    """Bytes of a place of its own from each servo."""
    code = Instruction.FAST_BULK_READ if fast else Instruction.BULK_READ
    params = b"".join(bytes((servo,)) + _words(at, length) for servo, at, length in spans)
    return Packet(BROADCAST, code, params)


def bulk_write(blocks: Sequence[tuple[int, int, bytes]]) -> Packet:
    """Data at a place of its own, (id, address, data), to each servo; nobody answers."""
    params = b"".join(bytes((servo,)) + _words(at, len(data)) + data for servo, at, data in blocks)
    return Packet(BROADCAST, Instruction.BULK_WRITE, params)


def spans_of_sync_read(params: bytes) -> list[Span] | None:
    """What SYNC READ and FAST SYNC READ ask of whom, in order."""
    if len(params) < 5:
        return None
    address, length = _word(params, 0), _word(params, 2)
    return [(servo, address, length) for servo in params[4:]]


def spans_of_bulk_read(params: bytes) -> list[Span] | None:
    """What BULK READ and FAST BULK READ ask of whom, in order."""
    if not params or len(params) % 5:
        return None
    return [
        (params[at], _word(params, at + 1), _word(params, at + 3))
        for at in range(0, len(params), 5)
    ]


def writes_of_sync_write(params: bytes) -> list[tuple[int, int, bytes]] | None:
    """(id, address, data) for each servo of a SYNC WRITE."""
    if len(params) < 4:
        return None
    address, length = _word(params, 0), _word(params, 2)
    if not length or (len(params) - 4) % (length + 1):
        return None
    starts = range(4, len(params), length + 1)
    return [(params[at], address, params[at + 1 : at + 1 + length]) for at in starts]


def writes_of_bulk_write(params: bytes) -> list[tuple[int, int, bytes]] | None:
    """(id, address, data) for each servo of a BULK WRITE."""
    found: list[tuple[int, int, bytes]] = []
    at = 0
    while at < len(params):
        length = _word(params, at + 3)
        end = at + 5 + length
        if end > len(params):
            return None
        found.append((params[at], _word(params, at + 1), params[at + 5 : end]))
        at = end
    return found or None
