"""Reaching the motors of a chain: who is there, and how they are set up."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from drivers.damiao.bus import MotorBus
from drivers.damiao.codec import (
    POSITION_BITS,
    MitCodes,
    MitCommand,
    Ranges,
    from_code,
    mit_codes,
)
from drivers.damiao.registers import Register
from drivers.damiao.robots import JointSpec, Robot
from hil.clock import NS_PER_MS, Deadline
from hil.contracts import IntArray
from hil.errors import BadInput, DeviceFault

MIT_MODE = 1
OPTIONAL = ("sub_version",)
"""Registers that older firmware does not have."""

_ATTEMPTS = 3
_LOOK_AROUND_NS = 60 * NS_PER_MS
_LOOK_AROUND_IDS = tuple(range(1, 16))
_SURVEYED = (
    "control_mode",
    "position_range",
    "velocity_range",
    "torque_range",
    "can_timeout",
    "over_temperature",
    "software_version",
    "sub_version",
)

Numbers = Mapping[str, Mapping[int, float]]
"""Registers read, by name and motor id; a motor that did not answer is left out."""


@dataclass(frozen=True, slots=True)
class Setup:
    """What open found, in joint order. `low` and `high` bound a target's code, shape (n,):
    the joint's range and the motor's own, whichever is tighter. `rest` is each motor's command
    but for its position."""

    numbers: Numbers
    ranges: tuple[Ranges, ...]
    low: IntArray
    high: IntArray
    rest: tuple[MitCodes, ...]

    def motor_angles(self, codes: Sequence[int] | IntArray) -> list[float]:
        """What position codes mean to the motors, rad, in joint order."""
        pairs = zip(codes, self.ranges, strict=True)
        return [from_code(int(c), -r.position, r.position, POSITION_BITS) for c, r in pairs]


def survey(
    bus: MotorBus, robot: Robot, registers: Mapping[str, Register], deadline: Deadline
) -> Setup:
    """Reach every motor and read how it is set up; nothing is changed.

    Errors: DeviceFault naming all that is wrong at once (silent motors, another mode, ranges
    that are none); BadInput for a joint whose range its motor cannot express; LinkLost,
    DeadlineMissed.
    """
    silent = _silent(bus, robot, deadline)
    there = [joint.id for joint in robot.joints if joint.id not in silent]
    numbers = {
        name: read_numbers(bus, registers[name], there, deadline, _ATTEMPTS) for name in _SURVEYED
    }
    problems = _problems(robot, silent, numbers)
    if problems:
        raise DeviceFault(
            f"{robot.model} on {bus.description}: {'; '.join(problems)}",
            _remedy(bus, bool(silent), deadline),
        )
    ranges = tuple(_ranges(numbers, joint.id) for joint in robot.joints)
    low, high = _bounds(robot, ranges)
    rest = tuple(
        mit_codes(MitCommand(0.0, kp=joint.kp, kd=joint.kd), each)
        for joint, each in zip(robot.joints, ranges, strict=True)
    )
    return Setup(numbers, ranges, low, high, rest)


def read_numbers(
    bus: MotorBus, register: Register, motors: Sequence[int], deadline: Deadline, attempts: int
) -> dict[int, float]:
    """One register of several motors, in steps of its scale; asks silent ones again.

    Errors: LinkLost, DeadlineMissed.
    """
    found: dict[int, float] = {}
    for _ in range(attempts):
        missing = [motor for motor in motors if motor not in found]
        if not missing or deadline.expired:
            break
        answers = bus.read_register(register.number, missing, deadline)
        found |= {motor: register.decode(value) for motor, value in answers.items()}
    return found


def motor_name(joint: JointSpec) -> str:
    """For messages."""
    return f"motor {joint.id} ({joint.name})"


def _silent(bus: MotorBus, robot: Robot, deadline: Deadline) -> set[int]:
    silent = set(robot.ids)
    for _ in range(_ATTEMPTS):
        silent -= bus.refresh(sorted(silent), deadline).keys()
        if not silent or deadline.expired:
            break
    return silent


def _problems(robot: Robot, silent: set[int], numbers: Numbers) -> list[str]:
    problems = [f"no answer from {motor_name(j)}" for j in robot.joints if j.id in silent]
    for joint in robot.joints:
        if joint.id in silent:
            continue
        unread = [n for n in _SURVEYED if joint.id not in numbers[n] and n not in OPTIONAL]
        if unread:
            problems.append(f"{motor_name(joint)} does not tell its {', '.join(unread)}")
            continue
        mode = numbers["control_mode"][joint.id]
        if mode != MIT_MODE:
            problems.append(f"{motor_name(joint)} is in mode {mode:.0f} and not in MIT mode (1)")
        ranges = _ranges(numbers, joint.id)
        if not all(_usable(end) for end in (ranges.position, ranges.velocity, ranges.torque)):
            problems.append(f"{motor_name(joint)} has no usable ranges: {ranges}")
    return problems


def _usable(end: float) -> bool:
    return math.isfinite(end) and end > 0


def _ranges(numbers: Numbers, motor: int) -> Ranges:
    return Ranges(
        numbers["position_range"][motor],
        numbers["velocity_range"][motor],
        numbers["torque_range"][motor],
    )


def _remedy(bus: MotorBus, silent: bool, deadline: Deadline) -> str:
    """Advice; where motors are missing, with those that do answer on this bus."""
    if not silent:
        return "set the motors up with the maker's tool: MIT mode, and the model's own ranges"
    found = bus.look_around(_LOOK_AROUND_IDS, deadline.sooner(_LOOK_AROUND_NS))
    listed = ", ".join(f"{motor} (master id {master:#x})" for motor, master in found) or "none"
    return (
        "check supply, wiring, bit rate and ids; old firmware does not know the refresh command;"
        f" ids that answer on this bus: {listed}"
    )


def _bounds(robot: Robot, ranges: Sequence[Ranges]) -> tuple[IntArray, IntArray]:
    limits = robot.limits
    ends = np.stack([robot.to_motor(limits.lower), robot.to_motor(limits.upper)])
    steps = (1 << POSITION_BITS) - 1
    reach = np.array([each.position for each in ranges])
    low = np.ceil((ends.min(axis=0) + reach) * steps / (2 * reach)).astype(np.int64)
    high = np.floor((ends.max(axis=0) + reach) * steps / (2 * reach)).astype(np.int64)
    low, high = np.maximum(low, 0), np.minimum(high, steps)
    for joint, least, most, each in zip(robot.joints, low, high, ranges, strict=True):
        if least >= most:
            raise BadInput(
                f"{motor_name(joint)} cannot express the range of its joint: it tells angles"
                f" within {each.position:g} rad",
                "check the joint's offset, or set the motor's zero anew",
            )
    return low, high
