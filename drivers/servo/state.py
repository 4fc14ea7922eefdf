"""The block of registers that a tick reads and the goals that it writes, for n servos at once.

Servos of one chain may be of several models, but what a tick touches has to stand at the same
addresses in all of them, so that one packet does for all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from drivers.servo.registers import Register, Table
from hil.contracts import FloatArray, IntArray
from hil.errors import BadInput

_KINDS = {(1, False): "u1", (2, False): "u2", (4, False): "u4"} | {
    (1, True): "i1",
    (2, True): "i2",
    (4, True): "i4",
}


@dataclass(frozen=True, slots=True)
class Column:
    """One quantity of n servos: where it stands behind the base address, and how it is coded."""

    address: int
    size: int
    dtype: str
    sign_bit: int | None

    @classmethod
    def of(cls, register: Register, table: Table) -> Column:
        order = "<" if table.byte_order == "little" else ">"
        kind = _KINDS[register.size, register.signed]
        return cls(register.address, register.size, order + kind, register.sign_bit)

    def decode(self, rows: bytes, length: int, base: int) -> FloatArray:
        """Values out of `rows`, which holds `length` bytes from address `base` of each servo."""
        count = len(rows) // length
        raw: NDArray[np.int64] = np.ndarray(
            (count,), self.dtype, rows, self.address - base, (length,)
        ).astype(np.int64)
        if self.sign_bit is not None:
            magnitude = raw & ((1 << self.sign_bit) - 1)
            raw = np.where(raw >> self.sign_bit & 1, -magnitude, magnitude)
        return raw.astype(np.float64)

    def encode(self, values: IntArray) -> list[bytes]:
        """Bytes of each value, which has to fit."""
        if self.sign_bit is not None:
            values = np.where(values < 0, -values | 1 << self.sign_bit, values)
        data = values.astype(self.dtype).tobytes()
        return [data[at : at + self.size] for at in range(0, len(data), self.size)]


@dataclass(frozen=True, slots=True)
class StateBlock:
    """What a tick reads: `length` bytes from address `base` on of every servo.

    `effort` differs in meaning from model to model (a current, a load), not in its place.
    """

    base: int
    length: int
    position: Column
    velocity: Column
    effort: Column

    @classmethod
    def of(cls, tables: Sequence[Table], velocity: str, efforts: Sequence[str]) -> StateBlock:
        """The block of these servos, whose registers are called present_position, `velocity`
        and the first of `efforts` that a model has. Errors: BadInput where models differ."""
        columns = [
            tuple(
                Column.of(table[name], table)
                for name in ("present_position", velocity, effort_name(table, efforts))
            )
            for table in tables
        ]
        for table, found in zip(tables, columns, strict=True):
            if found != columns[0]:
                raise BadInput(
                    f"{tables[0].model} and {table.model} keep their state in different places",
                    "servos of one chain have to agree on that",
                )
        first = columns[0]
        base = min(column.address for column in first)
        end = max(column.address + column.size for column in first)
        return cls(base, end - base, *first)

    def decode(
        self, payloads: Mapping[int, bytes], servos: Sequence[int], length: int
    ) -> FloatArray:
        """Shape (3, n): position and velocity in the registers' steps, effort as well; NaN for
        servos without a payload. Payloads have `length` bytes, at least those of the block."""
        present = [place for place, servo in enumerate(servos) if servo in payloads]
        state = np.full((3, len(servos)), np.nan)
        if not present:
            return state
        rows = b"".join([payloads[servos[place]] for place in present])
        columns = (self.position, self.velocity, self.effort)
        values = np.array([column.decode(rows, length, self.base) for column in columns])
        if len(present) == len(servos):
            return values
        state[:, present] = values
        return state


def effort_name(table: Table, efforts: Sequence[str]) -> str:
    """The first of `efforts` that the model has. Errors: BadInput where it has none."""
    for name in efforts:
        if name in table:
            return name
    raise BadInput(f"the {table.model} has none of {', '.join(efforts)}")


def shared(tables: Sequence[Table], name: str) -> Column:
    """The register's column, the same in all models. Errors: BadInput where they differ."""
    found = {Column.of(table[name], table) for table in tables}
    if len(found) > 1:
        models = ", ".join(sorted({table.model for table in tables}))
        raise BadInput(f"{name} is not in the same place in {models}")
    return found.pop()
