"""Element kind `body`: a rigid thing of primitives, fixed or free.

Columns: `NAME.x`, `.y`, `.z` in m, `.qx`, `.qy`, `.qz`, `.qw`, `.speed` in m/s, `.spin` in rad/s,
`.robot_n`: sum of the contact forces with robots at that instant, N. With `peaks`, also
`.robot_peak_n`: the largest such sum of any step since the last row. A fixed body has none but
the last two.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, model_validator

from hil.contracts import FloatArray
from hil.kinematics import rotation
from sim.robots.urdf import Body, Box, Cylinder, Inertial, Link, Part, Shape, Sphere
from sim.scenery.element import Robots, Stage
from sim.scenery.material import Made, declare, largest_dimension
from sim.scenery.sight import hidden_share
from sim.world import Placed, Surface, blown_up

Triple = tuple[FiniteFloat, FiniteFloat, FiniteFloat]
Four = tuple[FiniteFloat, FiniteFloat, FiniteFloat, FiniteFloat]
Length = Annotated[float, Field(gt=0, le=5)]

SPEED_BOUND = 25.0
"""m/s: nothing that a table-top robot throws is as fast."""
PLACE_BOUND = 20.0
"""m from the origin."""


class Table(BaseModel):
    """A table of a scene: no key that is not known, nothing that changes."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class PartSpec(Table):
    """One primitive: a box by `size`, a cylinder (along z) by `radius` and `length`, a ball by
    `radius`; `solid` parts collide, the others are only seen."""

    shape: Literal["box", "cylinder", "sphere"]
    size: tuple[Length, Length, Length] | None = None
    radius: Length | None = None
    length: Length | None = None
    at: Triple = (0.0, 0.0, 0.0)
    rpy: Triple = (0.0, 0.0, 0.0)
    colour: Four = (0.7, 0.7, 0.7, 1.0)
    solid: bool = True

    @model_validator(mode="after")
    def _has_its_measures(self) -> PartSpec:
        needed = {"box": ("size",), "cylinder": ("radius", "length"), "sphere": ("radius",)}
        for name in ("size", "radius", "length"):
            if (getattr(self, name) is not None) != (name in needed[self.shape]):
                raise ValueError(f"a {self.shape} has {' and '.join(needed[self.shape])} only")
        return self

    @property
    def part(self) -> Part:
        return Part(self._shape(), self.at, self.rpy, self.colour, self.solid)

    @property
    def volume(self) -> float:
        """m³."""
        match self._shape():
            case Box((x, y, z)):
                return x * y * z
            case Cylinder(radius, length):
                return math.pi * radius**2 * length
            case Sphere(radius):
                return 4 / 3 * math.pi * radius**3
        raise AssertionError(self.shape)  # pragma: no cover

    def _shape(self) -> Shape:
        if self.size is not None:
            return Box(self.size)
        if self.length is not None and self.radius is not None:
            return Cylinder(self.radius, self.length)
        return Sphere(self.radius or 0.0)


class BodySpec(Table):
    """A thing: `mass` kg is spread over its solid parts by volume. `turn` is a quaternion
    x, y, z, w. Of two things in contact the frictions are multiplied."""

    kind: Literal["body"] = "body"
    name: str = Field(pattern=r"^[a-z][a-z0-9_-]*$")
    parts: tuple[PartSpec, ...] = Field(min_length=1)
    mass: float = Field(default=1.0, gt=0, le=100)
    fixed: bool = False
    at: Triple
    turn: Four = (0.0, 0.0, 0.0, 1.0)
    friction: float = Field(default=0.5, ge=0, le=2)
    rolling: float = Field(default=0.0, ge=0, le=0.1)
    spinning: float = Field(default=0.0, ge=0, le=0.1)
    restitution: float = Field(default=0.0, ge=0, le=1)
    peaks: bool = False
    grasped: bool = False
    """Starts in a robot's hand, so that touching it is no error."""
    anchored: bool = False
    """Contacts that stick pull it back to where they stuck first, with no more than Coulomb's
    force. Without, a thing held for seconds creeps, as friction is solved for speed alone
    (measured: a peg of 90 mm turned by 0.7 degrees a second between two pads at 30 N)."""
    tracked: bool = False
    """Of a fixed thing: the tracker tells its pose, as it does of all that are free."""
    material: str = ""
    """How it sounds: a name of `sim/sensing/materials.toml`; empty is as a microphone's table
    has it."""


