"""Driver `modbus-registers`: any device that a file of registers describes, as a meter of one
of them, as the switches of a relay board, or both."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from drivers.modbus.bus import ModbusBus
from drivers.modbus.codec import answer_size, encode, request_frame
from drivers.modbus.line import Timing
from drivers.modbus.messages import Answer, Bits, ReadBits, ReadRegisters, Request, WriteRegisters
from drivers.modbus.passive import prove_passive
from drivers.modbus.register_file import RegisterFile, RegisterRow, load_register_file
from drivers.modbus.switching import prove_switched, read_switch, safe_states, set_switch
from drivers.transport.latency import adapter_latency
from drivers.transport.line import Line, Parity, StopBits
from drivers.transport.link import open_link
from drivers.transport.options import need_port
from hil.clock import NS_PER_MS, Clock, Deadline
from hil.config import device_parameters
from hil.contracts import (
    BenchContext,
    Capability,
    DeviceSpec,
    Finding,
    Identity,
    Reading,
    SafeProof,
    Scalar,
    WireUse,
)
from hil.errors import BadInput, DeviceFault, HarnessError, HilError
from hil.failure import on_failure


class GenericParameters(BaseModel):
    """`parameters` of the rig file.

    `registers` is the register file, relative to the rig file. `meter` names the register that
    makes the device a meter. `setup` is written at `open` and read back. `safe` overrides the
    safe states of the register file. `unit`, `baud`, `parity` and `stop_bits` override what it
    says of the device as it comes from the works. `attempts` is how often a question is asked,
    within its deadline, where no good answer comes.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    registers: str = Field(min_length=1)
    meter: str | None = None
    setup: dict[str, float] = Field(default_factory=dict)
    safe: dict[str, Literal["on", "off"]] = Field(default_factory=dict)
    unit: int | None = Field(None, ge=1, le=247)
    baud: int | None = Field(None, gt=0)
    parity: Parity | None = None
    stop_bits: StopBits | None = None
    answer_timeout_ms: float = Field(100.0, gt=0, le=5000)
    attempts: int = Field(1, ge=1, le=5)


