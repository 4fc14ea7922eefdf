"""Gear motor of an emulated servo, from the figures of its control table.

What of it is the maker's and what is only plausible: see `sim.emulated.servo.motor`.
"""

from __future__ import annotations

from dataclasses import dataclass

from drivers.feetech.registers import Table
from drivers.servo.registers import Motor
from hil.errors import BadInput
from sim.emulated.servo.motor import GearMotor


@dataclass(frozen=True, slots=True)
class MotorModel:
    """How the motors of a bus are fed: `supply` in V at no load; None for each one's own, that of
    its data sheet."""

    supply: float | None = None

    def fed(self, figures: Motor) -> GearMotor:
        """A cold motor with these figures."""
        return GearMotor(figures, figures.supply if self.supply is None else self.supply)


def figures_of(table: Table) -> Motor:
    """What the maker says of the motor. Errors: BadInput where the table does not have it."""
    if table.motor is None:
        raise BadInput(
            f"no {table.model} can be emulated: its control table has no figures of its motor",
            f"add motor = {{ ... }} to drivers/feetech/{table.model}.toml, from the data sheet",
        )
    return table.motor
