"""A meter that measures one quantity (`hil.contracts.Meter`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

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
    Reading,
    SafeProof,
)
from hil.errors import BadInput, DeadlineMissed, DeviceFault, LinkLost
from hil.failure import on_failure


class Quantity(BaseModel):
    """How one quantity is measured: the command that selects it, the question, the SI unit."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    select: AsciiText = ""
    ask: AsciiText
    unit: str


class MeterTable(LineTable):
    """Commands of a meter: its quantities by name."""

    quantities: dict[str, Quantity] = Field(min_length=1)


class MeterParameters(BaseModel):
    """`parameters` of driver `scpi-meter`: its model and what it is to measure."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    model: str
    quantity: str
    baud: int | None = Field(None, gt=0)


class ScpiMeter:
    """A meter; it drives nothing and is safe while it answers."""

    capabilities = frozenset({Capability.METER})

    def __init__(
        self, spec: DeviceSpec, table: MeterTable, quantity: Quantity, clock: Clock
    ) -> None:
        self.role = spec.role
        self._quantity, self._clock = quantity, clock
        self._instrument = Instrument(spec, table, clock)

    def open(self, deadline: Deadline) -> None:
        """Take the port and select the quantity."""
        self._instrument.open(deadline)
        if self._quantity.select:
            with on_failure(self._instrument.close):
                self._instrument.command(self._quantity.select, deadline)

    def identity(self, deadline: Deadline) -> Identity:
        return self._instrument.about(deadline)

    def health(self, deadline: Deadline) -> Sequence[Finding]:
        return [self._instrument.finding(deadline)]

    def ping(self, deadline: Deadline) -> None:
        self._instrument.identify(deadline)

    def counters(self) -> Mapping[str, int]:
        return self._instrument.counters()

    def read(self, deadline: Deadline) -> Reading:
        value = self._instrument.number(self._quantity.ask, deadline)
        return Reading(self._clock.now_ns(), value, self._quantity.unit)

    def make_safe(self, deadline: Deadline) -> SafeProof:
        started_ns = self._clock.now_ns()
        try:
            reading = self.read(deadline)
        except (DeadlineMissed, LinkLost, DeviceFault) as error:
            ended_ns = self._clock.now_ns()
            told = {"error": error.message}
            return SafeProof(self.role, False, "unknown", told, started_ns, ended_ns)
        told_value = {reading.unit: reading.value}
        return SafeProof(self.role, True, "passive", told_value, started_ns, reading.stamp_ns)

    def close(self) -> None:
        self._instrument.close()


def build(spec: DeviceSpec, context: BenchContext) -> ScpiMeter:
    """Factory of driver `scpi-meter`. Errors: BadInput."""
    need_port(spec)
    parameters = device_parameters(spec, MeterParameters)
    table = load_instrument(parameters.model, spec.base, MeterTable)
    quantity = table.quantities.get(parameters.quantity)
    if quantity is None:
        raise BadInput(
            f"device {spec.role!r}: {table.model} does not measure {parameters.quantity!r}",
            f"it measures {', '.join(table.quantities)}",
        )
    if parameters.baud is not None:
        table = table.model_copy(update={"baud": parameters.baud})
    return ScpiMeter(spec, table, quantity, context.clock)
