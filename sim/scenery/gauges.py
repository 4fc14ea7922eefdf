"""Element kind `gauge`: a force gauge, a rigid block on a spring whose force is read.

Columns: `NAME.n`, force on it along `axis` (a unit vector in the world's frame, the way in which
it is pressed), N, at that instant; `NAME.peak_n`, the largest of any step since the last row. Both
with the instrument's noise. The spring is in the contact: the block itself does not move, and
what presses it sinks in by force over `stiffness`.

On a real rig it is a load cell behind the scene's contract.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from pydantic import Field

from hil.contracts import FloatArray
from sim.scenery.bodies import BodySpec, PartSpec, Table, Triple, body_of
from sim.scenery.element import Stage
from sim.scenery.pushes import pushes
from sim.world import Placed, Surface


class GaugeSpec(Table):
    """A block of parts at `at`; `stiffness` N/m, `damping` N·s/m of its spring. `noise_n` is a
    standard deviation, `seed` that of the noise."""

    kind: Literal["gauge"] = "gauge"
    name: str = Field(pattern=r"^[a-z][a-z0-9_-]*$")
    parts: tuple[PartSpec, ...] = Field(min_length=1)
    at: Triple
    axis: Triple
    friction: float = Field(default=0.5, ge=0, le=2)
    stiffness: float = Field(default=1e5, ge=500, le=1e7)
    damping: float = Field(default=10.0, gt=0, le=1e4)
    noise_n: float = Field(default=0.0, ge=0, le=1)
    seed: int = Field(default=0, ge=0)


class Gauge:
    """The gauge, for one episode."""

    def __init__(self, stage: Stage, spec: GaugeSpec) -> None:
        self._stage, self._spec, self._peak = stage, spec, 0.0
        whole = BodySpec(name=spec.name, parts=spec.parts, at=spec.at, fixed=True)
        self._placed = stage.world.put(body_of(whole), spec.at, fixed=True)
        stage.world.surface(self._placed, -1, Surface(spec.friction))
        stage.world.bullet.changeDynamics(
            self._placed.uid,
            -1,
            contactStiffness=spec.stiffness,
            contactDamping=spec.damping,
            physicsClientId=stage.world.client,
        )
        stage.claim(spec.name, self._placed)
        self._rng = np.random.default_rng(spec.seed)

    @property
    def solids(self) -> Sequence[Placed]:
        return (self._placed,)

    def poses(self) -> Mapping[str, FloatArray]:
        return {}

    def after_step(self) -> None:
        """Not to miss the blow of a first contact."""
        self._peak = max(self._peak, self._force())

    def witness(self) -> Mapping[str, float]:
        name, noise = self._spec.name, self._rng.normal(0.0, 1.0, 2) * self._spec.noise_n
        seen = {f"{name}.n": self._force() + noise[0], f"{name}.peak_n": self._peak + noise[1]}
        self._peak = 0.0
        return seen

    def show(self) -> None:
        """It looks the same in every state."""

    def _force(self) -> float:
        found = pushes(self._stage.world, self._stage.robots, self._placed)
        x, y, z = self._spec.axis
        return sum(one.x * x + one.y * y + one.z * z for one in found.values())
