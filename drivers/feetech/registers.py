"""Control tables of Feetech servos as data: `drivers/feetech/MODEL.toml`."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from drivers.feetech.codec import ByteOrder, decode_signed, encode_signed
from hil.errors import BadInput, HarnessError


class _Row(BaseModel):
    """One register as the file has it."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    name: str
    address: int = Field(ge=0, le=255)
    size: Literal[1, 2]
    access: Literal["r", "rw"] = "rw"
    default: int = 0
    sign_bit: int | None = None
    lowest: int = 0
    highest: int | None = None
    unit: str = ""
    scale: float = 1.0


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    model: str
    model_number: int
    byte_order: ByteOrder
    counts_per_turn: int = Field(gt=0)
    eeprom: tuple[_Row, ...]
    ram: tuple[_Row, ...]
    factory: tuple[_Row, ...] = ()


@dataclass(frozen=True, slots=True)
class Register:
    """One register. `scale` is the size of one step in `unit`; `lowest` and `highest` bound
    what may be written (`highest` None: the whole range of its bytes)."""

    name: str
    address: int
    size: int
    access: Literal["r", "rw"]
    eeprom: bool
    default: int
    sign_bit: int | None
    lowest: int
    highest: int | None
    unit: str
    scale: float

    @property
    def end(self) -> int:
        """First address behind it."""
        return self.address + self.size


@dataclass(frozen=True, slots=True)
class Table:
    """Control table of one servo model, registers in the order of their addresses."""

    model: str
    model_number: int
    byte_order: ByteOrder
    counts_per_turn: int
    registers: Mapping[str, Register]

    def __getitem__(self, name: str) -> Register:
        try:
            return self.registers[name]
        except KeyError:
            raise HarnessError(f"the {self.model} has no register called {name!r}") from None

    @property
    def size(self) -> int:
        """Addresses run from 0 to `size` - 1."""
        return max(register.end for register in self.registers.values())

    def decode(self, name: str, memory: bytes | bytearray, base: int = 0) -> int:
        """Value of a register in `memory`, whose first byte is at address `base`.

        Errors: HarnessError where `memory` does not hold the whole register.
        """
        register = self[name]
        start = register.address - base
        if start < 0 or start + register.size > len(memory):
            raise HarnessError(
                f"{name} ({register.address}..{register.end - 1}) is outside the"
                f" {len(memory)} bytes from address {base}"
            )
        raw = int.from_bytes(memory[start : start + register.size], self.byte_order)
        return raw if register.sign_bit is None else decode_signed(raw, register.sign_bit)

    def encode(self, name: str, value: int) -> bytes:
        """Bytes of a register. Errors: HarnessError where `value` is outside its range."""
        register = self[name]
        highest = register.highest
        if highest is not None and not register.lowest <= value <= highest:
            raise HarnessError(
                f"{name} = {value} is outside {register.lowest}..{highest} of the {self.model}"
            )
        raw = value if register.sign_bit is None else encode_signed(value, register.sign_bit)
        if not 0 <= raw < 1 << 8 * register.size:
            raise HarnessError(f"{name} = {value} does not fit {register.size} bytes")
        return raw.to_bytes(register.size, self.byte_order)

    def image(self) -> bytearray:
        """Memory of a new servo at power-up; undefined addresses are 0."""
        memory = bytearray(self.size)
        for register in self.registers.values():
            memory[register.address : register.end] = self.encode(register.name, register.default)
        return memory


def load_table(model: str) -> Table:
    """The control table of a servo model, for example "sts3215".

    Errors: BadInput where there is none; HarnessError for a table that contradicts itself.
    """
    source = resources.files("drivers.feetech") / f"{model}.toml"
    if not model.isidentifier() or not source.is_file():
        raise BadInput(f"no Feetech control table is called {model!r}")
    content = _File.model_validate(tomllib.loads(source.read_text(encoding="utf-8")))
    rows = [(row, True) for row in content.eeprom]
    rows += [(row, False) for row in content.ram + content.factory]
    registers = [Register(eeprom=eeprom, **row.model_dump()) for row, eeprom in rows]
    _check(content.model, registers)
    return Table(
        content.model,
        content.model_number,
        content.byte_order,
        content.counts_per_turn,
        {register.name: register for register in registers},
    )


def _check(model: str, registers: list[Register]) -> None:
    end = 0
    for register in registers:
        if register.address < end:
            raise HarnessError(f"table {model}: {register.name} overlaps or is out of order")
        end = register.end
    if len({register.name for register in registers}) < len(registers):
        raise HarnessError(f"table {model}: a register name is used twice")
