"""Control tables of servos as data: what a register file may say, and how values become bytes.

A table file of a model gives its registers, or names the file it is based on (`base`), whose
registers it has too, and then says what differs: `change` by register name, `without` what the
model lacks, and further registers of its own.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from hil.config import validate
from hil.errors import BadInput, HarnessError

ByteOrder = Literal["little", "big"]
"""Order of registers of several bytes."""

Access = Literal["r", "rw"]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Row(_Table):
    """One register as the file has it."""

    name: str
    address: int = Field(ge=0, le=65535)
    size: Literal[1, 2, 4]
    access: Access = "rw"
    default: int = 0
    sign_bit: int | None = None
    signed: bool = False
    lowest: int = 0
    highest: int | None = None
    unit: str = ""
    scale: float = 1.0


class Motor(_Table):
    """What the maker's data sheet says of the motor, at `supply` V: N m, A, rad/s."""

    supply: float = Field(gt=0)
    stall_torque: float = Field(gt=0)
    stall_current: float = Field(gt=0)
    no_load_speed: float = Field(gt=0)


class _Part(_Table):
    """What a base file holds, and what of it a model's file may add."""

    eeprom: tuple[_Row, ...] = ()
    ram: tuple[_Row, ...] = ()
    factory: tuple[_Row, ...] = ()


class _File(_Part):
    model: str
    model_number: int
    protocol: Literal[1, 2] = 1
    byte_order: ByteOrder
    sync_read: bool = True
    broadcast_ping: bool = True
    goal_switches_torque_on: bool = False
    any_goal_ends_overload: bool = False
    counts_per_turn: int = Field(gt=0)
    range_deg: float = Field(360.0, gt=0)
    baud: dict[int, int] = Field(min_length=1)
    fast_read_firmware: int | None = None
    watchdog_firmware: int | None = None
    modes: tuple[int, ...] = ()
    motor: Motor | None = None
    base: str | None = None
    without: tuple[str, ...] = ()
    change: dict[str, dict[str, Any]] = Field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Register:
    """One register. `scale` is the size of one step in `unit`; `lowest` and `highest` bound
    what may be written (`highest` None: the whole range of its bytes). With `sign_bit` the
    value is sign-magnitude with its sign there, with `signed` it is two's complement."""

    name: str
    address: int
    size: int
    access: Access
    eeprom: bool
    default: int
    sign_bit: int | None
    signed: bool
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
    """Control table of one servo model, registers in the order of their addresses.

    `counts_per_turn` are the counts of its whole range, which is a turn unless `range_deg` is
    another angle. `baud` gives the rate in bit/s by code of the baud register. Models with
    `broadcast_ping` answer a ping to everybody in turn; those without all speak at once. With
    `goal_switches_torque_on`, whoever writes a goal position energises the motor. An overload ends
    with the next goal where `any_goal_ends_overload`, and where not, only with one away from the
    load. The firmware fields say from which version on the model answers fast reads and has a bus
    watchdog (None: never). `modes` are the operating modes it has, where it has such a register.
    `motor` is None where the maker publishes no figures.
    """

    model: str
    model_number: int
    protocol: int
    byte_order: ByteOrder
    sync_read: bool
    broadcast_ping: bool
    goal_switches_torque_on: bool
    any_goal_ends_overload: bool
    counts_per_turn: int
    range_deg: float
    baud: Mapping[int, int]
    fast_read_firmware: int | None
    watchdog_firmware: int | None
    modes: tuple[int, ...]
    motor: Motor | None
    registers: Mapping[str, Register]

    def __getitem__(self, name: str) -> Register:
        try:
            return self.registers[name]
        except KeyError:
            raise HarnessError(f"the {self.model} has no register called {name!r}") from None

    def __contains__(self, name: str) -> bool:
        return name in self.registers

    @property
    def size(self) -> int:
        """Addresses run from 0 to `size` - 1."""
        return max(register.end for register in self.registers.values())

    @property
    def eeprom_size(self) -> int:
        """Bytes from address 0 to the end of the EEPROM part."""
        return max(register.end for register in self.registers.values() if register.eeprom)

    @property
    def radians_per_count(self) -> float:
        """Angle of one position count, rad."""
        return math.radians(self.range_deg) / self.counts_per_turn

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
        raw = memory[start : start + register.size]
        value = int.from_bytes(raw, self.byte_order, signed=register.signed)
        return value if register.sign_bit is None else decode_signed(value, register.sign_bit)

    def encode(self, name: str, value: int) -> bytes:
        """Bytes of a register. Errors: HarnessError where `value` is outside its range."""
        register = self[name]
        highest = register.highest
        if highest is not None and not register.lowest <= value <= highest:
            raise HarnessError(
                f"{name} = {value} is outside {register.lowest}..{highest} of the {self.model}"
            )
        raw = value if register.sign_bit is None else encode_signed(value, register.sign_bit)
        try:
            return raw.to_bytes(register.size, self.byte_order, signed=register.signed)
        except OverflowError:
            raise HarnessError(f"{name} = {value} does not fit {register.size} bytes") from None

    def image(self) -> bytearray:
        """Memory of a new servo at power-up; undefined addresses are 0."""
        memory = bytearray(self.size)
        for register in self.registers.values():
            memory[register.address : register.end] = self.encode(register.name, register.default)
        return memory


