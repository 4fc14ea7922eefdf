"""Element kind `cable`: a cable, belt or hose as a chain of rigid capsules with springs between.

Neighbours share a point (point-to-point constraints) and are pushed straight by a torque that is
proportional to the angle between them: bending stiffness EI over the segment's length, and the
same for twist. Approximations: a segment does not bend; the springs are explicit, so that stiff
cables want short steps (`CableSpec.refuse_unstable`); the solver's iterations let the chain
yield lengthwise (measured at 1 kHz, 60 iterations, 24 segments of 2.5 g: 0.7 % at 5 N, 0.2 %
with 150); nothing is plastic, so that it has no memory of how it lay; the air is a drag on each
segment. Bullet keeps the direction of a contact point that was found before a hand turned, until
it finds that point anew: now and then an opening finger drags a cable along by such a point.

Columns: `NAME.nK.x`, `.y`, `.z` of node K, from 0 at the start to `segments` at the end, m;
`NAME.speed`, of the fastest node on the average since the last row, m/s; `NAME.robot_n`, the sum
of the contact forces with robots at that instant, N; if it is anchored `NAME.tension_n`, what
pulls at the anchor at that instant, and `NAME.tension_peak_n`, the largest of any step since the
last row, N.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Literal

import numpy as np
from pydantic import Field, model_validator

from hil.contracts import FloatArray
from hil.errors import BadInput
from sim.robots.urdf import Body, Capsule, Inertial, Link, Part
from sim.scenery.bodies import PLACE_BOUND, SPEED_BOUND, Four, Table, Triple
from sim.scenery.element import Robots, Stage
from sim.world import Placed, Surface, blown_up

FASTEST_RAD = 1.5
"""Phase of the fastest vibration in a step. Explicit springs are unstable from 2 on."""


class CableSpec(Table):
    """A round cable of `segments` capsules that starts at `at` and lies level, each segment
    turned by its own heading, rad about z.

    `stiffness` and `twisting` are EI and GJ in N·m², `damping` the relaxation time in s of the
    springs (Kelvin and Voigt's model), `drag` in 1/s. An anchored cable's first segment is fixed.
    """

    kind: Literal["cable"] = "cable"
    name: str = Field(pattern=r"^[a-z][a-z0-9_-]*$")
    at: Triple
    headings: tuple[float, ...] = Field(min_length=2, max_length=80)
    segment: float = Field(gt=0.002, le=0.2)
    diameter: float = Field(gt=0.001, le=0.1)
    mass_per_m: float = Field(gt=0.005, le=10)
    stiffness: float = Field(ge=0, le=10)
    twisting: float = Field(default=0.0, ge=0, le=10)
    damping: float = Field(default=1e-3, ge=0, le=0.1)
    drag: float = Field(default=0.4, ge=0, le=20)
    friction: float = Field(default=0.5, ge=0, le=2)
    rolling: float = Field(default=0.0, ge=0, le=0.01)
    anchored: bool = False
    markers: tuple[int, ...] = ()
    """Nodes that a tracker follows, as `NAME.nK`; a position (3,) each."""
    colour: Four = (0.9, 0.55, 0.1, 1.0)

    @model_validator(mode="after")
    def _marks_what_is_there(self) -> CableSpec:
        wrong = [node for node in self.markers if not 0 <= node <= len(self.headings)]
        if wrong:
            raise ValueError(f"there are nodes 0 to {len(self.headings)}, and not {wrong}")
        return self

    def fastest(self) -> float:
        """rad/s of the fastest vibration: of a chain of springs EI/l and segments of mass per
        length m and of a rod's moment of inertia, neighbours against each other,
        4/l² sqrt(EI/m) across, and 2/l sqrt(GJ/I) about its own axis, I of a metre."""
        about = self.mass_per_m * self.diameter**2 / 8
        across = 4 / self.segment**2 * math.sqrt(self.stiffness / self.mass_per_m)
        return max(across, 2 / self.segment * math.sqrt(self.twisting / about))

    def refuse_unstable(self, step_s: float) -> None:
        """Errors: BadInput where the springs are too stiff for steps of `step_s`."""
        phase = self.fastest() * step_s
        # damping of the relaxation time t adds 2 t/dt to the square of the phase
        whole = phase * math.sqrt(1.0 + 2.0 * self.damping / step_s)
        if whole > FASTEST_RAD:
            raise BadInput(
                f"the cable {self.name} is too stiff for steps of {step_s * 1e3:g} ms:"
                f" its fastest vibration turns by {whole:.2f} rad in one,"
                f" and {FASTEST_RAD:g} is the most",
                "use longer segments, a lower stiffness or damping, or a higher step_hz",
            )


class Cable:
    """One cable in the world."""

    def __init__(self, stage: Stage, spec: CableSpec) -> None:
        spec.refuse_unstable(stage.world.step_s)
        self._stage, self._world, self._spec = stage, stage.world, spec
        self._segments = [
            stage.world.put(_segment(spec), at, turn, fixed=spec.anchored and not number)
            for number, (at, turn) in enumerate(_lay(stage, spec))
        ]
        for number, placed in enumerate(self._segments):
            self._prepare(placed)
            stage.claim(f"{spec.name}.{number}", placed)
        self._links = [self._tie(*pair) for pair in pairwise(self._segments)]
        self._robots = [Robots(stage, placed) for placed in self._segments]
        self._stiffness = self._springs()
        self._bend: FloatArray | None = None
        self._peak = 0.0
        self._seen, self._seen_s = self._nodes(), stage.seconds()

    @property
    def solids(self) -> Sequence[Placed]:
        return self._segments

    def poses(self) -> Mapping[str, FloatArray]:
        nodes = self._nodes()
        return {f"{self._spec.name}.n{node}": nodes[node] for node in self._spec.markers}

    def before_step(self) -> None:
        """Let the springs push."""
        bullet, client = self._world.bullet, self._world.client
        _, turns = self._where()
        bend = _between(turns)
        rate = 0.0 if self._bend is None else (bend - self._bend) / self._world.step_s
        self._bend = bend
        torque = _turned(turns[:-1], self._stiffness * (bend + self._spec.damping * rate))
        whole = np.zeros((len(self._segments), 3))
        whole[:-1] += torque
        whole[1:] -= torque
        for placed, one in zip(self._segments, whole.tolist(), strict=True):
            bullet.applyExternalTorque(
                placed.uid, -1, one, bullet.WORLD_FRAME, physicsClientId=client
            )

    def after_step(self) -> None:
        if self._spec.anchored:
            self._peak = max(self._peak, self._tension())

    def witness(self) -> Mapping[str, float]:
        """Errors: HarnessError where the physics has blown up."""
        name, nodes = self._spec.name, self._nodes()
        seen = {
            f"{name}.n{node}.{axis}": value
            for node, place in enumerate(nodes.tolist())
            for axis, value in zip("xyz", place, strict=True)
        }
        seen[f"{name}.speed"] = speed = self._speed(nodes)
        farthest = float(np.abs(nodes).max())
        if not (speed <= SPEED_BOUND and farthest <= PLACE_BOUND):
            raise blown_up(f"{name} reaches {farthest:g} m and moves at {speed:g} m/s")
        seen[f"{name}.robot_n"] = sum(robots.force() for robots in self._robots)
        if self._spec.anchored:
            seen[f"{name}.tension_n"] = self._tension()
            seen[f"{name}.tension_peak_n"], self._peak = self._peak, 0.0
        return seen

    def show(self) -> None:
        """It looks the same in every state."""

    def _prepare(self, placed: Placed) -> None:
        spec, world = self._spec, self._world
        world.surface(placed, -1, Surface(spec.friction, spec.rolling))
        # without anchors it creeps out of a gripper (see bodies.BodySpec), and
        # points that nearly touch cost as much as those that do: 0.56 ms a step, or 0.32 without
        world.bullet.changeDynamics(
            placed.uid,
            -1,
            linearDamping=spec.drag,
            angularDamping=spec.drag,
            contactProcessingThreshold=0.0,
            frictionAnchor=1,
            physicsClientId=world.client,
        )

    def _tie(self, before: Placed, after: Placed) -> int:
        bullet, client, half = self._world.bullet, self._world.client, self._spec.segment / 2
        bullet.setCollisionFilterPair(before.uid, after.uid, -1, -1, 0, physicsClientId=client)
        tied: int = bullet.createConstraint(
            before.uid,
            -1,
            after.uid,
            -1,
            bullet.JOINT_POINT2POINT,
            (0.0, 0.0, 0.0),
            (0.0, 0.0, half),
            (0.0, 0.0, -half),
            physicsClientId=client,
        )
        return tied

    def _springs(self) -> FloatArray:
        """(segments - 1, 3) in N·m/rad about a segment's own axes, z along the cable. A spring
        stands for the cable from the middle of a segment to that of the next; beside a fixed
        segment only half of that can bend."""
        spec = self._spec
        each = np.array([spec.stiffness, spec.stiffness, spec.twisting]) / spec.segment
        springs = np.tile(each, (len(self._segments) - 1, 1))
        if spec.anchored:
            springs[0] *= 2.0
        return springs

    def _where(self) -> tuple[FloatArray, FloatArray]:
        """Middles (segments, 3) and turns (segments, 4)."""
        bullet, client = self._world.bullet, self._world.client
        found = [
            bullet.getBasePositionAndOrientation(placed.uid, physicsClientId=client)
            for placed in self._segments
        ]
        return np.array([at for at, _ in found]), np.array([turn for _, turn in found])

    def _nodes(self) -> FloatArray:
        """(segments + 1, 3): where neighbours meet, on the average of both, and the ends."""
        middles, turns = self._where()
        half = _turned(turns, np.tile([0.0, 0.0, self._spec.segment / 2], (len(turns), 1)))
        first, last = middles - half, middles + half
        return np.vstack([first[:1], (last[:-1] + first[1:]) / 2, last[-1:]])

    def _speed(self, nodes: FloatArray) -> float:
        """On the average since the last row: contacts that come and go shake light segments by
        some mm/s in single steps, and move none."""
        now_s = self._stage.seconds()
        passed_s = now_s - self._seen_s
        way = float(np.linalg.norm(nodes - self._seen, axis=1).max())
        self._seen, self._seen_s = nodes, now_s
        return way / passed_s if passed_s > 0 else 0.0

    def _tension(self) -> float:
        force = self._world.bullet.getConstraintState(
            self._links[0], physicsClientId=self._world.client
        )
        return math.hypot(*force[:3])


def build(stage: Stage, spec: CableSpec) -> Cable:
    """The element in the world of `stage`. Errors: BadInput where it is too stiff."""
    return Cable(stage, spec)


def _segment(spec: CableSpec) -> Body:
    shape = Capsule(spec.diameter / 2, spec.segment)
    mass = spec.mass_per_m * spec.segment
    part = Part(shape, colour=spec.colour)
    return Body("segment", [Link("segment", Inertial.of(shape, mass), (part,))])


def _lay(stage: Stage, spec: CableSpec) -> Sequence[tuple[Triple, Four]]:
    """Middle and turn of every segment at the start; z of a segment is along the cable."""
    found: list[tuple[Triple, Four]] = []
    x, y, z = spec.at
    for heading in spec.headings:
        way = (spec.segment * math.cos(heading), spec.segment * math.sin(heading))
        turn = stage.world.bullet.getQuaternionFromEuler((0.0, math.pi / 2, heading))
        found.append(((x + way[0] / 2, y + way[1] / 2, z), turn))
        x, y = x + way[0], y + way[1]
    return found


def _between(turns: FloatArray) -> FloatArray:
    """Rotation vectors (n - 1, 3) in rad from each turn (n, 4) to the next, in the frame of
    either: log of q* p."""
    one, two = turns[:-1], turns[1:]
    a, w = -one[:, :3], one[:, 3:]
    b, v = two[:, :3], two[:, 3:]
    vector = w * b + v * a + _cross(a, b)
    scalar = w * v - np.sum(a * b, axis=1, keepdims=True)
    vector, scalar = np.where(scalar < 0, -vector, vector), np.abs(scalar)
    size = np.linalg.norm(vector, axis=1, keepdims=True)
    angle = 2 * np.arctan2(size, scalar)
    return np.asarray(vector * np.where(size > 1e-9, angle / np.maximum(size, 1e-9), 2.0))


def _turned(turns: FloatArray, vectors: FloatArray) -> FloatArray:
    """Vectors (n, 3) turned by quaternions (n, 4): v + 2 u x (u x v + w v)."""
    u, w = turns[:, :3], turns[:, 3:]
    return vectors + 2 * _cross(u, _cross(u, vectors) + w * vectors)


def _cross(a: FloatArray, b: FloatArray) -> FloatArray:
    """a x b, rows (n, 3); a third of the time of `np.cross`."""
    (ax, ay, az), (bx, by, bz) = a.T, b.T
    return np.stack([ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx], axis=1)
