"""Element kind `artefact`: a split block on a stand, which a gripper grasps and a tester pulls.

The block floats sideways, so that it finds the middle of a grip, and is balanced against its
weight. Down along z it hangs on a tester: a brake holds it where it is, and lets go of it for
each pull, whose force grows evenly from nothing until the block has slid by `stop_m`. Once nobody
touches it any more it goes back to where it was. It is two halves, side by side along `across`,
each on a force gauge of its own.

Columns: `NAME.low_n` and `NAME.high_n`, normal force of robots on either half, N, towards lower
and towards higher `across`; `NAME.pull_n`, the pull now, N; `NAME.travel_m`, how far it is down;
`NAME.pulls`, how many pulls have ended.

The gauges and the tester are ideal: no noise, no delay, and the force is that of the instant.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from pydantic import Field

from hil.contracts import FloatArray
from sim.robots.urdf import Body, Box, Inertial, Joint, Link, Part, Vector
from sim.scenery.bodies import Table, Triple
from sim.scenery.element import Stage
from sim.scenery.pushes import pushes
from sim.world import Placed, Surface, blown_up

_BRAKE_N = 500.0
_FLOAT_M = 0.02
_WAY_M = 0.05
_YOKE_KG = 0.02
_SPEED_BOUND = 10.0
_RUBBING = 2.0
"""N·s/m of the sideways guide: enough to stop its swinging, little against a grip."""


class ArtefactSpec(Table):
    """A block of `size` m and `mass` kg with its middle `at`; `pulls` are the instants in s, since
    the scene was arranged, at which the tester begins to pull."""

    kind: Literal["artefact"] = "artefact"
    name: str = Field(pattern=r"^[a-z][a-z0-9_-]*$")
    at: Triple
    size: Triple
    across: Literal["x", "y"] = "y"
    mass: float = Field(default=0.2, gt=0, le=5)
    friction: float = Field(default=0.5, ge=0, le=2)
    pulls: tuple[float, ...] = Field(default=(), max_length=200)
    rate_n_s: float = Field(default=2.0, gt=0, le=100)
    most_n: float = Field(default=200.0, gt=0, le=1000)
    stop_m: float = Field(default=0.003, gt=0, le=0.02)


class Artefact:
    """The block and its tester, for one episode."""

    def __init__(self, stage: Stage, spec: ArtefactSpec) -> None:
        self._stage, self._spec, self._world = stage, spec, stage.world
        self._axis = "xy".index(spec.across)
        self._placed = stage.world.put(_body(spec, self._axis), spec.at, fixed=True)
        stage.claim(spec.name, self._placed)
        self._along = self._placed.joints["along"]
        for link in ("low", "high"):
            stage.world.surface(self._placed, self._placed.links[link], Surface(spec.friction))
        bullet, client = stage.world.bullet, stage.world.client
        for joint in self._placed.joints.values():
            bullet.setJointMotorControl2(
                self._placed.uid, joint, bullet.VELOCITY_CONTROL, force=0, physicsClientId=client
            )
        self._ended, self._begun_m, self._pull_n = 0, 0.0, 0.0
        self._gravity = spec.mass * 9.80665
        self._brake(home=True)

    @property
    def solids(self) -> Sequence[Placed]:
        return (self._placed,)

    def poses(self) -> Mapping[str, FloatArray]:
        return {}

    def before_step(self) -> None:
        """Pull, or hold. Errors: HarnessError where the physics has blown up."""
        due = self._spec.pulls[self._ended :]
        now_s = self._stage.seconds()
        if not due or now_s < due[0]:
            return
        travel = self._travel()
        if self._pull_n == 0.0:
            self._begun_m = travel
        self._pull_n = max(self._spec.rate_n_s * (now_s - due[0]), 1e-9)
        if travel - self._begun_m > self._spec.stop_m or self._pull_n > self._spec.most_n:
            self._ended, self._pull_n = self._ended + 1, 0.0
            self._brake(home=False)
            return
        self._drive(self._pull_n)

    def after_step(self) -> None:
        """Go back once nobody touches it."""
        if self._pull_n == 0.0 and self._ended and not self._grip():
            self._brake(home=True)

    def witness(self) -> Mapping[str, float]:
        name, grip = self._spec.name, self._grip()
        forces = {half: grip.get(self._placed.links[half], 0.0) for half in ("low", "high")}
        return {
            **{f"{name}.{half}_n": abs(force) for half, force in forces.items()},
            f"{name}.pull_n": self._pull_n,
            f"{name}.travel_m": self._travel(),
            f"{name}.pulls": float(self._ended),
        }

    def show(self) -> None:
        """It looks the same in every state."""

    def _grip(self) -> dict[int, float]:
        """Force of robots along `across` by link."""
        found = pushes(self._world, self._stage.robots, self._placed)
        return {link: (one.x, one.y)[self._axis] for link, one in found.items()}

    def _travel(self) -> float:
        state = self._world.bullet.getJointState(
            self._placed.uid, self._along, physicsClientId=self._world.client
        )
        if not abs(state[1]) <= _SPEED_BOUND:
            raise blown_up(f"{self._spec.name} moves at {state[1]} m/s")
        return float(state[0])

    def _drive(self, force: float) -> None:
        """The brake is off: the pull alone, less the weight that is balanced."""
        bullet, client = self._world.bullet, self._world.client
        bullet.setJointMotorControl2(
            self._placed.uid, self._along, bullet.VELOCITY_CONTROL, force=0, physicsClientId=client
        )
        bullet.setJointMotorControl2(
            self._placed.uid,
            self._along,
            bullet.TORQUE_CONTROL,
            force=force - self._gravity,
            physicsClientId=client,
        )

    def _brake(self, *, home: bool) -> None:
        bullet, client = self._world.bullet, self._world.client
        if home:
            bullet.setJointMotorControl2(
                self._placed.uid,
                self._along,
                bullet.POSITION_CONTROL,
                targetPosition=0.0,
                force=_BRAKE_N,
                maxVelocity=0.05,
                physicsClientId=client,
            )
        else:
            bullet.setJointMotorControl2(
                self._placed.uid,
                self._along,
                bullet.VELOCITY_CONTROL,
                targetVelocity=0.0,
                force=_BRAKE_N,
                physicsClientId=client,
            )


def _body(spec: ArtefactSpec, axis: int) -> Body:
    half = [*spec.size]
    half[axis] /= 2
    size: Vector = (half[0], half[1], half[2])
    aside = [0.0, 0.0, 0.0]
    aside[axis] = spec.size[axis] / 2
    step: Vector = (aside[0], aside[1], aside[2])
    back: Vector = (-aside[0] / 2, -aside[1] / 2, 0.0)
    yoke = Inertial.of(Box((0.01, 0.01, 0.01)), _YOKE_KG)
    low, high = (
        Link(
            name,
            Inertial.of(Box(size), spec.mass / 2, at),
            (Part(Box(size), at, colour=colour),),
        )
        for name, at, colour in (
            ("low", back, (0.85, 0.55, 0.15, 1.0)),
            ("high", (0.0, 0.0, 0.0), (0.95, 0.75, 0.25, 1.0)),
        )
    )
    placed_high: Vector = (step[0] / 2, step[1] / 2, 0.0)
    sideways: Vector = (1.0, 0.0, 0.0) if axis == 0 else (0.0, 1.0, 0.0)
    return Body(
        spec.name,
        (Link("stand", yoke), Link("yoke", yoke), low, high),
        (
            Joint(
                "across",
                "prismatic",
                "stand",
                "yoke",
                axis=sideways,
                lower=-_FLOAT_M,
                upper=_FLOAT_M,
                effort=1000.0,
                velocity=10.0,
                damping=_RUBBING,
            ),
            Joint(
                "along",
                "prismatic",
                "yoke",
                "low",
                axis=(0.0, 0.0, -1.0),
                lower=-_WAY_M,
                upper=_WAY_M,
                effort=1000.0,
                velocity=10.0,
            ),
            Joint("split", "fixed", "low", "high", placed_high),
        ),
    )
