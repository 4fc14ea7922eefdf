"""Element kind `belt`: an endless belt that carries things at a steady speed.

Its top is a slab on a slide, driven at the belt's speed and put back after every step by the
way that it made: contacts meet a surface that moves, friction drags with Coulomb's law, and the
slab stays where it is, so that things fall off its end. What presses on the belt cannot slow it.

Columns: `NAME.speed`, of its surface, m/s, and for each thing that it carries `THING.on_NAME`:
1 where the thing's centre of mass is over the belt and not lower than its top, held or not, else 0.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal

from pydantic import Field, FiniteFloat

from hil.contracts import FloatArray
from sim.robots.urdf import Body, Box, Inertial, Joint, Link, Part
from sim.scenery.bodies import Four, Table, Triple
from sim.scenery.element import Stage
from sim.world import Placed, Surface

_DRIVE_N = 1e4
_SLAB_KG = 50.0
_LEG_M, _LEG_APART_M = 0.04, 1.0
_RUN = "run"


class BeltSpec(Table):
    """A belt whose top has its middle at `at` (m) and moves along the frame's x, which `yaw`
    (rad) turns about the vertical, at `speed` m/s. Things of the scene that it `carries` start
    with its speed, as they have come from where the belt begins."""

    kind: Literal["belt"] = "belt"
    name: str = Field(pattern=r"^[a-z][a-z0-9_-]*$")
    at: Triple
    yaw: FiniteFloat = 0.0
    length: float = Field(gt=0, le=20)
    width: float = Field(gt=0, le=2)
    thickness: float = Field(default=0.03, gt=0, le=1)
    speed: float = Field(ge=0, le=3)
    friction: float = Field(default=1.0, ge=0, le=2)
    carries: tuple[str, ...] = ()
    colour: Four = (0.22, 0.23, 0.25, 1.0)


class Belt:
    """One belt in the world."""

    def __init__(self, stage: Stage, spec: BeltSpec) -> None:
        self._world, self._spec = stage.world, spec
        self._placed = stage.world.place(_body(spec), spec.at, spec.yaw)
        self._joint = self._placed.joints[_RUN]
        stage.world.surface(self._placed, self._joint, Surface(spec.friction))
        stage.claim(spec.name, self._placed)
        self._things = {name: stage.thing(name, spec.name) for name in spec.carries}
        self._ahead = (math.cos(spec.yaw), math.sin(spec.yaw))
        bullet, client = stage.world.bullet, stage.world.client
        bullet.setJointMotorControl2(
            self._placed.uid,
            self._joint,
            bullet.VELOCITY_CONTROL,
            targetVelocity=spec.speed,
            force=_DRIVE_N,
            physicsClientId=client,
        )
        self.before_step()
        x, y = self._ahead
        for thing in self._things.values():
            velocity = (x * spec.speed, y * spec.speed, 0.0)
            bullet.resetBaseVelocity(thing.uid, velocity, physicsClientId=client)

    @property
    def solids(self) -> Sequence[Placed]:
        return (self._placed,)

    def poses(self) -> Mapping[str, FloatArray]:
        return {}

    def before_step(self) -> None:
        """Put the slab back, still moving."""
        self._world.bullet.resetJointState(
            self._placed.uid,
            self._joint,
            0.0,
            self._spec.speed,
            physicsClientId=self._world.client,
        )

    def witness(self) -> Mapping[str, float]:
        name = self._spec.name
        state = self._world.bullet.getJointState(
            self._placed.uid, self._joint, physicsClientId=self._world.client
        )
        seen = {f"{name}.speed": float(state[1])}
        for thing, placed in self._things.items():
            seen[f"{thing}.on_{name}"] = float(self._carries(placed))
        return seen

    def show(self) -> None:
        """It looks the same at every speed."""

    def _carries(self, placed: Placed) -> bool:
        (x, y, z), _ = self._world.bullet.getBasePositionAndOrientation(
            placed.uid, physicsClientId=self._world.client
        )
        dx, dy = x - self._spec.at[0], y - self._spec.at[1]
        ahead, aside = self._ahead
        along, across = dx * ahead + dy * aside, dy * ahead - dx * aside
        return bool(
            abs(along) <= self._spec.length / 2
            and abs(across) <= self._spec.width / 2
            and z >= self._spec.at[2]
        )


def build(stage: Stage, spec: BeltSpec) -> Belt:
    """The element in the world of `stage`. Errors: BadInput where a thing is not there."""
    return Belt(stage, spec)


def _body(spec: BeltSpec) -> Body:
    """The slab, and legs that are only seen."""
    slab = Box((spec.length, spec.width, spec.thickness))
    middle = (0.0, 0.0, -spec.thickness / 2)
    top = Link(
        "slab", Inertial.of(slab, _SLAB_KG, middle), (Part(slab, middle, colour=spec.colour),)
    )
    slide = Joint(
        _RUN,
        "prismatic",
        "frame",
        "slab",
        axis=(1.0, 0.0, 0.0),
        lower=-1.0,
        upper=1.0,
        effort=_DRIVE_N,
        velocity=spec.speed + 1.0,
    )
    return Body(spec.name, [_frame(spec), top], [slide])


def _frame(spec: BeltSpec) -> Link:
    height = max(spec.at[2] - spec.thickness, 0.001)
    leg = Box((_LEG_M, spec.width, height))
    pairs = max(2, 1 + round(spec.length / _LEG_APART_M))
    first, step = _LEG_M / 2 - spec.length / 2, (spec.length - _LEG_M) / (pairs - 1)
    low = -spec.thickness - height / 2
    legs = tuple(
        Part(leg, (first + number * step, 0.0, low), colour=(0.6, 0.62, 0.65, 1.0), solid=False)
        for number in range(pairs)
    )
    return Link("frame", Inertial.of(leg, 10.0, (0.0, 0.0, low)), legs)
