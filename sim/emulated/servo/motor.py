"""Gear motor of an emulated servo: load, current, voltage, temperature.

Stall torque, stall current, speed and supply are those of the maker's data sheet, as the
control table has them. The thermal and supply values are *not* from a data sheet: they are
plausible first-order values, so that the registers move in the right direction and at a
credible pace. Nothing measured on them says anything about a real motor.
"""

from __future__ import annotations

from drivers.servo.registers import Motor

_SAG = 0.03
"""Fraction of the supply lost in cable and connector at the stall current."""

_AMBIENT = 25.0  # deg C
_RISE = 90.0
"""K that a motor would settle above ambient if it were stalled for ever."""

_TIME_S = 200.0
"""Time constant of its one lumped thermal mass."""


class GearMotor:
    """State of one motor. `load` is the signed fraction of the stall torque, `current` in A
    signed as the torque, `voltage` in V, `temperature` in deg C."""

    def __init__(self, motor: Motor, supply: float) -> None:
        self._motor = motor
        self.supply = supply
        self.load = 0.0
        self.current = 0.0
        self.voltage = supply
        self.temperature = _AMBIENT

    def step(self, dt: float, torque: float) -> None:
        """Account for `torque` (N m, signed) over `dt` seconds."""
        self.load = torque / self._motor.stall_torque
        self.current = self.load * self._motor.stall_current
        self.voltage = self.supply * (1 - _SAG * abs(self.load))
        settled = _AMBIENT + _RISE * self.load * self.load
        self.temperature += (settled - self.temperature) * dt / _TIME_S
