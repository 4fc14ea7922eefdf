"""A robot loaded into PyBullet, to compare its table with what another engine makes of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np

from hil.contracts import FloatArray
from sim.robots.model import Robot
from sim.robots.urdf import Body
from sim.world import World


class Loaded:
    """A body in a world of its own, by the names of its links and joints."""

    def __init__(self, world: World, body: Body) -> None:
        self.world, self.bullet, self.client = world, world.bullet, world.client
        self.uid = world.place(body, (0.0, 0.0, 0.0)).uid
        self.parents: dict[str, str] = {joint.child: joint.parent for joint in body.joints}
        self.links = {body.links[0].name: -1}
        self.joints: dict[str, int] = {}
        for index in range(self.bullet.getNumJoints(self.uid, physicsClientId=self.client)):
            facts = self.joint_facts(index)
            self.joints[facts[1].decode()] = index
            self.links[facts[12].decode()] = index

    def joint_facts(self, index: int) -> tuple:
        return self.bullet.getJointInfo(self.uid, index, physicsClientId=self.client)

    def dynamics(self, link: str) -> tuple:
        index = self.links[link]
        return self.bullet.getDynamicsInfo(self.uid, index, physicsClientId=self.client)

    def stand(self, joints: Mapping[str, float]) -> None:
        for name, place in joints.items():
            self.bullet.resetJointState(
                self.uid, self.joints[name], place, physicsClientId=self.client
            )

    def frame(self, link: str) -> FloatArray:
        """Frame (4, 4) of a link in the world."""
        matrix = np.eye(4)
        if self.links[link] < 0:
            return matrix  # the base of every robot here stands in the world's origin
        state = self.bullet.getLinkState(
            self.uid,
            self.links[link],
            computeForwardKinematics=True,
            physicsClientId=self.client,
        )
        matrix[:3, :3] = np.reshape(self.bullet.getMatrixFromQuaternion(state[5]), (3, 3))
        matrix[:3, 3] = state[4]
        return matrix

    def overlaps(self) -> dict[tuple[str, str], float]:
        """How deep in m links are in each other that are not neighbours on the tree."""
        found = {}
        names = list(self.links)
        for place, one in enumerate(names):
            for other in names[place + 1 :]:
                if self.parents.get(one) == other or self.parents.get(other) == one:
                    continue
                points = self.bullet.getClosestPoints(
                    self.uid,
                    self.uid,
                    0.0,
                    self.links[one],
                    self.links[other],
                    physicsClientId=self.client,
                )
                if points:
                    found[one, other] = max(-float(point[8]) for point in points)
        return found


@contextmanager
def loaded(body: Body, step_hz: int = 1000) -> Iterator[Loaded]:
    world = World(step_hz)
    try:
        world.rebuild()
        yield Loaded(world, body)
    finally:
        world.close()


def joints_at(robot: Robot, position: FloatArray) -> dict[str, float]:
    """Positions of the body's joints at the motors' positions (n,)."""
    return {
        joint: ratio * angle
        for motor, angle in zip(robot.motors, position.tolist(), strict=True)
        for joint, ratio in motor.moves
    }
