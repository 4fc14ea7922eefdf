"""Rotations and poses as archetypes need them: quaternions are x, y, z, w, as PyBullet has them."""

from __future__ import annotations

import math

import numpy as np

from hil.contracts import FloatArray
from hil.kinematics import rotation
from hil.task import Draw
from sim.tasks.kit.draws import pose_of
from sim.tasks.kit.seen import Seen, most

DOWN: FloatArray = np.array([[1.0, 0.0, 0.0], [0.0, -1.0, 0.0], [0.0, 0.0, -1.0]])
"""Axes of a tool that points down (z), columns in the base frame."""


def yaw_of(turns: FloatArray) -> FloatArray:
    """Rotation about z in rad, (ticks,), of quaternions x, y, z, w (ticks, 4): the yaw of
    Rz Ry Rx, in (-pi, pi]."""
    x, y, z, w = turns.T
    return np.asarray(np.arctan2(2 * (w * z + x * y), 1 - 2 * (y * y + z * z)))


def angle_between(turns: FloatArray, wanted: FloatArray) -> FloatArray:
    """Angle in rad, (ticks,), of the rotation from `wanted` (4,) to each of `turns` (ticks, 4):
    2 acos |q . p|."""
    return np.asarray(2 * np.arccos(np.clip(np.abs(turns @ wanted), 0.0, 1.0)))


def moved(seen: Seen, draw: Draw, name: str) -> float | None:
    """How far a thing has ever been from where it was set up, m."""
    at = seen.columns(name)
    return None if at is None else most(np.linalg.norm(at - pose_of(draw, name)[:3], axis=1))


def quarters(turn: FloatArray) -> list[FloatArray]:
    """The four rotations that a quarter turn about the thing's own z leads to, from `turn`."""
    x, y, z, w = turn
    found = []
    for half in (0.0, math.pi / 4, math.pi / 2, 3 * math.pi / 4):
        s, c = math.sin(half), math.cos(half)
        found.append(np.array([x * c + y * s, y * c - x * s, z * c + w * s, w * c - z * s]))
    return found


def yaw_nearest(turn: FloatArray, period: float = math.pi / 2) -> float:
    """Yaw in rad of a thing that looks the same after `period`, nearest to 0."""
    yaw = float(yaw_of(turn[None])[0])
    return yaw - period * round(yaw / period)


def matrix_of(turn: FloatArray) -> FloatArray:
    """Rotation (3, 3) of a quaternion."""
    x, y, z, w = turn / float(np.linalg.norm(turn))
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )


def from_vector(vector: FloatArray) -> FloatArray:
    """Rotation (3, 3) by axis times angle (3,): Rodrigues' formula."""
    angle = float(np.linalg.norm(vector))
    if angle < 1e-12:
        return np.eye(3)
    x, y, z = vector / angle
    cross = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    turned: FloatArray = np.eye(3) + math.sin(angle) * cross
    whole: FloatArray = turned + (1 - math.cos(angle)) * cross @ cross
    return whole


def turned_down(yaw: float) -> FloatArray:
    """Axes of a tool that points down, turned by `yaw` rad about the vertical."""
    return np.asarray(rotation((0.0, 0.0, yaw)) @ DOWN)
