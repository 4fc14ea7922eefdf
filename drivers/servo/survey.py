"""Reaching the servos of a chain: who is there, and how they are set up."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

import numpy as np

from drivers.servo.bus import ServoBus
from drivers.servo.family import Family, Setup
from drivers.servo.joints import JointSpec, JointTable
from drivers.servo.registers import Table
from hil.clock import NS_PER_MS, Deadline
from hil.contracts import IntArray
from hil.errors import DeadlineMissed, DeviceFault

ANSWER_NS = 30 * NS_PER_MS
"""How long one servo may take to answer where time does not press."""

_ATTEMPTS = 3
_LOOK_AROUND_NS = 100 * NS_PER_MS


def survey(bus: ServoBus, robot: JointTable, family: Family, deadline: Deadline) -> Setup:
    """Reach every servo and check that it is the right one.

    Errors: DeviceFault naming all that is wrong at once (silent servos, other models, servos
    set up in a way that cannot be used, mixed firmware); LinkLost.
    """
    rows = list(zip(robot.joints, robot.tables, strict=True))
    found = {joint.id: _reach(bus, table, joint, deadline) for joint, table in rows}
    eeprom = {servo: memory for servo, memory in found.items() if memory is not None}
    problems = _problems(robot, family, eeprom)
    if problems:
        raise DeviceFault(
            f"{robot.model} on {bus.description}: {'; '.join(problems)}",
            _remedy(bus, robot, eeprom, deadline),
        )
    low, high = _count_range(robot, family, eeprom)
    signs = robot.scale.sign
    velocity = [family.velocity_unit(table, eeprom[joint.id]) for joint, table in rows]
    effort = [family.effort_unit(table) for table in robot.tables]
    return Setup(eeprom, low, high, np.array(velocity) * signs, np.array(effort) * signs)


def write_checked(
    bus: ServoBus,
    robot: JointTable,
    name: str,
    values: Mapping[int, bytes],
    deadline: Deadline,
    remedy: str = "",
) -> None:
    """Write a register to some servos in one packet and read it back, those that keep silent a
    few times.

    Errors: DeviceFault naming the joints that did not take it; LinkLost, DeadlineMissed.
    """
    if not values:
        return
    register = next(table[name] for servo, table in robot.servos.items() if servo in values)
    bus.sync_write(register.address, values, deadline)
    back: dict[int, bytes] = {}
    for _ in range(_ATTEMPTS):
        silent = [servo for servo in values if servo not in back]
        if not silent or deadline.expired:
            break
        within = deadline.sooner(len(silent) * ANSWER_NS)
        back.update(bus.read_all(silent, register.address, register.size, within).payloads)
    wrong = [j.name for j in robot.joints if j.id in values and back.get(j.id) != values[j.id]]
    if wrong:
        raise DeviceFault(
            f"{robot.model} on {bus.description}: {name} not taken by {', '.join(wrong)}", remedy
        )


def described(joint: JointSpec) -> str:
    """A joint's servo as messages name it."""
    return f"servo {joint.id} ({joint.name})"


def _reach(bus: ServoBus, table: Table, joint: JointSpec, deadline: Deadline) -> bytes | None:
    for _ in range(_ATTEMPTS):
        try:
            return bus.read(joint.id, 0, table.eeprom_size, deadline.sooner(ANSWER_NS))
        except DeadlineMissed:
            continue  # counted by the bus as a lost answer
    return None


def _problems(robot: JointTable, family: Family, eeprom: Mapping[int, bytes]) -> list[str]:
    problems = [f"no answer from {described(j)}" for j in robot.joints if j.id not in eeprom]
    versions: defaultdict[str, list[str]] = defaultdict(list)
    for joint, table in zip(robot.joints, robot.tables, strict=True):
        memory = eeprom.get(joint.id)
        if memory is None:
            continue
        model = table.decode("model_number", memory)
        if model != table.model_number:
            problems.append(
                f"{described(joint)} is model {model} and not {table.model_number} ({table.model})"
            )
            continue  # its other registers may mean something else
        problems += [
            f"{described(joint)} {reason}" for reason in family.unfit(joint, table, memory)
        ]
        versions[family.firmware(table, memory)].append(described(joint))
    if family.one_firmware and len(versions) > 1:
        listed = ", ".join(f"{version} on {', '.join(who)}" for version, who in versions.items())
        problems.append(f"firmware differs: {listed}")
    return problems


def _remedy(
    bus: ServoBus, robot: JointTable, eeprom: Mapping[int, bytes], deadline: Deadline
) -> str:
    """Advice; where servos are missing, with the ids that do answer to everybody's ping."""
    if len(eeprom) == len(robot.joints):
        return "put the servos that the robot's file names on this bus, set up as it says"
    present = bus.present(deadline.sooner(_LOOK_AROUND_NS))
    listed = ", ".join(map(str, present)) or "none"
    return f"check supply, cables, baud rate and servo ids; ids that answer on this bus: {listed}"


def _count_range(
    robot: JointTable, family: Family, eeprom: Mapping[int, bytes]
) -> tuple[IntArray, IntArray]:
    limits = robot.limits
    low, high = robot.scale.counts_within(limits.lower, limits.upper)
    for place, (joint, table) in enumerate(zip(robot.joints, robot.tables, strict=True)):
        own = family.count_limits(table, eeprom[joint.id])
        if own is None:
            continue
        low[place], high[place] = max(low[place], own[0]), min(high[place], own[1])
        if low[place] > high[place]:
            raise DeviceFault(
                f"{described(joint)} only allows counts {own[0]}..{own[1]},"
                " outside its joint's range",
                "set the limits in the servo or the rig file's calibration right",
            )
    return low, high
