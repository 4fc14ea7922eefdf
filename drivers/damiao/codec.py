"""Payloads of Damiao motors: eight bytes to dataclasses and back, no input or output.

A motor listens to frames with its own id and, for its registers, to id 7FF. It answers each
with one frame whose id is its master id; by itself it never speaks. Quantities are mapped
linearly from -max..max onto 16 bits (position) or 12 bits (all else), where the maxima are
those of the one motor (registers 21 to 23).

Encoding cuts off, as the maker's code does, and does not round: 0 rad on 16 bits is 7FFF, which
reads back as -0.00019 rad of 12.5. So encoding what was decoded may give one step less.

Sources: maker's manual of the J series (frames, status codes, registers), vectors of
damiao-motor 1.0.6.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from hil.errors import HarnessError

REGISTER_ID: Final = 0x7FF
"""CAN id of everything that is about registers; the motor meant is in the payload."""

LENGTH: Final = 8
KP_MAX: Final = 500.0
"""N m/rad."""
KD_MAX: Final = 5.0
"""N m s/rad."""

POSITION_BITS: Final = 16
_BITS: Final = 12
_SPECIAL_HEAD: Final = b"\xff" * 7


class Special(IntEnum):
    """Last byte of a command that is FF seven times before it."""

    CLEAR_ERROR = 0xFB
    ENABLE = 0xFC
    DISABLE = 0xFD
    SET_ZERO = 0xFE


class Operation(IntEnum):
    """Third byte of a payload about registers; an answer repeats it."""

    READ = 0x33
    WRITE = 0x55
    STORE = 0xAA
    REFRESH = 0xCC


class MotorStatus(IntEnum):
    """Upper four bits of a motor's answer; from 8 on it has switched itself off."""

    OFF = 0x0
    ON = 0x1
    OVER_VOLTAGE = 0x8
    UNDER_VOLTAGE = 0x9
    OVER_CURRENT = 0xA
    MOS_OVERHEAT = 0xB
    ROTOR_OVERHEAT = 0xC
    LOST_COMM = 0xD
    OVERLOAD = 0xE


_SPECIALS: Final = {int(special): special for special in Special}
_OPERATIONS: Final = {int(operation): operation for operation in Operation}
_STATUSES: Final = {int(status): status for status in MotorStatus}


@dataclass(frozen=True, slots=True)
class Ranges:
    """What the ends of a motor's scales mean: rad, rad/s and N m, each as -max..max."""

    position: float
    velocity: float
    torque: float


@dataclass(frozen=True, slots=True)
class MitCommand:
    """What a motor shall do in MIT mode: torque = kp (position - actual) + kd (velocity -
    actual) + torque; rad, rad/s, N m/rad, N m s/rad, N m."""

    position: float
    velocity: float = 0.0
    kp: float = 0.0
    kd: float = 0.0
    torque: float = 0.0


@dataclass(frozen=True, slots=True)
class MitCodes:
    """A command as it stands on the wire: 16, 12, 12, 12 and 12 bits."""

    position: int
    velocity: int
    kp: int
    kd: int
    torque: int


@dataclass(frozen=True, slots=True)
class Feedback:
    """A motor's answer. `motor` is the lower four bits of its id; `status` is a `MotorStatus`
    or a number without a name; rad, rad/s, N m, deg C."""

    motor: int
    status: int
    position: float
    velocity: float
    torque: float
    mos_temperature: int
    rotor_temperature: int


@dataclass(frozen=True, slots=True)
class RegisterMessage:
    """Request or answer about a register: `value` is its four bytes as they are."""

    motor: int
    operation: Operation
    register: int = 0
    value: bytes = bytes(4)


def to_code(value: float, low: float, high: float, bits: int) -> int:
    """`value` on `bits` bits, cut off and not rounded, held at the ends.

    Errors: HarnessError for a value that is not finite.
    """
    if not math.isfinite(value):
        raise HarnessError(f"{value} cannot be sent to a motor")
    return int((min(max(value, low), high) - low) * ((1 << bits) - 1) / (high - low))


def from_code(code: int, low: float, high: float, bits: int) -> float:
    """The value that a code on `bits` bits stands for."""
    return code * (high - low) / ((1 << bits) - 1) + low


def mit_codes(command: MitCommand, ranges: Ranges) -> MitCodes:
    """A command in a motor's own scales. Errors: HarnessError (not finite)."""
    return MitCodes(
        to_code(command.position, -ranges.position, ranges.position, POSITION_BITS),
        to_code(command.velocity, -ranges.velocity, ranges.velocity, _BITS),
        to_code(command.kp, 0.0, KP_MAX, _BITS),
        to_code(command.kd, 0.0, KD_MAX, _BITS),
        to_code(command.torque, -ranges.torque, ranges.torque, _BITS),
    )


