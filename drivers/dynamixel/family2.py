"""What is particular to Dynamixel motors under Protocol 2.0: registers, units, modes, errors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from drivers.dynamixel.bus import DynamixelBus
from drivers.dynamixel.codec2 import HardwareError
from drivers.dynamixel.parameters import ChainParameters
from drivers.findings import judged
from drivers.servo.bus import ServoBus
from drivers.servo.family import Setup, View, Words
from drivers.servo.joints import JointSpec, JointTable
from drivers.servo.registers import Table
from drivers.servo.survey import ANSWER_NS, write_checked
from drivers.transport.base import Transport
from hil.clock import Clock, Deadline
from hil.contracts import Finding
from hil.errors import DeadlineMissed, DeviceFault

POSITION, EXTENDED_POSITION, CURRENT_POSITION = 3, 4, 5
POSITION_MODES = (POSITION, EXTENDED_POSITION, CURRENT_POSITION)
ALL_ANSWERED = 2
"""Status return level at which every instruction is answered."""

_BY_TIME = 4
_TORQUE_BY_GOAL = 8
"""Bits of the drive mode: profiles by time; a goal switches the torque on."""

_FASTEST_PROFILE = 32767
_SURVEYED_RAM = ("status_return_level", "hardware_error_status", "bus_watchdog")

WORDS = Words(
    velocity="present_velocity",
    efforts=("present_current", "present_load"),
    voltage="present_input_voltage",
    lowest_voltage="min_voltage_limit",
    highest_voltage="max_voltage_limit",
    temperature="present_temperature",
    highest_temperature="temperature_limit",
    return_delay="return_delay_time",
    identity=("return_delay_time", "operating_mode", "homing_offset"),
    looked_at=_SURVEYED_RAM,
)


@dataclass(frozen=True, slots=True)
class Family2:
    """A `drivers.servo.family.Family`, with what the rig file asks of this robot.

    The effort is the current as a fraction of that at stall, or the load where a model has no
    current.
    """

    wanted: ChainParameters
    name: str = "Dynamixel"
    words: Words = WORDS
    one_firmware: bool = False

    def bus(self, transport: Transport, clock: Clock, robot: JointTable) -> ServoBus:
        return DynamixelBus(transport, clock)

    def set_up(self, bus: ServoBus, robot: JointTable, deadline: Deadline) -> None:
        """Operating modes, where the rig file allows that; a motor that is silent, or has
        torque on, is left for the survey to tell."""
        if not self.wanted.set_mode:
            return
        for joint, table in zip(robot.joints, robot.tables, strict=True):
            if joint.mode is not None:
                self._set_mode(bus, joint, table, deadline)

    def firmware(self, table: Table, memory: bytes) -> str:
        return str(table.decode("firmware_version", memory))

    def unfit(self, joint: JointSpec, table: Table, memory: bytes) -> Sequence[str]:
        mode = table.decode("operating_mode", memory)
        allowed = (joint.mode,) if joint.mode is not None else POSITION_MODES
        found: list[str] = []
        if mode not in allowed:
            listed = ", ".join(map(str, allowed))
            found.append(
                f"is in operating mode {mode} and not in {listed} (set_mode can change it)"
            )
        elif joint.current_limit is not None and mode != CURRENT_POSITION:
            found.append(f"is in operating mode {mode}, and only {CURRENT_POSITION} limits current")
        drive = table.decode("drive_mode", memory)
        if drive & _BY_TIME:
            found.append("makes its profiles by time (drive mode, bit 2)")
        if drive & _TORQUE_BY_GOAL:
            found.append("switches its torque on with a goal (drive mode, bit 3)")
        return found

    def count_limits(self, table: Table, memory: bytes) -> tuple[int, int] | None:
        """Only position mode has limits of its own; the others end at the register's range."""
        if table.decode("operating_mode", memory) == POSITION:
            low = table.decode("min_position_limit", memory)
            return low, table.decode("max_position_limit", memory)
        goal = table["goal_position"]
        return None if goal.highest is None else (goal.lowest, goal.highest)

    def velocity_unit(self, table: Table, memory: bytes) -> float:
        return table["present_velocity"].scale

    def effort_unit(self, table: Table) -> float:
        if "present_current" not in table:
            return table["present_load"].scale
        if table.motor is None:
            raise DeviceFault(f"the table of the {table.model} does not tell its stall current")
        return table["present_current"].scale / table.motor.stall_current

    def prepare(self, bus: ServoBus, robot: JointTable, setup: Setup, deadline: Deadline) -> None:
        """Watchdog off, fast reads decided, profiles and current limits set."""
        self._decide_fast_reads(bus, robot, setup)
        self.before_torque(bus, robot, deadline)
        self.set_profiles(bus, robot, deadline)
        limits = self._current_limits(robot, setup)
        write_checked(bus, robot, "goal_current", limits, deadline)

    def before_torque(self, bus: ServoBus, robot: JointTable, deadline: Deadline) -> None:
        """Watchdog off: once tripped, it keeps goals from being written."""
        self.set_watchdog(bus, robot, 0, deadline)

    def set_watchdog(
        self, bus: ServoBus, robot: JointTable, steps: int, deadline: Deadline
    ) -> None:
        """Arm it with so many steps of 20 ms, or switch it off and clear it with 0.

        Errors: DeviceFault naming the joints that did not take it; LinkLost, DeadlineMissed.
        """
        values = {
            servo: table.encode("bus_watchdog", steps) for servo, table in robot.servos.items()
        }
        write_checked(bus, robot, "bus_watchdog", values, deadline)

    def set_profiles(self, bus: ServoBus, robot: JointTable, deadline: Deadline) -> None:
        """Profile velocity and acceleration; a tripped watchdog sets both to 0, without limit.

        Errors: DeviceFault naming the joints that did not take it; LinkLost, DeadlineMissed.
        """
        velocities: dict[int, bytes] = {}
        accelerations: dict[int, bytes] = {}
        for joint, table in zip(robot.joints, robot.tables, strict=True):
            speed = min(joint.velocity, self.wanted.goal_speed or joint.velocity)
            velocities[joint.id] = _steps(table, "profile_velocity", speed)
            accelerations[joint.id] = _steps(
                table, "profile_acceleration", self.wanted.acceleration
            )
        write_checked(bus, robot, "profile_acceleration", accelerations, deadline)
        write_checked(bus, robot, "profile_velocity", velocities, deadline)

    def findings(self, view: View) -> Sequence[Finding]:
        return [_hardware(view), _watchdog(view), _status_level(view), self._fast_reads(view)]

    def _set_mode(self, bus: ServoBus, joint: JointSpec, table: Table, deadline: Deadline) -> None:
        register = table["operating_mode"]
        wanted = table.encode("operating_mode", joint.mode or 0)
        within = deadline.sooner(3 * ANSWER_NS)
        try:
            now = bus.read(joint.id, register.address, register.size, within)
            torque = bus.read(joint.id, table["torque_enable"].address, 1, within)
            if now != wanted and torque == b"\0":
                bus.write(joint.id, register.address, wanted, within)
        except DeadlineMissed:
            return  # counted by the bus; the survey reads what became of it

    def _decide_fast_reads(self, bus: ServoBus, robot: JointTable, setup: Setup) -> None:
        slow = [
            joint.name
            for joint, table in zip(robot.joints, robot.tables, strict=True)
            if not reads_fast(table, setup.eeprom[joint.id])
        ]
        if self.wanted.fast_read and slow:
            raise DeviceFault(
                f"{robot.model} on {bus.description}: no fast reads with {', '.join(slow)}",
                "bring their firmware up to date, or leave fast_read out",
            )
        if isinstance(bus, DynamixelBus):
            bus.fast = not slow and self.wanted.fast_read is not False

    def _current_limits(self, robot: JointTable, setup: Setup) -> dict[int, bytes]:
        limits: dict[int, bytes] = {}
        for joint, table in zip(robot.joints, robot.tables, strict=True):
            asked = [a for a in (joint.current_limit, self.wanted.current_limit) if a is not None]
            memory = setup.eeprom[joint.id]
            if not asked or "goal_current" not in table:
                continue
            if table.decode("operating_mode", memory) != CURRENT_POSITION:
                continue
            steps = int(np.floor(min(asked) / table["goal_current"].scale))
            own = table.decode("current_limit", memory)
            limits[joint.id] = table.encode("goal_current", min(steps, own))
        return limits

    def _fast_reads(self, view: View) -> Finding:
        slow = [
            f"{name} (firmware {self.firmware(table, view.eeprom[servo])})"
            for name, servo, table in view.rows
            if not reads_fast(table, view.eeprom[servo])
        ]
        return Finding("fast reads", True, f"not with {', '.join(slow)}" if slow else "possible")


