"""Feetech STS/SMS/SCS packets: bytes to dataclasses and back, no input or output.

The frame is that of `drivers.servo.frame1`; here is what Feetech's servos do with it.
Source: Feetech, communication protocol manual of the SCS family.
"""

from __future__ import annotations

from enum import IntFlag

from drivers.servo.frame1 import (
    ACTION,
    BROADCAST,
    HEADER,
    MAX_PARAMS,
    PING,
    READ,
    REG_WRITE,
    RESET,
    SYNC_READ,
    SYNC_WRITE,
    WRITE,
    Decoder,
    DecoderCounters,
    Packet,
    checksum,
    encode,
)
from drivers.servo.registers import ByteOrder, decode_signed, encode_signed

__all__ = [
    "ACTION",
    "BROADCAST",
    "HEADER",
    "MAX_PARAMS",
    "PING",
    "READ",
    "REG_WRITE",
    "RESET",
    "SYNC_READ",
    "SYNC_WRITE",
    "WRITE",
    "ByteOrder",
    "Decoder",
    "DecoderCounters",
    "Packet",
    "ServoError",
    "checksum",
    "decode_signed",
    "encode",
    "encode_signed",
]


class ServoError(IntFlag):
    """Error bits of a status packet, and of the status register."""

    NONE = 0
    VOLTAGE = 1
    ANGLE = 2
    OVERHEAT = 4
    CURRENT = 8
    OVERLOAD = 32
