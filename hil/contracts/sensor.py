"""Sensors that give a vector of numbers: force and torque, touch, sound, inertia, tracked poses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from hil.clock import Deadline
from hil.contracts.base import Capability, Device, FloatArray, IntArray


@dataclass(frozen=True, slots=True)
class SensorFacts:
    """What a sensor measures.

    `kind` is the capability that it is (`FORCE_TORQUE`, `TACTILE`, ...); `labels` name its n
    values. `unit` is the SI unit of them all; where they differ it names one a label, in order,
    with a space between: "N N N N·m N·m N·m". `rate_hz` is how often it measures, which need
    not be how often it is asked.
    """

    kind: Capability
    labels: tuple[str, ...]
    unit: str
    rate_hz: float

    @property
    def units(self) -> tuple[str, ...]:
        """The unit of each label, (n,)."""
        named = tuple(self.unit.split())
        return named if len(named) == len(self.labels) else (self.unit,) * len(self.labels)


@dataclass(frozen=True, slots=True)
class SensorSample:
    """The newest values of a sensor, as known at `stamp_ns`; arrays of shape (n,).

    `age_ns` is the time at `stamp_ns` since a value was measured, where the device tells when
    that was, else since it was received. A value that was never received, or that the device
    itself says it does not have, is NaN with the age `NEVER`; one whose successor got lost
    stays, with its age.
    """

    stamp_ns: int
    value: FloatArray
    age_ns: IntArray

    @property
    def present(self) -> NDArray[np.bool_]:
        """Shape (n,): which values there are."""
        return ~np.isnan(self.value)


@runtime_checkable
class Sensor(Device, Protocol):
    """A device that measures n values at a rate of its own."""

    @property
    def facts(self) -> SensorFacts:
        """The same from `open` on; no I/O."""
        ...

    def sample(self, deadline: Deadline) -> SensorSample:
        """The newest values; waits for none, and takes nothing away: asked twice, it says the
        same again, older. Errors: LinkLost, DeadlineMissed, DeviceFault with what it says of
        itself."""
        ...
