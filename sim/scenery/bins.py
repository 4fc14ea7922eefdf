"""Element kind `bin`: an open box with a floor and four walls, fixed, that knows what is in it.

Columns, for each thing that it `counts`: `THING.in_NAME`, 1 where its centre of mass is truly
within the inner space, between the walls, over the floor and not over the rim, else 0.
The tracker tells the pose of the middle of its floor's upper side.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from pydantic import Field, FiniteFloat

from hil.contracts import FloatArray
from sim.scenery.bodies import BodySpec, Four, Length, PartSpec, Table, Triple, body_of
from sim.scenery.element import Stage
from sim.world import Placed, Surface


class BinSpec(Table):
    """`size` is of the inner space, m; `at` the middle of its floor, turned by `yaw` (rad) about
    the vertical. Walls and floor are `wall` thick, outwards; under the floor is a block of height
    `foot`, on which it stands."""

    kind: Literal["bin"] = "bin"
    name: str = Field(pattern=r"^[a-z][a-z0-9_-]*$")
    at: Triple
    yaw: FiniteFloat = 0.0
    size: tuple[Length, Length, Length]
    wall: float = Field(default=0.004, gt=0, le=0.05)
    foot: float = Field(default=0.0, ge=0, le=2)
    friction: float = Field(default=0.5, ge=0, le=2)
    counts: tuple[str, ...] = ()
    colour: Four = (0.6, 0.6, 0.6, 1.0)


class Bin:
    """One bin in the world."""

    def __init__(self, stage: Stage, spec: BinSpec) -> None:
        self._world, self._spec = stage.world, spec
        self._turn = stage.world.bullet.getQuaternionFromEuler((0.0, 0.0, spec.yaw))
        whole = BodySpec(name=spec.name, parts=_parts(spec), at=spec.at, fixed=True)
        self._placed = stage.world.put(body_of(whole), spec.at, self._turn, fixed=True)
        stage.world.surface(self._placed, -1, Surface(spec.friction))
        stage.claim(spec.name, self._placed)
        self._things = {name: stage.thing(name, spec.name) for name in spec.counts}

    @property
    def solids(self) -> Sequence[Placed]:
        return (self._placed,)

    def poses(self) -> Mapping[str, FloatArray]:
        return {self._spec.name: np.array([*self._spec.at, *self._turn])}

    def witness(self) -> Mapping[str, float]:
        return {
            f"{thing}.in_{self._spec.name}": float(self._holds(placed))
            for thing, placed in self._things.items()
        }

    def show(self) -> None:
        """It looks the same, full or empty."""

    def _holds(self, placed: Placed) -> bool:
        bullet = self._world.bullet
        at, _ = bullet.getBasePositionAndOrientation(placed.uid, physicsClientId=self._world.client)
        inverse = bullet.invertTransform(self._spec.at, self._turn)
        (x, y, z), _ = bullet.multiplyTransforms(*inverse, at, (0.0, 0.0, 0.0, 1.0))
        length, width, height = self._spec.size
        return bool(abs(x) <= length / 2 and abs(y) <= width / 2 and 0.0 <= z <= height)


def build(stage: Stage, spec: BinSpec) -> Bin:
    """The element in the world of `stage`. Errors: BadInput where a thing is not there."""
    return Bin(stage, spec)


def _parts(spec: BinSpec) -> tuple[PartSpec, ...]:
    (x, y, z), wall = spec.size, spec.wall
    long, wide = x + 2 * wall, y + 2 * wall

    def part(size: Triple, at: Triple) -> PartSpec:
        return PartSpec(shape="box", size=size, at=at, colour=spec.colour)

    across, along = (x + wall) / 2, (y + wall) / 2
    foot = [part((long, wide, spec.foot), (0.0, 0.0, -wall - spec.foot / 2))] if spec.foot else []
    return (
        *foot,
        part((long, wide, wall), (0.0, 0.0, -wall / 2)),
        *(part((wall, wide, z), (side * across, 0.0, z / 2)) for side in (-1, 1)),
        *(part((x, wall, z), (0.0, side * along, z / 2)) for side in (-1, 1)),
    )
