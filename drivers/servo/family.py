"""What differs from one family of servos to another, for the device that they share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from drivers.servo.bus import ServoBus
from drivers.servo.joints import JointSpec, JointTable
from drivers.servo.registers import Table
from drivers.transport.base import Transport
from hil.clock import Clock, Deadline
from hil.contracts import Finding, FloatArray, IntArray


@dataclass(frozen=True, slots=True)
class Words:
    """How a family's tables call what every servo has.

    `torque_enable`, `goal_position`, `present_position` and `model_number` are called so in
    all of them. Of `efforts` a model has one. `identity` are EEPROM registers that belong to
    the record of a run; `looked_at` RAM registers that health reads besides.
    """

    velocity: str
    efforts: tuple[str, ...]
    voltage: str
    lowest_voltage: str
    highest_voltage: str
    temperature: str
    highest_temperature: str
    return_delay: str
    identity: tuple[str, ...]
    looked_at: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Setup:
    """What open found. Arrays have shape (n,) in joint order.

    `count_low` and `count_high` bound the targets: the joint's range and the servo's own
    limits, whichever is tighter. `velocity_unit` (rad/s) and `effort_unit` (fraction of the
    stall torque) are the size of one step of what is read, with the joint's sign. `eeprom`
    holds the memory of each servo from address 0.
    """

    eeprom: Mapping[int, bytes]
    count_low: IntArray
    count_high: IntArray
    velocity_unit: FloatArray
    effort_unit: FloatArray


@dataclass(frozen=True, slots=True)
class View:
    """Registers of those joints whose memory was read: EEPROM from address 0, RAM from
    `ram_base` on, each by servo id."""

    robot: JointTable
    eeprom: Mapping[int, bytes]
    ram: Mapping[int, bytes]
    ram_base: int

    @property
    def rows(self) -> list[tuple[str, int, Table]]:
        """Name, servo id and control table of the joints that are there, in joint order."""
        both = self.eeprom.keys() & self.ram.keys()
        pairs = zip(self.robot.joints, self.robot.tables, strict=True)
        return [(joint.name, joint.id, table) for joint, table in pairs if joint.id in both]

    def raw(self, servo: int, table: Table, name: str) -> int:
        """Value of a register in its own steps."""
        if table[name].eeprom:
            return table.decode(name, self.eeprom[servo])
        return table.decode(name, self.ram[servo], self.ram_base)

    def value(self, servo: int, table: Table, name: str) -> float:
        """Value of a register in its unit."""
        return self.raw(servo, table, name) * table[name].scale


class Family(Protocol):
    """One family of servos. `name` is what people call it; with `one_firmware`, a chain whose
    servos differ in it is refused."""

    @property
    def name(self) -> str: ...

    @property
    def words(self) -> Words: ...

    @property
    def one_firmware(self) -> bool: ...

    def bus(self, transport: Transport, clock: Clock, robot: JointTable) -> ServoBus:
        """The bus for these servos; owns the transport."""
        ...

    def set_up(self, bus: ServoBus, robot: JointTable, deadline: Deadline) -> None:
        """Change what the rig file allows to be changed for good, before the survey.

        Errors: LinkLost, DeadlineMissed.
        """
        ...

    def firmware(self, table: Table, memory: bytes) -> str:
        """Version from the EEPROM block of one servo."""
        ...

    def unfit(self, joint: JointSpec, table: Table, memory: bytes) -> Sequence[str]:
        """Why a servo of the right model cannot be used as it is set up; each reads on after
        its name ("is in mode 1 ...")."""
        ...

    def count_limits(self, table: Table, memory: bytes) -> tuple[int, int] | None:
        """Lowest and highest goal that the servo takes; None where it does not limit them."""
        ...

    def velocity_unit(self, table: Table, memory: bytes) -> float:
        """Size of one step of its velocity register, rad/s."""
        ...

    def effort_unit(self, table: Table) -> float:
        """Size of one step of its effort register, as a fraction of the stall torque."""
        ...

    def prepare(self, bus: ServoBus, robot: JointTable, setup: Setup, deadline: Deadline) -> None:
        """Set what a run needs, in RAM only, and read it back.

        Errors: DeviceFault naming the joints that did not take it; LinkLost, DeadlineMissed.
        """
        ...

    def before_torque(self, bus: ServoBus, robot: JointTable, deadline: Deadline) -> None:
        """Undo what would keep the servos from taking a goal. Errors: LinkLost."""
        ...

    def findings(self, view: View) -> Sequence[Finding]:
        """What only this family can say of its servos."""
        ...
