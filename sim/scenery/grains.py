"""Element kind `grains`: equal balls that start in a vessel, as a stand-in for what is poured.

Columns: `NAME.in_VESSEL`, how many have their middle inside that vessel now, by the true poses of
both; `NAME.spilled`, how many are in no vessel, those among them that are on their way from one
to another; `NAME.speed_max`, of the fastest, m/s.

The tracker tells `VESSEL-level` of the vessels in `levels`, a place (3,): the middle of the
surface of the liquid that the balls stand for, each for its own volume over `packing`, as a
camera that measures levels, or a scale under the vessel, would have it. The tracker's rate,
delay and noise spoil it like every other place. The heap itself is as high within a ball or so.

Balls of some millimetres are no liquid: they come in lumps, form slopes and hold some of the
heap back, so that a result is no better than a grain and says nothing of drops, films or foam.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from pydantic import Field

from hil.contracts import FloatArray
from hil.errors import BadInput
from sim.scenery.bodies import PLACE_BOUND, SPEED_BOUND, Four, Table
from sim.scenery.cavity import Cavity, Inside
from sim.scenery.element import Stage
from sim.world import Placed, Surface, World, blown_up

PACKING = 0.50
"""Share of its volume that a ball takes of the liquid it stands for: a round figure. The heap in
a vessel 4 to 5 balls wide is looser, 0.41 to 0.49 as measured in those of `sim.tasks.pour` by
twice the balls' mean height, for walls count for much there; far from walls, with friction, it
is 0.55 to 0.60 (Onoda and Liniger, Phys. Rev. Lett. 64, 2727, 1990)."""


class GrainsSpec(Table):
    """`count` balls of `radius` m and `mass` kg each in the vessel `start`; vessels are named
    before this element, `vessels` are all that are counted, and of `levels` among them the
    tracker tells the level: such as stand upright."""

    kind: Literal["grains"] = "grains"
    name: str = Field(pattern=r"^[a-z][a-z0-9_-]*$")
    count: int = Field(ge=1, le=1000)
    radius: float = Field(ge=0.001, le=0.05)
    mass: float = Field(ge=1e-5, le=1)
    friction: float = Field(default=0.4, ge=0, le=2)
    rolling: float = Field(default=0.0, ge=0, le=0.01)
    restitution: float = Field(default=0.0, ge=0, le=1)
    packing: float = Field(default=PACKING, ge=0.4, le=0.74)
    start: str
    vessels: tuple[str, ...] = Field(min_length=1)
    levels: tuple[str, ...] = ()
    colour: Four = (0.30, 0.55, 0.90, 1.0)


def level_of(cavity: Cavity, count: float, radius: float, packing: float = PACKING) -> float:
    """Height over the underside, m, to which `count` balls of `radius` m fill a cavity."""
    bulk = count * 4 / 3 * math.pi * radius**3 / packing
    return cavity.floor + bulk / cavity.area


class Grains:
    """Balls in the world."""

    def __init__(self, stage: Stage, spec: GrainsSpec) -> None:
        self._world, self._spec = stage.world, spec
        self._insides = {
            name: _inside(stage, name, spec.name) for name in (*spec.vessels, *spec.levels)
        }
        first = _inside(stage, spec.start, spec.name)
        places = first.cavity.places(spec.count, spec.radius)
        if places is None:
            raise BadInput(
                f"{spec.count} balls of {spec.radius * 1e3:g} mm radius do not fit into"
                f" {spec.start!r} without touching",
                "give the vessel more height, or take fewer or smaller balls",
            )
        self._uids = _balls(stage.world, spec, first.world(places))

    @property
    def solids(self) -> Sequence[Placed]:
        return ()  # they start inside of a vessel, in which no robot stands

    def poses(self) -> Mapping[str, FloatArray]:
        points, spec = self._points(), self._spec
        found = {}
        for name in spec.levels:
            inside = self._insides[name]
            level = level_of(inside.cavity, _count(inside, points), spec.radius, spec.packing)
            found[f"{name}-level"] = inside.world(np.array([[0.0, 0.0, level]]))[0]
        return found

    def witness(self) -> Mapping[str, float]:
        points, name = self._points(), self._spec.name
        fastest = self._fastest()
        away = float(np.abs(points).max())
        if not (fastest <= SPEED_BOUND and away <= PLACE_BOUND):
            raise blown_up(f"one of {name} is {away:g} m away or moves at {fastest:g} m/s")
        counts = {one: _count(self._insides[one], points) for one in self._spec.vessels}
        found = {f"{name}.in_{vessel}": float(count) for vessel, count in counts.items()}
        found[f"{name}.spilled"] = float(len(points) - sum(counts.values()))
        found[f"{name}.speed_max"] = fastest
        return found

    def show(self) -> None:
        """They look the same in every state."""

    def _points(self) -> FloatArray:
        where, client = self._world.bullet.getBasePositionAndOrientation, self._world.client
        return np.array([where(uid, physicsClientId=client)[0] for uid in self._uids])

    def _fastest(self) -> float:
        """m/s; NaN where the physics has blown up."""
        speed, client = self._world.bullet.getBaseVelocity, self._world.client
        linear = np.array([speed(uid, physicsClientId=client)[0] for uid in self._uids])
        return float(np.linalg.norm(linear, axis=1).max())


def build(stage: Stage, spec: GrainsSpec) -> Grains:
    """The element in the world of `stage`. Errors: BadInput where a vessel is not there or the
    balls do not fit into it."""
    return Grains(stage, spec)


def _inside(stage: Stage, name: str, of: str) -> Inside:
    if name not in stage.insides:
        raise BadInput(
            f"element {of!r} of the scene refers to {name!r}, which is no vessel before it",
            f"vessels are, in the order of the scene: {', '.join(stage.insides) or 'none'}",
        )
    return stage.insides[name]


def _count(inside: Inside, points: FloatArray) -> int:
    return int(inside.cavity.holds(inside.local(points)).sum())


def _balls(world: World, spec: GrainsSpec, places: FloatArray) -> list[int]:
    """Their ids. As rigid bodies of their own, not as trees of links with none: that takes a
    third less time a step. The moment of inertia is Bullet's for a ball, 2 m r²/5."""
    bullet, client = world.bullet, world.client
    solid = bullet.createCollisionShape(
        bullet.GEOM_SPHERE, radius=spec.radius, physicsClientId=client
    )
    seen = bullet.createVisualShape(
        bullet.GEOM_SPHERE, radius=spec.radius, rgbaColor=spec.colour, physicsClientId=client
    )
    surface = Surface(spec.friction, spec.rolling, 0.0, spec.restitution)
    uids = []
    for place in places.tolist():
        uid = bullet.createMultiBody(
            spec.mass, solid, seen, place, useMaximalCoordinates=1, physicsClientId=client
        )
        bullet.changeDynamics(uid, -1, linearDamping=0, angularDamping=0, physicsClientId=client)
        world.surface(Placed(uid, {}), -1, surface)
        uids.append(uid)
    return uids
