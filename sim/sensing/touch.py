"""What a policy makes of the readings of a tactile pad: force, its centre, signs of slip.

All functions take readings as the pad's channel gives them, flat (n,), noise and all. A reading
that is absent makes what depends on it absent: NaN, never 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hil.contracts import FloatArray
from sim.sensing.tactile import PadModel, taxels


@dataclass(frozen=True, slots=True)
class Slip:
    """Signs of slip between two successive readings of a pad.

    Attributes:
        moved: how much of the pressure pattern changed its place, 0..1: half the sum of absolute
            differences of the two patterns, each scaled to sum 1. A grip that only gets tighter
            moves nothing.
        shear_ratio: friction over normal force now: at the coefficient of friction it slides.
            NaN on a pad without shear.
    """

    moved: float
    shear_ratio: float

    def indicator(self, most_moved: float, most_shear_ratio: float) -> float:
        """The larger of both signs over what is taken for slip: 1 and above is slip.

        A sign that is absent does not count; NaN where both are.
        """
        signs = np.array([self.moved / most_moved, self.shear_ratio / most_shear_ratio])
        return float(np.nan if np.isnan(signs).all() else np.nanmax(signs))


def grid(model: PadModel, value: FloatArray) -> FloatArray:
    """Readings as planes, rows and columns: (planes, rows, cols)."""
    return np.reshape(value, (model.planes, model.rows, model.cols))


def total_force(model: PadModel, value: FloatArray) -> FloatArray:
    """Sum over the taxels, (planes,), N: normal force, then friction along x and y."""
    total: FloatArray = grid(model, value).sum(axis=(1, 2))
    return total


def centre_of_pressure(model: PadModel, value: FloatArray) -> FloatArray:
    """Mean place of the normal force, (2,), m in the pad's frame; NaN where nothing presses."""
    pressure = grid(model, value)[0]
    total = float(pressure.sum())
    if not total > 0:
        return np.full(2, np.nan)
    cols, rows = taxels(model)
    return np.array([pressure.sum(axis=0) @ cols, pressure.sum(axis=1) @ rows]) / total


def slip(model: PadModel, before: FloatArray, now: FloatArray) -> Slip:
    """Signs of slip between two readings (n,) of one pad.

    Their size depends on the time between them: compare successive samples of one rate. Absent
    (NaN) where the pad felt nothing before or feels nothing now.
    """
    first, second = grid(model, before), grid(model, now)
    moved = float(np.abs(_pattern(second[0]) - _pattern(first[0])).sum()) / 2
    if not model.shear:
        return Slip(moved, float("nan"))
    normal, *friction = total_force(model, now)
    ratio = float(np.hypot(*friction)) / float(normal) if normal > 0 else float("nan")
    return Slip(moved, ratio)


def _pattern(pressure: FloatArray) -> FloatArray:
    """Pressure scaled to sum 1; NaN where nothing presses."""
    total = pressure.sum()
    scaled: FloatArray = pressure / total if total > 0 else np.full(pressure.shape, np.nan)
    return scaled
