"""Gear motor of an emulated STS3215 (12 V variant): torque, current, voltage, temperature.

Constants are those of the maker's data sheet where it has them: stall torque 30 kg cm, stall
current 2.7 A, 12 V. The thermal and supply values are *not* from a data sheet: they are
plausible first-order values, so that the registers move in the right direction and at a
credible pace. Nothing measured on them says anything about a real servo.
"""

from __future__ import annotations

from dataclasses import dataclass

STALL_TORQUE = 2.94
"""N m at 12 V (30 kg cm)."""

STALL_CURRENT = 2.7
"""A at 12 V."""

TOP_SPEED_COUNTS = 3072
"""Counts/s (45 rpm at no load); what goal speed 0 ("as fast as it can") and more come to."""


@dataclass(frozen=True, slots=True)
class MotorModel:
    """Approximations (see the module's docstring): lumped thermal mass, resistive supply."""

    supply: float = 12.0  # V at no load
    supply_resistance: float = 0.15  # ohm of cable and connector
    ambient: float = 25.0  # deg C
    thermal_resistance: float = 3.0  # K/W
    thermal_time_s: float = 200.0


class Motor:
    """State of one motor that outlives a step: its temperature, in deg C."""

    def __init__(self, model: MotorModel) -> None:
        self._model = model
        self.load = 0.0
        self.current = 0.0
        self.voltage = model.supply
        self.temperature = model.ambient

    def step(self, dt: float, torque: float) -> None:
        """Account for `torque` (N m, signed) over `dt` seconds.

        `load` is the signed fraction of the stall torque, `current` in A (signed as the
        torque), `voltage` in V. Heat is I^2 R with R = U / I at stall.
        """
        model = self._model
        self.load = torque / STALL_TORQUE
        self.current = self.load * STALL_CURRENT
        self.voltage = model.supply - model.supply_resistance * abs(self.current)
        heat = self.current * self.current * model.supply / STALL_CURRENT
        settled = model.ambient + model.thermal_resistance * heat
        self.temperature += (settled - self.temperature) * dt / model.thermal_time_s
