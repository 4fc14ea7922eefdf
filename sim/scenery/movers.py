"""Parts that slide or turn on the frame of a mechanism: their tables, and how they move.

A mover's way is its `travel`, in m or rad, 0 where it is built. Its spring, detent and cushion
push it by

    -stiffness (travel - rest) - preload towards rest, which it reaches `ramp` away from there
    - detent.force sin(2 pi travel / detent.pitch)
    - cushion.stiffness (travel - cushion.at) where that is passed

and its joint has Coulomb friction of at most `friction` and a `damping` for a unit of speed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from pydantic import Field, FiniteFloat, model_validator

from hil.errors import BadInput
from sim.robots.urdf import Joint, Link
from sim.scenery.bodies import PartSpec, Table, Triple, inertial_of

SPEED_BOUND = 30.0
"""m/s or rad/s: nothing that a hand moves is as fast."""


class Latch(Table):
    """What remembers a state. It *toggles* when travel passes `trip`, and only again after it
    was back below `rearm`, as a push switch does; or it *follows*: on from `trip` on, off
    below `rearm`, as the contact of a rocker or a breaker does."""

    trip: float = Field(gt=0)
    rearm: float = Field(ge=0)
    way: Literal["toggles", "follows"] = "toggles"

    @model_validator(mode="after")
    def _in_order(self) -> Latch:
        if self.rearm >= self.trip:
            raise ValueError(f"rearm = {self.rearm:g} must be below trip = {self.trip:g}")
        return self


class Detent(Table):
    """Places every `pitch` in which it rests, 0 being one, with a force of at most `force` to
    get out."""

    pitch: float = Field(gt=0)
    force: float = Field(ge=0)


class Cushion(Table):
    """A stop that gives way from `at` on; the joint's own stop at `upper` is rigid, and a hard
    touch of it a peak of force that only says how long a step is."""

    at: FiniteFloat
    stiffness: float = Field(gt=0)


class Give(Table):
    """How a surface yields: N/m and N·s/m of each contact point. Stands for what yields between
    a robot's drives and the thing: skins of fingers, gears, mountings."""

    stiffness: float = Field(gt=0)
    damping: float = Field(gt=0)


class MoverSpec(Table):
    """One moving part. SI units: N and m of a slider, N·m and rad of a hinge.

    `at` and `rpy` place its frame in that of the mechanism, `axis` is in its own.
    """

    name: str = Field(pattern=r"^[a-z][a-z0-9_-]*$")
    moves: Literal["slides", "turns"]
    parts: tuple[PartSpec, ...] = Field(min_length=1)
    mass: float = Field(gt=0, le=50)
    at: Triple = (0.0, 0.0, 0.0)
    rpy: Triple = (0.0, 0.0, 0.0)
    axis: Triple = (1.0, 0.0, 0.0)
    lower: FiniteFloat
    upper: FiniteFloat
    start: FiniteFloat = 0.0
    rest: FiniteFloat = 0.0
    preload: float = Field(default=0.0, ge=0)
    ramp: float = Field(default=0.0, ge=0)
    stiffness: float = Field(default=0.0, ge=0)
    damping: float = Field(default=0.0, ge=0)
    friction: float = Field(default=0.0, ge=0)
    detent: Detent | None = None
    cushion: Cushion | None = None
    latch: Latch | None = None
    surface: float = Field(default=0.5, ge=0, le=2)
    give: Give | None = None

    @model_validator(mode="after")
    def _starts_in_range(self) -> MoverSpec:
        if not self.lower <= self.start <= self.upper:
            raise ValueError(
                f"start = {self.start:g} is not within [{self.lower:g}, {self.upper:g}]"
            )
        return self

    @model_validator(mode="after")
    def _preload_rises(self) -> MoverSpec:
        if self.preload and not self.ramp:
            raise ValueError(
                f"preload = {self.preload:g} needs a ramp over which it rises, or it chatters at"
                " rest: PyBullet's stops have no rest against a force"
            )
        return self

    @model_validator(mode="after")
    def _has_an_axis(self) -> MoverSpec:
        if not any(self.axis):
            raise ValueError("axis = (0, 0, 0) has no direction")
        return self

    @property
    def inertia(self) -> float:
        """kg of a slider, kg·m² about the axis of a hinge: a'(I + m (d'd - d d'))a."""
        if self.moves == "slides":
            return self.mass
        found = inertial_of(self.parts, self.mass)
        xx, yy, zz, xy, xz, yz = found.tensor
        tensor = np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]])
        axis, arm = np.array(self.axis) / np.linalg.norm(self.axis), np.array(found.centre)
        off = arm - (arm @ axis) * axis
        return float(axis @ tensor @ axis + found.mass * off @ off)

    @property
    def stiffest(self) -> float:
        """N/m or N·m/rad: most that a spring, a detent and a cushion push back for a unit."""
        found = self.stiffness
        if self.preload:
            found += self.preload / self.ramp
        if self.detent is not None:
            found += 2 * math.pi * self.detent.force / self.detent.pitch
        if self.cushion is not None:
            found += self.cushion.stiffness
        return found

    def refuse_unstable(self, step_s: float, whose: str) -> None:
        """Springs and dampers are evaluated once a step, so a light part must not answer them
        within one: w dt <= 1 and d dt / m <= 1. Errors: BadInput."""
        ringing = step_s * math.sqrt(self.stiffest / self.inertia)
        slowing = step_s * self.damping / self.inertia
        if ringing > 1 or slowing > 1:
            what = "its springs" if ringing > 1 else "its damping"
            raise BadInput(
                f"{whose} is too light ({self.inertia:.3g} kg or kg·m²) for {what} at a step of"
                f" {step_s * 1e3:g} ms",
                "give it more mass, weaker springs, or the rig's [sim] a higher step_hz",
            )

    def link(self) -> Link:
        """Its body, whose frame is the mover's."""
        parts = tuple(part.part for part in self.parts)
        return Link(f"{self.name}_part", inertial_of(self.parts, self.mass), parts)

    def joint(self) -> Joint:
        """What it hangs on."""
        return Joint(
            self.name,
            "prismatic" if self.moves == "slides" else "revolute",
            "frame",
            f"{self.name}_part",
            self.at,
            self.rpy,
            self.axis,
            lower=self.lower,
            upper=self.upper,
            effort=1000.0,
            velocity=SPEED_BOUND,
            damping=self.damping,
        )


