"""Control tables of Dynamixel motors as data: `drivers/dynamixel/motors/MODEL.toml`."""

from __future__ import annotations

from drivers.servo import registers
from drivers.servo.registers import Register, Table, table_names

__all__ = ["Register", "Table", "load_motor", "motor_models"]

_FOLDER = "drivers.dynamixel.motors"


def load_motor(model: str) -> Table:
    """The control table of a motor model, for example "xl330-m288".

    Errors: BadInput where there is none; HarnessError for a table that contradicts itself.
    """
    return registers.load_table(_FOLDER, model, "Dynamixel")


def motor_models() -> list[str]:
    """Names of the models that have a table, sorted."""
    return table_names(_FOLDER)
