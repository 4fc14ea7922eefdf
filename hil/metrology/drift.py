"""Drift of a reading that should stand still, as of a servo that warms up.

The readings are of one pose or one force that is asked for again and again; they need not be
evenly spaced. ISO 9283, 7.6, cycles a robot for 8 hours from cold.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

from hil.contracts import FloatArray
from hil.errors import BadInput
from hil.metrology.series import Series, scalar
from hil.metrology.summary import CONFIDENCE, Measure, student_factor

_LEAST = 8
_GRID = 200
_LONGEST = 100.0


@dataclass(frozen=True, slots=True)
class Drift:
    """`slope` is always there; `time_constant` in s and the `total` change that is approached
    where a saturating course is told from a straight line within the record, else None."""

    slope: Measure
    time_constant: Measure | None
    total: Measure | None


def drift(series: Series, unit: str, confidence: float = CONFIDENCE) -> Drift:
    """Slope of a scalar series over time, and time constant and total of its saturation.

    Slope: least squares of y = a + b t. Readings that follow one another are alike, so that n
    of them are worth n_e = n (1 - r) / (1 + r), with r >= 0 the correlation of neighbouring
    residuals; the interval takes n_e - 2 degrees of freedom (Santer et al., J. Geophys. Res.
    105, 7337 (2000)). Where the course is curved, it is the mean slope over the record.

    Saturation: least squares of y = a + c (1 - exp(-t / T)), in which only T is not linear. Its
    interval is that of the profile: all T whose sum of squares is at most
    S_min (1 + F(confidence; 1, v) / v), v = n_e - 3 degrees of freedom of this fit. A straight
    line is the limit of large T; so T is given where the interval ends below the length of the
    record, and not otherwise. The total is c; its interval runs over the profile too (Bates and
    Watts, Nonlinear Regression Analysis (1988), chapter 6).
    Errors: BadInput for fewer than eight readings, or values that are not scalar.
    """
    scalar(series)
    if len(series.value) < _LEAST:
        raise BadInput(
            f"{series.name}: {len(series.value)} readings", f"take at least {_LEAST} readings"
        )
    time = series.time_s
    line = _fit(time, series.value)
    worth, slope, half = _worth(line.residual), line.factor, math.inf
    if worth > 2:
        error = math.sqrt(line.square / (worth - 2) * line.variance)
        half = student_factor(worth - 2, confidence) * error
    measure = Measure(
        "drift rate",
        slope,
        f"{unit}/s",
        (slope - half, slope + half),
        len(time),
        f"least squares; readings worth {worth:.3g} independent ones; Student t,"
        f" {100 * confidence:g} %",
        series.absent,
    )
    return Drift(measure, *_saturation(series, unit, confidence))


@dataclass(frozen=True, slots=True)
class _Fit:
    """Least squares of a constant and `factor` times a course: residuals, the sum of their
    squares, and the variance of the factor for residuals of variance 1."""

    factor: float
    residual: FloatArray
    square: float
    variance: float


def _fit(course: FloatArray, value: FloatArray) -> _Fit:
    course, value = course - course.mean(), value - value.mean()
    variance = 1 / float(course @ course)
    factor = float(course @ value) * variance
    residual = value - factor * course
    return _Fit(factor, residual, float(residual @ residual), variance)


def _saturation(
    series: Series, unit: str, confidence: float
) -> tuple[Measure | None, Measure | None]:
    """Time constant and total of a saturating course, or None twice where there is none."""
    time, spacing_s = series.time_s, float(np.median(np.diff(series.time_s)))

    def fit(constant: float) -> _Fit:
        return _fit(-np.expm1(-time / constant), series.value)

    grid = np.geomspace(spacing_s / 2, _LONGEST * series.span_s, _GRID)
    square = np.array([fit(constant).square for constant in grid])
    best = _lowest(lambda constant: fit(constant).square, grid, int(square.argmin()))
    found = fit(best)
    freedom = _worth(found.residual) - 3
    if freedom <= 0 or best < 2 * spacing_s:
        return None, None
    limit = found.square * (1 + student_factor(freedom, confidence) ** 2 / freedom)
    low, high = _ends(lambda constant: fit(constant).square - limit, grid, square <= limit, best)
    if high >= series.span_s:
        return None, None
    within = [fit(constant) for constant in [low, *grid[(grid > low) & (grid < high)], best, high]]
    reach = [math.sqrt(max(limit - one.square, 0.0) * one.variance) for one in within]
    totals = [one.factor for one in within]
    said = (
        f"least squares of a saturating course; residuals worth {freedom + 3:.3g} independent"
        f" ones; profile, {100 * confidence:g} %"
    )
    ends = (
        min(total - wide for total, wide in zip(totals, reach, strict=True)),
        max(total + wide for total, wide in zip(totals, reach, strict=True)),
    )
    count, absent = len(time), series.absent
    return (
        Measure("time constant of drift", best, "s", (low, high), count, said, absent),
        Measure("total drift", found.factor, unit, ends, count, said, absent),
    )


def _lowest(square: Callable[[float], float], grid: FloatArray, near: int) -> float:
    """Where `square` is lowest between the neighbours of a grid point."""
    bounds = (float(grid[max(near - 1, 0)]), float(grid[min(near + 1, len(grid) - 1)]))
    found = optimize.minimize_scalar(square, bounds=bounds, method="bounded")
    return float(found.x)


def _ends(
    beyond: Callable[[float], float], grid: FloatArray, within: NDArray[np.bool_], best: float
) -> tuple[float, float]:
    """Outermost time constants at which `beyond` is not positive; 0 and infinity where the grid
    does not hold them."""
    inside = [float(best), *grid[within].tolist()]
    low, high = min(inside), max(inside)
    below, above = grid[grid < low], grid[grid > high]
    return (
        float(optimize.brentq(beyond, below[-1], low)) if len(below) else 0.0,
        float(optimize.brentq(beyond, high, above[0])) if len(above) else math.inf,
    )


def _worth(residual: FloatArray) -> float:
    """How many independent readings the residuals are worth; never more than there are."""
    square = float(residual @ residual)
    likeness = float(residual[:-1] @ residual[1:]) / square if square > 0 else 0.0
    likeness = max(likeness, 0.0)
    return len(residual) * (1 - likeness) / (1 + likeness)
