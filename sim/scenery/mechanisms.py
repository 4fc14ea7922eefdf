"""Element kind `mechanism`: parts that slide or turn on a fixed frame, behind springs and catches.

Buttons, switches, knobs, levers, valves, drawers, doors and lids are this with other data
(`sim.scenery.movers`).

Columns of each mover: `NAME.MOVER.travel`, in m or rad, `.speed`, `.least` and `.most` (travel
since the last row), `.robot_n` (sum of the contact forces with robots at that instant, N: it is
touched), `.push_peak_n` (largest resultant of them of any step since the last row, what a force
sensor before the thing would show; squeezing is not in it), of a hinge `.twist_peak_nm` (the same
of their moment about its axis), with a latch `.on`, `.on_s` (for how long without a break) and
`.toggles`. Of the frame: `NAME.push_peak_n`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from pydantic import Field, model_validator

from hil.contracts import FloatArray
from sim.robots.urdf import Body, Link
from sim.scenery.bodies import Four, PartSpec, Table, Triple, inertial_of
from sim.scenery.element import Robots, Stage
from sim.scenery.movers import SPEED_BOUND, Give, Mover, MoverSpec
from sim.scenery.pushes import Push, pushes
from sim.world import Placed, Surface, blown_up


class MechanismSpec(Table):
    """The frame is fixed at `at`, turned by `turn`, and every mover hangs on it."""

    kind: Literal["mechanism"] = "mechanism"
    name: str = Field(pattern=r"^[a-z][a-z0-9_-]*$")
    at: Triple
    turn: Four = (0.0, 0.0, 0.0, 1.0)
    frame: tuple[PartSpec, ...] = Field(min_length=1)
    friction: float = Field(default=0.5, ge=0, le=2)
    give: Give | None = None
    movers: tuple[MoverSpec, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _each_once(self) -> MechanismSpec:
        names = [mover.name for mover in self.movers]
        if len(set(names)) < len(names):
            raise ValueError(f"movers need names of their own: {', '.join(names)}")
        return self


class Mechanism:
    """The mechanism in a world, for one episode."""

    def __init__(self, stage: Stage, spec: MechanismSpec) -> None:
        self._world, self._spec, self._stage = stage.world, spec, stage
        for table in spec.movers:
            table.refuse_unstable(stage.world.step_s, f"{spec.name}.{table.name}")
        self._placed = stage.world.put(_body(spec), spec.at, spec.turn, fixed=True)
        stage.claim(spec.name, self._placed)
        self._movers = [
            Mover.at_start(table, self._placed.joints[table.name]) for table in spec.movers
        ]
        self._indices = [mover.index for mover in self._movers]
        self._robots = Robots(stage, self._placed)
        self._frame_peak_n = 0.0
        self._surface(-1, spec.friction, spec.give)
        for mover in self._movers:
            self._prepare(mover)
            self._surface(mover.index, mover.spec.surface, mover.spec.give)
        self._axes = {mover.index: self._axis(mover.spec) for mover in self._movers}

    @property
    def solids(self) -> Sequence[Placed]:
        return (self._placed,)

    def poses(self) -> Mapping[str, FloatArray]:
        """The frame `NAME`, and of each mover `NAME.MOVER`, as it stands now; each (7,)."""
        told = {self._spec.name: np.array([*self._spec.at, *self._spec.turn])}
        for mover in self._movers:
            at, turn = self._pose(mover.spec, mover.travel)
            told[f"{self._spec.name}.{mover.spec.name}"] = np.array([*at, *turn])
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
        for mover, (travel, speed, *_) in zip(self._movers, states, strict=True):
            if not (math.isfinite(travel) and abs(speed) <= SPEED_BOUND):
                name = f"{self._spec.name}.{mover.spec.name}"
                raise blown_up(f"{name} is at {travel} and moves at {speed}")
            mover.follow(travel, speed, self._world.step_s)
        self._note(pushes(self._world, self._stage.robots, self._placed))

    def witness(self) -> Mapping[str, float]:
        seen = {f"{self._spec.name}.push_peak_n": self._frame_peak_n}
        self._frame_peak_n = 0.0
        now = self._robots.by_link()
        for mover in self._movers:
            name = f"{self._spec.name}.{mover.spec.name}"
            seen[f"{name}.robot_n"] = now.get(mover.index, 0.0)
            seen.update(mover.told(name))
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

    def _note(self, found: Mapping[int, Push]) -> None:
        if not found:
            return
        if -1 in found:
            self._frame_peak_n = max(self._frame_peak_n, found[-1].size)
        for mover in self._movers:
            push = found.get(mover.index)
            if push is None:
                continue
            mover.push_n = max(mover.push_n, push.size)
            if mover.spec.moves == "turns":
                origin, axis = self._axes[mover.index]
                mover.twist_nm = max(mover.twist_nm, abs(push.about(origin, axis)))

    def _pose(self, spec: MoverSpec, travel: float) -> tuple[Triple, Four]:
        """Where a mover's frame is in the world at `travel`."""
        bullet = self._world.bullet
        way: Triple = (0.0, 0.0, 0.0)
        turn: Four = (0.0, 0.0, 0.0, 1.0)
        if spec.moves == "turns":
            turn = bullet.getQuaternionFromAxisAngle(spec.axis, travel)
        else:
            x, y, z = (np.array(spec.axis) / np.linalg.norm(spec.axis) * travel).tolist()
            way = (x, y, z)
        built = bullet.getQuaternionFromEuler(spec.rpy)
        hung = bullet.multiplyTransforms(self._spec.at, self._spec.turn, spec.at, built)
        found: tuple[Triple, Four] = bullet.multiplyTransforms(*hung, way, turn)
        return found

    def _axis(self, spec: MoverSpec) -> tuple[Triple, Triple]:
        """A point of a mover's axis and the unit vector along it, in the world."""
        bullet = self._world.bullet
        at, turn = self._pose(spec, spec.start)
        unit = (np.array(spec.axis) / np.linalg.norm(spec.axis)).tolist()
        axis: Triple = bullet.rotateVector(turn, unit)
        return at, axis

    def _prepare(self, mover: Mover) -> None:
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

    def _surface(self, link: int, friction: float, give: Give | None) -> None:
        self._world.surface(self._placed, link, Surface(friction))
        if give is not None:
            self._world.bullet.changeDynamics(
                self._placed.uid,
                link,
                contactStiffness=give.stiffness,
                contactDamping=give.damping,
                physicsClientId=self._world.client,
            )


def build(stage: Stage, spec: MechanismSpec) -> Mechanism:
    """The element in the world of `stage`."""
    return Mechanism(stage, spec)


def _body(spec: MechanismSpec) -> Body:
    frame = Link("frame", inertial_of(spec.frame, 5.0), tuple(one.part for one in spec.frame))
    links = [frame, *(mover.link() for mover in spec.movers)]
    return Body(spec.name, links, [mover.joint() for mover in spec.movers])
