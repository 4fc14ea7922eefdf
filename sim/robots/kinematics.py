"""Forward kinematics and Jacobian of a serial chain of revolute joints, in numpy.

No physics engine behind it, so that a task's scripted expert and the scoring of old records
need nothing but numpy.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hil.contracts import FloatArray
from sim.robots.urdf import Joint, Vector


def rotation(rpy: Vector) -> FloatArray:
    """Rotation matrix (3, 3) of URDF roll, pitch, yaw in rad: Rz(yaw) Ry(pitch) Rx(roll)."""
    (cr, cp, cy), (sr, sp, sy) = map(math.cos, rpy), map(math.sin, rpy)
    return np.array(
        [
            [cy * cp, cy * sp * sr - sy * cr, cy * sp * cr + sy * sr],
            [sy * cp, sy * sp * sr + cy * cr, sy * sp * cr - cy * sr],
            [-sp, cp * sr, cp * cr],
        ]
    )


def transform(at: Vector, rpy: Vector) -> FloatArray:
    """Homogeneous transform (4, 4) of a URDF origin."""
    matrix = np.eye(4)
    matrix[:3, :3] = rotation(rpy)
    matrix[:3, 3] = at
    return matrix


@dataclass(frozen=True, slots=True)
class Pose:
    """Where a frame is: `position` (3,) in m, `axes` (3, 3) with the frame's axes as columns,
    and the geometric Jacobian (6, n) of its origin: m/s then rad/s per rad/s. `links` are the
    frames (4, 4) of the n links before it."""

    position: FloatArray
    axes: FloatArray
    jacobian: FloatArray
    links: Sequence[FloatArray]


class Chain:
    """Revolute joints in a row, each turning about its own z, and a tip fixed to the last."""

    def __init__(self, joints: Sequence[Joint], tip: Joint) -> None:
        self._origins = [transform(joint.at, joint.rpy) for joint in joints]
        self._tip = transform(tip.at, tip.rpy)

    def frames(self, position: FloatArray) -> list[FloatArray]:
        """Frames (4, 4) of the links behind each joint, then of the tip, in the base frame.

        `position` has shape (n,), rad, n = number of joints of the chain.
        """
        here = np.eye(4)
        found = []
        for origin, angle in zip(self._origins, position, strict=True):
            cosine, sine = math.cos(angle), math.sin(angle)
            here = here @ origin
            # right-multiplying by Rz(angle) mixes the first two columns only
            x_axis, y_axis = here[:, 0].copy(), here[:, 1].copy()
            here[:, 0] = cosine * x_axis + sine * y_axis
            here[:, 1] = cosine * y_axis - sine * x_axis
            found.append(here)
        found.append(here @ self._tip)
        return found

    def tip(self, position: FloatArray) -> Pose:
        """Pose of the tip at joint positions (n,) in rad."""
        *links, tip = self.frames(position)
        jacobian = np.empty((6, len(links)))
        for column, link in enumerate(links):
            axis = link[:3, 2]
            jacobian[:3, column] = _cross(axis, tip[:3, 3] - link[:3, 3])
            jacobian[3:, column] = axis
        return Pose(tip[:3, 3], tip[:3, :3], jacobian, links)


def holding_torque(
    frames: Sequence[FloatArray], weights: Sequence[tuple[float, FloatArray]]
) -> FloatArray:
    """Motor torques (n,) in N·m that hold n links against gravity.

    `frames` are the n link frames of `Chain.frames`; `weights` gives each link's weight in N
    and its centre of mass (3,) in the link frame. For joint j it is the sum over the links
    i >= j of w_i times the height that link i's centre gains per rad, (z_j x (c_i - o_j))_z.
    """
    torque = np.zeros(len(frames))
    for i, (frame, (weight, centre)) in enumerate(zip(frames, weights, strict=True)):
        middle = frame[:3, :3] @ centre + frame[:3, 3]
        for j in range(i + 1):
            axis, arm = frames[j][:3, 2], middle - frames[j][:3, 3]
            torque[j] += weight * (axis[0] * arm[1] - axis[1] * arm[0])
    return torque


def _cross(a: FloatArray, b: FloatArray) -> FloatArray:
    # numpy.cross spends ten times as long on checking its arguments
    return np.array(
        [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
    )
