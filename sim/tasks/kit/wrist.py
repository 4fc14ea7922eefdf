"""What an expert feels at its wrist of what touches the tool, or the thing that a hand holds."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping

import numpy as np

from hil.contracts import FloatArray
from sim.robots.chains import tool_on
from sim.robots.kinematics import tool_pose
from sim.robots.model import Robot
from sim.robots.so101 import GRAVITY
from sim.robots.urdf import Link
from sim.tasks.kit.script import Desk, Hand, Moves


class Wrist:
    """Force by the sensor of `role`, in the axes of the tool `flange` of a robot whose flange is
    turned as the sensor is. The weight of the hand and of what it holds, as it was tared, is not
    in what is felt: that is right as long as nothing is lifted or let go."""

    def __init__(self, desk: Desk, flange: Hand, role: str = "wrist") -> None:
        self._desk, self._flange, self._role = desk, flange, role
        self._weight: FloatArray = np.zeros(3)

    def force(self) -> FloatArray:
        """What pushes, (3,), N, in the axes in which the hand's poses are."""
        return self._raw() - self._weight

    def strength(self) -> float:
        """Its size, N."""
        return float(np.linalg.norm(self.force()))

    def tare(self, seconds: float = 0.12) -> Moves:
        """Take what is felt now, which has to be in free air and at rest, for the weight."""
        self._weight = yield from _mean(self._desk, seconds, self._raw)

    def _raw(self) -> FloatArray:
        value = self._desk.view.sensors[self._role].value[:3]
        return np.asarray(self._flange.where()[1] @ value)


class Felt:
    """Force and moment of the contacts of `robot`'s first tool, base frame.

    Mass and centre of mass of what is behind the sensor are known, as the payload's data are of
    any arm, so that moments are told too; the sensor's offset is tared.
    """

    def __init__(self, desk: Desk, robot: Robot) -> None:
        self._desk = desk
        above = {joint.name: joint.child for joint in robot.body.joints}
        self._wrist = tool_on(robot.body, above[robot.wrist])
        self._face = next(iter(robot.tools.values())).chain
        self._places = np.array(robot.places(self._wrist.motors))
        self._mass, self._centre = _payload(robot, above[robot.wrist])
        self._offset: FloatArray = np.zeros(6)

    def contact(self) -> tuple[FloatArray, FloatArray]:
        """Force (3,), N, and moment about the middle of the face (3,), N·m; inertia of the tool
        where it speeds up is among them."""
        axes, to_face = self._turned()
        wrench = self._raw() - self._weight(axes) - self._offset
        force, moment = axes @ wrench[:3], axes @ wrench[3:]
        return force, moment - np.cross(to_face, force)

    def tare(self, seconds: float = 0.15) -> Moves:
        """Take what is felt now beside the weight, in free air and at rest, for the offset."""
        self._offset = yield from _mean(self._desk, seconds, self._beside)

    def _beside(self) -> FloatArray:
        return self._raw() - self._weight(self._turned()[0])

    def _raw(self) -> FloatArray:
        return self._desk.view.sensors["wrist"].value

    def _weight(self, axes: FloatArray) -> FloatArray:
        """(6,) in the sensor's frame."""
        force = axes.T @ np.array([0.0, 0.0, -self._mass * GRAVITY])
        return np.concatenate([force, np.cross(self._centre, force)])

    def _turned(self) -> tuple[FloatArray, FloatArray]:
        """Axes of the sensor (3, 3), and the way from it to the face (3,), base frame."""
        joints = self._desk.view.joints.position[self._places]
        wrist = tool_pose(self._wrist.chain, joints)
        face = self._face.frames(joints)[-1][:3, 3]
        return wrist.axes, face - wrist.position


def _mean(
    desk: Desk, seconds: float, read: Callable[[], FloatArray]
) -> Generator[None, None, FloatArray]:
    """Of what is read in every tick for so long."""
    end_s, found = desk.view.elapsed_s + seconds, []
    while desk.view.elapsed_s < end_s:
        found.append(read())
        yield
    return np.asarray(np.mean(found, axis=0))


def _payload(robot: Robot, wrist: str) -> tuple[float, FloatArray]:
    """Mass in kg of the link `wrist` and all that is fixed to it, and its centre (3,) in the
    link's frame, m."""
    links: Mapping[str, Link] = {link.name: link for link in robot.body.links}
    behind = {wrist}
    for joint in robot.body.joints:  # parents come before their children
        if joint.parent in behind:
            behind.add(joint.child)
    rest = np.zeros(len(tool_on(robot.body, wrist).motors))
    base = np.linalg.inv(tool_on(robot.body, wrist).chain.frames(rest)[-1])
    mass, moment = 0.0, np.zeros(3)
    for name in sorted(behind):
        inertial = links[name].inertial
        place = base @ tool_on(robot.body, name).chain.frames(rest)[-1]
        mass += inertial.mass
        moment += inertial.mass * (place[:3, :3] @ np.array(inertial.centre) + place[:3, 3])
    return mass, moment / mass
