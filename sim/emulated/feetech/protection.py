"""What an STS3215 watches in itself: voltage, heat, current, overload.

The time-outs and thresholds are registers (13-15, 28, 34-36, 38), and register 19 says which
findings unload the motor. Over-current and overload have to last; both then stay until the
torque is switched again, overload also until a goal on the other side of the joint comes.
"""

from __future__ import annotations

from dataclasses import dataclass

from drivers.feetech.codec import ServoError
from sim.emulated.feetech.memory import Memory
from sim.emulated.feetech.motor import Motor

CURRENT_UNIT = 6.5e-3
"""A per count of the current registers."""

UNPOWERING = ServoError.VOLTAGE | ServoError.ANGLE | ServoError.OVERHEAT | ServoError.CURRENT
"""Findings that cut the motor where register 19 asks for it; overload only weakens it."""


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

    @classmethod
    def of(cls, memory: Memory) -> Thresholds:
        return cls(
            voltage=(memory.get("min_voltage") / 10, memory.get("max_voltage") / 10),
            temperature=memory.get("max_temperature"),
            current=memory.get("protection_current") * CURRENT_UNIT,
            current_s=memory.get("overcurrent_time") / 100,
            load=memory.get("overload_torque") / 100,
            load_s=memory.get("protection_time") / 100,
            weakened=memory.get("protective_torque") / 100,
            unloading=ServoError(memory.get("unloading_condition")),
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

    def step(self, dt: float, motor: Motor, limits: Thresholds) -> None:
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

    def goal_reversed(self, way: float) -> None:
        """A new goal lies `way` from here: away from the load, overload is over."""
        if self._latched & ServoError.OVERLOAD and way * self.load_sign < 0:
            self._latched &= ~ServoError.OVERLOAD
            self._load_s = 0.0