@dataclass(slots=True)
class Mover:
    """State of one moving part, followed step by step.

    Attributes:
        index: the joint's and its link's in the body.
        least, most: of travel since the last row.
        push_n: largest resultant of the robots' contact forces since the last row, N.
        twist_nm: largest moment of them about a hinge's axis since the last row, N·m.
    """

    spec: MoverSpec
    index: int
    travel: float
    speed: float = 0.0
    least: float = math.inf
    most: float = -math.inf
    push_n: float = 0.0
    twist_nm: float = 0.0
    on: bool = False
    armed: bool = True
    toggles: int = 0
    on_s: float = 0.0

    @classmethod
    def at_start(cls, spec: MoverSpec, index: int) -> Mover:
        """At rest where it starts, which is no toggling."""
        latch, start = spec.latch, spec.start
        passed = latch is not None and start >= latch.trip
        follows = latch is not None and latch.way == "follows"
        return cls(
            spec, index, start, least=start, most=start, on=passed and follows, armed=not passed
        )

    def force(self) -> float:
        """Of spring, detent and cushion, N or N·m; friction and damping are the joint's."""
        spec = self.spec
        off = self.travel - spec.rest
        pull = -spec.stiffness * off
        if spec.preload:
            pull -= spec.preload * max(-1.0, min(1.0, off / spec.ramp))
        if spec.detent is not None:
            pull -= spec.detent.force * math.sin(2 * math.pi * self.travel / spec.detent.pitch)
        if spec.cushion is not None and self.travel > spec.cushion.at:
            pull -= spec.cushion.stiffness * (self.travel - spec.cushion.at)
        return pull

    def follow(self, travel: float, speed: float, dt: float) -> None:
        """Take the travel after one more step."""
        self.travel, self.speed = travel, speed
        self.least, self.most = min(self.least, travel), max(self.most, travel)
        latch = self.spec.latch
        if latch is None:
            return
        if self.armed and travel >= latch.trip:
            self.on, self.armed = not self.on, False
            self.toggles += 1
        elif not self.armed and travel < latch.rearm:
            self.armed = True
            if latch.way == "follows":
                self.on = False
                self.toggles += 1
        self.on_s = self.on_s + dt if self.on else 0.0

    def told(self, name: str) -> dict[str, float]:
        """Its columns, all but who touches it now; a new row starts."""
        found = {
            f"{name}.travel": self.travel,
            f"{name}.speed": self.speed,
            f"{name}.least": self.least,
            f"{name}.most": self.most,
            f"{name}.push_peak_n": self.push_n,
        }
        if self.spec.moves == "turns":
            found[f"{name}.twist_peak_nm"] = self.twist_nm
        if self.spec.latch is not None:
            found[f"{name}.on"] = float(self.on)
            found[f"{name}.on_s"] = self.on_s
            found[f"{name}.toggles"] = float(self.toggles)
        self.least = self.most = self.travel
        self.push_n = self.twist_nm = 0.0
        return found