def load_table(package: str, model: str, family: str) -> Table:
    """The control table `model`.toml in the folder of `package`.

    `family` is what people call these servos. Errors: BadInput naming the known models where
    there is none of that name; HarnessError for a table that contradicts itself.
    """
    folder = resources.files(package)
    if model not in table_names(package):
        known = ", ".join(table_names(package))
        raise BadInput(f"no {family} control table is called {model!r}", f"known: {known}")
    place = f"table {model}"
    data = tomllib.loads((folder / f"{model}.toml").read_text(encoding="utf-8"))
    file = validate(data, _File, place)
    part = _Part()
    if file.base is not None:
        text = (folder / f"{file.base}.toml").read_text(encoding="utf-8")
        part = validate(tomllib.loads(text), _Part, f"table {file.base}")
    registers = _assemble(file, part)
    _check(file.model, registers)
    facts = {name: getattr(file, name) for name in _FACTS}
    return Table(**facts, registers={register.name: register for register in registers})


_FACTS = [name for name in Table.__slots__ if name != "registers"]


def table_names(package: str) -> list[str]:
    """Models with a file in the folder of `package`, sorted; base files are none."""
    entries = resources.files(package).iterdir()
    names = [entry.name[:-5] for entry in entries if entry.name.endswith(".toml")]
    return sorted(name for name in names if not name.startswith("base"))


def _assemble(file: _File, base: _Part) -> list[Register]:
    rows = [(row, kind == "eeprom") for part in (base, file) for kind, row in _rows(part)]
    unknown = (set(file.change) | set(file.without)) - {row.name for row, _ in rows}
    if unknown:
        raise HarnessError(f"table {file.model} changes unknown registers: {sorted(unknown)}")
    registers = [
        Register(eeprom=eeprom, **(row.model_dump() | file.change.get(row.name, {})))
        for row, eeprom in rows
        if row.name not in file.without
    ]
    return sorted(registers, key=lambda register: register.address)


def _rows(part: _Part) -> list[tuple[str, _Row]]:
    return [(kind, row) for kind in ("eeprom", "ram", "factory") for row in getattr(part, kind)]


def _check(model: str, registers: list[Register]) -> None:
    if len({register.name for register in registers}) < len(registers):
        raise HarnessError(f"table {model}: a register name is used twice")
    end = 0
    for register in registers:
        if register.address < end:
            raise HarnessError(f"table {model}: {register.name} overlaps another register")
        end = register.end


def decode_signed(raw: int, sign_bit: int) -> int:
    """Sign-magnitude to integer: bit `sign_bit` is the sign, the bits below the magnitude."""
    magnitude = raw & ((1 << sign_bit) - 1)
    return -magnitude if raw >> sign_bit & 1 else magnitude


def encode_signed(value: int, sign_bit: int) -> int:
    """Integer to sign-magnitude. Errors: HarnessError where the magnitude does not fit."""
    magnitude = abs(value)
    if magnitude >> sign_bit:
        raise HarnessError(f"{value} does not fit {sign_bit} bits of magnitude")
    return magnitude | 1 << sign_bit if value < 0 else magnitude
