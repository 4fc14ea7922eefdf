"""Reaching the servos of an arm: who is there, and how they are set up."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from drivers.feetech.arm_table import ArmTable, JointSpec
from drivers.feetech.bus import FeetechBus
from drivers.feetech.parameters import ArmParameters
from drivers.feetech.registers import Table
from hil.clock import NS_PER_MS, Deadline
from hil.contracts import FloatArray, IntArray
from hil.errors import DeadlineMissed, DeviceFault

_ATTEMPTS = 3
_ANSWER_NS = 30 * NS_PER_MS
_LOOK_AROUND_NS = 100 * NS_PER_MS

_SPEED_IN_COUNTS = 4
"""Phase bit 2: speeds in counts/s; clear: in units of 50 counts/s."""

_COARSE_SPEED_COUNTS = 50
_POSITION_MODE = 0
_FASTEST_ACCELERATION = 254


@dataclass(frozen=True, slots=True)
class Setup:
    """What open found. Arrays have shape (n,) in joint order.

    `count_low` and `count_high` bound the targets: the joint's range and the servo's own angle
    limits, whichever is tighter. `speed_unit` is the size of one step of a speed register in
    counts/s. `eeprom` holds the memory of each servo from address 0.
    """

    eeprom: Mapping[int, bytes]
    count_low: IntArray
    count_high: IntArray
    speed_unit: FloatArray


def eeprom_length(table: Table) -> int:
    """Bytes from address 0 to the end of the EEPROM part."""
    return max(register.end for register in table.registers.values() if register.eeprom)


def survey(bus: FeetechBus, arm: ArmTable, deadline: Deadline) -> Setup:
    """Reach every servo and check that it is the right one.

    Errors: DeviceFault naming all that is wrong at once (silent servos, other models, mixed
    firmware, wrong mode); LinkLost.
    """
    found = {joint.id: _reach(bus, arm.servo, joint, deadline) for joint in arm.joints}
    eeprom = {servo: memory for servo, memory in found.items() if memory is not None}
    problems = _problems(arm, eeprom)
    if problems:
        raise DeviceFault(
            f"{arm.model} on {bus.description}: {'; '.join(problems)}",
            _remedy(bus, arm, eeprom, deadline),
        )
    low, high = _count_range(arm, eeprom)
    phases = [arm.servo.decode("phase", eeprom[servo]) for servo in arm.ids]
    unit = [1.0 if phase & _SPEED_IN_COUNTS else _COARSE_SPEED_COUNTS for phase in phases]
    return Setup(eeprom, low, high, np.array(unit))


def set_motion(
    bus: FeetechBus, arm: ArmTable, setup: Setup, wanted: ArmParameters, deadline: Deadline
) -> None:
    """Write acceleration and goal speed (RAM, lost without power) and read them back.

    Errors: DeviceFault naming the joints that did not take them; LinkLost, DeadlineMissed.
    """
    table = arm.servo
    accelerations = dict.fromkeys(arm.ids, table.encode("acceleration", _acceleration(arm, wanted)))
    speeds = {
        servo: table.encode("goal_speed", speed)
        for servo, speed in zip(arm.ids, _goal_speeds(arm, setup, wanted), strict=True)
    }
    bus.sync_write(table["acceleration"].address, accelerations, deadline)
    bus.sync_write(table["goal_speed"].address, speeds, deadline)
    for name, sent in (("acceleration", accelerations), ("goal_speed", speeds)):
        register = table[name]
        back = bus.sync_read(
            arm.ids, register.address, register.size, deadline.sooner(len(arm.ids) * _ANSWER_NS)
        )
        wrong = [j.name for j in arm.joints if back.payloads.get(j.id) != sent[j.id]]
        if wrong:
            raise DeviceFault(
                f"{arm.model} on {bus.description}: {name} not taken by {', '.join(wrong)}"
            )


def _reach(bus: FeetechBus, table: Table, joint: JointSpec, deadline: Deadline) -> bytes | None:
    for _ in range(_ATTEMPTS):
        try:
            return bus.read(joint.id, 0, eeprom_length(table), deadline.sooner(_ANSWER_NS))
        except DeadlineMissed:
            continue  # counted by the bus as a lost answer
    return None


def _problems(arm: ArmTable, eeprom: Mapping[int, bytes]) -> list[str]:
    table = arm.servo
    problems = [f"no answer from {_name(j)}" for j in arm.joints if j.id not in eeprom]
    there = [joint for joint in arm.joints if joint.id in eeprom]
    versions: defaultdict[str, list[str]] = defaultdict(list)
    for joint in there:
        memory = eeprom[joint.id]
        model = table.decode("model_number", memory)
        if model != table.model_number:
            problems.append(
                f"{_name(joint)} is model {model} and not {table.model_number} ({table.model})"
            )
            continue  # its other registers may mean something else
        mode = table.decode("mode", memory)
        if mode != _POSITION_MODE:
            problems.append(f"{_name(joint)} is in mode {mode} and not in position mode (0)")
        versions[firmware(table, memory)].append(_name(joint))
    if len(versions) > 1:
        listed = ", ".join(f"{version} on {', '.join(who)}" for version, who in versions.items())
        problems.append(f"firmware differs: {listed}")
    return problems


def _remedy(bus: FeetechBus, arm: ArmTable, eeprom: Mapping[int, bytes], deadline: Deadline) -> str:
    """Advice; where servos are missing, with the ids that do answer to everybody's ping."""
    if len(eeprom) == len(arm.joints):
        return "put servos of one model and firmware, in position mode, on this bus"
    present = bus.broadcast_ping(deadline.sooner(_LOOK_AROUND_NS))
    listed = ", ".join(map(str, present)) or "none"
    return f"check supply, cables, baud rate and servo ids; ids that answer on this bus: {listed}"


