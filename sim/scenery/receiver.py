"""Element kind `receiver`: the hand of a person who takes a thing that is held out, and pulls.

The hand is a body of its own on three slides, with its palm behind the place where it grips, and
its arm moves it (`sim.scenery.receiver_arm`); it does not turn. It waits until the thing's place
to grip is brought within `reach_m` of its own and rests there for `grip_after_s`; then it takes
hold: each of the `pads` (places in the thing's frame) is pulled towards where it was in the hand
by a spring and a damper, with `strength_n` for all together at most. A thing that is pulled
`LOST_M` out of the hand is lost for good. The gripper that holds the thing out knows nothing of
this and is never tied to it.

Columns: `NAME.x`, `.y`, `.z` in m, where the hand grips; `.speed` in m/s; `.holds`, 1 while it
has hold of the thing; `.pulls`, 1 from the start of the pull on; `.pull_n`, force of the hand on
the thing along the pull, N; `.grip_n`, size of that force; `.slip_m`, how far the thing is from
where it was gripped; `.force_peak_n`, the largest sum, of any step since the last row, of what
the thing does to the fingers and of the contact forces on the palm.

A real rig has a load cell in a dummy hand, or in the handle of the thing, for `.pull_n` and
`.force_peak_n`, a contact on it for `.holds`, and markers for the rest.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from pydantic import Field, FiniteFloat

from hil.contracts import FloatArray
from hil.errors import BadInput
from sim.robots.so101 import GRAVITY
from sim.scenery.bodies import Triple
from sim.scenery.element import Stage
from sim.scenery.receiver_arm import ArmSpec, Phase, ReceiverArm
from sim.scenery.receiver_body import SLIDES, SPEED_BOUND, hand_body
from sim.world import Placed, blown_up

LOST_M = 0.04
SLOW_M_S = 0.05
"""A thing that moves faster is not gripped."""
SKIN_N_M, SKIN_N_S_M = 7.5e4, 100.0
"""Of a contact point on the palm; the hand's spring constant as cited for ISO/TS 15066."""


class ReceiverSpec(ArmSpec):
    """A hand that waits `at` (where it grips, m), its arm behind it in the direction `yaw`, for
    the body `takes`; the palm is `palm_m` behind the place where it grips."""

    kind: Literal["receiver"] = "receiver"
    name: str = Field(pattern=r"^[a-z][a-z0-9_-]*$")
    takes: str
    at: Triple
    yaw: FiniteFloat = 0.0
    palm_m: float = Field(default=0.04, ge=0.005, le=0.2)
    pads: tuple[Triple, ...] = Field(min_length=3, max_length=8)
    pad_stiffness: float = Field(default=2000.0, gt=0, le=1e4)
    pad_damping: float = Field(default=7.0, gt=0, le=100)
    strength_n: float = Field(default=40.0, gt=0, le=400)
    reach_m: float = Field(default=0.02, gt=0, le=0.1)
    grip_after_s: float = Field(default=0.25, ge=0, le=10)


