"""Element kind `seam`: a carton whose lid is closed with tape along its middle, and what a blade
does to it.

The carton is a rigid body to everything but the blade, which passes through it. Its frame is in
the middle of its bottom, x along the seam, z up; the lid's height over x is a line through
`heights`, evenly spaced from end to end, over `size[2]`. The seam is cells of `cell` m along x,
up to `margin` m before the ends. A cell is cut once the end of the edge has been in it, no
further than `half_width` m aside, between `depth[0]` and `depth[1]` m below the lid, moving within
`skew` rad of the blade's plane: a blade that is dragged sideways tears and does not cut.

What cutting takes is a force against the motion of the edge through the carton, of

    strength * depth * share   along the blade's plane,   aside times as much across it,

N, strength in N/m. `share` is 1 where the seam is whole, `kerf` in cells that were cut before, and
`board` beside the seam. It falls to 0 with the speed below `SLOW_M_S`. The form (proportional to
the length of edge in the material, whatever the speed) is a first-order model of slicing thin
sheet, and strengths of 2 to 5 N/mm are taken for tape over corrugated board: both are engineering
assumptions, no measurements. The same force, the other way round, pushes the carton.

Columns besides those of a free body (`sim.scenery.bodies`): `NAME.cut_share` of the cells,
`.depth` of the edge below the lid now and `.deepest` of any step since the last row, m, 0 where it
is above or beside the carton; `.tip_over` m, the edge's height over the highest point of the lid;
`.cut_peak_n` largest cutting force since the last row; `.robot_peak_n` largest sum of contact
forces since the last row.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Annotated, Literal

import numpy as np
from pydantic import Field, FiniteFloat, model_validator

from hil.contracts import FloatArray
from sim.scenery.bodies import BodySpec, Four, PartSpec, Table, Triple, WatchedThing
from sim.scenery.carried import carried
from sim.scenery.element import Stage
from sim.world import UPRIGHT, Placed

SLOW_M_S = 0.01
_SHEET = 0.012  # m, thickness of the lid's boards, more than its heights may differ
_MARK = 0.020  # m of seam to a mark that shows it cut
_BOARD = (0.74, 0.58, 0.38, 1.0)
_TAPE = (0.86, 0.80, 0.62, 1.0)
_CUT = (0.12, 0.10, 0.10, 1.0)
_BELOW: Triple = (0.0, 0.0, -2.0)

Height = Annotated[float, Field(ge=-0.02, le=0.02)]


class SeamSpec(Table):
    """A carton of `size` m (x, y, z) and `mass` kg; `blade` is the robots' link that cuts.
    `give` N/m and `damping` N·s/m are of each contact point on it: board yields."""

    kind: Literal["seam"] = "seam"
    name: str = Field(pattern=r"^[a-z][a-z0-9_-]*$")
    at: Triple
    turn: Four = (0.0, 0.0, 0.0, 1.0)
    size: Triple
    heights: tuple[Height, ...] = Field(min_length=2, max_length=20)
    mass: float = Field(gt=0, le=50)
    friction: float = Field(default=0.8, ge=0, le=2)
    give: float = Field(default=2e4, ge=1e3, le=1e6)
    damping: float = Field(default=200.0, gt=0, le=1e4)
    blade: str
    margin: float = Field(default=0.01, ge=0, le=0.05)
    cell: float = Field(default=0.005, ge=0.001, le=0.05)
    half_width: float = Field(default=0.003, gt=0, le=0.02)
    depth: tuple[FiniteFloat, FiniteFloat] = (0.002, 0.006)
    skew: float = Field(default=0.35, gt=0, le=1.6)
    strength: float = Field(gt=0, le=2e4)
    aside: float = Field(default=3.0, ge=1, le=20)
    board: float = Field(default=2.0, ge=0, le=20)
    kerf: float = Field(default=0.2, ge=0, le=1)

    @model_validator(mode="after")
    def _has_cells(self) -> SeamSpec:
        if self.size[0] - 2 * self.margin < self.cell:
            raise ValueError(f"a carton {self.size[0]:g} m long has no seam inside its margins")
        if not 0 <= self.depth[0] < self.depth[1]:
            raise ValueError(f"depth = {list(self.depth)} is no range from low to high")
        if max(self.heights) - min(self.heights) > _SHEET:
            raise ValueError(f"heights differ by more than {_SHEET:g} m")
        return self

    @property
    def cells(self) -> int:
        return int((self.size[0] - 2 * self.margin) / self.cell + 1e-9)

    def height(self, x: float) -> float:
        """m over the bottom, of the lid at x."""
        part = (x / self.size[0] + 0.5) * (len(self.heights) - 1)
        first = min(max(int(part), 0), len(self.heights) - 2)
        low, high = self.heights[first], self.heights[first + 1]
        return self.size[2] + low + (part - first) * (high - low)


class Seam:
    """The carton in the world."""

    def __init__(self, stage: Stage, spec: SeamSpec) -> None:
        self._world, self._spec = stage.world, spec
        self._thing = WatchedThing(stage, _carton(spec))
        (self._carton,) = self._thing.solids
        self._blade = carried(stage, spec.blade, spec.name)
        world = stage.world
        world.bullet.setCollisionFilterPair(
            self._blade.robot.uid,
            self._carton.uid,
            self._blade.link,
            -1,
            0,
            physicsClientId=world.client,
        )
        world.bullet.changeDynamics(
            self._carton.uid,
            -1,
            contactStiffness=spec.give,
            contactDamping=spec.damping,
            physicsClientId=world.client,
        )
        facts = world.bullet.getDynamicsInfo(self._carton.uid, -1, physicsClientId=world.client)
        self._from_centre = world.bullet.invertTransform(facts[3], facts[4])
        self._whole = [True] * spec.cells
        self._open = -1  # the cell that the edge is in since it cuts it
        self._highest = spec.size[2] + max(spec.heights)
        self._depth = self._deepest = self._cut_n = 0.0
        self._over = math.nan  # until the first step
        self._marks = _marks(stage, spec)

    @property
    def solids(self) -> Sequence[Placed]:
        return self._thing.solids

    def poses(self) -> Mapping[str, FloatArray]:
        """The frame `NAME`, in the middle of the bottom, (7,)."""
        return self._thing.poses()

    def before_step(self) -> None:
        """Follow the edge, cut what it passes, and let the cut resist."""
        bullet, client, spec = self._world.bullet, self._world.client, self._spec
        edge = self._blade.end()
        across = edge.axes[:, 1]
        base = bullet.getBasePositionAndOrientation(self._carton.uid, physicsClientId=client)
        pose = bullet.multiplyTransforms(*base, *self._from_centre)
        home, back = bullet.invertTransform(*pose)
        x, y, z = bullet.multiplyTransforms(home, back, edge.at.tolist(), UPRIGHT)[0]
        self._over = z - self._highest
        beside = abs(x) > spec.size[0] / 2 or abs(y) > spec.size[1] / 2 or z < 0
        self._depth = 0.0 if beside else max(0.0, spec.height(x) - z)
        self._deepest = max(self._deepest, self._depth)
        if self._depth == 0.0:
            return
        linear, angular = bullet.getBaseVelocity(self._carton.uid, physicsClientId=client)
        moved = edge.speed - linear - np.cross(angular, edge.at - base[0])
        side = float(moved @ across) * across
        size = float(np.linalg.norm(moved))
        share = self._pass(x, y, float(np.linalg.norm(side)), size)
        most = share * spec.strength * self._depth / max(size, SLOW_M_S)
        force = -most * (moved - side + spec.aside * side)
        self._cut_n = max(self._cut_n, float(np.linalg.norm(force)))
        self._blade.push(force, edge.at)
        bullet.applyExternalForce(
            self._carton.uid,
            -1,
            (-force).tolist(),
            edge.at.tolist(),
            bullet.WORLD_FRAME,
            physicsClientId=client,
        )

    def after_step(self) -> None:
        """Not to miss a peak of contact."""
        self._thing.after_step()

    def witness(self) -> Mapping[str, float]:
        name = self._spec.name
        seen = {
            **self._thing.witness(),
            f"{name}.cut_share": 1.0 - sum(self._whole) / len(self._whole),
            f"{name}.depth": self._depth,
            f"{name}.deepest": self._deepest,
            f"{name}.tip_over": self._over,
            f"{name}.cut_peak_n": self._cut_n,
        }
        self._deepest = self._cut_n = 0.0
        return seen

    def show(self) -> None:
        """Dark where it is cut."""
        bullet, client, spec = self._world.bullet, self._world.client, self._spec
        base = bullet.getBasePositionAndOrientation(self._carton.uid, physicsClientId=client)
        pose = bullet.multiplyTransforms(*base, *self._from_centre)
        for number, uid in enumerate(self._marks):
            x = (number + 0.5) * _MARK - spec.cells * spec.cell / 2
            if self._cell(x) is None or self._whole[self._cell(x) or 0]:
                continue
            place = (x, 0.0, spec.height(x) + 0.0008)
            at, turn = bullet.multiplyTransforms(*pose, place, UPRIGHT)
            bullet.resetBasePositionAndOrientation(uid, at, turn, physicsClientId=client)

    def _pass(self, x: float, y: float, sideways: float, size: float) -> float:
        """The edge at (x, y) moves with `size` m/s, `sideways` of it across its plane: cut what
        it cuts, and say what share of the strength it meets."""
        spec, cell = self._spec, self._cell(x)
        if abs(y) > spec.half_width:
            return spec.board
        if cell is None:
            return 1.0
        if cell == self._open:
            return 1.0
        self._open = -1
        if not self._whole[cell]:
            return spec.kerf
        in_plane = size > 1e-4 and sideways <= size * math.sin(min(spec.skew, math.pi / 2))
        if in_plane and spec.depth[0] <= self._depth <= spec.depth[1]:
            self._whole[cell], self._open = False, cell
        return 1.0

    def _cell(self, x: float) -> int | None:
        cell = math.floor((x + self._spec.cells * self._spec.cell / 2) / self._spec.cell)
        return cell if 0 <= cell < len(self._whole) else None


def build(stage: Stage, spec: SeamSpec) -> Seam:
    """The element in the world of `stage`. Errors: BadInput where no robot has the blade."""
    return Seam(stage, spec)


def _carton(spec: SeamSpec) -> BodySpec:
    """A block up to under the lid, the lid's boards from knot to knot, and the tape on them."""
    long, wide, high = spec.size
    low = high + max(spec.heights) - _SHEET
    parts = [PartSpec(shape="box", size=(long, wide, low), at=(0, 0, low / 2), colour=_BOARD)]
    step = long / (len(spec.heights) - 1)
    for number, (first, last) in enumerate(pairwise(spec.heights)):
        middle = -long / 2 + (number + 0.5) * step
        pitch = -math.atan2(last - first, step)
        slant = math.hypot(step, last - first)
        for width, up, thick, colour, solid in (
            (wide, -_SHEET / 2, _SHEET, _BOARD, True),
            (0.05, 0.0002, 0.0004, _TAPE, False),
        ):
            # a board's middle is below the lid's line by its thickness along its own normal
            at = (
                middle + up * math.sin(pitch),
                0.0,
                high + (first + last) / 2 + up * math.cos(pitch),
            )
            parts.append(
                PartSpec(
                    shape="box",
                    size=(slant, width, thick),
                    at=at,
                    rpy=(0.0, pitch, 0.0),
                    colour=colour,
                    solid=solid,
                )
            )
    return BodySpec(
        name=spec.name,
        parts=tuple(parts),
        mass=spec.mass,
        at=spec.at,
        turn=spec.turn,
        friction=spec.friction,
    )


def _marks(stage: Stage, spec: SeamSpec) -> list[int]:
    """Things that are only seen, out of sight until the seam under them is cut."""
    bullet, client = stage.world.bullet, stage.world.client
    shape = bullet.createVisualShape(
        bullet.GEOM_BOX,
        halfExtents=(_MARK / 2, 0.0015, 0.0004),
        rgbaColor=_CUT,
        physicsClientId=client,
    )
    return [
        bullet.createMultiBody(
            baseMass=0,
            baseVisualShapeIndex=shape,
            basePosition=_BELOW,
            physicsClientId=client,
        )
        for _ in range(int(spec.cells * spec.cell / _MARK))
    ]
