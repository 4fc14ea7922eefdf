"""Element kind `fragile`: a body of the scene that breaks where a robot squeezes it too hard.

Columns: `NAME.squeeze_n`, the largest normal force of any one finger (link of a robot) on it since
the last row, N, each a mean over `over_s`, since a shell is not broken by one step of the contact
solver; `NAME.broken`, 1 from the moment on in which that was more than `holds_n`.

It is a limit and no mechanics: the body goes on as it was, and where and how widely it is pressed
does not count.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Literal

from pydantic import Field

from hil.contracts import FloatArray
from sim.scenery.bodies import Table
from sim.scenery.element import Stage
from sim.world import Placed

_RED = (0.75, 0.1, 0.1, 1.0)


class FragileSpec(Table):
    """The body called `of`, which stands before this element in the scene, holds `holds_n`."""

    kind: Literal["fragile"] = "fragile"
    name: str = Field(pattern=r"^[a-z][a-z0-9_-]*$")
    of: str
    holds_n: float = Field(gt=0, le=1000)
    over_s: float = Field(default=0.01, gt=0, le=0.1)


class Fragile:
    """How hard a body has been squeezed, in one episode."""

    def __init__(self, stage: Stage, spec: FragileSpec) -> None:
        self._stage, self._spec = stage, spec
        self._placed = stage.thing(spec.of, spec.name)
        steps = max(1, round(spec.over_s / stage.world.step_s))
        self._last: deque[dict[tuple[int, int], float]] = deque(maxlen=steps)
        self._squeeze, self._broken = 0.0, False

    @property
    def solids(self) -> Sequence[Placed]:
        return ()

    def poses(self) -> Mapping[str, FloatArray]:
        return {}

    def after_step(self) -> None:
        """Not to miss a moment of too much."""
        self._last.append(self._pressed())
        fingers = {finger for step in self._last for finger in step}
        count = self._last.maxlen or 1
        now = max(
            (sum(step.get(one, 0.0) for step in self._last) / count for one in fingers),
            default=0.0,
        )
        self._squeeze = max(self._squeeze, now)
        self._broken = self._broken or now > self._spec.holds_n

    def witness(self) -> Mapping[str, float]:
        name, squeeze = self._spec.name, self._squeeze
        self._squeeze = 0.0
        return {f"{name}.squeeze_n": squeeze, f"{name}.broken": float(self._broken)}

    def show(self) -> None:
        if self._broken:
            bullet, client = self._stage.world.bullet, self._stage.world.client
            bullet.changeVisualShape(self._placed.uid, -1, rgbaColor=_RED, physicsClientId=client)

    def _pressed(self) -> dict[tuple[int, int], float]:
        """Normal force of every link of a robot that touches it, N."""
        bullet, client = self._stage.world.bullet, self._stage.world.client
        found: dict[tuple[int, int], float] = {}
        for robot in self._stage.robots:
            points = bullet.getContactPoints(
                bodyA=robot.uid, bodyB=self._placed.uid, physicsClientId=client
            )
            for point in points:
                link = (robot.uid, point[3])
                found[link] = found.get(link, 0.0) + point[9]
        return found


def build(stage: Stage, spec: FragileSpec) -> Fragile:
    """The element in the world of `stage`. Errors: BadInput where there is no such body."""
    return Fragile(stage, spec)
