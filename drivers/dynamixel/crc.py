"""CRC-16 of Dynamixel Protocol 2.0: polynomial 8005, initial 0, nothing reflected (UMTS, BUYPASS).

Source: Robotis, e-manual, CRC calculation; check value FEE8 for "123456789".
"""

from __future__ import annotations

from functools import cache
from typing import Final

_POLYNOMIAL = 0x8005


def _entry(byte: int) -> int:
    value = byte << 8
    for _ in range(8):
        value = value << 1 ^ (_POLYNOMIAL if value & 0x8000 else 0)
    return value & 0xFFFF


_TABLE: Final = tuple(_entry(byte) for byte in range(256))


def crc16(data: bytes | bytearray | memoryview, crc: int = 0) -> int:
    """CRC over `data`, continuing from `crc`."""
    table = _TABLE
    for byte in data:
        crc = (crc & 0xFF) << 8 ^ table[crc >> 8 ^ byte]
    return crc


@cache
def share(behind: int) -> tuple[int, ...]:
    """What a byte adds to the CRC when so many bytes stand behind it, by its value.

    The CRC is linear: that of `head + block` is that of `head` and as many zero bytes, with the
    shares of all bytes of the block added by exclusive or.
    """
    if not behind:
        return _TABLE
    return tuple((crc & 0xFF) << 8 ^ _TABLE[crc >> 8] for crc in share(behind - 1))