class Receiver:
    """The hand in the world. Arrays are (3,) or (pads, 3), in the world's axes."""

    def __init__(self, stage: Stage, spec: ReceiverSpec) -> None:
        self._world, self._spec = stage.world, spec
        self._thing = stage.thing(spec.takes, spec.name)
        self._placed = stage.world.put(
            hand_body(spec.name, spec.hand_kg, spec.palm_m, spec.yaw), spec.at, fixed=True
        )
        stage.claim(spec.name, self._placed)
        self._slides = [self._placed.joints[axis] for axis, _ in SLIDES]
        self._arm = ReceiverArm(spec, stage.world.step_s)
        self._pads = np.array(spec.pads)
        self._anchors: FloatArray | None = None
        self._lost = False
        self._still_s = 0.0
        self._grip: FloatArray = np.zeros(3)
        self._peak_n = 0.0
        self._prepare()
        bullet, client = self._world.bullet, self._world.client
        facts = bullet.getDynamicsInfo(self._thing.uid, -1, physicsClientId=client)
        # pads are told in the thing's frame, PyBullet's pose is that of the centre of mass
        at, turn = bullet.invertTransform(facts[3], facts[4])
        axes = np.array(bullet.getMatrixFromQuaternion(turn)).reshape(3, 3)
        self._pads = np.array(at) + self._pads @ axes.T
        self._refuse_unstable(float(facts[0]), np.array(facts[2]))
        self._way, self._velocity = np.zeros(3), np.zeros(3)

    @property
    def solids(self) -> Sequence[Placed]:
        return (self._placed,)

    def poses(self) -> Mapping[str, FloatArray]:
        """Where the hand grips, and how it is turned, (7,)."""
        half = self._spec.yaw / 2
        turn = [0.0, 0.0, math.sin(half), math.cos(half)]
        return {self._spec.name: np.array([*self._here(), *turn])}

    def before_step(self) -> None:
        """Look where hand and thing are, take hold if it is time, and push both."""
        self._way, self._velocity = self._moved()
        points, speeds = self._on_thing()
        self._take_hold(points, speeds)
        push = self._arm.force(self._way, self._velocity, holds=self._anchors is not None)
        self._grip = self._pull(points, speeds)
        push = push - self._grip
        push[2] += GRAVITY * self._spec.hand_kg  # a person holds up the own hand
        self._world.bullet.setJointMotorControlArray(
            self._placed.uid,
            self._slides,
            self._world.bullet.TORQUE_CONTROL,
            forces=push.tolist(),
            physicsClientId=self._world.client,
        )

    def after_step(self) -> None:
        """Note the force on the hand."""
        now = float(np.linalg.norm(self._grip)) + self._touched()
        self._peak_n = max(self._peak_n, now)

    def witness(self) -> Mapping[str, float]:
        """Errors: HarnessError where the physics has blown up."""
        name, (x, y, z) = self._spec.name, self._here()
        speed = float(np.linalg.norm(self._moved()[1]))
        if not (math.isfinite(x + y + z) and speed <= SPEED_BOUND):
            raise blown_up(f"{name} is at ({x:g}, {y:g}, {z:g}) m and moves at {speed:g} m/s")
        seen = {
            f"{name}.x": x,
            f"{name}.y": y,
            f"{name}.z": z,
            f"{name}.speed": speed,
            f"{name}.holds": float(self._anchors is not None),
            f"{name}.pulls": float(self._arm.phase >= Phase.PULLS),
            f"{name}.pull_n": float(self._grip @ self._spec.pull.unit),
            f"{name}.grip_n": float(np.linalg.norm(self._grip)),
            f"{name}.slip_m": self._slip(self._on_thing()[0]),
            f"{name}.force_peak_n": self._peak_n,
        }
        self._peak_n = 0.0
        return seen

    def show(self) -> None:
        """It looks the same in every state."""

    def _here(self) -> list[float]:
        return (np.array(self._spec.at) + self._moved()[0]).tolist()  # type: ignore[no-any-return]

    def _moved(self) -> tuple[FloatArray, FloatArray]:
        """Way of the hand from where it waits, and its velocity."""
        states = self._world.bullet.getJointStates(
            self._placed.uid, self._slides, physicsClientId=self._world.client
        )
        found = np.array([state[:2] for state in states])
        return found[:, 0], found[:, 1]

    def _on_thing(self) -> tuple[FloatArray, FloatArray]:
        """Where the pads' places on the thing are, and their velocities, (pads, 3)."""
        bullet, client, uid = self._world.bullet, self._world.client, self._thing.uid
        at, turn = bullet.getBasePositionAndOrientation(uid, physicsClientId=client)
        linear, angular = bullet.getBaseVelocity(uid, physicsClientId=client)
        axes = np.array(bullet.getMatrixFromQuaternion(turn)).reshape(3, 3)
        arms = self._pads @ axes.T
        return np.array(at) + arms, np.array(linear) + np.cross(angular, arms)

    def _take_hold(self, points: FloatArray, speeds: FloatArray) -> None:
        if self._anchors is not None:
            if self._slip(points) > LOST_M:
                self._anchors, self._lost = None, True
            return
        off = points.mean(axis=0) - self._spec.at - self._way
        slow = np.linalg.norm(speeds.mean(axis=0) - self._velocity) <= SLOW_M_S
        near = np.linalg.norm(off) <= self._spec.reach_m
        if self._lost or not (slow and near):
            self._still_s = 0.0
            return
        self._still_s += self._world.step_s
        if self._still_s >= self._spec.grip_after_s:
            self._anchors = points - self._way

    def _pull(self, points: FloatArray, speeds: FloatArray) -> FloatArray:
        """Apply the pads' forces to the thing; their sum, (3,), N."""
        if self._anchors is None:
            return np.zeros(3)
        spec, bullet = self._spec, self._world.bullet
        forces = spec.pad_stiffness * (self._anchors + self._way - points)
        forces += spec.pad_damping * (self._velocity - speeds)
        whole = float(np.linalg.norm(forces, axis=1).sum())
        forces *= min(1.0, spec.strength_n / max(whole, 1e-9))
        for force, point in zip(forces.tolist(), points.tolist(), strict=True):
            bullet.applyExternalForce(
                self._thing.uid,
                -1,
                force,
                point,
                bullet.WORLD_FRAME,
                physicsClientId=self._world.client,
            )
        return np.asarray(forces.sum(axis=0))

    def _slip(self, points: FloatArray) -> float:
        """m; NaN while nothing is held."""
        if self._anchors is None:
            return math.nan
        off = points - self._anchors - self._moved()[0]
        return float(np.linalg.norm(off.mean(axis=0)))

    def _touched(self) -> float:
        """Size of the resultant of all contacts of the hand, N."""
        total = np.zeros(3)
        for point in self._world.bullet.getContactPoints(
            bodyA=self._placed.uid, physicsClientId=self._world.client
        ):
            for way, size in (point[7], point[9]), (point[11], point[10]), (point[13], point[12]):
                total += size * np.array(way)
        return float(np.linalg.norm(total))

    def _prepare(self) -> None:
        """No motors in the slides, and a skin that gives."""
        bullet, client, uid = self._world.bullet, self._world.client, self._placed.uid
        bullet.setJointMotorControlArray(
            uid,
            self._slides,
            bullet.VELOCITY_CONTROL,
            forces=[0.0, 0.0, 0.0],
            physicsClientId=client,
        )
        bullet.changeDynamics(
            uid,
            self._slides[-1],
            contactStiffness=SKIN_N_M,
            contactDamping=SKIN_N_S_M,
            physicsClientId=client,
        )

    def _refuse_unstable(self, mass: float, inertia: FloatArray) -> None:
        """Springs and dampers are evaluated once a step, so w dt <= 1 and d dt / m <= 1 for the
        thing's translation and for the turn to which it is lightest. Errors: BadInput."""
        spec, dt = self._spec, self._world.step_s
        arms = self._pads - self._pads.mean(axis=0)
        # about each principal axis: sum of the squared distances of the pads from it
        levers = (arms**2).sum() - (arms**2).sum(axis=0)
        for weight, lever in ((mass, float(len(arms))), *zip(inertia, levers, strict=True)):
            if not weight:  # PyBullet's mass of a fixed body
                continue
            ringing = dt * math.sqrt(spec.pad_stiffness * lever / weight)
            slowing = dt * spec.pad_damping * lever / weight
            if max(ringing, slowing) > 1:
                raise BadInput(
                    f"{spec.takes} is too light for the grip of {spec.name} at a step of"
                    f" {dt * 1e3:g} ms",
                    "give it more mass, softer pads, or the rig's [sim] a higher step_hz",
                )


def build(stage: Stage, spec: ReceiverSpec) -> Receiver:
    """The element in the world of `stage`. Errors: BadInput where there is no such body, or it
    is too light for the grip."""
    return Receiver(stage, spec)
