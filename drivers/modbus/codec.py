"""Modbus RTU: requests and answers to bytes and back, no input or output.

Frame: `unit | function | body | CRC`, the CRC low byte first, everything else high byte first.
An answer repeats unit and function; an exception answers with `function | 0x80` and one byte
that says why. Nothing marks where a frame begins: `drivers.modbus.framing` finds it. Sources:
Modbus Application Protocol 1.1b3; Modbus over Serial Line 1.02.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from functools import cache

from drivers.modbus.messages import (
    EXCEPTION,
    MASK_REGISTER,
    MAX_FRAME,
    READ_COILS,
    READ_DISCRETE,
    READ_HOLDING,
    READ_INPUT,
    READ_WRITE,
    WRITE_COIL,
    WRITE_COILS,
    WRITE_REGISTER,
    WRITE_REGISTERS,
    Answer,
    Bits,
    Done,
    ExceptionCode,
    Frame,
    MaskRegister,
    ReadBits,
    ReadRegisters,
    ReadWrite,
    Refused,
    Registers,
    Request,
    WriteBit,
    WriteBits,
    WriteRegister,
    WriteRegisters,
)
from hil.errors import HarnessError

_ON, _OFF = 0xFF00, 0x0000
_POLYNOMIAL = 0xA001  # 0x8005 reflected


@cache
def _table() -> tuple[int, ...]:
    entries = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ _POLYNOMIAL if value & 1 else value >> 1
        entries.append(value)
    return tuple(entries)


def crc16(data: bytes | bytearray | memoryview) -> int:
    """CRC-16/MODBUS: polynomial 0x8005 reflected, start 0xFFFF; check 0x4B37."""
    table = _table()
    crc = 0xFFFF
    for byte in data:
        crc = crc >> 8 ^ table[(crc ^ byte) & 0xFF]
    return crc


def encode(frame: Frame) -> bytes:
    """Bytes of `frame`. Errors: HarnessError where it has no form on the wire."""
    if not 0 <= frame.unit <= 255 or not 0 <= frame.function <= 255:
        raise HarnessError(f"unit {frame.unit}, function {frame.function}: not one byte each")
    if len(frame.body) > MAX_FRAME - 4:
        raise HarnessError(f"a body of {len(frame.body)} bytes does not fit a Modbus frame")
    data = bytes((frame.unit, frame.function)) + frame.body
    return data + struct.pack("<H", crc16(data))


def function_of(request: Request) -> int:
    """Function code of a request."""
    match request:
        case ReadBits() | ReadRegisters():
            return request.function
        case WriteBit():
            return WRITE_COIL
        case WriteRegister():
            return WRITE_REGISTER
        case WriteBits():
            return WRITE_COILS
        case WriteRegisters():
            return WRITE_REGISTERS
        case MaskRegister():
            return MASK_REGISTER
        case ReadWrite():
            return READ_WRITE


def request_frame(unit: int, request: Request) -> Frame:
    """A request as a frame. Errors: HarnessError where the protocol does not allow it."""
    fault = _illegal(request)
    if fault:
        raise HarnessError(f"{request}: {fault}")
    try:
        return Frame(unit, function_of(request), _request_body(request))
    except struct.error as error:
        raise HarnessError(f"{request}: {error}") from error


def request_of(frame: Frame) -> Request | ExceptionCode:
    """The request in a frame, or the exception that it deserves."""
    try:
        request = _parse_request(frame.function, frame.body)
    except struct.error:
        return ExceptionCode.ILLEGAL_VALUE
    if request is None:
        return ExceptionCode.ILLEGAL_FUNCTION
    return ExceptionCode.ILLEGAL_VALUE if _illegal(request) else request


def answer_frame(unit: int, request: Request, answer: Answer) -> Frame:
    """An answer as a frame. Errors: HarnessError for one that does not fit the request."""
    try:
        return _answer(unit, request, answer)
    except struct.error as error:
        raise HarnessError(f"{answer} as an answer to {request}: {error}") from error


def _answer(unit: int, request: Request, answer: Answer) -> Frame:
    function = function_of(request)
    match answer:
        case Refused(code):
            return Frame(unit, function | EXCEPTION, bytes((code & 0xFF,)))
        case Bits(bits) if isinstance(request, ReadBits) and len(bits) == request.count:
            packed = _pack_bits(bits)
            return Frame(unit, function, bytes((len(packed),)) + packed)
        case Registers(values) if (
            isinstance(request, ReadRegisters | ReadWrite) and len(values) == request.count
        ):
            packed = _pack_registers(values)
            return Frame(unit, function, bytes((len(packed),)) + packed)
        case Done() if not isinstance(request, ReadBits | ReadRegisters | ReadWrite):
            return Frame(unit, function, echo_of(request))
    raise HarnessError(f"{answer} is no answer to {request}")


def answer_of(request: Request, frame: Frame) -> Answer | None:
    """What a frame answers to `request`; None where it answers something else."""
    function, body = function_of(request), frame.body
    if frame.function == function | EXCEPTION:
        return Refused(body[0]) if len(body) == 1 else None
    if frame.function != function:
        return None
    match request:
        case ReadBits(_, count):
            if len(body) == 1 + (count + 7) // 8 and body[0] == len(body) - 1:
                return Bits(_unpack_bits(body[1:], count))
        case ReadRegisters(_, count) | ReadWrite(_, count):
            if len(body) == 1 + 2 * count and body[0] == len(body) - 1:
                return Registers(_unpack_registers(body[1:]))
        case _:
            if body == echo_of(request):
                return Done()
    return None


def answer_size(request: Request) -> int:
    """Bytes of the whole frame that answers `request`, where it is no exception."""
    match request:
        case ReadBits(_, count):
            return 5 + (count + 7) // 8
        case ReadRegisters(_, count) | ReadWrite(_, count):
            return 5 + 2 * count
        case MaskRegister():
            return 10
        case _:
            return 8


def _request_body(request: Request) -> bytes:
    match request:
        case ReadBits(address, count) | ReadRegisters(address, count):
            return struct.pack(">HH", address, count)
        case WriteBits(address, bits):
            packed = _pack_bits(bits)
            return struct.pack(">HHB", address, len(bits), len(packed)) + packed
        case WriteRegisters(address, values):
            packed = _pack_registers(values)
            return struct.pack(">HHB", address, len(values), len(packed)) + packed
        case ReadWrite(address, count, write_address, values):
            packed = _pack_registers(values)
            head = struct.pack(">HHHHB", address, count, write_address, len(values), len(packed))
            return head + packed
        case _:
            return echo_of(request)


def echo_of(request: Request) -> bytes:
    """Body of the answer to a write, which the request alone decides; b"" for a read."""
    match request:
        case WriteBit(address, on):
            return struct.pack(">HH", address, _ON if on else _OFF)
        case WriteRegister(address, value):
            return struct.pack(">HH", address, value)
        case WriteBits(address, bits):
            return struct.pack(">HH", address, len(bits))
        case WriteRegisters(address, values):
            return struct.pack(">HH", address, len(values))
        case MaskRegister(address, and_mask, or_mask):
            return struct.pack(">HHH", address, and_mask, or_mask)
        case _:
            return b""


def _parse_request(function: int, body: bytes) -> Request | None:
    """The request in a body. Errors: struct.error where the body does not fit the function."""
    if function in (READ_COILS, READ_DISCRETE):
        address, count = struct.unpack(">HH", body)
        return ReadBits(address, count, function)
    if function in (READ_HOLDING, READ_INPUT):
        address, count = struct.unpack(">HH", body)
        return ReadRegisters(address, count, function)
    if function == WRITE_COIL:
        address, value = struct.unpack(">HH", body)
        if value not in (_ON, _OFF):
            raise struct.error("a coil is on or off")
        return WriteBit(address, value == _ON)
    if function == WRITE_REGISTER:
        return WriteRegister(*struct.unpack(">HH", body))
    if function == WRITE_COILS:
        address, count, size = struct.unpack_from(">HHB", body)
        _require(len(body) - 5 == size == (count + 7) // 8)
        return WriteBits(address, _unpack_bits(body[5:], count))
    if function == WRITE_REGISTERS:
        address, count, size = struct.unpack_from(">HHB", body)
        _require(len(body) - 5 == size == 2 * count)
        return WriteRegisters(address, _unpack_registers(body[5:]))
    if function == MASK_REGISTER:
        return MaskRegister(*struct.unpack(">HHH", body))
    if function == READ_WRITE:
        address, count, write_address, written, size = struct.unpack_from(">HHHHB", body)
        _require(len(body) - 9 == size == 2 * written)
        return ReadWrite(address, count, write_address, _unpack_registers(body[9:]))
    return None


def _require(fits: bool) -> None:
    if not fits:
        raise struct.error("counts of the request do not fit its bytes")


def _illegal(request: Request) -> str:
    """What the protocol has against a request; empty for nothing."""
    spans: list[tuple[int, int, int]] = []  # address, count, most
    match request:
        case ReadBits(address, count, function):
            spans = [(address, count, 2000 if function in (READ_COILS, READ_DISCRETE) else 0)]
        case ReadRegisters(address, count, function):
            spans = [(address, count, 125 if function in (READ_HOLDING, READ_INPUT) else 0)]
        case WriteBits(address, bits):
            spans = [(address, len(bits), 1968)]
        case WriteRegisters(address, values):
            spans = [(address, len(values), 123)]
        case ReadWrite(address, count, write_address, values):
            spans = [(address, count, 125), (write_address, len(values), 121)]
        case _:
            spans = [(request.address, 1, 1)]
    for start, number, most in spans:
        if not 1 <= number <= most:
            return f"{number} at once, the protocol allows 1 to {most}"
        if not 0 <= start <= 0x10000 - number:
            return f"{start} and the {number - 1} behind it are outside 0..65535"
    return ""


def _pack_registers(values: Sequence[int]) -> bytes:
    return struct.pack(f">{len(values)}H", *values)


def _unpack_registers(data: bytes) -> tuple[int, ...]:
    return struct.unpack(f">{len(data) // 2}H", data)


def _pack_bits(bits: Sequence[bool]) -> bytes:
    packed = bytearray((len(bits) + 7) // 8)
    for place, bit in enumerate(bits):
        packed[place // 8] |= int(bit) << place % 8
    return bytes(packed)


def _unpack_bits(data: bytes, count: int) -> tuple[bool, ...]:
    return tuple(bool(data[place // 8] >> place % 8 & 1) for place in range(count))
