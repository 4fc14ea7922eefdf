"""What is particular to Feetech servos: registers, units, error bits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from drivers.feetech.bus import FeetechBus
from drivers.feetech.codec import ServoError
from drivers.feetech.parameters import ArmParameters
from drivers.servo.bus import ServoBus
from drivers.servo.family import Setup, View, Words
from drivers.servo.health import judged
from drivers.servo.joints import JointSpec, JointTable
from drivers.servo.registers import Table
from drivers.servo.survey import write_checked
from drivers.transport.base import Transport
from hil.clock import Clock, Deadline
from hil.contracts import Finding

_SPEED_IN_COUNTS = 4
"""Phase bit 2 of the STS series: speeds in counts/s; clear: in units of 50 counts/s."""

_FULL_ANGLE = 16
"""Phase bit 4 of the STS series: the position counts on over a turn, and below 0."""

_COARSE_SPEED_COUNTS = 50
_POSITION_MODE = 0
_FASTEST_ACCELERATION = 254

WORDS = Words(
    velocity="present_speed",
    efforts=("present_load",),
    voltage="present_voltage",
    lowest_voltage="min_voltage",
    highest_voltage="max_voltage",
    temperature="present_temperature",
    highest_temperature="max_temperature",
    return_delay="return_delay",
    identity=("return_delay", "status_return_level"),
    looked_at=("status", "present_current"),
)


def is_sts(table: Table) -> bool:
    """Whether a model is of the STS or SMS series: only those have a mode register."""
    return "mode" in table


@dataclass(frozen=True, slots=True)
class FeetechFamily:
    """A `drivers.servo.family.Family`, with what the rig file asks of this arm.

    The effort of all models is the duty of the motor voltage.
    """

    wanted: ArmParameters
    name: str = "Feetech"
    words: Words = WORDS
    one_firmware: bool = True

    def bus(self, transport: Transport, clock: Clock, robot: JointTable) -> ServoBus:
        """What one servo lacks, SYNC READ or a place of its own in the answers to a ping to
        everybody, none is asked for."""
        return FeetechBus(
            transport,
            clock,
            sync_read=all(table.sync_read for table in robot.tables),
            ping_all=all(table.broadcast_ping for table in robot.tables),
        )

    def set_up(self, bus: ServoBus, robot: JointTable, deadline: Deadline) -> None:
        """Nothing is ever changed for good in these servos."""

    def firmware(self, table: Table, memory: bytes) -> str:
        major = table.decode("firmware_major", memory)
        return f"{major}.{table.decode('firmware_minor', memory)}"

    def unfit(self, joint: JointSpec, table: Table, memory: bytes) -> Sequence[str]:
        if not is_sts(table):
            low, high = self._angle_limits(table, memory)
            return ["has no angle limits, which makes it a wheel"] if low == high == 0 else []
        mode = table.decode("mode", memory)
        return [] if mode == _POSITION_MODE else [f"is in mode {mode} and not in position mode (0)"]

    def count_limits(self, table: Table, memory: bytes) -> tuple[int, int] | None:
        low, high = self._angle_limits(table, memory)
        return (low, high) if high > low else None  # both 0: the servo does not limit the angle

    def velocity_unit(self, table: Table, memory: bytes) -> float:
        return self._speed_counts(table, memory) * table.radians_per_count

    def effort_unit(self, table: Table) -> float:
        return table["present_load"].scale

    def prepare(self, bus: ServoBus, robot: JointTable, setup: Setup, deadline: Deadline) -> None:
        """Goal speed and acceleration."""
        accelerations = {
            servo: table.encode("acceleration", self._acceleration(table))
            for servo, table in robot.servos.items()
            if table["acceleration"].unit  # the SCS series has the register and no use for it
        }
        write_checked(bus, robot, "acceleration", accelerations, deadline)
        write_checked(bus, robot, "goal_speed", self._goal_speeds(robot, setup), deadline)

    def before_torque(self, bus: ServoBus, robot: JointTable, deadline: Deadline) -> None:
        """Nothing stands in the way of these servos."""

    def findings(self, view: View) -> Sequence[Finding]:
        encoders = [name for name, _, table in view.rows if is_sts(table)]
        return [_errors(view), *([_position_range(view)] if encoders else [])]

    def _acceleration(self, table: Table) -> int:
        if self.wanted.acceleration is None:
            return _FASTEST_ACCELERATION
        step = table["acceleration"].scale * table.radians_per_count
        return min(max(round(self.wanted.acceleration / step), 1), _FASTEST_ACCELERATION)

    def _goal_speeds(self, robot: JointTable, setup: Setup) -> dict[int, bytes]:
        highest = robot.limits.velocity
        wanted = self.wanted.goal_speed
        speed = highest if wanted is None else np.minimum(highest, wanted)
        counts = np.floor(speed / np.abs(setup.velocity_unit))
        return {
            servo: table.encode("goal_speed", _speed_in_range(table, int(count)))
            for (servo, table), count in zip(robot.servos.items(), counts, strict=True)
        }

    @staticmethod
    def _angle_limits(table: Table, memory: bytes) -> tuple[int, int]:
        low = table.decode("min_angle_limit", memory)
        return low, table.decode("max_angle_limit", memory)

    @staticmethod
    def _speed_counts(table: Table, memory: bytes) -> float:
        if not is_sts(table) or table.decode("phase", memory) & _SPEED_IN_COUNTS:
            return 1.0
        return _COARSE_SPEED_COUNTS


def _speed_in_range(table: Table, count: int) -> int:
    """0 means "as fast as can be" to the servo, so 1 is the slowest."""
    highest = table["goal_speed"].highest
    return max(count if highest is None else min(count, highest), 1)


def _errors(view: View) -> Finding:
    flags = {name: ServoError(view.raw(servo, table, "status")) for name, servo, table in view.rows}
    bad = [f"{name} {_words(flag)}" for name, flag in flags.items() if flag]
    return judged("errors", bad, "no error bits", "remove the cause, then cycle the power")


def _words(flag: ServoError) -> str:
    known = [bit.name.lower() for bit in ServoError if bit in flag and bit.name]
    return "+".join(known) or f"bits {flag.value:#04x}"


def _position_range(view: View) -> Finding:
    bad = [
        name
        for name, servo, table in view.rows
        if is_sts(table) and view.raw(servo, table, "phase") & _FULL_ANGLE
    ]
    remedy = "clear bit 4 of phase (register 18), or positions can leave 0..4095"
    return judged("position range", bad, "one turn", remedy)
