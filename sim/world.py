"""One PyBullet world of its own, built afresh for every episode.

A teleport reset leaves contact caches behind and a restored snapshot can diverge, so that
nominally equal episodes differ; only `resetSimulation` and loading again is bit-identical.
Loading primitives takes a few milliseconds.
"""

from __future__ import annotations

import hashlib
import math
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from hil.errors import BadInput, HarnessError
from sim.robots.so101 import GRAVITY
from sim.robots.urdf import Body, Vector, to_urdf

Quaternion = tuple[float, float, float, float]
"""x, y, z, w."""

UPRIGHT: Quaternion = (0.0, 0.0, 0.0, 1.0)


@dataclass(frozen=True, slots=True)
class View:
    """Camera: positions in m, vertical field of view in degrees, picture size in pixels."""

    eye: tuple[float, float, float]
    target: tuple[float, float, float]
    fov_deg: float = 40.0
    width: int = 320
    height: int = 240


@dataclass(frozen=True, slots=True)
class Placed:
    """A body in the world: its PyBullet id and its movable joints in the order of the tree."""

    uid: int
    joints: dict[str, int]
    links: dict[str, int] = field(default_factory=dict)
    """Every link's index by name; the base is -1."""


@dataclass(frozen=True, slots=True)
class Surface:
    """How a body touches. Of two bodies in contact PyBullet multiplies the values.

    `friction` is Coulomb's coefficient against a body of 1; `rolling` and `spinning` are
    lengths in m (torque over normal force). A surface that gives has a `stiffness` in N/m and
    a `damping` in N s/m at each contact point; 0 is rigid.
    """

    friction: float = 0.5
    rolling: float = 0.0
    spinning: float = 0.0
    restitution: float = 0.0
    stiffness: float = 0.0
    damping: float = 0.0


