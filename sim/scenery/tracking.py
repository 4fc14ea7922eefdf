"""What a tracker sees of a scene: true poses, sampled on its own grid, late and with noise.

Stamps are plant steps, so that a tracked pose does not depend on when somebody asks.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from hil.config import validate
from hil.contracts import FloatArray
from sim.scenery.element import Element

_FAR = 1 << 62


class TrackerSpec(BaseModel):
    """`tracker` of a draw. `rate_hz` = 0 measures once, when the scene is arranged.

    Standard deviations per axis: `noise_m` of positions, `noise_rad` of rotations. A pose is
    seen `delay_s` after it was true.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    rate_hz: float = Field(default=0.0, ge=0, le=1000)
    delay_s: float = Field(default=0.0, ge=0, le=1)
    noise_m: float = Field(default=0.0, ge=0, le=0.1)
    noise_rad: float = Field(default=0.0, ge=0, le=1)
    seed: int = Field(default=0, ge=0)


class Tracking:
    """The tracker of one arranged scene."""

    def __init__(self, elements: Sequence[Element], table: object, step_hz: int) -> None:
        given = table if isinstance(table, dict) else {}
        self._spec = validate(dict(given), TrackerSpec, "tracker of the scene")
        self._elements = elements
        self._rng = np.random.default_rng(self._spec.seed)
        rate = self._spec.rate_hz
        self._period = max(1, round(step_hz / rate)) if rate else 0
        self._delay = round(self._spec.delay_s * step_hz)
        self._waiting: deque[tuple[int, dict[str, FloatArray]]] = deque()
        self._seen = self._measured()

    @property
    def seed(self) -> int:
        """Of what is random in this episode's sensors."""
        return self._spec.seed

    def next_step(self, done: int) -> int:
        """The next step after `done` that must not be run over."""
        return _FAR if not self._period else (done // self._period + 1) * self._period

    def follow(self, done: int) -> None:
        """Measure, if step `done` is on the tracker's grid."""
        if self._period and done % self._period == 0:
            self._waiting.append((done + self._delay, self._measured()))

    def newest(self, done: int) -> dict[str, FloatArray]:
        """The newest poses that may be known after `done` steps."""
        while self._waiting and self._waiting[0][0] <= done:
            self._seen = self._waiting.popleft()[1]
        return {name: pose.copy() for name, pose in self._seen.items()}

    def _measured(self) -> dict[str, FloatArray]:
        return {
            name: self._spoilt(pose)
            for element in self._elements
            for name, pose in element.poses().items()
        }

    def _spoilt(self, pose: FloatArray) -> FloatArray:
        """(7,) with a quaternion, (4,) with a yaw, or a position (3,)."""
        spec, found = self._spec, pose.copy()
        found[:3] += self._rng.normal(0.0, 1.0, 3) * spec.noise_m
        if len(pose) == 4:
            found[3] += self._rng.normal() * spec.noise_rad
        elif len(pose) == 7:
            found[3:] = _turned(pose[3:], self._rng.normal(0.0, 1.0, 3) * spec.noise_rad)
        return found


def _turned(quaternion: FloatArray, vector: FloatArray) -> FloatArray:
    """A quaternion x, y, z, w after a small rotation vector in rad: q + v q / 2, normalised."""
    x, y, z, w = quaternion
    vx, vy, vz = vector / 2
    found = np.array(
        [
            x + vx * w + vy * z - vz * y,
            y - vx * z + vy * w + vz * x,
            z + vx * y - vy * x + vz * w,
            w - vx * x - vy * y - vz * z,
        ]
    )
    return found / float(np.linalg.norm(found))
