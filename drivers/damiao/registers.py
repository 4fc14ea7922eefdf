"""Registers of Damiao motors as data: `drivers/damiao/registers.toml`."""

from __future__ import annotations

import struct
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from hil.errors import HarnessError


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    number: int = Field(ge=0, le=255)
    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    type: Literal["u32", "f32"]
    access: Literal["r", "rw"]
    unit: str = ""
    scale: float = Field(1.0, gt=0)


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    registers: tuple[_Row, ...] = Field(min_length=1)


@dataclass(frozen=True, slots=True)
class Register:
    """One register. `scale` is the size of one step in `unit`."""

    number: int
    name: str
    type: Literal["u32", "f32"]
    access: Literal["r", "rw"]
    unit: str
    scale: float

    def decode(self, value: bytes) -> float:
        """Four bytes as a number, in steps of `scale`."""
        return float(struct.unpack(self._form, value)[0])

    def encode(self, number: float) -> bytes:
        """A number as four bytes. Errors: HarnessError where it does not fit."""
        try:
            return struct.pack(self._form, int(number) if self.type == "u32" else number)
        except (struct.error, OverflowError, ValueError) as error:
            raise HarnessError(f"register {self.name} cannot hold {number}") from error

    @property
    def _form(self) -> str:
        return "<I" if self.type == "u32" else "<f"


def load_registers() -> Mapping[str, Register]:
    """All registers by name. Errors: HarnessError for a table that contradicts itself."""
    text = (resources.files("drivers.damiao") / "registers.toml").read_text(encoding="utf-8")
    content = _File.model_validate(tomllib.loads(text))
    found = [Register(**row.model_dump()) for row in content.registers]
    for key in ("number", "name"):
        if len({getattr(register, key) for register in found}) < len(found):
            raise HarnessError(f"registers.toml: a {key} is used twice")
    return {register.name: register for register in found}
