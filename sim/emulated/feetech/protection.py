"""What a servo watches in itself: voltage, heat, overload, and current where it measures it.

Time-outs and thresholds are registers, and one more says which findings unload the motor.
Over-current and overload have to last; both then stay until the torque is switched again. An
overload also ends with a new goal: with any, or with one on the other side of the joint, as the
model's table says.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from drivers.feetech.codec import ServoError
from sim.emulated.feetech.memory import Memory
from sim.emulated.servo.motor import GearMotor

UNPOWERING = ServoError.VOLTAGE | ServoError.ANGLE | ServoError.OVERHEAT | ServoError.CURRENT
"""Findings that cut the motor where the unloading condition asks for it; overload only weakens
it."""


@dataclass(frozen=True, slots=True)
class Thresholds:
    """The registers behind the protections, in SI units and fractions of the stall torque."""

    voltage: tuple[float, float]
    temperature: float
    current: float
    current_s: float
    load: float
    load_s: float
    weakened: float
    unloading: ServoError
    any_goal: bool

    @classmethod
    def of(cls, memory: Memory) -> Thresholds:
        return cls(
            voltage=(memory.value("min_voltage"), memory.value("max_voltage")),
            temperature=memory.value("max_temperature"),
            current=memory.value_or("protection_current", math.inf),
            current_s=memory.value_or("overcurrent_time", math.inf),
            load=memory.value("overload_torque"),
            load_s=memory.value("protection_time"),
            weakened=memory.value("protective_torque"),
            unloading=ServoError(memory.get("unloading_condition")),
            any_goal=memory.table.any_goal_ends_overload,
        )


class Protection:
    """Findings of one servo and how long the slow ones have lasted."""

    def __init__(self) -> None:
        self._current_s = 0.0
        self._load_s = 0.0
        self._latched = ServoError.NONE
        self._passing = ServoError.NONE
        self.load_sign = 0.0
        self.injected = ServoError.NONE

    @property
    def errors(self) -> ServoError:
        """The error byte of every answer."""
        return self._latched | self._passing | self.injected

    def step(self, dt: float, motor: GearMotor, limits: Thresholds) -> None:
        """Account for `dt` seconds of the motor's state."""
        self._passing = ServoError.NONE
        if not limits.voltage[0] <= motor.voltage <= limits.voltage[1]:
            self._passing |= ServoError.VOLTAGE
        if motor.temperature > limits.temperature:
            self._passing |= ServoError.OVERHEAT
        self._current_s = self._current_s + dt if abs(motor.current) > limits.current else 0.0
        self._load_s = self._load_s + dt if abs(motor.load) > limits.load else 0.0
        if self._current_s > limits.current_s:
            self._latched |= ServoError.CURRENT
        if self._load_s > limits.load_s:
            self._latched |= ServoError.OVERLOAD
            self.load_sign = motor.load

    def powered(self, limits: Thresholds) -> bool:
        """Whether the motor may be driven at all."""
        return not self.errors & UNPOWERING & limits.unloading

    def torque_fraction(self, limits: Thresholds) -> float:
        """Upper bound of the torque, as a fraction of the stall torque."""
        weak = self.errors & ServoError.OVERLOAD & limits.unloading
        return limits.weakened if weak else 1.0

    def release(self) -> None:
        """Forget what had latched."""
        self._latched = ServoError.NONE
        self._current_s = self._load_s = 0.0

    def goal_given(self, way: float, limits: Thresholds) -> None:
        """A new goal lies `way` from here, which may end an overload."""
        if self._latched & ServoError.OVERLOAD and (limits.any_goal or way * self.load_sign < 0):
            self._latched &= ~ServoError.OVERLOAD
            self._load_s = 0.0
