"""What a scripted expert and the plant's tests ask of a chain: pose, Jacobian, gravity.

No physics engine behind it, so that they need nothing but numpy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hil.contracts import FloatArray
from hil.kinematics import Chain


@dataclass(frozen=True, slots=True)
class Pose:
    """Where a frame is: `position` (3,) in m, `axes` (3, 3) with the frame's axes as columns,
    and the geometric Jacobian (6, n) of its origin: m/s then rad/s per rad/s. `links` are the
    frames (4, 4) of the n links before it."""

    position: FloatArray
    axes: FloatArray
    jacobian: FloatArray
    links: Sequence[FloatArray]


def tool_pose(chain: Chain, position: FloatArray) -> Pose:
    """Pose of the chain's tool at joint positions (n,) in rad."""
    *links, tool = chain.frames(position)
    jacobian = np.empty((6, len(links)))
    for column, (link, turning) in enumerate(zip(links, chain.axes, strict=True)):
        axis = link[:3, :3] @ turning
        jacobian[:3, column] = cross(axis, tool[:3, 3] - link[:3, 3])
        jacobian[3:, column] = axis
    return Pose(tool[:3, 3], tool[:3, :3], jacobian, links)


def holding_torque(
    frames: Sequence[FloatArray], weights: Sequence[tuple[float, FloatArray]]
) -> FloatArray:
    """Motor torques (n,) in N·m that hold n links against gravity; joints turn about their z.

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


def cross(a: FloatArray, b: FloatArray) -> FloatArray:
    """a x b of two vectors (3,); numpy's own spends ten times as long on checking them."""
    return np.array(
        [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
    )
