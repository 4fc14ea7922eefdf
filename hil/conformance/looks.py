"""One look at a device, whatever it measures: numbers, their ages, and when they were taken."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from hil.clock import Deadline
from hil.contracts import (
    Camera,
    Capability,
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
    """How to look at a device; None where it has nothing to read.

    What it offers decides: one class may have the calls of several contracts, and keep the
    promise of some of them only.
    """
    for capability, look_at in _LOOKS:
        if capability in device.capabilities:
            return partial(look_at, device)
    return None


def pinging(device: Device) -> Looking:
    """A look at a device that has nothing to read: a round trip, and no number from it."""
    return partial(_answer, device)


def _answer(device: Device, deadline: Deadline) -> Look:
    device.ping(deadline)
    return Look(np.zeros(1), None, None, "")


def _joints(device: Joints, deadline: Deadline) -> Look:
    sample = device.read(deadline)
    return Look(sample.position, sample.age_ns, sample.stamp_ns, "rad")


def _gripper(device: Gripper, deadline: Deadline) -> Look:
    sample = device.read(deadline)
    ages = np.array([sample.age_ns], dtype=np.int64)
    return Look(np.array([sample.opening_m]), ages, sample.stamp_ns, "m")


def _force(device: Force, deadline: Deadline) -> Look:
    sample = device.read(deadline)
    return Look(sample.newtons, sample.age_ns, sample.stamp_ns, "N")


def _power(device: Power, deadline: Deadline) -> Look:
    sample = device.read(deadline)
    return Look(np.array([sample.volts, sample.amperes]), None, sample.stamp_ns, "V, A")


def _meter(device: Meter, deadline: Deadline) -> Look:
    reading = device.read(deadline)
    return Look(np.array([reading.value]), None, reading.stamp_ns, reading.unit)


def _switches(device: Switches, deadline: Deadline) -> Look:
    states = device.states(deadline)
    return Look(np.array([float(states[name]) for name in device.names]), None, None, "on")


def _camera(device: Camera, deadline: Deadline) -> Look:
    frame = device.newest(deadline)
    mean = np.asarray(frame.image.reshape(-1, 3).mean(axis=0), dtype=np.float64)
    return Look(mean, None, frame.stamp_ns, "level")


def _button(device: EmergencyStop, deadline: Deadline) -> Look:
    return Look(np.array([float(device.pressed(deadline))]), None, None, "pressed")


_LOOKS: tuple[tuple[Capability, Callable[[Any, Deadline], Look]], ...] = (
    (Capability.JOINTS, _joints),
    (Capability.GRIPPER, _gripper),
    (Capability.FORCE, _force),
    (Capability.POWER, _power),
    (Capability.METER, _meter),
    (Capability.SWITCHES, _switches),
    (Capability.CAMERA, _camera),
    (Capability.EMERGENCY_STOP, _button),
)
