"""What a tracker sees of a scene: true poses, sampled on its own grid, late and with errors.

Stamps are plant steps, so that a tracked pose does not depend on when somebody asks. What becomes
of a pose, `sim.sensing.tracker` says.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence

import numpy as np
from pydantic import Field, FiniteFloat

from hil.clock import NS_PER_S
from hil.config import validate
from hil.contracts import FloatArray
from sim.scenery.element import Element, Hideable
from sim.sensing.streams import stream
from sim.sensing.tracker import Errors, Gaze

_FAR = 1 << 62


class TrackerSpec(Errors):
    """`tracker` of a draw. `rate_hz` = 0 measures once, when the scene is arranged.

    A pose is seen `delay_s` after it was true, and up to `jitter_s` more; `dropout` is the
    probability that all poses of an instant are lost. With an `eye`, the place of a camera in m,
    what hides a thing from it counts; without, nothing is ever hidden.
    """

    rate_hz: float = Field(default=0.0, ge=0, le=1000)
    delay_s: float = Field(default=0.0, ge=0, le=1)
    jitter_s: float = Field(default=0.0, ge=0, le=1)
    dropout: float = Field(default=0.0, ge=0, le=1)
    eye: tuple[FiniteFloat, FiniteFloat, FiniteFloat] | None = None
    seed: int = Field(default=0, ge=0)


class Tracking:
    """The tracker of one arranged scene."""

    def __init__(self, elements: Sequence[Element], table: object, step_hz: int) -> None:
        given = table if isinstance(table, dict) else {}
        self._spec = spec = validate(dict(given), TrackerSpec, "tracker of the scene")
        self._elements, self._step_hz = elements, step_hz
        chance = [stream(spec.seed, "outliers", str(n)) for n in range(len(spec.outliers))]
        noise = np.random.default_rng(spec.seed)
        self._gaze = Gaze(spec, noise, chance, "tracker of the scene")
        self._fates = stream(spec.seed, "tracker", "fate")
        self._period = max(1, round(step_hz / spec.rate_hz)) if spec.rate_hz else 0
        self._waiting: deque[tuple[int, dict[str, FloatArray]]] = deque()
        self._seen = self._measured(0)

    @property
    def seed(self) -> int:
        """Of what is random in this episode's sensors."""
        return self._spec.seed

    def next_step(self, done: int) -> int:
        """The next step after `done` that must not be run over."""
        return _FAR if not self._period else (done // self._period + 1) * self._period

    def follow(self, done: int) -> None:
        """Measure, if step `done` is on the tracker's grid."""
        if not self._period or done % self._period:
            return
        poses = self._measured(done)
        # both are drawn every time: another probability leaves later draws alone
        late, lost = self._fates.random(2)
        if lost < self._spec.dropout:
            return
        known = done + round((self._spec.delay_s + late * self._spec.jitter_s) * self._step_hz)
        if self._waiting:
            known = max(known, self._waiting[-1][0])
        self._waiting.append((known, poses))

    def newest(self, done: int) -> dict[str, FloatArray]:
        """The newest poses that may be known after `done` steps; what was not seen is not in."""
        while self._waiting and self._waiting[0][0] <= done:
            self._seen = self._waiting.popleft()[1]
        return {name: pose.copy() for name, pose in self._seen.items()}

    def _measured(self, done: int) -> dict[str, FloatArray]:
        since_ns = done * NS_PER_S // self._step_hz
        found: dict[str, FloatArray] = {}
        for element in self._elements:
            poses = element.poses()
            hidden = self._hidden(element) if poses else 0.0
            for name, pose in poses.items():
                told = self._gaze.seen(pose, hidden, since_ns)[0]
                if not math.isnan(sum(told.tolist())):
                    found[name] = told
        return found

    def _hidden(self, element: Element) -> float:
        eye = self._spec.eye
        return element.hidden(eye) if eye is not None and isinstance(element, Hideable) else 0.0
