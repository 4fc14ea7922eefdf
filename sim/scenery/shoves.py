"""Element kind `shoves`: forces on a body at set times, as of a bump or a clumsy hand.

Each acts along the world's axes at a point of the body, for a while. Columns: `NAME.n`, the sum
of the sizes of the forces that act now, N; `NAME.done`, how many have ended.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal

from pydantic import Field

from hil.contracts import FloatArray
from sim.scenery.bodies import Table, Triple
from sim.scenery.element import Stage
from sim.world import UPRIGHT, Placed

_INSTANT_S = 1e-6
"""Sums of decimal fractions are off by less, steps are longer."""


class Shove(Table):
    """`force` in N from `start_s` after the scene was arranged on, for `lasts_s`, at `at` in m
    from the body's centre of mass, along its own axes."""

    start_s: float = Field(ge=0, le=3600)
    lasts_s: float = Field(gt=0, le=60)
    force: Triple
    at: Triple = (0.0, 0.0, 0.0)

    @property
    def end_s(self) -> float:
        return self.start_s + self.lasts_s


class ShovesSpec(Table):
    """Shoves of the body called `on`, which the scene names before this element."""

    kind: Literal["shoves"] = "shoves"
    name: str = Field(pattern=r"^[a-z][a-z0-9_-]*$")
    on: str
    shoves: tuple[Shove, ...] = Field(max_length=1000)


class Shoves:
    """The forces in the world."""

    def __init__(self, stage: Stage, spec: ShovesSpec) -> None:
        self._stage, self._spec = stage, spec
        self._uid = stage.thing(spec.on, spec.name).uid

    @property
    def solids(self) -> Sequence[Placed]:
        return ()

    def poses(self) -> Mapping[str, FloatArray]:
        return {}

    def before_step(self) -> None:
        bullet, client = self._stage.world.bullet, self._stage.world.client
        for shove in self._acting():
            pose = bullet.getBasePositionAndOrientation(self._uid, physicsClientId=client)
            point, _ = bullet.multiplyTransforms(*pose, shove.at, UPRIGHT)
            bullet.applyExternalForce(
                self._uid, -1, shove.force, point, bullet.WORLD_FRAME, physicsClientId=client
            )

    def witness(self) -> Mapping[str, float]:
        now_s, name = self._stage.seconds() + _INSTANT_S, self._spec.name
        return {
            f"{name}.n": sum(math.hypot(*shove.force) for shove in self._acting()),
            f"{name}.done": float(sum(shove.end_s <= now_s for shove in self._spec.shoves)),
        }

    def show(self) -> None:
        """A force has no look."""

    def _acting(self) -> list[Shove]:
        now_s = self._stage.seconds() + _INSTANT_S
        return [one for one in self._spec.shoves if one.start_s <= now_s < one.end_s]


def build(stage: Stage, spec: ShovesSpec) -> Shoves:
    """The element in the world of `stage`. Errors: BadInput where there is no such body."""
    return Shoves(stage, spec)
