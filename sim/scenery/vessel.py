"""Element kind `vessel`: a cup or beaker of primitives, fixed or free, open at the top.

A round floor and, on it, one box for each side of a regular polygon. The boxes touch along their
inner edges and nowhere else, so that mass and inertia are exactly those of the parts. A green
band that is only seen shows where it is to be filled to. Columns: those of a `body`.

An element that fills it (`sim.scenery.grains`) refers to it by name.
"""

from __future__ import annotations

import math
from typing import Literal

from pydantic import Field, model_validator

from sim.scenery.bodies import BodySpec, Four, PartSpec, Table, Thing, Triple
from sim.scenery.cavity import Cavity, Inside
from sim.scenery.element import Stage

_BAND = 0.003  # m: height of the mark
_BAND_OUT = 0.0004  # m: how far it stands out, to be seen
_GREEN = (0.15, 0.65, 0.25, 1.0)


class VesselSpec(Table):
    """A vessel of `sides` walls, `apothem` m wide inside from the middle to a wall, `height` m
    high from its underside, where its frame is, to the rim; `mark` m over the underside."""

    kind: Literal["vessel"] = "vessel"
    name: str = Field(pattern=r"^[a-z][a-z0-9_-]*$")
    sides: int = Field(default=8, ge=4, le=24)
    apothem: float = Field(ge=0.005, le=0.5)
    height: float = Field(ge=0.01, le=1)
    wall: float = Field(default=0.003, ge=0.001, le=0.05)
    floor: float = Field(default=0.004, ge=0.001, le=0.05)
    mass: float = Field(gt=0, le=20)
    friction: float = Field(default=0.5, ge=0, le=2)
    restitution: float = Field(default=0.0, ge=0, le=1)
    fixed: bool = False
    at: Triple
    turn: Four = (0.0, 0.0, 0.0, 1.0)
    colour: Four = (0.75, 0.80, 0.88, 1.0)
    mark: float | None = None

    @model_validator(mode="after")
    def _is_hollow(self) -> VesselSpec:
        if self.floor >= self.height:
            raise ValueError(f"height = {self.height:g} m is not over floor = {self.floor:g} m")
        if self.mark is not None and not self.floor < self.mark <= self.height:
            raise ValueError(
                f"mark = {self.mark:g} m is not within [{self.floor:g}, {self.height:g}] m"
            )
        return self

    @property
    def cavity(self) -> Cavity:
        return Cavity(self.sides, self.apothem, self.floor, self.height)

    @property
    def whole(self) -> BodySpec:
        """The same as a body."""
        return BodySpec(
            name=self.name,
            parts=(self._bottom(), *self._ring(self.apothem, self.wall), *self._mark()),
            mass=self.mass,
            fixed=self.fixed,
            at=self.at,
            turn=self.turn,
            friction=self.friction,
            restitution=self.restitution,
            tracked=True,
        )

    def _bottom(self) -> PartSpec:
        corner = self.apothem / math.cos(math.pi / self.sides)
        return PartSpec(
            shape="cylinder",
            radius=max(corner, self.apothem + self.wall),
            length=self.floor,
            at=(0.0, 0.0, self.floor / 2),
            colour=self.colour,
        )

    def _ring(self, inner: float, thick: float) -> list[PartSpec]:
        high = self.height - self.floor
        return [
            self._side(number, inner, thick, high, self.floor + high / 2, self.colour, True)
            for number in range(self.sides)
        ]

    def _mark(self) -> list[PartSpec]:
        if self.mark is None:
            return []
        inner = self.apothem + self.wall
        return [
            self._side(number, inner, _BAND_OUT, _BAND, self.mark - _BAND / 2, _GREEN, False)
            for number in range(self.sides)
        ]

    def _side(
        self,
        number: int,
        inner: float,
        thick: float,
        high: float,
        middle: float,
        colour: Four,
        solid: bool,
    ) -> PartSpec:
        bearing, out = 2 * math.pi * number / self.sides, inner + thick / 2
        return PartSpec(
            shape="box",
            size=(thick, 2 * inner * math.tan(math.pi / self.sides), high),
            at=(out * math.cos(bearing), out * math.sin(bearing), middle),
            rpy=(0.0, 0.0, bearing),
            colour=colour,
            solid=solid,
        )


class Vessel(Thing):
    """A body that others may be put into."""

    def __init__(self, stage: Stage, spec: VesselSpec) -> None:
        super().__init__(stage, spec.whole)
        stage.insides[spec.name] = Inside(spec.cavity, self._pose)


def build(stage: Stage, spec: VesselSpec) -> Vessel:
    """The element in the world of `stage`."""
    return Vessel(stage, spec)
