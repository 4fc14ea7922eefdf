"""The contract of sensors: units by label, presence, and who keeps it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from hil.clock import Deadline, VirtualClock
from hil.contracts import (
    NEVER,
    Capability,
    Device,
    Finding,
    Identity,
    SafeProof,
    Sensor,
    SensorFacts,
    SensorSample,
)


class Scale:
    """A sensor of two values that was last heard 5 ms ago, and of whose second nothing came."""

    role = "scale"
    capabilities = frozenset({Capability.FORCE_TORQUE})
    facts = SensorFacts(Capability.FORCE_TORQUE, ("fz", "tz"), "N N·m", 100.0)

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock

    def open(self, deadline: Deadline) -> None: ...

    def identity(self, deadline: Deadline) -> Identity:
        return Identity("scale")

    def health(self, deadline: Deadline) -> Sequence[Finding]:
        return []

    def ping(self, deadline: Deadline) -> None: ...

    def counters(self) -> Mapping[str, int]:
        return {}

    def make_safe(self, deadline: Deadline) -> SafeProof:
        now_ns = self._clock.now_ns()
        return SafeProof(self.role, True, "passive", {}, now_ns, now_ns)

    def close(self) -> None: ...

    def sample(self, deadline: Deadline) -> SensorSample:
        return SensorSample(
            self._clock.now_ns(), np.array([3.5, np.nan]), np.array([5_000_000, NEVER])
        )


def test_a_sensor_is_a_device_with_facts_and_samples() -> None:
    clock = VirtualClock()
    scale: Sensor = Scale(clock)
    assert isinstance(scale, Sensor)
    assert isinstance(scale, Device)
    sample = scale.sample(Deadline.after_s(clock, 0.01))
    assert sample.present.tolist() == [True, False]
    assert len(scale.facts.labels) == len(sample.value)


def test_a_device_without_facts_is_no_sensor() -> None:
    class Blind:
        sample = Scale.sample

    assert not isinstance(Blind(), Sensor)


def test_one_unit_is_that_of_every_label() -> None:
    assert SensorFacts(Capability.TACTILE, ("a", "b", "c"), "N", 1.0).units == ("N", "N", "N")
    assert SensorFacts(Capability.FORCE_TORQUE, ("f", "t"), "N N·m", 1.0).units == ("N", "N·m")
    assert SensorFacts(Capability.IMU, ("a",), "m/s²", 1.0).units == ("m/s²",)
    assert SensorFacts(Capability.TRACKER, ("a", "b"), "", 1.0).units == ("", "")
