"""Emulator `modbus-registers`: serves what a register file describes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pydantic import BaseModel, ConfigDict, Field

from drivers.modbus.messages import ExceptionCode
from drivers.modbus.register_file import RegisterFile, load_register_file
from hil.clock import NS_PER_US
from hil.config import validate
from sim.emulated.modbus_server import ModbusServer, Values
from sim.twin.emulator import Hosted, Scalar
from sim.twin.files import RigFile


class FileBank:
    """Registers and coils of a register file; at first all are 0 and off."""

    def __init__(self, file: RegisterFile) -> None:
        self._file = file
        self._words = {(space, address): 0 for space, address, _ in file.addresses()}
        self._fixed = {
            (space, address)
            for space, address, name in file.addresses()
            for row in file.registers
            if row.name == name and row.access == "r"
        }
        for switch in file.switches:
            self._words[self._place(switch.name)] = switch.off

    def read(self, space: str, address: int, count: int) -> Values:
        places = [(space, address + step) for step in range(count)]
        if any(place not in self._words for place in places):
            return ExceptionCode.ILLEGAL_ADDRESS
        return [self._words[place] for place in places]

    def write(self, space: str, address: int, values: Sequence[int]) -> ExceptionCode | None:
        places = [(space, address + step) for step in range(len(values))]
        if any(place not in self._words or place in self._fixed for place in places):
            return ExceptionCode.ILLEGAL_ADDRESS
        self._words.update(zip(places, values, strict=True))
        return None

    def advance(self, now_ns: int) -> None:
        """Nothing changes by itself."""

    def due_ns(self) -> None:
        """Nothing is ever due."""

    def status(self) -> dict[str, Scalar]:
        """Every register in its unit, every switch as true or false."""
        numbers: dict[str, Scalar] = {}
        for row in self._file.registers:
            space, first = self._place(row.name)
            words = [self._words[space, first + step] for step in range(row.count)]
            numbers[row.name] = row.decode(words)
        for switch in self._file.switches:
            numbers[switch.name] = self._words[self._place(switch.name)] == switch.on
        return numbers

    def control(self, args: Mapping[str, object]) -> None:
        """`set`: registers by name, in their units. Errors: BadInput."""
        for name, value in validate(dict(args), _Control, "control of the registers").set.items():
            row = self._file.register(name)
            space, first = self._place(name)
            for step, word in enumerate(row.pack(value)):
                self._words[space, first + step] = word

    def _place(self, name: str) -> tuple[str, int]:
        return next(
            (space, address) for space, address, known in self._file.addresses() if known == name
        )


class _Control(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    set: dict[str, float]


class RegistersOptions(BaseModel):
    """Options of emulator `modbus-registers`.

    `registers` is the register file, relative to the rig file. `unit` and `baud` override those
    of the register file; `values` are what the registers hold at first.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    registers: RigFile
    unit: int | None = Field(None, ge=1, le=247)
    baud: int | None = Field(None, gt=0)
    think_us: int = Field(1000, ge=0, le=1_000_000)
    values: dict[str, float] = Field(default_factory=dict)


def build(options: RegistersOptions) -> ModbusServer:
    """The device of a register file. Errors: BadInput."""
    file = load_register_file(options.registers)
    bank = FileBank(file)
    if options.values:
        bank.control({"set": options.values})
    return ModbusServer(
        options.unit or file.unit,
        bank,
        options.baud or file.baud,
        options.think_us * NS_PER_US,
    )


EMULATOR = Hosted(RegistersOptions, build)