def pack_mit(codes: MitCodes) -> bytes:
    """Payload of a command in MIT mode.

    Errors: HarnessError for a code that does not fit, and for a command with everything at its
    upper end, which the motor would take for one without arguments.
    """
    packed = codes.position
    for code in (codes.velocity, codes.kp, codes.kd, codes.torque):
        packed = packed << _BITS | code
        if not 0 <= code < 1 << _BITS:
            raise HarnessError(f"code {code} does not fit {_BITS} bits")
    if not 0 <= codes.position < 1 << POSITION_BITS:
        raise HarnessError(f"code {codes.position} does not fit {POSITION_BITS} bits")
    payload = packed.to_bytes(LENGTH, "big")
    special = decode_special(payload)
    if special is not None:
        raise HarnessError(f"{codes} would be taken for {special.name.lower()}")
    return payload


def encode_mit(command: MitCommand, ranges: Ranges) -> bytes:
    """Payload of a command in MIT mode. Errors: HarnessError (not finite; see `pack_mit`)."""
    return pack_mit(mit_codes(command, ranges))


def decode_mit(data: bytes, ranges: Ranges) -> MitCommand | None:
    """A command in MIT mode; None for a payload that is none, or is a special command."""
    if len(data) != LENGTH or decode_special(data) is not None:
        return None
    packed = int.from_bytes(data, "big")
    torque, kd, kp, velocity = (packed >> shift & 0xFFF for shift in (0, 12, 24, 36))
    return MitCommand(
        from_code(packed >> 48, -ranges.position, ranges.position, POSITION_BITS),
        from_code(velocity, -ranges.velocity, ranges.velocity, _BITS),
        from_code(kp, 0.0, KP_MAX, _BITS),
        from_code(kd, 0.0, KD_MAX, _BITS),
        from_code(torque, -ranges.torque, ranges.torque, _BITS),
    )


def encode_special(special: Special) -> bytes:
    """Payload of a command without arguments."""
    return _SPECIAL_HEAD + bytes((special,))


def decode_special(data: bytes) -> Special | None:
    """The command without arguments that a payload is; None where it is none."""
    if len(data) != LENGTH or data[:7] != _SPECIAL_HEAD:
        return None
    return _SPECIALS.get(data[7])


def encode_feedback(feedback: Feedback, ranges: Ranges) -> bytes:
    """Payload of a motor's answer. Errors: HarnessError for what has no form."""
    if not 0 <= feedback.motor < 16 or not 0 <= feedback.status < 16:
        raise HarnessError(f"motor {feedback.motor}, status {feedback.status}: four bits each")
    velocity = to_code(feedback.velocity, -ranges.velocity, ranges.velocity, _BITS)
    torque = to_code(feedback.torque, -ranges.torque, ranges.torque, _BITS)
    position = to_code(feedback.position, -ranges.position, ranges.position, POSITION_BITS)
    head = bytes((feedback.status << 4 | feedback.motor,)) + position.to_bytes(2, "big")
    temperatures = bytes((feedback.mos_temperature & 0xFF, feedback.rotor_temperature & 0xFF))
    return head + (velocity << _BITS | torque).to_bytes(3, "big") + temperatures


def decode_feedback(data: bytes, ranges: Ranges) -> Feedback | None:
    """A motor's answer; None for a payload of another length.

    Any eight bytes are an answer: that it is not one about a register only the context tells.
    """
    if len(data) != LENGTH:
        return None
    rates = int.from_bytes(data[3:6], "big")
    return Feedback(
        motor=data[0] & 0xF,
        status=data[0] >> 4,
        position=from_code(
            int.from_bytes(data[1:3], "big"), -ranges.position, ranges.position, POSITION_BITS
        ),
        velocity=from_code(rates >> _BITS, -ranges.velocity, ranges.velocity, _BITS),
        torque=from_code(rates & 0xFFF, -ranges.torque, ranges.torque, _BITS),
        mos_temperature=data[6],
        rotor_temperature=data[7],
    )


def encode_register(message: RegisterMessage) -> bytes:
    """Payload about a register. Errors: HarnessError for what has no form."""
    if not 0 <= message.motor <= 0x7FF or not 0 <= message.register <= 0xFF:
        raise HarnessError(f"motor {message.motor}, register {message.register}: no such thing")
    if len(message.value) != 4:
        raise HarnessError(f"a register has 4 bytes and not {len(message.value)}")
    head = struct.pack("<HBB", message.motor, message.operation, message.register)
    return head + message.value


def decode_register(data: bytes) -> RegisterMessage | None:
    """The message about a register that a payload is; None where it cannot be one."""
    if len(data) != LENGTH or data[1] > 0x07 or data[2] not in _OPERATIONS:
        return None
    motor, operation, register = struct.unpack_from("<HBB", data)
    return RegisterMessage(motor, _OPERATIONS[operation], register, data[4:])


def status_name(status: int) -> str:
    """A status in words."""
    known = _STATUSES.get(status)
    return f"status {status:X}" if known is None else known.name.lower().replace("_", " ")


def is_fault(status: int) -> bool:
    """Whether the motor has switched itself off for a cause that its manual names."""
    return status in _STATUSES and status >= MotorStatus.OVER_VOLTAGE
