"""Path accuracy and repeatability and corner deviations, after ISO 9283:1998, clause 8.

A commanded path is a row of points (m, 3) in m along a smooth line; each is compared with where
the attained path crosses the plane through it, normal to the line. The standard asks for 10
repeats of a path and 3 of a corner, and lets the run-in and run-out be left out of the command.
Only positions are compared, not attitudes and not velocities.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hil.contracts import FloatArray
from hil.errors import BadInput
from hil.metrology.summary import CONFIDENCE, LEAST_REPEATS, Measure, lacking, mean_measure, numbers

PATH_CYCLES = 10
"""Repeats that ISO 9283 asks for of a path."""

CORNER_CYCLES = 3
"""Repeats that ISO 9283 asks for of a corner."""

_SHARP = np.cos(np.pi / 4)


@dataclass(frozen=True, slots=True)
class PathFigures:
    """`accuracy` AT_P and `repeatability` RT_P in m, and the mean over repeats of the farthest
    that each strayed from the command, `deviation`, which is no figure of the standard."""

    accuracy: Measure
    repeatability: Measure
    deviation: Measure


def crossings(
    attained_m: ArrayLike, commanded_m: ArrayLike, name: str = "attained path"
) -> FloatArray:
    """Where one attained path (k, 3), in the order of time, crosses the normal planes of the
    commanded points (m, 3): shape (m, 3), NaN for a plane that it does not cross forwards.

    Between samples the path is straight; absent samples (NaN) are bridged. Of several forward
    crossings of a plane the nearest to its point is taken.
    Errors: BadInput for other shapes, fewer than two points, points that coincide, or a command
    that turns by more than 45 degrees at a point.
    """
    command = _command("commanded path", commanded_m)
    path = _attained(name, attained_m)
    tangent = _tangents(command)
    found = np.full(command.shape, np.nan)
    for row, (point, along) in enumerate(zip(command, tangent, strict=True)):
        ahead = (path - point) @ along
        before = np.flatnonzero((ahead[:-1] <= 0) & (ahead[1:] >= 0) & (ahead[:-1] < ahead[1:]))
        if not len(before):
            continue
        share = ahead[before] / (ahead[before] - ahead[before + 1])
        met = path[before] + share[:, None] * (path[before + 1] - path[before])
        found[row] = met[np.linalg.norm(met - point, axis=1).argmin()]
    return found


def path_figures(
    attained_m: Sequence[ArrayLike], commanded_m: ArrayLike, confidence: float = CONFIDENCE
) -> PathFigures:
    """AT_P and RT_P of repeats, each an attained path (k_j, 3), of one command (m, 3).

    AT_P = max over points i of |mean_j(x_ij) - x_ci|, RT_P = max over i of
    mean_j(l_ij) + 3 S_li, l_ij the distance of crossing j from the mean crossing at point i
    (ISO 9283, 8.2 and 8.3). A maximum over points has no simple interval and none is given; the
    deviation, max over i of |x_ij - x_ci| for each repeat, has Student's.
    `absent` counts samples that were not received; `method` says how many planes were not
    crossed.
    Errors: BadInput for fewer than three repeats, or a point whose plane fewer than three of
    them cross; what `crossings` refuses.
    """
    command = _command("commanded path", commanded_m)
    if len(attained_m) < LEAST_REPEATS:
        raise BadInput(
            f"path: {len(attained_m)} repeats; at least {LEAST_REPEATS} are needed",
            f"repeat the path; ISO 9283 asks for {PATH_CYCLES}",
        )
    paths = [numbers(f"attained path {at}", path) for at, path in enumerate(attained_m)]
    met = np.array(
        [crossings(path, command, f"attained path {at}") for at, path in enumerate(paths)]
    )
    missed = np.isnan(met[:, :, 0])
    _check_crossed(missed)
    offset = met - command
    accuracy = np.linalg.norm(np.nanmean(offset, axis=0), axis=1)
    distance = np.linalg.norm(met - np.nanmean(met, axis=0), axis=2)
    radius = np.nanmean(distance, axis=0) + 3 * np.nanstd(distance, axis=0, ddof=1)
    said = f"after ISO 9283, {{}}; largest of {len(command)} points, {{}}"
    if missed.any():
        said += f"; {int(missed.sum())} of {missed.size} planes were not crossed"
    absent = sum(int(lacking(path).sum()) for path in paths)

    def largest(name: str, values: FloatArray, clause: str, what: str) -> Measure:
        method = said.format(clause, what)
        return Measure(name, float(values.max()), "m", None, len(paths), method, absent)

    return PathFigures(
        accuracy=largest("AT_P", accuracy, "8.2", "length of the mean deviation"),
        repeatability=largest("RT_P", radius, "8.3", "mean + 3 S of the distance"),
        deviation=mean_measure(
            "path deviation",
            _farthest(offset),
            "m",
            confidence=confidence,
            method="farthest point of each repeat",
            absent=absent,
        ),
    )


@dataclass(frozen=True, slots=True)
class Corner:
    """What one repeat did at a corner, m: `overshoot_m` the farthest beyond the second leg,
    `rounding_m` the nearest to the corner point, `absent` the samples that were not received."""

    overshoot_m: float
    rounding_m: float
    absent: int = 0


def corner(attained_m: ArrayLike, legs_m: ArrayLike, name: str = "attained path") -> Corner:
    """Corner overshoot and rounding of one attained path (k, 3).

    `legs_m` (3, 3) holds the start of the first leg, the corner, and the end of the second leg.
    Overshoot: the largest distance from the second leg, as far as it goes, of a sample on the
    side to which the first leg leads; 0 where there is none. Rounding: the smallest distance of
    the path, straight between samples, from the corner (ISO 9283, 8.5: CO and CR).
    Errors: BadInput for other shapes, a leg without length, or legs in line with one another.
    """
    start, bend, end = _command("legs", legs_m, 3)
    path = _attained(name, attained_m)
    onward, length = _direction(end - bend)
    inward, first = _direction(bend - start)
    outward, turned = _direction(inward - (inward @ onward) * onward)
    if not min(length, first, turned - 1e-6) > 0:
        raise BadInput(
            f"{name}: its two legs are in line, or one has no length",
            "give a corner, or compare it as a path",
        )
    from_bend = path - bend
    along = from_bend @ onward
    beside = np.linalg.norm(from_bend - along[:, None] * onward, axis=1)
    beyond = beside[(from_bend @ outward > 0) & (along <= length)]
    return Corner(
        overshoot_m=float(beyond.max()) if len(beyond) else 0.0,
        rounding_m=_nearest(path, bend),
        absent=len(numbers(name, attained_m)) - len(path),
    )


def corner_measures(
    corners: Sequence[Corner], confidence: float = CONFIDENCE
) -> tuple[Measure, Measure]:
    """Corner overshoot CO and rounding CR in m, means over repeats. Errors: BadInput for fewer
    than three."""
    parts = [
        ("corner overshoot", [one.overshoot_m for one in corners]),
        ("corner rounding", [one.rounding_m for one in corners]),
    ]
    absent, said = sum(one.absent for one in corners), "after ISO 9283, 8.5"
    overshoot, rounding = (
        mean_measure(name, values, "m", confidence=confidence, method=said, absent=absent)
        for name, values in parts
    )
    return overshoot, rounding


def _farthest(offset: FloatArray) -> FloatArray:
    """Largest distance in each repeat of (n, m, 3), shape (n,); NaN where it has none."""
    distance = np.linalg.norm(offset, axis=2)
    largest = np.where(np.isnan(distance), -1.0, distance).max(axis=1)
    return np.asarray(np.where(largest < 0, np.nan, largest), dtype=np.float64)


def _check_crossed(missed: NDArray[np.bool_]) -> None:
    crossed = (~missed).sum(axis=0)
    if int(crossed.min()) < LEAST_REPEATS:
        point = int(crossed.argmin())
        raise BadInput(
            f"path: {int(crossed[point])} of {len(missed)} repeats cross the plane of commanded"
            f" point {point} of {missed.shape[1]}; at least {LEAST_REPEATS} are needed",
            "record the whole path, or leave run-in and run-out out of the commanded points",
        )


def _nearest(path: FloatArray, point: FloatArray) -> float:
    """Smallest distance of a polyline (k, 3) from a point (3,)."""
    step = np.diff(path, axis=0)
    square = np.square(step).sum(axis=1)
    to_point = ((point - path[:-1]) * step).sum(axis=1)
    share = np.divide(to_point, square, out=np.zeros_like(square), where=square > 0).clip(0, 1)
    foot = path[:-1] + share[:, None] * step
    return float(np.linalg.norm(foot - point, axis=1).min())


def _tangents(command: FloatArray) -> FloatArray:
    """Unit tangents (m, 3), from the directions of the legs, taken for those at their middles:
    between two legs by a straight line, and on along it at either end."""
    leg = np.diff(command, axis=0)
    length = np.linalg.norm(leg, axis=1, keepdims=True)
    if not (length > 0).all():
        raise BadInput(
            f"commanded path: points {int(length.argmin())} and the next are the same",
            "leave out points at which the path does not go on",
        )
    leg /= length
    cosine = (leg[:-1] * leg[1:]).sum(axis=1)
    if len(cosine) and float(cosine.min()) < _SHARP:
        raise BadInput(
            f"commanded path: it turns by more than 45 degrees at point {int(cosine.argmin()) + 1}",
            "give more points of a curve; give the two legs of a corner one by one, and the corner"
            " to `corner`",
        )
    if not len(cosine):
        return np.repeat(leg, 2, axis=0)
    share = length[:-1] / (length[:-1] + length[1:])
    turn = (leg[1:] - leg[:-1]) * share
    first, last = leg[:1] - turn[:1], leg[-1:] + (leg[-1:] - leg[-2:-1]) * (1 - share[-1:])
    found = np.vstack([first, leg[:-1] + turn, last])
    return np.asarray(found / np.linalg.norm(found, axis=1, keepdims=True), dtype=np.float64)


def _direction(vector: FloatArray) -> tuple[FloatArray, float]:
    """Direction and length of a vector; the null vector itself where it has none."""
    length = float(np.linalg.norm(vector))
    return (vector / length if length > 0 else vector), length


def _command(name: str, values: ArrayLike, count: int | None = None) -> FloatArray:
    """Points (k, 3) of a command, of which none may be absent."""
    rows = numbers(name, values)
    wanted = len(rows) >= 2 if count is None else len(rows) == count
    if not wanted or rows.ndim != 2 or rows.shape[1] != 3 or not np.isfinite(rows).all():
        raise BadInput(
            f"{name}: shape {rows.shape}, or values that are not finite",
            f"give finite points of x, y, z: {count or 'at least two'}",
        )
    return rows


def _attained(name: str, values: ArrayLike) -> FloatArray:
    """Points (k, 3) of an attained path without the absent ones."""
    rows = numbers(name, values)
    if rows.ndim == 2 and rows.shape[1] == 3 and not np.isinf(rows).any():
        there = rows[~lacking(rows)]
        if len(there) >= 2:
            return there
    raise BadInput(
        f"{name}: shape {rows.shape}, infinite values, or fewer than two points that are there",
        "give points of x, y, z in the order of time",
    )
