"""Element kind `fixture`: a fixed body on a load cell, as a nest or a socket on a test stand.

Columns: `NAME.force_n`, resultant of all contact forces on it at that instant, N, and
`NAME.force_peak_n`, the largest one of any step since the last row: no filter smooths it, so the
blow of a first contact counts whole. Weights that stand on it count too.

With `told` the tracker tells that pose of it, which is where the drawing or a rough calibration
has it and need not be where it is; without, it is not tracked.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from pydantic import Field

from hil.contracts import FloatArray
from sim.scenery.bodies import BodySpec, Four, PartSpec, Table, Triple, body_of
from sim.scenery.element import Stage
from sim.world import Placed, Surface


class Told(Table):
    """Where a tracker says that it is; `turn` is a quaternion x, y, z, w."""

    at: Triple
    turn: Four


class FixtureSpec(Table):
    """A fixed body. `stiffness` N/m and `damping` N·s/m are of each contact point on it, rigid
    without: what gives in a robot, its fingers and the fixture's mounting, in one place."""

    kind: Literal["fixture"] = "fixture"
    name: str = Field(pattern=r"^[a-z][a-z0-9_-]*$")
    parts: tuple[PartSpec, ...] = Field(min_length=1)
    at: Triple
    turn: Four = (0.0, 0.0, 0.0, 1.0)
    friction: float = Field(default=0.5, ge=0, le=2)
    stiffness: float | None = Field(default=None, ge=1e3, le=1e7)
    damping: float = Field(default=100.0, gt=0, le=1e5)
    told: Told | None = None


class Fixture:
    """One fixture in the world."""

    def __init__(self, stage: Stage, spec: FixtureSpec) -> None:
        self._world, self._spec, self._peak = stage.world, spec, 0.0
        whole = BodySpec(name=spec.name, parts=spec.parts, at=spec.at, turn=spec.turn, fixed=True)
        self._placed = stage.world.put(body_of(whole), spec.at, spec.turn, fixed=True)
        stage.world.surface(self._placed, -1, Surface(spec.friction))
        stage.claim(spec.name, self._placed)
        if spec.stiffness is not None:
            stage.world.bullet.changeDynamics(
                self._placed.uid,
                -1,
                contactStiffness=spec.stiffness,
                contactDamping=spec.damping,
                physicsClientId=stage.world.client,
            )

    @property
    def solids(self) -> Sequence[Placed]:
        return (self._placed,)

    def poses(self) -> Mapping[str, FloatArray]:
        told = self._spec.told
        return {} if told is None else {self._spec.name: np.array([*told.at, *told.turn])}

    def after_step(self) -> None:
        self._peak = max(self._peak, self._force())

    def witness(self) -> Mapping[str, float]:
        name = self._spec.name
        seen = {f"{name}.force_n": self._force(), f"{name}.force_peak_n": self._peak}
        self._peak = 0.0
        return seen

    def show(self) -> None:
        """It looks the same in every state."""

    def _force(self) -> float:
        """Size of the resultant now; the normal of a point is towards this body, the first."""
        x = y = z = 0.0
        for point in self._world.bullet.getContactPoints(
            bodyA=self._placed.uid, physicsClientId=self._world.client
        ):
            for (dx, dy, dz), size in (
                (point[7], point[9]),
                (point[11], point[10]),
                (point[13], point[12]),
            ):
                x, y, z = x + size * dx, y + size * dy, z + size * dz
        return math.sqrt(x * x + y * y + z * z)


def build(stage: Stage, spec: FixtureSpec) -> Fixture:
    """The element in the world of `stage`."""
    return Fixture(stage, spec)
