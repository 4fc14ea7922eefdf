"""Instruments of a bench: supplies, meters, relays, force sensors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from hil.clock import Deadline
from hil.contracts.base import Device, FloatArray, IntArray


@dataclass(frozen=True, slots=True)
class PowerSample:
    """What a supply measures at its own terminals: V and A; whether its output is on."""

    stamp_ns: int
    volts: float
    amperes: float
    output_on: bool


@dataclass(frozen=True, slots=True)
class PowerSetting:
    """Voltage in V and current limit in A."""

    volts: float
    amperes: float


@runtime_checkable
class Power(Device, Protocol):
    """A supply that can be set and read. Its safe state is output off."""

    def set(self, wanted: PowerSetting, deadline: Deadline) -> PowerSetting:
        """Set voltage and current limit; returns them as read back.

        Errors: BadInput outside the supply's or the rig file's range, DeviceFault with what
        the supply says, DeadlineMissed, LinkLost.
        """
        ...

    def switch(self, on: bool, deadline: Deadline) -> bool:
        """Switch the output; returns the state as read back. Errors: as `set`."""
        ...

    def read(self, deadline: Deadline) -> PowerSample:
        """Measure. Errors: DeadlineMissed, LinkLost, DeviceFault."""
        ...


@dataclass(frozen=True, slots=True)
class Reading:
    """One measured value in an SI unit ("V", "A", "ohm", "degC", ...)."""

    stamp_ns: int
    value: float
    unit: str


@runtime_checkable
class Meter(Device, Protocol):
    """An instrument that measures one quantity."""

    def read(self, deadline: Deadline) -> Reading:
        """Measure once. Errors: DeadlineMissed, LinkLost, DeviceFault (overload, its error)."""
        ...


@runtime_checkable
class Switches(Device, Protocol):
    """Relays by name. The safe state of each is what the rig file says, off unless stated."""

    @property
    def names(self) -> tuple[str, ...]: ...

    def switch(self, name: str, on: bool, deadline: Deadline) -> bool:
        """Switch one; returns its state as read back. Errors: BadInput (unknown name),
        DeviceFault (it did not switch), DeadlineMissed, LinkLost."""
        ...

    def states(self, deadline: Deadline) -> Mapping[str, bool]:
        """Read all. Errors: DeadlineMissed, LinkLost."""
        ...


@dataclass(frozen=True, slots=True)
class ForceSample:
    """Forces of n channels, arrays of shape (n,): N, and ages in ns at `stamp_ns`.

    A channel of which nothing was received has NaN, and the age `NEVER`; one whose last value
    is old keeps it, with its age.
    """

    stamp_ns: int
    newtons: FloatArray
    age_ns: IntArray


@runtime_checkable
class Force(Device, Protocol):
    """Load cells or a force gauge."""

    @property
    def names(self) -> tuple[str, ...]: ...

    def read(self, deadline: Deadline) -> ForceSample:
        """The newest values; waits for none. Errors: LinkLost."""
        ...

    def tare(self, deadline: Deadline) -> FloatArray:
        """Take the present load for zero; returns what was subtracted, (n,), N.

        Errors: DeviceFault (the load is not at rest), DeadlineMissed, LinkLost.
        """
        ...