def reads_fast(table: Table, memory: bytes) -> bool:
    """Whether a motor's firmware answers fast reads."""
    since = table.fast_read_firmware
    return since is not None and table.decode("firmware_version", memory) >= since


def has_watchdog(table: Table, memory: bytes) -> bool:
    """Whether a motor's firmware has the bus watchdog."""
    since = table.watchdog_firmware
    return since is not None and table.decode("firmware_version", memory) >= since


def _steps(table: Table, name: str, value: float | None) -> bytes:
    """A profile's bound in the register's steps; 0 means none to the motor, so 1 is the least."""
    if value is None:
        return table.encode(name, 0)
    return table.encode(name, int(np.clip(value / table[name].scale, 1, _FASTEST_PROFILE)))


def _hardware(view: View) -> Finding:
    bad: list[str] = []
    for name, servo, table in view.rows:
        flags = HardwareError(view.raw(servo, table, "hardware_error_status"))
        if flags:
            known = [
                bit.name.lower().replace("_", " ")
                for bit in HardwareError
                if bit in flags and bit.name
            ]
            bad.append(f"{name} {' + '.join(known) or f'bits {flags.value:#04x}'}")
    remedy = "remove the cause, then reboot the motor or cycle its power"
    return judged("hardware errors", bad, "none", remedy)


def _words(flags: HardwareError) -> str:
    names = [bit.name.lower() for bit in HardwareError if bit in flags and bit.name]
    known = [name.replace("_", " ") for name in names]
    return " + ".join(known) or f"bits {flags.value:#04x}"


def _watchdog(view: View) -> Finding:
    values = {name: view.raw(servo, table, "bus_watchdog") for name, servo, table in view.rows}
    bad = [name for name, value in values.items() if value < 0]
    armed = sorted({value * 20 for value in values.values() if value > 0})
    good = f"{', '.join(map(str, armed))} ms" if armed else "off"
    return judged(
        "bus watchdog", bad, good, "tripped: these motors take no goal until it is cleared"
    )


def _status_level(view: View) -> Finding:
    bad = [
        f"{name} {level}"
        for name, servo, table in view.rows
        if (level := view.raw(servo, table, "status_return_level")) != ALL_ANSWERED
    ]
    remedy = "set register 68 to 2, or a write to one motor cannot be confirmed"
    return judged("status return level", bad, "all is answered", remedy)