class World:
    """PyBullet in DIRECT mode with its own client; `step_hz` steps a second.

    Cone friction, because the default pyramid lets a contact slip at up to 38 % less than
    Coulomb's law says. `iterations` of the contact solver: a light thing squeezed hard creeps
    out of a gripper where they are too few (measured: 70 N on 80 g at 500 Hz, 1.9 mm in 2 s
    with 60 of them, 0.004 mm with 150).
    """

    def __init__(self, step_hz: int, iterations: int = 60) -> None:
        self.bullet = _bullet()
        self._iterations = iterations
        self.step_s = 1.0 / step_hz
        self._client: int | None = self.bullet.connect(self.bullet.DIRECT)
        # URDF text can only be loaded from a file
        self._folder = tempfile.TemporaryDirectory(prefix="hil-world-")

    @property
    def client(self) -> int:
        """PyBullet's number of this world. Errors: HarnessError after `close`."""
        if self._client is None:
            raise HarnessError("the simulated world is closed")
        return self._client

    def rebuild(self) -> None:
        """Empty the world and set its physics; every body has to be placed again."""
        bullet, client = self.bullet, self.client
        bullet.resetSimulation(physicsClientId=client)
        bullet.setGravity(0.0, 0.0, -GRAVITY, physicsClientId=client)
        bullet.setPhysicsEngineParameter(
            fixedTimeStep=self.step_s,
            numSolverIterations=self._iterations,
            enableConeFriction=1,
            enableFileCaching=1,
            deterministicOverlappingPairs=1,
            solverResidualThreshold=0.0,
            contactERP=0.02,
            contactSlop=0.0,
            physicsClientId=client,
        )

    def place(self, body: Body, at: Vector, yaw: float = 0.0) -> Placed:
        """Load `body` with its base fixed at `at` (m) and turned by `yaw` (rad) about z."""
        turn = self.bullet.getQuaternionFromEuler((0.0, 0.0, yaw))
        return self.put(body, at, turn, fixed=True)

    def put(
        self,
        body: Body,
        at: Vector,
        turn: Quaternion = UPRIGHT,
        *,
        fixed: bool,
        self_collision: bool = False,
    ) -> Placed:
        """Load `body` with the frame of its base link at `at` (m), turned by `turn`; `fixed` to
        the world or free."""
        bullet, client = self.bullet, self.client
        text = to_urdf(body)
        path = Path(self._folder.name, hashlib.sha256(text.encode()).hexdigest() + ".urdf")
        if not path.exists():
            path.write_text(text, encoding="utf-8")
        flags = bullet.URDF_USE_INERTIA_FROM_FILE
        if self_collision:
            flags |= bullet.URDF_USE_SELF_COLLISION
            flags |= bullet.URDF_USE_SELF_COLLISION_EXCLUDE_PARENT
        uid = bullet.loadURDF(
            str(path), at, turn, useFixedBase=fixed, flags=flags, physicsClientId=client
        )
        joints: dict[str, int] = {}
        links = {body.links[0].name: -1}
        for index in range(bullet.getNumJoints(uid, physicsClientId=client)):
            facts = bullet.getJointInfo(uid, index, physicsClientId=client)
            links[facts[12].decode()] = index
            if facts[2] != bullet.JOINT_FIXED:
                joints[facts[1].decode()] = index
        for link in range(-1, len(links) - 1):
            bullet.changeDynamics(
                uid, link, linearDamping=0.0, angularDamping=0.0, physicsClientId=client
            )
        return Placed(uid, joints, links)

    def surface(self, placed: Placed, link: int, surface: Surface) -> None:
        """Give one link (-1: the base) its surface."""
        self.bullet.changeDynamics(
            placed.uid,
            link,
            lateralFriction=surface.friction,
            rollingFriction=surface.rolling,
            spinningFriction=surface.spinning,
            restitution=surface.restitution,
            physicsClientId=self.client,
        )
        if surface.stiffness:
            self.bullet.changeDynamics(
                placed.uid,
                link,
                contactStiffness=surface.stiffness,
                contactDamping=surface.damping,
                physicsClientId=self.client,
            )

    def gear(self, placed: Placed, first: str, second: str, ratio: float) -> None:
        """Tie joint `second` to `ratio` times joint `first`."""
        bullet, client = self.bullet, self.client
        tied = bullet.createConstraint(
            placed.uid,
            placed.joints[first],
            placed.uid,
            placed.joints[second],
            bullet.JOINT_GEAR,
            (0.0, 1.0, 0.0),
            (0.0, 0.0, 0.0),
            (0.0, 0.0, 0.0),
            physicsClientId=client,
        )
        bullet.changeConstraint(
            tied, gearRatio=-1 / ratio, erp=0.2, maxForce=1000.0, physicsClientId=client
        )

    def step(self, steps: int = 1) -> None:
        """Advance by so many steps."""
        advance, client = self.bullet.stepSimulation, self.client
        for _ in range(steps):
            advance(physicsClientId=client)

    def contact_forces(self, body: Placed, other: Placed) -> dict[int, float]:
        """Contact force in N on each link of `other` touched by `body`, by link index.

        Sum over the contact points of the magnitude of normal and friction force together:
        an upper bound of the resultant.
        """
        forces: dict[int, float] = {}
        for point in self.bullet.getContactPoints(
            bodyA=body.uid, bodyB=other.uid, physicsClientId=self.client
        ):
            size = math.hypot(point[9], point[10], point[12])
            forces[point[4]] = forces.get(point[4], 0.0) + size
        return forces

    def overlap(self, body: Placed, other: Placed) -> float:
        """Depth in m by which two bodies are in each other now, 0 where they are apart."""
        points = self.bullet.getClosestPoints(
            bodyA=body.uid, bodyB=other.uid, distance=0.0, physicsClientId=self.client
        )
        return max((-float(point[8]) for point in points), default=0.0)

    def picture(self, view: View) -> NDArray[np.uint8]:
        """RGB picture (height, width, 3), drawn by PyBullet's software renderer."""
        bullet = self.bullet
        seen = bullet.computeViewMatrix(view.eye, view.target, (0.0, 0.0, 1.0))
        lens = bullet.computeProjectionMatrixFOV(view.fov_deg, view.width / view.height, 0.02, 4.0)
        pixels = bullet.getCameraImage(
            view.width,
            view.height,
            seen,
            lens,
            lightDirection=(-0.6, -1.0, 1.6),
            shadow=1,
            renderer=bullet.ER_TINY_RENDERER,
            physicsClientId=self.client,
        )[2]
        image = np.asarray(pixels, dtype=np.uint8).reshape(view.height, view.width, 4)
        return np.ascontiguousarray(image[:, :, :3])

    def close(self) -> None:
        """Free the world; may be called twice."""
        if self._client is not None:
            self.bullet.disconnect(physicsClientId=self._client)
            self._client = None
            self._folder.cleanup()


def blown_up(what: str) -> HarnessError:
    """The error for physics that has left what a body can do."""
    return HarnessError(
        f"the simulated physics has blown up: {what}",
        "report it with the episode's seed; the result of this episode is void",
    )


def _bullet() -> ModuleType:
    try:
        with _without_banner():
            import pybullet
    except ImportError as error:
        raise BadInput(
            f"the simulator cannot be loaded: {error}",
            "pybullet has ready-made Linux wheels for Python 3.10 and 3.11 only;"
            " use Python 3.11, or a rig of kind 'real'",
        ) from error
    module: ModuleType = pybullet
    return module


@contextmanager
def _without_banner() -> Iterator[None]:
    """Keep the build date that PyBullet's C code prints on import off the user's screen."""
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