class Thing:
    """One body in the world."""

    def __init__(self, stage: Stage, spec: BodySpec) -> None:
        self._world, self._spec = stage.world, spec
        self._placed = stage.world.put(body_of(spec), spec.at, spec.turn, fixed=spec.fixed)
        surface = Surface(spec.friction, spec.rolling, spec.spinning, spec.restitution)
        stage.world.surface(self._placed, -1, surface)
        if spec.anchored:
            stage.world.bullet.changeDynamics(
                self._placed.uid, -1, frictionAnchor=1, physicsClientId=stage.world.client
            )
        if spec.material:
            made = Made(spec.material, largest_dimension(spec.parts), spec.mass)
            declare(stage.world, self._placed, made)
        stage.claim(spec.name, self._placed)
        self._robots = Robots(stage, self._placed)
        bullet, client = stage.world.bullet, stage.world.client
        facts = bullet.getDynamicsInfo(self._placed.uid, -1, physicsClientId=client)
        # PyBullet tells where the centre of mass is, along the principal axes
        self._from_centre = bullet.invertTransform(facts[3], facts[4])
        self._columns = [f"{spec.name}.{column}" for column in COLUMNS]
        self._force_column = f"{spec.name}.robot_n"

    @property
    def solids(self) -> Sequence[Placed]:
        return () if self._spec.grasped else (self._placed,)

    def poses(self) -> Mapping[str, FloatArray]:
        if self._spec.fixed and not self._spec.tracked:
            return {}
        at, turn = self._pose()
        return {self._spec.name: np.array([*at, *turn])}

    def witness(self) -> Mapping[str, float]:
        seen = {} if self._spec.fixed else self._moving()
        seen[self._force_column] = self._robots.force()
        return seen

    def show(self) -> None:
        """It looks the same in every state."""

    def hidden(self, eye: Triple) -> float:
        return hidden_share(self._world, self._placed.uid, eye)

    def _moving(self) -> dict[str, float]:
        bullet, client = self._world.bullet, self._world.client
        (x, y, z), (qx, qy, qz, qw) = self._pose()
        linear, angular = bullet.getBaseVelocity(self._placed.uid, physicsClientId=client)
        speed, spin = math.hypot(*linear), math.hypot(*angular)
        known = math.isfinite(spin) and math.hypot(x, y, z) <= PLACE_BOUND
        if not (speed <= SPEED_BOUND and known):
            name = self._spec.name
            raise blown_up(
                f"{name} is at ({x:g}, {y:g}, {z:g}) m, moves at {speed:g} m/s and turns"
                f" at {spin:g} rad/s"
            )
        values = (x, y, z, qx, qy, qz, qw, speed, spin)
        return dict(zip(self._columns, values, strict=True))

    def _pose(self) -> tuple[Triple, Four]:
        bullet = self._world.bullet
        at, turn = bullet.getBasePositionAndOrientation(
            self._placed.uid, physicsClientId=self._world.client
        )
        found: tuple[Triple, Four] = bullet.multiplyTransforms(at, turn, *self._from_centre)
        return found


class WatchedThing(Thing):
    """A body whose largest contact force with robots is not missed between rows."""

    def __init__(self, stage: Stage, spec: BodySpec) -> None:
        super().__init__(stage, spec)
        self._peak = 0.0

    def after_step(self) -> None:
        self._peak = max(self._peak, self._robots.force())

    def witness(self) -> Mapping[str, float]:
        seen = dict(super().witness())
        seen[f"{self._spec.name}.robot_peak_n"], self._peak = self._peak, 0.0
        return seen


def build(stage: Stage, spec: BodySpec) -> Thing:
    """The element in the world of `stage`."""
    return WatchedThing(stage, spec) if spec.peaks else Thing(stage, spec)


COLUMNS = ("x", "y", "z", "qx", "qy", "qz", "qw", "speed", "spin")


def body_of(spec: BodySpec) -> Body:
    """One link whose frame is the body's own; inertia about the common centre of mass."""
    return Body(
        spec.name,
        [
            Link(
                spec.name,
                inertial_of(spec.parts, spec.mass),
                tuple(part.part for part in spec.parts),
            )
        ],
    )


def inertial_of(parts: Sequence[PartSpec], mass: float) -> Inertial:
    """Of parts of one density, `mass` kg together; parts that are only seen weigh nothing
    unless all are. Tensors are turned by each part's rotation and moved to the common centre
    by Steiner's theorem."""
    heavy = [part for part in parts if part.solid] or list(parts)
    whole = sum(part.volume for part in heavy)
    masses = [mass * part.volume / whole for part in heavy]
    centre = sum(
        (m * np.array(part.at) for m, part in zip(masses, heavy, strict=True)), np.zeros(3)
    )
    centre = centre / mass
    tensor = np.zeros((3, 3))
    for m, part in zip(masses, heavy, strict=True):
        turn, off = rotation(part.rpy), np.array(part.at) - centre
        tensor += turn @ np.diag(part.part.shape.inertia(m)) @ turn.T
        tensor += m * (off @ off * np.eye(3) - np.outer(off, off))
    xx, yy, zz = (float(tensor[i, i]) for i in range(3))
    xy, xz, yz = float(tensor[0, 1]), float(tensor[0, 2]), float(tensor[1, 2])
    x, y, z = centre.tolist()
    return Inertial(mass, (x, y, z), (xx, yy, zz, xy, xz, yz))
