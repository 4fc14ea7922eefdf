"""Element kind `holders`: which of several robots holds a thing, and how each pulls at it.

Columns, for each robot by the name that the scene gives it: `NAME.ROBOT_n`, the sum of the sizes
of its contact forces on the thing at that instant, N; `NAME.ROBOT_pull_n`, its resultant along
`way`, N. Also `NAME.tension_peak_n`, the largest of any step since the last row by which one
robot pulls along `way` while another holds against it.

A real rig has a force sensor in every wrist, less the weights that they carry, for the pulls, and
the grippers' currents for the rest; a thing with a load cell in it tells the tension.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

import numpy as np
from pydantic import Field, model_validator

from hil.contracts import FloatArray
from hil.errors import BadInput
from sim.scenery.bodies import Table, Triple
from sim.scenery.element import Stage
from sim.scenery.pushes import pushes
from sim.world import Placed

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]*$")]


class HoldersSpec(Table):
    """The body called `on`, and names of the plant's robots in order."""

    kind: Literal["holders"] = "holders"
    name: Name
    on: str
    robots: tuple[Name, ...] = Field(min_length=1)
    way: Triple = (1.0, 0.0, 0.0)

    @model_validator(mode="after")
    def _has_a_direction(self) -> HoldersSpec:
        if not any(self.way):
            raise ValueError("way = (0, 0, 0) has no direction")
        return self


class Holders:
    """The contacts of one thing with each robot."""

    def __init__(self, stage: Stage, spec: HoldersSpec) -> None:
        if len(spec.robots) != len(stage.robots):
            raise BadInput(
                f"element {spec.name!r} names {len(spec.robots)} robots, and there are"
                f" {len(stage.robots)}",
                "run it on a rig whose plant has the robots that the task is for",
            )
        self._stage, self._spec = stage, spec
        self._placed = stage.thing(spec.on, spec.name)
        self._way = np.array(spec.way) / math.hypot(*spec.way)
        self._tension_n = 0.0

    @property
    def solids(self) -> Sequence[Placed]:
        return ()

    def poses(self) -> Mapping[str, FloatArray]:
        return {}

    def after_step(self) -> None:
        along = self._pulls()
        ahead, back = max(along), -min(along)
        self._tension_n = max(self._tension_n, min(ahead, back))

    def witness(self) -> Mapping[str, float]:
        name, world = self._spec.name, self._stage.world
        seen = {f"{name}.tension_peak_n": self._tension_n}
        self._tension_n = 0.0
        for robot, placed, pull in zip(
            self._spec.robots, self._stage.robots, self._pulls(), strict=True
        ):
            forces = world.contact_forces(placed, self._placed)
            seen[f"{name}.{robot}_n"] = sum(forces.values())
            seen[f"{name}.{robot}_pull_n"] = pull
        return seen

    def show(self) -> None:
        """A force has no look."""

    def _pulls(self) -> list[float]:
        found = []
        for robot in self._stage.robots:
            each = pushes(self._stage.world, [robot], self._placed).values()
            total = sum((np.array((one.x, one.y, one.z)) for one in each), np.zeros(3))
            found.append(float(total @ self._way))
        return found


def build(stage: Stage, spec: HoldersSpec) -> Holders:
    """The element in the world of `stage`. Errors: BadInput where there is no such body, or
    there are other robots than it names."""
    return Holders(stage, spec)
