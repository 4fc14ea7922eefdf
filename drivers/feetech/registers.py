"""Control tables of Feetech servos as data: `drivers/feetech/MODEL.toml`."""

from __future__ import annotations

from drivers.servo import registers
from drivers.servo.registers import Register, Table

__all__ = ["Register", "Table", "load_table"]


def load_table(model: str) -> Table:
    """The control table of a servo model, for example "sts3215".

    Errors: BadInput where there is none; HarnessError for a table that contradicts itself.
    """
    return registers.load_table("drivers.feetech", model, "Feetech")
