"""The mechanical half of an emulated Dynamixel motor, the same under both protocols."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeVar

from drivers.dynamixel.codec1 import ErrorBit
from drivers.dynamixel.codec2 import HardwareError
from drivers.servo.registers import Table
from hil.errors import HarnessError
from sim.emulated.servo.memory import RegisterFile
from sim.emulated.servo.motor import GearMotor
from sim.robots.profile import MotionProfile
from sim.twin.emulator import Body, Drive

OVERLOADED = 0.9
"""Fraction of the stall torque that counts as overload when it lasts."""

_OVERLOAD_S = 1.0
"""How long; the maker publishes neither figure."""


Bits = TypeVar("Bits", ErrorBit, HardwareError)


@dataclass(frozen=True, slots=True)
class Mounting:
    """Where a motor sits: its id, the count at 0 rad, and +1 or -1 for counts that grow or
    shrink with the joint's angle."""

    id: int
    zero_count: int
    sign: int


@dataclass(frozen=True, slots=True)
class Orders:
    """What the registers ask of the motor now: rad/s, rad/s^2 (infinity: no limit), a fraction
    of the stall torque, and whether it may be driven at all."""

    speed: float
    acceleration: float
    torque: float
    powered: bool


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a motor watches in itself: supply in V, temperature in deg C."""

    lowest_voltage: float
    highest_voltage: float
    temperature: float

    @classmethod
    def of(cls, registers: RegisterFile) -> Bounds:
        """From registers that both protocols call alike; half a step of grace."""
        return cls(
            registers.value("min_voltage_limit") - 0.05,
            registers.value("max_voltage_limit") + 0.05,
            registers.value("temperature_limit"),
        )


class Actuator:
    """Encoder, gear motor and set-point generator of one motor.

    Errors: HarnessError for a table without the maker's figures.
    """

    def __init__(self, table: Table, mounting: Mounting, supply: float | None) -> None:
        if table.motor is None:
            raise HarnessError(f"the table of the {table.model} has no figures of its motor")
        self._data = table.motor
        self._turn = table.counts_per_turn
        self._first = _first_count(table)
        self._zero = mounting.zero_count
        self.sign = mounting.sign
        self._count = mounting.sign * table.radians_per_count  # rad, signed
        self._nominal = table.motor.supply if supply is None else supply
        self._supply = self._nominal
        self.body = Body(0.0, 0.0, 0.0)
        self._shift = 0
        self.restart()

    def restart(self) -> None:
        """Power off and on: no goal, cool, and a position within one turn."""
        self.motor = GearMotor(self._data, self._supply)
        self._profile = MotionProfile(self.body.position)
        self._goal: float | None = None
        self._driven = False
        self._overload_s = 0.0
        self.wrap()

    def supply(self, volts: float | None) -> None:
        """Another supply voltage from now on; None for the right one."""
        self._supply = self._nominal if volts is None else volts
        self.motor.supply = self._supply
        self.motor.step(0.0, 0.0)

    def wrap(self) -> None:
        """Bring the position back into one turn, as power-up and CLEAR do."""
        self._shift = 0
        self._shift = -((self.counts - self._first) // self._turn) * self._turn

    @property
    def counts(self) -> int:
        """Encoder position before any offset of the registers."""
        return self._zero + round(self.body.position / self._count) + self._shift

    def watched(self, bounds: Bounds, found: Bits) -> Bits:
        """`found`, and what else the motor finds wrong with itself, in bits of its protocol."""
        bits = type(found)
        if not bounds.lowest_voltage <= self.motor.voltage <= bounds.highest_voltage:
            found |= bits.INPUT_VOLTAGE
        if self.motor.temperature > bounds.temperature:
            found |= bits.OVERHEATING
        if self._overload_s > _OVERLOAD_S:
            found |= bits.OVERLOAD
        return found

    @property
    def trajectory(self) -> tuple[int, float]:
        """Set-point in counts, and its speed in rad/s of the motor's own sense."""
        position = self._zero + round(self._profile.position / self._count) + self._shift
        return position, self._profile.velocity * self.sign

    @property
    def arrived(self) -> bool:
        """Whether the set-point has reached the goal."""
        return self._goal is None or abs(self._goal - self._profile.position) < abs(self._count)

    def aim(self, counts: int) -> None:
        """A new goal in encoder counts."""
        self._goal = (counts - self._shift - self._zero) * self._count

    def hold(self) -> None:
        """Stay where it is: the goal is the present position."""
        self._goal = None
        self._profile.restart(self.body.position)

    def step(self, dt: float, body: Body, orders: Orders) -> Drive:
        """Advance by `dt` seconds from the joint's state; returns the plant's orders."""
        self.body = body
        # what the plant reports of an unpowered joint is the gearbox, not the motor
        self.motor.step(dt, body.torque if self._driven else 0.0)
        heavy = abs(self.motor.load) > OVERLOADED
        self._overload_s = self._overload_s + dt if heavy else 0.0
        self._driven = orders.powered
        if not orders.powered:
            self._profile.restart(body.position)
            return Drive(body.position, 0.0, enabled=False)
        goal = self._profile.position if self._goal is None else self._goal
        speed = min(orders.speed, self._data.no_load_speed)
        target = self._profile.step(goal, speed, orders.acceleration, dt)
        return Drive(target, min(orders.torque, 1.0) * self._data.stall_torque, enabled=True)


def _first_count(table: Table) -> int:
    """The first count of the turn in which a motor finds itself at power-up: 0, or half a turn
    below it where the model has its zero in the middle."""
    name = "min_position_limit"
    return table[name].lowest if name in table else 0


def limit(registers: RegisterFile, name: str) -> float:
    """A bound of a profile in its unit; the 0 of the register means none."""
    return registers.value(name) or math.inf
