"""How what a sensor sits on, or looks at, moves in the world: truth that no policy is shown."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hil.contracts import FloatArray
from hil.errors import BadInput
from sim.scenery.sight import hidden_share
from sim.world import Placed, World


@dataclass(frozen=True, slots=True)
class Motion:
    """Of a point and the axes fixed to it, in the world: place (3,) in m, orientation as
    quaternion (4,) x, y, z, w, velocity (3,) in m/s."""

    at: FloatArray
    turn: FloatArray
    velocity: FloatArray


class Mounting:
    """Where a sensor is fixed to a link of a robot: `xyz` m and `rpy` rad in the link's frame.

    Errors: BadInput for a link that the robot does not have.
    """

    def __init__(
        self,
        world: World,
        placed: Placed,
        link: str,
        xyz: tuple[float, float, float] = (0.0, 0.0, 0.0),
        rpy: tuple[float, float, float] = (0.0, 0.0, 0.0),
    ) -> None:
        if link not in placed.links:
            raise BadInput(
                f"a sensor cannot be mounted on link {link!r}, which the robot does not have",
                f"its links are {', '.join(placed.links)}",
            )
        self._world, self._uid, self._link = world, placed.uid, placed.links[link]
        bullet = world.bullet
        self._local = (xyz, bullet.getQuaternionFromEuler(rpy))

    def motion(self) -> Motion:
        """As the sensor moves now."""
        bullet, client = self._world.bullet, self._world.client
        if self._link < 0:
            centre, principal = bullet.getBasePositionAndOrientation(
                self._uid, physicsClientId=client
            )
            linear, turning = bullet.getBaseVelocity(self._uid, physicsClientId=client)
            frame = _frame_of(self._world, self._uid, centre, principal)
        else:
            state = bullet.getLinkState(
                self._uid, self._link, computeLinkVelocity=1, physicsClientId=client
            )
            centre, linear, turning = state[0], state[6], state[7]
            frame = (state[4], state[5])
        at, turn = bullet.multiplyTransforms(*frame, *self._local)
        arm = np.array(at) - np.array(centre)
        velocity = np.array(linear) + np.cross(np.array(turning), arm)
        return Motion(np.array(at), np.array(turn), velocity)


class Watched:
    """A body of the scene, by the name that the scene gives it, as a camera at `eye` sees it; with
    None for an eye, nothing hides it. It is looked for when it is asked about: scenes change."""

    def __init__(self, world: World, name: str, eye: tuple[float, float, float] | None) -> None:
        self._world, self._name, self._eye = world, name, eye
        self._uid = bodies_of(world).get(name, -1)

    def pose(self) -> tuple[FloatArray, FloatArray, float]:
        """Position (3,) m, orientation (4,), and the fraction hidden. All of it is hidden, and
        the pose NaN, where no such body is in the scene."""
        if self._uid < 0:
            return np.full(3, np.nan), np.array([0.0, 0.0, 0.0, 1.0]), 1.0
        bullet, client = self._world.bullet, self._world.client
        there = bullet.getBasePositionAndOrientation(self._uid, physicsClientId=client)
        at, turn = _frame_of(self._world, self._uid, *there)
        hidden = 0.0 if self._eye is None else hidden_share(self._world, self._uid, self._eye)
        return np.array(at), np.array(turn), hidden


def bodies_of(world: World) -> dict[str, int]:
    """PyBullet's number of every body by the name that it was built with."""
    bullet, client = world.bullet, world.client
    uids = [
        bullet.getBodyUniqueId(place, physicsClientId=client)
        for place in range(bullet.getNumBodies(physicsClientId=client))
    ]
    return {bullet.getBodyInfo(uid, physicsClientId=client)[1].decode(): uid for uid in uids}


def _frame_of(
    world: World, uid: int, centre: FloatArray, principal: FloatArray
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """PyBullet tells where the centre of mass is, along the principal axes; the base link's frame
    is meant."""
    bullet, client = world.bullet, world.client
    facts = bullet.getDynamicsInfo(uid, -1, physicsClientId=client)
    back = bullet.invertTransform(facts[3], facts[4])
    found: tuple[tuple[float, ...], tuple[float, ...]] = bullet.multiplyTransforms(
        centre, principal, *back
    )
    return found