class ModbusRegisters:
    """Keeps `hil.contracts.Meter` and `Switches`, as `capabilities` says."""

    def __init__(
        self, spec: DeviceSpec, file: RegisterFile, parameters: GenericParameters, clock: Clock
    ) -> None:
        self.role = spec.role
        self._spec = spec
        self._file = file
        self._parameters = parameters
        self._clock = clock
        self._unit = parameters.unit or file.unit
        self._line = Line(
            parameters.baud or file.baud,
            parameters.parity or file.parity,
            parameters.stop_bits or file.stop_bits,
        )
        self._switches = {row.name: row for row in file.switches}
        self._safe = safe_states(file, parameters.safe)
        self._meter = None if parameters.meter is None else file.register(parameters.meter)
        self._bus: ModbusBus | None = None

    @property
    def capabilities(self) -> frozenset[Capability]:
        offered = set()
        if self._meter is not None:
            offered.add(Capability.METER)
        if self._switches:
            offered.add(Capability.SWITCHES)
        return frozenset(offered)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._switches)

    def open(self, deadline: Deadline) -> None:
        """Take the line, reach the device, and write what `setup` asks for.

        Errors: those of `open_link`; DeadlineMissed, DeviceFault.
        """
        if self._bus is not None:
            raise HarnessError(f"{self.role} is open already")
        bus = self._connect()
        with on_failure(bus.close):
            bus.ask(self._unit, self._probe(), deadline, attempts=self._parameters.attempts)
            for name, value in self._parameters.setup.items():
                self._set_up(bus, self._file.register(name), value, deadline)
        self._bus = bus

    def identity(self, deadline: Deadline) -> Identity:
        """What the register file says; the device is asked only whether it is there."""
        self.ping(deadline)
        detail: dict[str, Scalar] = {"port": self._opened().description, "unit": self._unit}
        return Identity(self._file.model, detail=detail)

    def health(self, deadline: Deadline) -> list[Finding]:
        """Whether it answers, and whether every register is within its range."""
        found = adapter_latency(self._spec.address)
        try:
            self.ping(deadline)
            found.insert(0, Finding("answers", True, self._opened().description))
            for row in self._file.registers:
                value = self._value(row, deadline)
                inside = row.within(value)
                remedy = "" if inside else f"expected {row.range}"
                found.append(Finding(row.name, inside, f"{value:g} {row.unit}".strip(), remedy))
        except HilError as error:
            found.insert(0, Finding("answers", False, error.message, error.remedy))
        return found

    def ping(self, deadline: Deadline) -> None:
        """Read the first thing that the file describes."""
        self._ask(self._probe(), deadline)

    def counters(self) -> Mapping[str, int]:
        return self._bus.counters() if self._bus else {}

    def read(self, deadline: Deadline) -> Reading:
        """Measure once. Errors: DeadlineMissed, LinkLost; DeviceFault where it refuses, or
        where the value is outside the register file's range."""
        if self._meter is None:
            raise HarnessError(f"{self.role} is no meter: parameters.meter names no register")
        row = self._meter
        value = self._value(row, deadline)
        stamp_ns = self._clock.now_ns()
        if not row.within(value):
            raise DeviceFault(
                f"{self.role}: {row.name} = {value:g} {row.unit} is outside {row.range}",
                "check what it measures, and the register file",
            )
        return Reading(stamp_ns, value, row.unit)

    def switch(self, name: str, on: bool, deadline: Deadline) -> bool:
        """Switch one; returns its state as read back. Errors: BadInput (unknown name),
        DeviceFault (it did not switch, it refuses), DeadlineMissed, LinkLost."""
        row = self._switches.get(name)
        if row is None:
            known = ", ".join(self._switches) or "none"
            raise BadInput(f"{self.role} has no switch called {name!r}", f"it has: {known}")
        bus, attempts = self._opened(), self._parameters.attempts
        set_switch(bus, self._unit, row, on, deadline, attempts=attempts)
        state = read_switch(bus, self._unit, row, deadline, attempts=attempts)
        if state is not on:
            wanted = "on" if on else "off"
            raise DeviceFault(f"{self.role}: {name} did not switch {wanted}")
        return on

    def states(self, deadline: Deadline) -> Mapping[str, bool]:
        """Read all; coils that lie side by side in one request.

        Errors: DeviceFault (a register holds neither word), DeadlineMissed, LinkLost.
        """
        bus, attempts = self._opened(), self._parameters.attempts
        found: dict[str, bool] = {}
        for first, last in _runs([row.address for row in self._file.switches if row.via == "coil"]):
            answer = self._ask(ReadBits(first, last - first + 1), deadline)
            bits = answer.bits if isinstance(answer, Bits) else ()
            by_address = dict(enumerate(bits, first))
            found |= {
                row.name: by_address[row.address]
                for row in self._file.switches
                if row.via == "coil" and row.address in by_address
            }
        for row in self._file.switches:
            if row.via == "register":
                state = read_switch(bus, self._unit, row, deadline, attempts=attempts)
                if state is None:
                    raise DeviceFault(f"{self.role}: {row.name} is neither on nor off")
                found[row.name] = state
        return {name: found[name] for name in self._switches}

    def make_safe(self, deadline: Deadline) -> SafeProof:
        """Bring every switch to its safe state and read it back.

        A device without switches drives nothing as far as its file says: it is safe while it
        can be read.
        """
        return self._prove(self._bus, deadline)

    def rescue(self, deadline: Deadline) -> SafeProof:
        """As `make_safe`, on a line that nobody has open."""
        with closing(self._connect()) as bus:
            return self._prove(bus, deadline)

    def close(self) -> None:
        if self._bus is not None:
            self._bus.close()
            self._bus = None

    def wire_uses(self) -> Mapping[str, WireUse]:
        """Bytes of `read`, where it is a meter."""
        return {} if self._meter is None else {"read": self._wire_use(_read_request(self._meter))}

    def _wire_use(self, request: Request) -> WireUse:
        asked = len(encode(request_frame(self._unit, request)))
        return WireUse(asked + answer_size(request), self._line.baud, self._line.bits_per_byte)

    def _connect(self) -> ModbusBus:
        answer_ns = round(self._parameters.answer_timeout_ms * NS_PER_MS)
        line = self._line
        link = open_link(
            self._spec, line.baud, self._clock, parity=line.parity, stop_bits=line.stop_bits
        )
        with on_failure(link.close):
            return ModbusBus(link, self._clock, Timing(line.baud, line.bits_per_byte, answer_ns))

    def _prove(self, bus: ModbusBus | None, deadline: Deadline) -> SafeProof:
        role, unit, clock = self.role, self._unit, self._clock
        if self._safe:
            return prove_switched(role, bus, unit, self._safe, clock, deadline)
        row, attempts = self._meter or self._file.registers[0], self._parameters.attempts
        return prove_passive(role, bus, unit, row, clock, deadline, attempts)

    def _opened(self) -> ModbusBus:
        if self._bus is None:
            raise HarnessError(f"{self.role} is not open")
        return self._bus

    def _ask(self, request: Request, deadline: Deadline) -> Answer:
        attempts = self._parameters.attempts
        return self._opened().ask(self._unit, request, deadline, attempts=attempts)

    def _probe(self) -> Request:
        if self._meter is not None or self._file.registers:
            return _read_request(self._meter or self._file.registers[0])
        row = self._file.switches[0]
        return ReadBits(row.address, 1) if row.via == "coil" else ReadRegisters(row.address, 1)

    def _value(self, row: RegisterRow, deadline: Deadline) -> float:
        attempts = self._parameters.attempts
        request = _read_request(row)
        words = self._opened().registers(self._unit, request, deadline, attempts=attempts)
        return row.decode(words)

    def _set_up(self, bus: ModbusBus, row: RegisterRow, value: float, deadline: Deadline) -> None:
        """Write one register and read it back. Errors: DeviceFault where it did not take it."""
        words = row.encode(value)
        attempts = self._parameters.attempts
        bus.ask(self._unit, WriteRegisters(row.address, words), deadline, attempts=attempts)
        back = bus.registers(self._unit, _read_request(row), deadline, attempts=attempts)
        if back != words:
            raise DeviceFault(
                f"{self.role}: {row.name} reads {row.decode(back):g} {row.unit} after"
                f" {value:g} was written"
            )


