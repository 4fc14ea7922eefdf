"""A tool on a gantry: slides along x and y and along its own z, and turns about that, to bring
scenery that tools work on to the test without a whole arm."""

from __future__ import annotations

import numpy as np

from hil.contracts import FloatArray
from sim.robots.urdf import Body, Box, Inertial, Joint, Link, Part, Vector
from sim.world import Placed, World

_TINY = Box((0.004, 0.004, 0.004))
_HEAVY = Box((0.08, 0.08, 0.08))
"""By its inertia: Bullet lets no joint turn faster than 100 rad/s within a step."""
_JOINTS = ("x", "y", "z", "spin")


class Gantry:
    """Its tool's link is called `tool`, its frame is where the joints are 0 at `at`, turned by
    `rpy`. `solid` tools collide."""

    def __init__(self, world: World, tool: str, at: Vector, rpy: Vector, *, solid: bool) -> None:
        self.world = world
        part = Part(_TINY, solid=solid)
        links = [
            Link(name, Inertial.of(_HEAVY, mass), (part,) if name == tool else ())
            for name, mass in (("root", 1.0), ("a", 1.0), ("b", 1.0), ("c", 1.0), (tool, 0.5))
        ]
        kinds = ("prismatic", "prismatic", "prismatic", "revolute")
        axes: tuple[Vector, ...] = (
            (1.0, 0.0, 0.0),
            (0.0, 1.0, 0.0),
            (0.0, 0.0, 1.0),
            (0.0, 0.0, 1.0),
        )
        joints = [
            Joint(
                name,
                kind,
                links[number].name,
                links[number + 1].name,
                axis=axis,
                lower=-100.0,
                upper=100.0,
                effort=1e4,
                velocity=100.0,
            )
            for number, (name, kind, axis) in enumerate(zip(_JOINTS, kinds, axes, strict=True))
        ]
        turn = world.bullet.getQuaternionFromEuler(rpy)
        self.placed: Placed = world.put(Body("gantry", links, joints), at, turn, fixed=True)

    def run(self, element: object, seconds: float, **speeds: float) -> None:
        """Move at `speeds` (m/s, rad/s), the other joints held, and let the element act."""
        bullet, client = self.world.bullet, self.world.client
        for name in _JOINTS:
            bullet.setJointMotorControl2(
                self.placed.uid,
                self.placed.joints[name],
                bullet.VELOCITY_CONTROL,
                targetVelocity=speeds.get(name, 0.0),
                force=1e4,
                physicsClientId=client,
            )
        for _ in range(round(seconds / self.world.step_s)):
            element.before_step()  # type: ignore[attr-defined]
            self.world.step()
            if hasattr(element, "after_step"):
                element.after_step()

    def loads(self) -> FloatArray:
        """What the motors give now, (4,): N, N, N, N·m."""
        states = self.world.bullet.getJointStates(
            self.placed.uid,
            [self.placed.joints[name] for name in _JOINTS],
            physicsClientId=self.world.client,
        )
        return np.array([state[3] for state in states])
