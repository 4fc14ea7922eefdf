"""Dynamixel Protocol 1.0 packets; the frame is that of `drivers.servo.frame1`.

There is no SYNC READ: motors are read one by one, or those of the MX series by BULK READ, which
each answers as soon as it has heard the one before. Registers are little-endian, signs stand in
bit 10. Source: Robotis, e-manual, Protocol 1.0.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntFlag
from typing import Final

from drivers.servo.frame1 import (
    ACTION,
    BROADCAST,
    MAX_PARAMS,
    OVERHEAD,
    PING,
    READ,
    REG_WRITE,
    RESET,
    SYNC_WRITE,
    WRITE,
    Decoder,
    Packet,
    encode,
)

__all__ = [
    "ACTION",
    "BROADCAST",
    "BULK_READ",
    "MAX_PARAMS",
    "OVERHEAD",
    "PING",
    "READ",
    "REG_WRITE",
    "RESET",
    "SYNC_WRITE",
    "WRITE",
    "Decoder",
    "ErrorBit",
    "Packet",
    "bulk_read",
    "encode",
]

BULK_READ: Final = 0x92


class ErrorBit(IntFlag):
    """Bits of the error byte: what is wrong with the motor, or with the instruction."""

    NONE = 0
    INPUT_VOLTAGE = 1
    ANGLE_LIMIT = 2
    OVERHEATING = 4
    RANGE = 8
    CHECKSUM = 16
    OVERLOAD = 32
    INSTRUCTION = 64


def bulk_read(blocks: Sequence[tuple[int, int, int]]) -> Packet:
    """Request of (id, address, length) of each motor."""
    params = bytearray(1)
    for servo, address, length in blocks:
        params += bytes((length, servo, address))
    return Packet(BROADCAST, BULK_READ, bytes(params))
