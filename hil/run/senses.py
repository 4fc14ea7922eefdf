"""What an embodied policy perceives besides its joints: tracked things and sensor channels."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from hil.clock import NS_PER_S, Clock, Deadline
from hil.contracts import FloatArray, Scene, Sensor, SensorSample
from hil.errors import DeadlineMissed
from hil.loop.ticklog import ChannelLog, TickNote
from hil.record.format import Channel, TickFlag
from hil.rig import Bench

TRACKER = "tracker"
"""Channel of the tracked poses; a sensor's channel has the name of its role."""

_POSE = ("x", "y", "z", "qx", "qy", "qz", "qw")

SENSING = ("force-torque", "tactile", "microphone", "imu")
"""Capabilities of roles that are sampled in every tick."""


def sensors_of(bench: Bench, needs: Mapping[str, str]) -> dict[str, Sensor]:
    """The sensors that a scenario needs, by role. Errors: CapabilityMissing."""
    return {role: bench.sensor(role) for role, needed in needs.items() if needed in SENSING}


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
        sensors: Mapping[str, Sensor],
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
            poses.get(name, np.full(len(pose), np.nan)) for name, pose in self.tracked.items()
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
