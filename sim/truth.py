"""What is true at a robot in the world: what sensors on it are fed with, and no policy is shown."""

from __future__ import annotations

import numpy as np

from hil.contracts import FloatArray
from hil.errors import BadInput
from hil.kinematics import rotation
from sim.robots.kinematics import cross
from sim.robots.model import Robot, Tip
from sim.sensing.tactile import Contacts
from sim.world import Placed, World

PAD_DEPTH_M = 0.004
"""A contact that far behind the pad's plane still counts as one on it."""


class WristTruth:
    """Force and torque that what is behind a robot's wrist joint exerts on it, in the frame of
    the link behind it and about its origin: weight of the hand and the link itself included.

    Errors: BadInput for a robot that has no wrist sensor.
    """

    def __init__(self, world: World, robot: Robot, placed: Placed) -> None:
        if not robot.wrist:
            raise BadInput(
                f"robot {robot.name!r} has no wrist to sense at",
                "leave the force-torque sensor out of the rig",
            )
        self._world, self._uid = world, placed.uid
        self._joint = placed.joints[robot.wrist]
        bullet, client = world.bullet, world.client
        bullet.enableJointForceTorqueSensor(self._uid, self._joint, True, physicsClientId=client)
        facts = bullet.getDynamicsInfo(self._uid, self._joint, physicsClientId=client)
        self._centre = np.array(facts[3])
        self._turn = np.array(bullet.getMatrixFromQuaternion(facts[4])).reshape(3, 3)

    def read(self) -> FloatArray:
        """(6,): N and N·m. PyBullet tells what holds the link, at its centre of mass and along
        its principal axes; this is the opposite, moved to the link's frame."""
        state = self._world.bullet.getJointState(
            self._uid, self._joint, physicsClientId=self._world.client
        )
        held = np.array(state[2])
        force, torque = -self._turn @ held[:3], -self._turn @ held[3:]
        return np.concatenate([force, torque + cross(self._centre, force)])


class PadTruth:
    """What touches the pad of one fingertip.

    PyBullet tells of two flat faces by the corners in which they meet, with the force among
    them as its solver left it: the sum is right, its place within the face is not. A tactile
    model for a flat pad needs a `size_m` that holds its corners.
    """

    def __init__(self, world: World, placed: Placed, tip: Tip) -> None:
        self._world, self._uid, self._link = world, placed.uid, placed.links[tip.link]
        self._at, self._axes = np.array(tip.placed.xyz), rotation(tip.placed.rpy)

    def read(self) -> Contacts:
        """The contacts of the link with anything but its own robot, on the pad's side of it."""
        bullet, client = self._world.bullet, self._world.client
        found = bullet.getContactPoints(
            bodyA=self._uid, linkIndexA=self._link, physicsClientId=client
        )
        touching = [point for point in found if point[2] != self._uid and point[9] > 0]
        if not touching:
            return Contacts.none()
        state = bullet.getLinkState(self._uid, self._link, physicsClientId=client)
        turn = np.array(bullet.getMatrixFromQuaternion(state[5])).reshape(3, 3)
        at, axes = np.array(state[4]) + turn @ self._at, turn @ self._axes
        places = np.array([point[5] for point in touching])
        forces = np.array([_force(point) for point in touching])
        near = (places - at) @ axes[:, 2] > -PAD_DEPTH_M
        return Contacts.of_world(places[near], forces[near], at, axes)


def _force(point: tuple) -> FloatArray:  # type: ignore[type-arg]
    """Of one contact point on body A, (3,), N: normal on B towards A, and both frictions."""
    found: FloatArray = (
        point[9] * np.array(point[7])
        + point[10] * np.array(point[11])
        + point[12] * np.array(point[13])
    )
    return found
