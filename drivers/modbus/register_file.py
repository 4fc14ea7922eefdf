"""A device described by a file of its registers; `docs/modbus-registers.md` tells how to write
one. Values in the file's own units on one side, 16-bit words on the other."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, model_validator

from drivers.transport.line import Parity, StopBits
from hil.config import load_toml
from hil.errors import BadInput

_FORMATS: Final = {"u16": ">H", "i16": ">h", "u32": ">I", "i32": ">i", "f32": ">f"}

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")]
Address = Annotated[int, Field(ge=0, le=0xFFFF)]
Word = Annotated[int, Field(ge=0, le=0xFFFF)]


class RegisterRow(BaseModel):
    """One number: value = raw * scale + offset, in `unit`.

    `function` reads it: 3 for a holding register, 4 for an input register. `word_order` says
    which of two words comes first in those of 32 bits: "big" is the high one. `lowest` and
    `highest` bound what is believed when read and allowed when written, in `unit`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    name: Name
    address: Address
    function: Literal[3, 4] = 3
    type: Literal["u16", "i16", "u32", "i32", "f32"] = "u16"
    word_order: Literal["big", "little"] = "big"
    scale: FiniteFloat = 1.0
    offset: FiniteFloat = 0.0
    unit: str = ""
    access: Literal["r", "rw"] = "r"
    lowest: FiniteFloat | None = None
    highest: FiniteFloat | None = None

    @model_validator(mode="after")
    def _possible(self) -> RegisterRow:
        if self.scale == 0:
            raise ValueError(f"{self.name}: scale = 0 leaves nothing of the value")
        if self.access == "rw" and self.function == 4:
            raise ValueError(f"{self.name}: an input register (function 4) cannot be written")
        if self.address + self.count > 0x10000:
            raise ValueError(f"{self.name}: its second word is behind address 65535")
        return self

    @property
    def count(self) -> int:
        """Words that it takes."""
        return 1 if self.type.endswith("16") else 2

    def decode(self, words: Sequence[int]) -> float:
        """Value in `unit` of `count` words."""
        ordered = words if self.word_order == "big" else tuple(reversed(words))
        data = struct.pack(f">{len(ordered)}H", *ordered)
        (raw,) = struct.unpack(_FORMATS[self.type], data)
        return float(raw * self.scale + self.offset)

    def encode(self, value: float) -> tuple[int, ...]:
        """Words of a value in `unit`, rounded to what the register can hold.

        Errors: BadInput where it is outside the register, or outside `lowest` and `highest`.
        """
        words = self.pack(value)
        if not self.within(value):
            raise BadInput(f"{self.name} = {value:g} {self.unit} is outside {self.range}")
        return words

    def pack(self, value: float) -> tuple[int, ...]:
        """As `encode`, whatever `lowest` and `highest` say. Errors: BadInput."""
        raw = (value - self.offset) / self.scale
        try:
            data = struct.pack(_FORMATS[self.type], raw if self.type == "f32" else round(raw))
        except (struct.error, OverflowError, ValueError) as error:
            raise BadInput(
                f"{self.name} = {value:g} {self.unit} does not fit {self.type}"
            ) from error
        words = struct.unpack(f">{self.count}H", data)
        return words if self.word_order == "big" else tuple(reversed(words))

    def within(self, value: float) -> bool:
        """Whether a value is a number between `lowest` and `highest`."""
        low = -float("inf") if self.lowest is None else self.lowest
        high = float("inf") if self.highest is None else self.highest
        return low <= value <= high

    @property
    def range(self) -> str:
        """`lowest` and `highest` in words."""
        if self.lowest is None and self.highest is None:
            return "the numbers"
        ends = ["" if end is None else f"{end:g}" for end in (self.lowest, self.highest)]
        return f"{ends[0]}..{ends[1]} {self.unit}".strip()


class SwitchRow(BaseModel):
    """One relay: a coil (functions 1 and 5), or a holding register with a word for on and one
    for off (3 and 6). `safe` is its safe state."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    name: Name
    address: Address
    via: Literal["coil", "register"] = "coil"
    on: Word = 1
    off: Word = 0
    safe: Literal["on", "off"] = "off"

    @model_validator(mode="after")
    def _two_states(self) -> SwitchRow:
        if self.on == self.off:
            raise ValueError(f"{self.name}: on and off are the same word")
        if self.via == "coil" and (self.on, self.off) != (1, 0):
            raise ValueError(f'{self.name}: on and off are words of via = "register"')
        return self


class RegisterFile(BaseModel):
    """The whole file. `unit`, `baud`, `parity` and `stop_bits` are those of a device as it comes
    from the works."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    model: str = Field(min_length=1)
    unit: int = Field(1, ge=1, le=247)
    baud: int = Field(9600, gt=0)
    parity: Parity = "none"
    stop_bits: StopBits = 1
    registers: tuple[RegisterRow, ...] = ()
    switches: tuple[SwitchRow, ...] = ()

    @model_validator(mode="after")
    def _consistent(self) -> RegisterFile:
        if not self.registers and not self.switches:
            raise ValueError("a device has [[registers]], [[switches]], or both")
        names = [row.name for row in self.registers] + [row.name for row in self.switches]
        doubled = sorted({name for name in names if names.count(name) > 1})
        if doubled:
            raise ValueError(f"names must be unique; used twice: {', '.join(doubled)}")
        taken: dict[tuple[str, int], str] = {}
        for space, address, name in self.addresses():
            other = taken.setdefault((space, address), name)
            if other != name:
                raise ValueError(f"{name} and {other} are both at {space} {address}")
        return self

    def addresses(self) -> Iterable[tuple[str, int, str]]:
        """Space ("coil", "holding", "input"), address and name of everything described."""
        for row in self.registers:
            for place in range(row.count):
                space = "holding" if row.function == 3 else "input"
                yield space, row.address + place, row.name
        for switch in self.switches:
            yield "coil" if switch.via == "coil" else "holding", switch.address, switch.name

    def register(self, name: str) -> RegisterRow:
        """The register of that name. Errors: BadInput naming those there are."""
        for row in self.registers:
            if row.name == name:
                return row
        known = ", ".join(row.name for row in self.registers) or "none"
        raise BadInput(f"{self.model} has no register called {name!r}", f"it has: {known}")


def load_register_file(path: Path) -> RegisterFile:
    """Read and check a register file. Errors: BadInput listing every fault by its keys."""
    return load_toml(path, RegisterFile)
