"""What is particular to Dynamixel motors under Protocol 1.0 (AX series, MX as delivered)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from drivers.dynamixel.parameters import ChainParameters
from drivers.findings import judged
from drivers.servo.bus import ServoBus
from drivers.servo.bus1 import Frame1Bus
from drivers.servo.family import Setup, View, Words
from drivers.servo.joints import JointSpec, JointTable
from drivers.servo.registers import Table
from drivers.servo.survey import write_checked
from drivers.transport.base import Transport
from hil.clock import Clock, Deadline
from hil.contracts import Finding

_FASTEST_SPEED = 1023

WORDS = Words(
    velocity="present_speed",
    efforts=("present_load",),
    voltage="present_voltage",
    lowest_voltage="min_voltage_limit",
    highest_voltage="max_voltage_limit",
    temperature="present_temperature",
    highest_temperature="temperature_limit",
    return_delay="return_delay_time",
    identity=("return_delay_time", "status_return_level"),
    looked_at=("torque_limit",),
)


@dataclass(frozen=True, slots=True)
class Family1:
    """A `drivers.servo.family.Family`. The motors are read one by one; they have no watchdog,
    no current limit and no modes beside the angle limits."""

    wanted: ChainParameters
    name: str = "Dynamixel (protocol 1)"
    words: Words = WORDS
    one_firmware: bool = False

    def bus(self, transport: Transport, clock: Clock, robot: JointTable) -> ServoBus:
        return Frame1Bus(transport, clock, sync_read=False)

    def set_up(self, bus: ServoBus, robot: JointTable, deadline: Deadline) -> None:
        """Nothing is ever changed for good in these motors."""

    def firmware(self, table: Table, memory: bytes) -> str:
        return str(table.decode("firmware_version", memory))

    def unfit(self, joint: JointSpec, table: Table, memory: bytes) -> Sequence[str]:
        low, high = self._angle_limits(table, memory)
        if low == high == 0:
            return ["has angle limits of 0, which makes it a wheel"]
        return ["is in multi-turn mode"] if low == high else []

    def count_limits(self, table: Table, memory: bytes) -> tuple[int, int] | None:
        return self._angle_limits(table, memory)

    def velocity_unit(self, table: Table, memory: bytes) -> float:
        return table["present_speed"].scale

    def effort_unit(self, table: Table) -> float:
        return table["present_load"].scale

    def prepare(self, bus: ServoBus, robot: JointTable, setup: Setup, deadline: Deadline) -> None:
        """Moving speed; 0 means no limit to the motor, so 1 is the slowest."""
        speeds: dict[int, bytes] = {}
        for joint, table in zip(robot.joints, robot.tables, strict=True):
            speed = min(joint.velocity, self.wanted.goal_speed or joint.velocity)
            steps = np.clip(speed / table["moving_speed"].scale, 1, _FASTEST_SPEED)
            speeds[joint.id] = table.encode("moving_speed", int(steps))
        write_checked(bus, robot, "moving_speed", speeds, deadline)

    def before_torque(self, bus: ServoBus, robot: JointTable, deadline: Deadline) -> None:
        """Nothing stands in the way of these motors."""

    def findings(self, view: View) -> Sequence[Finding]:
        bad = [n for n, servo, table in view.rows if not view.raw(servo, table, "torque_limit")]
        remedy = "a motor that shut down has a torque limit of 0; remove the cause, cycle the power"
        return [judged("shutdown", bad, "none", remedy)]

    @staticmethod
    def _angle_limits(table: Table, memory: bytes) -> tuple[int, int]:
        low = table.decode("cw_angle_limit", memory)
        return low, table.decode("ccw_angle_limit", memory)
