"""What a Modbus master asks and a device answers, as plain data."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

READ_COILS: Final = 1
READ_DISCRETE: Final = 2
READ_HOLDING: Final = 3
READ_INPUT: Final = 4
WRITE_COIL: Final = 5
WRITE_REGISTER: Final = 6
WRITE_COILS: Final = 15
WRITE_REGISTERS: Final = 16
MASK_REGISTER: Final = 22
READ_WRITE: Final = 23

EXCEPTION: Final = 0x80
"""Bit of the function code that says the answer is an exception."""

MAX_FRAME: Final = 256
"""Bytes of the longest frame, unit and CRC included."""


class ExceptionCode(IntEnum):
    """Why a device refuses a request."""

    ILLEGAL_FUNCTION = 1
    ILLEGAL_ADDRESS = 2
    ILLEGAL_VALUE = 3
    DEVICE_FAILURE = 4
    ACKNOWLEDGE = 5
    BUSY = 6
    MEMORY_PARITY = 8
    GATEWAY_PATH = 10
    GATEWAY_SILENT = 11


def exception_name(code: int) -> str:
    """Name of an exception code, for messages and counters."""
    try:
        return ExceptionCode(code).name.lower().replace("_", " ")
    except ValueError:
        return f"exception {code}"


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame without its CRC."""

    unit: int
    function: int
    body: bytes


@dataclass(frozen=True, slots=True)
class ReadBits:
    """`count` coils (function 1) or discrete inputs (2)."""

    address: int
    count: int
    function: int = READ_COILS


@dataclass(frozen=True, slots=True)
class ReadRegisters:
    """`count` holding (function 3) or input registers (4)."""

    address: int
    count: int
    function: int = READ_HOLDING


@dataclass(frozen=True, slots=True)
class WriteBit:
    """One coil (function 5)."""

    address: int
    on: bool


@dataclass(frozen=True, slots=True)
class WriteRegister:
    """One holding register (function 6)."""

    address: int
    value: int


@dataclass(frozen=True, slots=True)
class WriteBits:
    """Several coils (function 15)."""

    address: int
    bits: tuple[bool, ...]


@dataclass(frozen=True, slots=True)
class WriteRegisters:
    """Several holding registers (function 16)."""

    address: int
    values: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class MaskRegister:
    """register = register & and_mask | or_mask & ~and_mask (function 22)."""

    address: int
    and_mask: int
    or_mask: int


@dataclass(frozen=True, slots=True)
class ReadWrite:
    """Write registers, then read others, in one trip (function 23)."""

    address: int
    count: int
    write_address: int
    values: tuple[int, ...]


Request = (
    ReadBits
    | ReadRegisters
    | WriteBit
    | WriteRegister
    | WriteBits
    | WriteRegisters
    | MaskRegister
    | ReadWrite
)


@dataclass(frozen=True, slots=True)
class Bits:
    """Answer to `ReadBits`, as many as were asked for."""

    bits: tuple[bool, ...]


@dataclass(frozen=True, slots=True)
class Registers:
    """Answer to `ReadRegisters` and `ReadWrite`: unsigned 16-bit values."""

    values: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Done:
    """Answer to a write: the device repeated what it was told."""


@dataclass(frozen=True, slots=True)
class Refused:
    """The device answered with an exception; `code` may be outside `ExceptionCode`."""

    code: int


Answer = Bits | Registers | Done | Refused
