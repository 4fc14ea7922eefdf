"""Unit quaternions in the order x, y, z, w, which is that of PyBullet and of SciPy."""

from __future__ import annotations

import numpy as np

from hil.contracts import FloatArray
from hil.errors import HarnessError

_SMALL_RAD = 1e-8


def unit(quaternion: FloatArray) -> FloatArray:
    """A quaternion (4,) of length 1. Errors: HarnessError for another shape, or length 0."""
    given = np.asarray(quaternion, dtype=np.float64)
    if given.shape != (4,):
        raise HarnessError(f"a quaternion has 4 numbers, given were {given.shape}")
    length = float(np.linalg.norm(given))
    if length == 0.0:
        raise HarnessError("a quaternion of length 0 is no rotation")
    normalised: FloatArray = given / length
    return normalised


def product(first: FloatArray, second: FloatArray) -> FloatArray:
    """The rotation `second`, then `first`; (4,) each."""
    ax, ay, az, aw = first.tolist()
    bx, by, bz, bw = second.tolist()
    return np.array(
        [
            aw * bx + ax * bw + ay * bz - az * by,
            aw * by - ax * bz + ay * bw + az * bx,
            aw * bz + ax * by - ay * bx + az * bw,
            aw * bw - ax * bx - ay * by - az * bz,
        ]
    )


def inverse(rotation: FloatArray) -> FloatArray:
    """The rotation back, (4,)."""
    back: FloatArray = rotation * np.array([-1.0, -1.0, -1.0, 1.0])
    return back


def from_vector(vector: FloatArray) -> FloatArray:
    """Rotation (4,) by |vector| rad about the direction of `vector` (3,)."""
    angle = float(np.linalg.norm(vector))
    if angle < _SMALL_RAD:
        return unit(np.array([*(vector / 2), 1.0]))
    return np.array([*(np.sin(angle / 2) / angle * vector), np.cos(angle / 2)])


def to_vector(rotation: FloatArray) -> FloatArray:
    """Rotation vector (3,) in rad of a rotation (4,), the shorter way round: at most pi."""
    shorter = rotation if rotation[3] >= 0 else -rotation
    sine = float(np.linalg.norm(shorter[:3]))
    angle = 2 * np.arctan2(sine, shorter[3])
    vector: FloatArray = shorter[:3] * (2.0 if sine < _SMALL_RAD else angle / sine)
    return vector


def matrix(rotation: FloatArray) -> FloatArray:
    """Rotation matrix (3, 3) whose columns are the turned axes."""
    x, y, z, w = rotation
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )
