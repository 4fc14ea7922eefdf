"""Element kind `wipeable`: a fixed surface with marks on it, which a pad wipes off.

A mark is an ellipse of cells. After every step those cells become clean that are under the
pad's face and not in front of it, while the pad presses on the surface with a normal force
within the band, as the contact points of that step have it. A sponge touches where its unloaded
face would be in the surface: that is where it is compressed, on a flat surface and a round one.

Columns, of all robots together: `NAME.cleaned`, share of the marked cells; `NAME.force_n`,
normal force now; `NAME.force_peak_n`, the largest of any step since the last row, unfiltered;
`NAME.contact_s` and `NAME.out_s`, for how long since the last row something touched, and for how
much of it the force was outside the band; `NAME.excursion_s`, the longest time without a break
that it was outside, of those that went on since the last row; `NAME.gap_m`, least distance to a
robot now, or 0.1 where it is more, and `NAME.far_s`, for how long it has been more.

The tracker tells the surface where `told` has it, and of mark k the corners `NAME.markK.low` and
`.high` of a box round what is left of it, in the surface's own frame: they have the tracker's
noise, and meet in the mark's middle where nothing is left.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

import numpy as np
from pydantic import Field, model_validator

from hil.contracts import FloatArray
from hil.errors import BadInput
from hil.kinematics import rotation, rpy_of
from sim.robots.urdf import Body, Box, Inertial, Link, Part
from sim.scenery.bodies import BodySpec, Four, Length, PartSpec, Table, Triple, body_of
from sim.scenery.element import Stage
from sim.scenery.fixtures import Told
from sim.scenery.skin import Blob, Skin, cells
from sim.world import Placed, Surface

FAR_M = 0.1
"""Distances are not looked for beyond."""

_TILE = 0.001  # m, thickness in which a cell is shown
_DIRT, _CLEAN = (0.45, 0.16, 0.08, 1.0), (0.70, 0.88, 0.80, 1.0)

Pair = tuple[float, float]


class MarkSpec(Table):
    """An ellipse in the surface's frame: middle and half axes in m, turned by `turn` rad."""

    at: Pair
    half: tuple[Annotated[float, Field(gt=0, le=1)], Annotated[float, Field(gt=0, le=1)]]
    turn: float = 0.0

    @property
    def blob(self) -> Blob:
        return Blob(self.at, self.half, self.turn)


class PadSpec(Table):
    """What wipes: a rectangle of `size` m on `link` of the plant's robot number `robot`, with
    its middle `face` m up the link's z, looking along it."""

    robot: int = Field(default=0, ge=0)
    link: str
    face: float
    size: tuple[Length, Length]


class WipeableSpec(Table):
    """The surface is z = 0 of its frame, or with `radius` the top of a ball of that radius;
    `parts` are its body and have to agree with it. `cell` is the pitch of the grid of cells, m,
    and `band` the normal force that wipes, N. `stiffness` N/m and `damping` N·s/m are of each
    contact point: a flat pad flat on a flat surface has four, on a ball it has one. They hold
    what gives in sponge, arm and mounting."""

    kind: Literal["wipeable"] = "wipeable"
    name: str = Field(pattern=r"^[a-z][a-z0-9_-]*$")
    parts: tuple[PartSpec, ...] = Field(min_length=1)
    at: Triple
    turn: Four = (0.0, 0.0, 0.0, 1.0)
    radius: Length | None = None
    marks: tuple[MarkSpec, ...] = Field(min_length=1)
    cell: float = Field(default=0.006, ge=0.002, le=0.05)
    band: Pair
    pad: PadSpec
    friction: float = Field(default=0.4, ge=0, le=2)
    stiffness: float = Field(default=1500.0, ge=100, le=1e6)
    damping: float = Field(default=20.0, gt=0, le=1e5)
    told: Told

    @model_validator(mode="after")
    def _can_be_wiped(self) -> WipeableSpec:
        if not 0 <= self.band[0] < self.band[1]:
            raise ValueError(f"band = {list(self.band)} is not a range of forces, N")
        for mark in self.marks:
            reach = np.hypot(*mark.at) + max(mark.half)
            if self.radius is not None and reach >= self.radius:
                raise ValueError(f"a mark reaches {reach:g} m, a ball of {self.radius:g} m less")
        return self