def firmware(table: Table, memory: bytes) -> str:
    """Firmware version, "major.minor", from the EEPROM block of one servo."""
    major = table.decode("firmware_major", memory)
    return f"{major}.{table.decode('firmware_minor', memory)}"


def _name(joint: JointSpec) -> str:
    return f"servo {joint.id} ({joint.name})"


def _count_range(arm: ArmTable, eeprom: Mapping[int, bytes]) -> tuple[IntArray, IntArray]:
    limits = arm.limits
    low, high = arm.scale.counts_within(limits.lower, limits.upper)
    for place, servo in enumerate(arm.ids):
        least = arm.servo.decode("min_angle_limit", eeprom[servo])
        most = arm.servo.decode("max_angle_limit", eeprom[servo])
        if most > least:  # both 0: the servo does not limit the angle
            low[place] = max(low[place], least)
            high[place] = min(high[place], most)
        if low[place] > high[place]:
            joint = arm.joints[place]
            raise DeviceFault(
                f"{_name(joint)} only allows counts {least}..{most}, outside its joint's range",
                "set its angle limits (registers 9 and 11) or the rig file's calibration right",
            )
    return low, high


def _acceleration(arm: ArmTable, wanted: ArmParameters) -> int:
    if wanted.acceleration is None:
        return _FASTEST_ACCELERATION
    step = arm.servo["acceleration"].scale * arm.scale.radians_per_count
    return min(max(round(wanted.acceleration / step), 1), _FASTEST_ACCELERATION)


def _goal_speeds(arm: ArmTable, setup: Setup, wanted: ArmParameters) -> list[int]:
    highest = arm.limits.velocity
    speed = highest if wanted.goal_speed is None else np.minimum(highest, wanted.goal_speed)
    counts = speed / arm.scale.radians_per_count / setup.speed_unit
    # 0 means "as fast as can be" to the servo, so 1 is the slowest
    return [int(value) for value in np.clip(np.floor(counts), 1, 32767)]
