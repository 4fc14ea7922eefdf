"""A bench supply that is set and read (`hil.contracts.Power`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from drivers.scpi.instrument import Instrument, LineTable, load_instrument
from drivers.textline import AsciiText
from drivers.transport.options import need_port
from hil.clock import Clock, Deadline
from hil.config import device_parameters
from hil.contracts import (
    BenchContext,
    Capability,
    DeviceSpec,
    Finding,
    Identity,
    PowerSample,
    PowerSetting,
    SafeProof,
    Scalar,
)
from hil.errors import BadInput, DeadlineMissed, DeviceFault, LinkLost

Template = Annotated[AsciiText, Field(pattern=r"\{value[^}]*\}")]


class SupplyTable(LineTable):
    """Commands of a supply; `{value}` stands for the number. Ranges are the maker's."""

    set_volts: Template = "VOLT {value:.4f}"
    get_volts: AsciiText = "VOLT?"
    set_amperes: Template = "CURR {value:.4f}"
    get_amperes: AsciiText = "CURR?"
    output_on: AsciiText = "OUTP ON"
    output_off: AsciiText = "OUTP OFF"
    get_output: AsciiText = "OUTP?"
    measure_volts: AsciiText = "MEAS:VOLT?"
    measure_amperes: AsciiText = "MEAS:CURR?"
    most_volts: float = Field(gt=0)
    most_amperes: float = Field(gt=0)
    resolution_volts: float = Field(0.01, gt=0)
    resolution_amperes: float = Field(0.01, gt=0)


class SupplyParameters(BaseModel):
    """`parameters` of driver `scpi-supply`: its model, and what this rig allows of its range."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    model: str
    baud: int | None = Field(None, gt=0)
    most_volts: float | None = Field(None, gt=0)
    most_amperes: float | None = Field(None, gt=0)


class ScpiSupply:
    """One output of a supply. Its safe state is output off, read back."""

    capabilities = frozenset({Capability.POWER})

    def __init__(
        self, spec: DeviceSpec, table: SupplyTable, parameters: SupplyParameters, clock: Clock
    ) -> None:
        self.role = spec.role
        self._table, self._clock = table, clock
        self._instrument = Instrument(spec, table, clock)
        self._most = PowerSetting(
            min(table.most_volts, parameters.most_volts or table.most_volts),
            min(table.most_amperes, parameters.most_amperes or table.most_amperes),
        )

    def open(self, deadline: Deadline) -> None:
        """Take the port and reach the supply; its output stays as it is."""
        self._instrument.open(deadline)

    def identity(self, deadline: Deadline) -> Identity:
        return self._instrument.about(deadline)

    def health(self, deadline: Deadline) -> Sequence[Finding]:
        found = self._instrument.finding(deadline)
        if not found.ok:
            return [found]
        try:
            sample = self.read(deadline)
        except (DeadlineMissed, LinkLost, DeviceFault) as error:
            return [found, Finding("measures", False, error.message, "see the supply's manual")]
        state = "on" if sample.output_on else "off"
        told = f"output {state}, {sample.volts:.3f} V, {sample.amperes:.3f} A"
        return [found, Finding("measures", True, told)]

    def ping(self, deadline: Deadline) -> None:
        self._instrument.identify(deadline)

    def counters(self) -> Mapping[str, int]:
        return self._instrument.counters()

    def set(self, wanted: PowerSetting, deadline: Deadline) -> PowerSetting:
        """As the contract says. Errors: also DeviceFault where it did not take the numbers."""
        for name, value, most in (
            ("V", wanted.volts, self._most.volts),
            ("A", wanted.amperes, self._most.amperes),
        ):
            if not 0 <= value <= most:
                raise BadInput(
                    f"{self.role}: {value:g} {name} is outside of what supply and rig allow",
                    f"0 to {most:g} {name}",
                )
        table, ask = self._table, self._instrument
        ask.command(table.set_volts.format(value=wanted.volts), deadline)
        ask.command(table.set_amperes.format(value=wanted.amperes), deadline)
        taken = PowerSetting(
            ask.number(table.get_volts, deadline), ask.number(table.get_amperes, deadline)
        )
        if (
            abs(taken.volts - wanted.volts) > table.resolution_volts
            or abs(taken.amperes - wanted.amperes) > table.resolution_amperes
        ):
            raise DeviceFault(f"{self.role}: told {wanted}, it is set to {taken}")
        return taken

    def switch(self, on: bool, deadline: Deadline) -> bool:
        table = self._table
        self._instrument.command(table.output_on if on else table.output_off, deadline)
        state = self._instrument.switch(table.get_output, deadline)
        if state is not on:
            raise DeviceFault(f"{self.role}: told {'on' if on else 'off'}, its output is not")
        return state

    def read(self, deadline: Deadline) -> PowerSample:
        ask, table = self._instrument, self._table
        volts = ask.number(table.measure_volts, deadline)
        amperes = ask.number(table.measure_amperes, deadline)
        on = ask.switch(table.get_output, deadline)
        return PowerSample(self._clock.now_ns(), volts, amperes, on)

    def make_safe(self, deadline: Deadline) -> SafeProof:
        """Output off, read back, with the voltage that is left at its terminals."""
        started_ns = self._clock.now_ns()
        readings: dict[str, Scalar] = {}
        safe, state = False, "unknown"
        try:
            safe = not self.switch(False, deadline)
            state = "output off" if safe else "output on"
            readings["output"] = not safe
            readings["volts"] = self._instrument.number(self._table.measure_volts, deadline)
        except (DeadlineMissed, LinkLost, DeviceFault) as error:
            readings["error"] = error.message
        return SafeProof(self.role, safe, state, readings, started_ns, self._clock.now_ns())

    def close(self) -> None:
        self._instrument.close()


def build(spec: DeviceSpec, context: BenchContext) -> ScpiSupply:
    """Factory of driver `scpi-supply`. Errors: BadInput."""
    need_port(spec)
    parameters = device_parameters(spec, SupplyParameters)
    table = load_instrument(parameters.model, spec.base, SupplyTable)
    if parameters.baud is not None:
        table = table.model_copy(update={"baud": parameters.baud})
    return ScpiSupply(spec, table, parameters, context.clock)
