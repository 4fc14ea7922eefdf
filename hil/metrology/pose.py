"""Pose accuracy and repeatability, after ISO 9283:1998, clause 7.2.

Positions are in m in one frame, attitudes are unit quaternions x, y, z, w (scalar last) of the
tool in that frame. One row is one arrival at one commanded pose; the standard asks for 30
arrivals at each of five poses and for the largest figure of them.

Rotations are compared as rotation vectors about the axes of the base frame, which for small
errors are the standard's angles a, b and c, and which no choice of frame makes singular.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from hil.contracts import FloatArray
from hil.errors import BadInput
from hil.metrology.summary import (
    CONFIDENCE,
    Measure,
    jackknife_interval,
    numbers,
    present,
    spread_interval,
    student_interval,
)

POSE_CYCLES = 30
"""Arrivals that ISO 9283 asks for at each pose."""

_LEAST = 4
_FAR_RAD = math.pi / 2

Four = tuple[Measure, Measure, Measure, Measure]
"""A figure for all axes together, then about or along x, y and z."""


def position_accuracy(
    attained_m: ArrayLike, commanded_m: ArrayLike, confidence: float = CONFIDENCE
) -> Four:
    """AP_P, AP_x, AP_y, AP_z in m of arrivals (n, 3) at the commanded position (3,).

    AP_x = mean(x_j) - x_c, and so on; AP_P is their length (ISO 9283, 7.2). Intervals: see
    `_accuracy`. Errors: BadInput for fewer than four arrivals or other shapes.
    """
    target = _vector("commanded position", commanded_m, 3)
    errors, absent = _rows("attained positions", attained_m, 3)
    return _accuracy(("AP_P", "AP_x", "AP_y", "AP_z"), errors - target, absent, "m", confidence)


def position_repeatability(attained_m: ArrayLike, confidence: float = CONFIDENCE) -> Four:
    """RP_l, and three standard deviations along x, y and z, in m, of arrivals (n, 3).

    l_j is the distance of arrival j from the barycentre of all, RP_l = mean(l) + 3 S_l with S_l
    over n - 1 (ISO 9283, 7.2); the standard has no figure for an axis. Intervals: see
    `_repeatability`. Errors: BadInput for fewer than four arrivals or another shape.
    """
    rows, absent = _rows("attained positions", attained_m, 3)
    names = ("RP_l", "3 S_x", "3 S_y", "3 S_z")
    return _repeatability(names, rows - rows.mean(axis=0), absent, "m", confidence)


def orientation_accuracy(
    attained: ArrayLike, commanded: ArrayLike, confidence: float = CONFIDENCE
) -> Four:
    """Accuracy of attitude together, AP_a, AP_b, AP_c in rad: arrivals (n, 4) at the commanded
    attitude (4,), unit quaternions x, y, z, w.

    The error of arrival j is the rotation vector of R_j R_c'; AP_a is the mean of its x part,
    and so on (ISO 9283, 7.2, mean(a_j) - a_c). The length of the mean vector is no figure of
    the standard.
    Errors: BadInput for fewer than four arrivals, no unit quaternions, or an arrival more than
    a quarter of a turn off.
    """
    target = _unit("commanded attitude", _vector("commanded attitude", commanded, 4)[None])[0]
    rows, absent = _rows("attained attitudes", attained, 4)
    errors = _between(_unit("attained attitudes", rows), target, "attained attitudes")
    names = ("AP attitude", "AP_a", "AP_b", "AP_c")
    return _accuracy(names, errors, absent, "rad", confidence)


def orientation_repeatability(attained: ArrayLike, confidence: float = CONFIDENCE) -> Four:
    """Repeatability of attitude together, RP_a, RP_b, RP_c in rad, of arrivals (n, 4).

    RP_a = 3 S_a of the rotation vectors of R_j R_mean' (ISO 9283, 7.2, gives it as ±3 S_a).
    R_mean is the mean attitude after Markley et al., J. Guidance 30, 1193 (2007). Together:
    mean + 3 S of the angles to the mean attitude, which is no figure of the standard.
    Errors: as `orientation_accuracy`.
    """
    rows, absent = _rows("attained attitudes", attained, 4)
    unit = _unit("attained attitudes", rows)
    centre = np.linalg.eigh(unit.T @ unit)[1][:, -1]
    names = ("RP attitude", "RP_a", "RP_b", "RP_c")
    return _repeatability(
        names, _between(unit, centre, "attained attitudes"), absent, "rad", confidence
    )


def barycentre_radius(deviations: FloatArray) -> float:
    """mean(l) + 3 S_l of the distances l of rows (n, width) from their mean."""
    distance = np.linalg.norm(deviations - deviations.mean(axis=0), axis=1)
    return float(distance.mean() + 3 * distance.std(ddof=1))


def _accuracy(
    names: tuple[str, ...], errors: FloatArray, absent: int, unit: str, confidence: float
) -> Four:
    """Mean of the errors (n, 3), its length first.

    An axis has Student's interval. The length has an interval that holds the true length at
    least so often as it says, for normal errors of any covariance: all points of Hotelling's
    region about the mean lie within r = sqrt(c2 w / n), w the largest eigenvalue of the
    covariance and c2 = 3 (n - 1) / (n - 3) F(confidence; 3, n - 3). Source: Johnson and
    Wichern, Applied Multivariate Statistical Analysis, section 5.4.
    """
    count, mean = len(errors), errors.mean(axis=0)
    widest = float(np.linalg.eigvalsh(np.cov(errors.T))[-1])
    scale = 3 * (count - 1) / (count - 3) * float(special.fdtri(3, count - 3, confidence))
    reach, length = math.sqrt(scale * max(widest, 0.0) / count), float(np.linalg.norm(mean))
    said = f"after ISO 9283, 7.2; mean of {count} arrivals"
    together = Measure(
        names[0],
        length,
        unit,
        (max(length - reach, 0.0), length + reach),
        count,
        f"{said}, its length; Hotelling's region, at least {100 * confidence:g} %",
        absent,
    )
    x, y, z = (
        Measure(
            name,
            float(mean[axis]),
            unit,
            student_interval(errors[:, axis], confidence),
            count,
            f"{said}; Student t, {100 * confidence:g} %",
            absent,
        )
        for axis, name in enumerate(names[1:])
    )
    return together, x, y, z


def _repeatability(
    names: tuple[str, ...], deviations: FloatArray, absent: int, unit: str, confidence: float
) -> Four:
    """mean + 3 S of the lengths of the deviations (n, 3), then 3 S of each axis.

    An axis has the chi-square interval of a normal standard deviation, exact for normal
    deviations. The radius has a jackknife interval, an approximation: with 10 to 30 normal
    arrivals, spread alike or along one line, the nominal 95 % cover the radius that infinitely
    many arrivals would have in 89 to 92 % of simulated cases.
    """
    count = len(deviations)
    said = f"after ISO 9283, 7.2; {count} arrivals"
    together = Measure(
        names[0],
        barycentre_radius(deviations),
        unit,
        jackknife_interval(barycentre_radius, deviations, confidence),
        count,
        f"{said}, mean + 3 S of the distance; jackknife, nominally {100 * confidence:g} %",
        absent,
    )
    x, y, z = (
        Measure(
            name,
            3 * spread,
            unit,
            spread_interval(3 * spread, count - 1, confidence),
            count,
            f"{said}, three standard deviations; chi-square, {100 * confidence:g} %",
            absent,
        )
        for name, spread in zip(names[1:], deviations.std(axis=0, ddof=1).tolist(), strict=True)
    )
    return together, x, y, z


def _rows(name: str, values: ArrayLike, width: int) -> tuple[FloatArray, int]:
    rows, absent = present(name, values, _LEAST)
    if rows.ndim != 2 or rows.shape[1] != width or np.isinf(rows).any():
        raise BadInput(
            f"{name}: shape {rows.shape}, or infinite values", f"give finite rows of {width}"
        )
    return rows, absent


def _vector(name: str, values: ArrayLike, width: int) -> FloatArray:
    found = numbers(name, values)
    if found.shape != (width,) or not np.isfinite(found).all():
        raise BadInput(f"{name}: {found.tolist()}", f"give {width} finite numbers")
    return found


def _unit(name: str, quaternions: FloatArray) -> FloatArray:
    length = np.linalg.norm(quaternions, axis=1, keepdims=True)
    wrong = np.flatnonzero(np.abs(length[:, 0] - 1) > 1e-3)
    if len(wrong):
        raise BadInput(
            f"{name}: row {int(wrong[0])} has length {float(length[wrong[0], 0]):.4g}",
            "give unit quaternions x, y, z, w",
        )
    return np.asarray(quaternions / length, dtype=np.float64)


def _between(rows: FloatArray, centre: FloatArray, name: str) -> FloatArray:
    """Rotation vectors (n, 3), rad, of the turns from `centre` (4,) to `rows` (n, 4)."""
    back = centre * np.array([-1.0, -1.0, -1.0, 1.0])
    vector = rows[:, 3:] * back[:3] + back[3] * rows[:, :3] + np.cross(rows[:, :3], back[:3])
    scalar = rows[:, 3] * back[3] - rows[:, :3] @ back[:3]
    vector *= np.where(scalar < 0, -1.0, 1.0)[:, None]
    sine = np.linalg.norm(vector, axis=1)
    angle = 2 * np.arctan2(sine, np.abs(scalar))
    if float(angle.max()) > _FAR_RAD:
        raise BadInput(
            f"{name}: row {int(angle.argmax())} is {float(angle.max()):.3g} rad away",
            "give arrivals at one attitude only, and quaternions as x, y, z, w",
        )
    # the factor tends to 2 where there is no turn
    factor = np.divide(angle, sine, out=np.full_like(angle, 2.0), where=sine > 1e-12)
    return np.asarray(vector * factor[:, None], dtype=np.float64)
