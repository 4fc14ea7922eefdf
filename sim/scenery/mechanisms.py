"""Element kind `mechanism`: parts that slide or turn on a fixed frame, behind springs and catches.

Buttons, switches, knobs, levers, valves, drawers, doors and lids are this with other data. A
mover's way is its `travel`, in m or rad, 0 where it is built.

    force = -(preload + stiffness * (travel - rest)) * towards rest  - damping * speed
            - detent(travel)      and Coulomb friction of at most `friction`

Columns of each mover: `NAME.MOVER.travel`, `.speed`, `.farthest` (most travel since the last
row), `.robot_n` (contact force with robots now, N) and `.robot_peak_n`; with a latch `.on`,
`.on_s` and `.toggles`. Of the frame: `NAME.robot_peak_n`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from pydantic import Field, FiniteFloat, model_validator

from hil.contracts import FloatArray
from sim.robots.urdf import Body, Joint, Link
from sim.scenery.bodies import Four, PartSpec, Table, Triple, inertial_of
from sim.scenery.element import Robots, Stage
from sim.world import Placed, Surface, blown_up

SPEED_BOUND = 30.0
"""m/s or rad/s: nothing that a hand moves is as fast."""


class Latch(Table):
    """Toggles when travel passes `trip` and only again after it was back below `rearm`."""

    trip: float = Field(gt=0)
    rearm: float = Field(ge=0)

    @model_validator(mode="after")
    def _in_order(self) -> Latch:
        if self.rearm >= self.trip:
            raise ValueError(f"rearm = {self.rearm:g} must be below trip = {self.trip:g}")
        return self


class Detent(Table):
    """Places every `pitch` in which it rests, with a force of at most `force` to get out:
    force * sin(2 pi travel / pitch)."""

    pitch: float = Field(gt=0)
    force: float = Field(ge=0)


class MoverSpec(Table):
    """One moving part. SI units: N and m of a slider, N·m and rad of a hinge."""

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
    stiffness: float = Field(default=0.0, ge=0)
    damping: float = Field(default=0.0, ge=0)
    friction: float = Field(default=0.0, ge=0)
    detent: Detent | None = None
    latch: Latch | None = None
    surface: float = Field(default=0.5, ge=0, le=2)

    @model_validator(mode="after")
    def _starts_in_range(self) -> MoverSpec:
        if not self.lower <= self.start <= self.upper:
            raise ValueError(
                f"start = {self.start:g} is not within [{self.lower:g}, {self.upper:g}]"
            )
        return self


class MechanismSpec(Table):
    """The frame is fixed at `at`, turned by `turn`, and every mover hangs on it."""

    kind: Literal["mechanism"] = "mechanism"
    name: str = Field(pattern=r"^[a-z][a-z0-9_-]*$")
    at: Triple
    turn: Four = (0.0, 0.0, 0.0, 1.0)
    frame: tuple[PartSpec, ...] = Field(min_length=1)
    friction: float = Field(default=0.5, ge=0, le=2)
    movers: tuple[MoverSpec, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _each_once(self) -> MechanismSpec:
        names = [mover.name for mover in self.movers]
        if len(set(names)) < len(names):
            raise ValueError(f"movers need names of their own: {', '.join(names)}")
        return self


@dataclass(slots=True)
class _Mover:
    """State of one moving part, followed step by step."""

    spec: MoverSpec
    index: int
    travel: float
    speed: float = 0.0
    farthest: float = 0.0
    peak_n: float = 0.0
    on: bool = False
    armed: bool = True
    toggles: int = 0
    on_s: float = 0.0

    def force(self) -> float:
        """Of spring and detent, N or N·m; friction and damping are the joint's own."""
        spec = self.spec
        off = self.travel - spec.rest
        pull = -spec.stiffness * off - math.copysign(spec.preload, off) * (off != 0)
        if spec.detent is not None:
            pull -= spec.detent.force * math.sin(2 * math.pi * self.travel / spec.detent.pitch)
        return pull

    def follow(self, travel: float, speed: float, dt: float) -> None:
        """Take the travel after one more step."""
        self.travel, self.speed = travel, speed
        self.farthest = max(self.farthest, travel)
        latch = self.spec.latch
        if latch is None:
            return
        if self.armed and travel >= latch.trip:
            self.on, self.armed = not self.on, False
            self.toggles += 1
        elif travel < latch.rearm:
            self.armed = True
        self.on_s = self.on_s + dt if self.on else 0.0


