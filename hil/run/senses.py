"""What an embodied policy perceives besides its joints: tracked things and sensor channels."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Protocol

import numpy as np

from hil.clock import NS_PER_S, Clock, Deadline
from hil.contracts import NEVER, FloatArray, Scene, Sensor, SensorFacts, SensorSample
from hil.errors import DeadlineMissed
from hil.loop.ticklog import ChannelLog, TickNote
from hil.plan.withheld import SENSING
from hil.record.format import Channel, TickFlag
from hil.rig import Bench

TRACKER = "tracker"
"""Channel of the tracked poses; a sensor's channel has the name of its role."""

_POSE = ("x", "y", "z", "qx", "qy", "qz", "qw")


class Sampled(Protocol):
    """What is asked of a sensor in a tick, as `hil.contracts.Sensor` has it."""

    @property
    def facts(self) -> SensorFacts: ...

    def sample(self, deadline: Deadline) -> SensorSample: ...


class Withheld:
    """A sensor that is asked as ever, and takes its time, but whose values nobody gets: absent in
    the view of the policy and in the record."""

    def __init__(self, sensor: Sensor) -> None:
        self._sensor = sensor

    @property
    def facts(self) -> SensorFacts:
        return self._sensor.facts

    def sample(self, deadline: Deadline) -> SensorSample:
        """NaN with the age NEVER. Errors: as the sensor's."""
        sample = self._sensor.sample(deadline)
        nothing = np.full(len(sample.value), np.nan)
        return SensorSample(sample.stamp_ns, nothing, np.full(len(nothing), NEVER))


def sensors_of(
    bench: Bench, needs: Mapping[str, str], without: Collection[str] = ()
) -> dict[str, Sampled]:
    """The sensors that a scenario needs, by role; those `without` which the policy has to do are
    withheld. Errors: CapabilityMissing."""
    found = {role: bench.sensor(role) for role, needed in needs.items() if needed in SENSING}
    return {role: Withheld(sensor) if role in without else sensor for role, sensor in found.items()}


class Senses:
    """Asked once a tick; what did not come keeps its last value, whose age goes on growing.

    `scene` tracks in every tick where the job needs it, else `goal`, which is what it said
    before the first tick, stays.
    """

    def __init__(
        self,
        clock: Clock,
        goal: Mapping[str, FloatArray],
        scene: Scene | None,
        sensors: Mapping[str, Sampled],
        capacity: int,
    ) -> None:
        self._clock, self._scene, self._sensors = clock, scene, sensors
        self._tracked_ns = clock.now_ns()
        self.tracked = goal
        self.samples: Mapping[str, SensorSample] = {}
        self._logs = {
            role: ChannelLog(capacity, sensor.facts.labels, sensor.facts.unit)
            for role, sensor in sensors.items()
        }
        if scene is not None:
            self._logs[TRACKER] = ChannelLog(capacity, _labels(goal), "mixed: see labels")

    @property
    def tracked_age_s(self) -> float:
        """Time since the tracked poses were received."""
        return (self._clock.now_ns() - self._tracked_ns) / NS_PER_S

    def take(self, row: int, note: TickNote, deadline: Deadline) -> None:
        """Ask everybody. Errors: LinkLost and the like; a late answer is an absent one."""
        try:
            self._track(row, deadline)
            self.samples = {role: self._sampled(row, role, deadline) for role in self._sensors}
        except DeadlineMissed:
            note.flags |= TickFlag.LOST_INPUT

    def channels(self, ticks: int) -> dict[str, Channel]:
        """What was recorded, by channel name."""
        return {name: log.channel(ticks) for name, log in self._logs.items()}

    def _track(self, row: int, deadline: Deadline) -> None:
        if self._scene is None:
            return
        poses = self._scene.track(deadline)
        now_ns = self._clock.now_ns()
        values = [
            poses[name] if name in poses else np.full(len(pose), np.nan)
            for name, pose in self.tracked.items()
        ]
        self._logs[TRACKER].put(row, now_ns, np.concatenate(values))
        self.tracked, self._tracked_ns = {**self.tracked, **poses}, now_ns

    def _sampled(self, row: int, role: str, deadline: Deadline) -> SensorSample:
        sample = self._sensors[role].sample(deadline)
        self._logs[role].put(row, sample.stamp_ns, sample.value, sample.age_ns)
        return sample


def _labels(poses: Mapping[str, FloatArray]) -> tuple[str, ...]:
    """Columns of vectors (3,), (7,) or (4,) with a yaw."""
    return tuple(
        f"{name}.{axis}"
        for name, pose in poses.items()
        for axis in (("x", "y", "z", "yaw") if len(pose) == 4 else _POSE[: len(pose)])
    )