def _read_request(row: RegisterRow) -> ReadRegisters:
    return ReadRegisters(row.address, row.count, row.function)


def _runs(addresses: list[int]) -> list[tuple[int, int]]:
    """First and last of every unbroken run of addresses."""
    runs: list[tuple[int, int]] = []
    for address in sorted(addresses):
        if runs and address == runs[-1][1] + 1:
            runs[-1] = (runs[-1][0], address)
        else:
            runs.append((address, address))
    return runs


def build(spec: DeviceSpec, context: BenchContext) -> ModbusRegisters:
    """Factory of driver `modbus-registers`; touches no port. Errors: BadInput."""
    parameters = device_parameters(spec, GenericParameters)
    need_port(spec)
    file = load_register_file(spec.base / parameters.registers)
    for name, value in parameters.setup.items():
        row = file.register(name)
        if row.access != "rw":
            raise BadInput(f"device {spec.role!r}: setup writes {name}, which is read only")
        row.encode(value)
    device = ModbusRegisters(spec, file, parameters, context.clock)
    if not device.capabilities:
        raise BadInput(
            f"device {spec.role!r}: {file.model} has no switches, and parameters.meter names no"
            " register to measure with",
            f"meter = one of {', '.join(row.name for row in file.registers)}",
        )
    return device