class Wipeable:
    """One surface in the world."""

    def __init__(self, stage: Stage, spec: WipeableSpec) -> None:
        self._stage, self._world, self._spec = stage, stage.world, spec
        bullet, client = stage.world.bullet, stage.world.client
        whole = BodySpec(name=spec.name, parts=spec.parts, at=spec.at, turn=spec.turn, fixed=True)
        self._placed = stage.world.put(body_of(whole), spec.at, spec.turn, fixed=True)
        stage.world.surface(self._placed, -1, Surface(spec.friction))
        bullet.changeDynamics(
            self._placed.uid,
            -1,
            contactStiffness=spec.stiffness,
            contactDamping=spec.damping,
            physicsClientId=client,
        )
        stage.claim(spec.name, self._placed)
        self._robot, self._link = _pad(stage, spec)
        self._places, self._owners = cells([mark.blob for mark in spec.marks], spec.cell)
        self._skin = Skin(spec.radius)
        axes = np.array(bullet.getMatrixFromQuaternion(spec.turn)).reshape(3, 3)
        self._world_places = np.array(spec.at) + self._skin.points(self._places) @ axes.T
        self._left = np.ones(len(self._places), dtype=np.bool_)
        self._tiles = stage.world.put(self._tile_body(), spec.at, spec.turn, fixed=True)
        self._shown = self._left.copy()
        self._peak = self._contact_s = self._out_s = 0.0
        self._stray_s = self._longest_s = 0.0
        self._near_at = stage.seconds()

    @property
    def solids(self) -> Sequence[Placed]:
        return (self._placed,)

    def poses(self) -> Mapping[str, FloatArray]:
        told, name = self._spec.told, self._spec.name
        found = {name: np.array([*told.at, *told.turn])}
        for number, mark in enumerate(self._spec.marks):
            rest = self._places[self._left & (self._owners == number)]
            half = self._spec.cell / 2 if len(rest) else 0.0
            rest = rest if len(rest) else np.array([mark.at])
            found[f"{name}.mark{number}.low"] = np.append(rest.min(axis=0) - half, 0.0)
            found[f"{name}.mark{number}.high"] = np.append(rest.max(axis=0) + half, 0.0)
        return found

    def after_step(self) -> None:
        force, wiping = self._force()
        if force is None:
            self._stray_s = 0.0
            return
        low, high = self._spec.band
        self._peak = max(self._peak, force)
        self._contact_s += self._world.step_s
        if low <= force <= high:
            self._stray_s = 0.0
            if wiping:
                self._wipe()
        else:
            self._out_s += self._world.step_s
            self._stray_s += self._world.step_s
            self._longest_s = max(self._longest_s, self._stray_s)

    def witness(self) -> Mapping[str, float]:
        name, gap, now = self._spec.name, self._gap(), self._stage.seconds()
        self._near_at = self._near_at if gap >= FAR_M else now
        seen = {
            f"{name}.cleaned": 1.0 - float(self._left.mean()),
            f"{name}.force_n": self._force()[0] or 0.0,
            f"{name}.force_peak_n": self._peak,
            f"{name}.contact_s": self._contact_s,
            f"{name}.out_s": self._out_s,
            f"{name}.excursion_s": self._longest_s,
            f"{name}.gap_m": gap,
            f"{name}.far_s": now - self._near_at,
        }
        self._peak = self._contact_s = self._out_s = 0.0
        self._longest_s = self._stray_s
        return seen

    def show(self) -> None:
        """Marks that are gone are pale."""
        for place in np.flatnonzero(self._shown & ~self._left).tolist():
            self._world.bullet.changeVisualShape(
                self._tiles.uid,
                -1,
                shapeIndex=place,
                rgbaColor=_CLEAN,
                physicsClientId=self._world.client,
            )
        self._shown = self._left.copy()

    def _force(self) -> tuple[float | None, bool]:
        """Normal force of all robots on it now, N, None where none touches; and whether the pad
        is among what touches."""
        size, touched, wiping = 0.0, False, False
        for number, robot in enumerate(self._stage.robots):
            for point in self._world.bullet.getContactPoints(
                bodyA=robot.uid, bodyB=self._placed.uid, physicsClientId=self._world.client
            ):
                if point[9] > 0:
                    touched, size = True, size + point[9]
                    wiping |= point[3] == self._link and number == self._spec.pad.robot
        return (size if touched else None), wiping

    def _wipe(self) -> None:
        bullet, pad = self._world.bullet, self._spec.pad
        state = bullet.getLinkState(self._robot.uid, self._link, physicsClientId=self._world.client)
        axes = np.array(bullet.getMatrixFromQuaternion(state[5])).reshape(3, 3)
        own = (self._world_places - np.array(state[4])) @ axes
        under = np.abs(own[:, 0]) <= pad.size[0] / 2
        under &= np.abs(own[:, 1]) <= pad.size[1] / 2
        under &= own[:, 2] <= pad.face
        self._left &= ~under

    def _gap(self) -> float:
        found = [
            float(point[8])
            for robot in self._stage.robots
            for point in self._world.bullet.getClosestPoints(
                bodyA=robot.uid,
                bodyB=self._placed.uid,
                distance=FAR_M,
                physicsClientId=self._world.client,
            )
        ]
        return min([FAR_M, *found])

    def _tile_body(self) -> Body:
        """Thin boxes, one a marked cell, that are only seen."""
        edge = 0.97 * self._spec.cell
        tiles = []
        normals = self._skin.normals(self._places)
        for at, up in zip(self._skin.points(self._places) + _TILE * normals, normals, strict=True):
            x, y, z = at.tolist()
            box = Box((edge, edge, _TILE))
            tiles.append(Part(box, (x, y, z), rpy_of(_standing_on(up)), _DIRT, solid=False))
        name = f"{self._spec.name}-marks"
        return Body(name, [Link(name, Inertial.of(Box((edge, edge, edge)), 0.01), tuple(tiles))])


def build(stage: Stage, spec: WipeableSpec) -> Wipeable:
    """The element in the world of `stage`. Errors: BadInput for a pad that is not there."""
    return Wipeable(stage, spec)


def _pad(stage: Stage, spec: WipeableSpec) -> tuple[Placed, int]:
    number, link = spec.pad.robot, spec.pad.link
    robot = stage.robots[number] if number < len(stage.robots) else None
    if robot is None or link not in robot.links:
        raise BadInput(
            f"{spec.name!r} is wiped by link {link!r} of robot {number}, which is not there",
            "the rig's plant has to have an arm with such a pad, as panda-wiper has",
        )
    return robot, robot.links[link]


def _standing_on(up: FloatArray) -> FloatArray:
    """Axes (3, 3) whose z is the unit vector `up`, the rest as little turned as may be."""
    x, y, z = up.tolist()
    return np.asarray(rotation((-np.arcsin(y), np.arctan2(x, z), 0.0)))