class Mechanism:
    """The mechanism in a world, for one episode."""

    def __init__(self, stage: Stage, spec: MechanismSpec) -> None:
        self._world, self._spec = stage.world, spec
        self._placed = stage.world.put(_body(spec), spec.at, spec.turn, fixed=True)
        stage.claim(spec.name, self._placed)
        stage.world.surface(self._placed, -1, Surface(spec.friction))
        self._movers = [
            _Mover(mover, self._placed.joints[mover.name], mover.start) for mover in spec.movers
        ]
        self._indices = [mover.index for mover in self._movers]
        self._robots = Robots(stage, self._placed)
        self._frame_peak_n = 0.0
        for mover in self._movers:
            self._prepare(mover)

    @property
    def solids(self) -> Sequence[Placed]:
        return (self._placed,)

    def poses(self) -> Mapping[str, FloatArray]:
        """The frame, (7,), and the travel of each mover, `NAME.MOVER`, (1,)."""
        told = {self._spec.name: np.array([*self._spec.at, *self._spec.turn])}
        for mover in self._movers:
            told[f"{self._spec.name}.{mover.spec.name}"] = np.array([mover.travel])
        return told

    def before_step(self) -> None:
        """Let springs and detents push."""
        bullet = self._world.bullet
        bullet.setJointMotorControlArray(
            self._placed.uid,
            self._indices,
            bullet.TORQUE_CONTROL,
            forces=[mover.force() for mover in self._movers],
            physicsClientId=self._world.client,
        )

    def after_step(self) -> None:
        """Follow the movers. Errors: HarnessError where the physics has blown up."""
        states = self._world.bullet.getJointStates(
            self._placed.uid, self._indices, physicsClientId=self._world.client
        )
        forces = self._robots.by_link()
        for mover, (travel, speed, *_) in zip(self._movers, states, strict=True):
            if not (math.isfinite(travel) and abs(speed) <= SPEED_BOUND):
                name = f"{self._spec.name}.{mover.spec.name}"
                raise blown_up(f"{name} is at {travel} and moves at {speed}")
            mover.follow(travel, speed, self._world.step_s)
            mover.peak_n = max(mover.peak_n, forces.get(mover.index, 0.0))
        self._frame_peak_n = max(self._frame_peak_n, forces.get(-1, 0.0))

    def witness(self) -> Mapping[str, float]:
        seen = {f"{self._spec.name}.robot_peak_n": self._frame_peak_n}
        self._frame_peak_n = 0.0
        now = self._robots.by_link()
        for mover in self._movers:
            seen.update(self._told(mover, now.get(mover.index, 0.0)))
            mover.farthest, mover.peak_n = mover.travel, 0.0
        return seen

    def show(self) -> None:
        """A mover that is switched on is green."""
        for mover in self._movers:
            if mover.spec.latch is not None:
                self._world.bullet.changeVisualShape(
                    self._placed.uid,
                    mover.index,
                    rgbaColor=(0.25, 0.85, 0.35, 1.0) if mover.on else mover.spec.parts[0].colour,
                    physicsClientId=self._world.client,
                )

    def _told(self, mover: _Mover, now_n: float) -> dict[str, float]:
        name = f"{self._spec.name}.{mover.spec.name}"
        told = {
            f"{name}.travel": mover.travel,
            f"{name}.speed": mover.speed,
            f"{name}.farthest": mover.farthest,
            f"{name}.robot_n": now_n,
            f"{name}.robot_peak_n": max(mover.peak_n, now_n),
        }
        if mover.spec.latch is not None:
            told[f"{name}.on"] = float(mover.on)
            told[f"{name}.on_s"] = mover.on_s
            told[f"{name}.toggles"] = float(mover.toggles)
        return told

    def _prepare(self, mover: _Mover) -> None:
        """Friction in place of the motor that PyBullet gives every joint, and its start."""
        bullet, client, uid = self._world.bullet, self._world.client, self._placed.uid
        bullet.setJointMotorControl2(
            uid,
            mover.index,
            bullet.VELOCITY_CONTROL,
            targetVelocity=0.0,
            force=mover.spec.friction,
            physicsClientId=client,
        )
        bullet.resetJointState(uid, mover.index, mover.spec.start, physicsClientId=client)
        self._world.surface(self._placed, mover.index, Surface(mover.spec.surface))


def _body(spec: MechanismSpec) -> Body:
    frame = Link("frame", inertial_of(spec.frame, 5.0), tuple(one.part for one in spec.frame))
    links, joints = [frame], []
    for mover in spec.movers:
        parts = tuple(part.part for part in mover.parts)
        links.append(Link(f"{mover.name}_part", inertial_of(mover.parts, mover.mass), parts))
        joints.append(
            Joint(
                mover.name,
                "prismatic" if mover.moves == "slides" else "revolute",
                "frame",
                f"{mover.name}_part",
                mover.at,
                mover.rpy,
                mover.axis,
                lower=mover.lower,
                upper=mover.upper,
                effort=1000.0,
                velocity=SPEED_BOUND,
                damping=mover.damping,
            )
        )
    return Body(spec.name, links, joints)


def build(stage: Stage, spec: MechanismSpec) -> Mechanism:
    """The element in the world of `stage`."""
    return Mechanism(stage, spec)
