"""One look at a device, whatever it measures: numbers, their ages, and when they were taken."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from hil.clock import Deadline
from hil.contracts import (
    Camera,
    Device,
    EmergencyStop,
    FloatArray,
    Force,
    Gripper,
    IntArray,
    Joints,
    Meter,
    Power,
    Switches,
)


@dataclass(frozen=True, slots=True)
class Look:
    """Values with NaN for absent, shape (n,), in `unit`; ages in ns, shape (n,), or None where
    the contract has none; `stamp_ns` on the run's clock, None where the contract has none."""

    values: FloatArray
    ages_ns: IntArray | None
    stamp_ns: int | None
    unit: str

    @property
    def absent(self) -> bool:
        """Whether nothing was received."""
        return bool(np.isnan(self.values).all())


Looking = Callable[[Deadline], Look]


def looking(device: Device) -> Looking | None:
    """How to look at a device; None where it has nothing to read."""
    found: Looking | None = None
    match device:
        case Joints():
            found = _joints(device)
        case Gripper():
            found = _gripper(device)
        case Force():
            found = _force(device)
        case Power():
            found = _power(device)
        case Meter():
            found = _meter(device)
        case Switches():
            found = _switches(device)
        case Camera():
            found = _camera(device)
        case EmergencyStop():
            found = _button(device)
    return found


def _joints(device: Joints) -> Looking:
    def look(deadline: Deadline) -> Look:
        sample = device.read(deadline)
        return Look(sample.position, sample.age_ns, sample.stamp_ns, "rad")

    return look


def _gripper(device: Gripper) -> Looking:
    def look(deadline: Deadline) -> Look:
        sample = device.read(deadline)
        ages = np.array([sample.age_ns], dtype=np.int64)
        return Look(np.array([sample.opening_m]), ages, sample.stamp_ns, "m")

    return look


def _force(device: Force) -> Looking:
    def look(deadline: Deadline) -> Look:
        sample = device.read(deadline)
        return Look(sample.newtons, sample.age_ns, sample.stamp_ns, "N")

    return look


def _power(device: Power) -> Looking:
    def look(deadline: Deadline) -> Look:
        sample = device.read(deadline)
        return Look(np.array([sample.volts, sample.amperes]), None, sample.stamp_ns, "V, A")

    return look


def _meter(device: Meter) -> Looking:
    def look(deadline: Deadline) -> Look:
        reading = device.read(deadline)
        return Look(np.array([reading.value]), None, reading.stamp_ns, reading.unit)

    return look


def _switches(device: Switches) -> Looking:
    def look(deadline: Deadline) -> Look:
        states = device.states(deadline)
        return Look(np.array([float(states[name]) for name in device.names]), None, None, "on")

    return look


def _camera(device: Camera) -> Looking:
    def look(deadline: Deadline) -> Look:
        frame = device.newest(deadline)
        mean = np.asarray(frame.image.reshape(-1, 3).mean(axis=0), dtype=np.float64)
        return Look(mean, None, frame.stamp_ns, "level")

    return look


def _button(device: EmergencyStop) -> Looking:
    def look(deadline: Deadline) -> Look:
        return Look(np.array([float(device.pressed(deadline))]), None, None, "pressed")

    return look
