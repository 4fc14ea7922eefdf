"""A check as data, and what it found."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sim.world import World

_DIGITS = 9


@dataclass(frozen=True, slots=True)
class Reading:
    """What was measured and what a formula says it should be, in the check's unit; a `value` of
    NaN where what was waited for never happened."""

    value: float
    expected: float


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that is measured in a world of its own.

    Attributes:
        formula: what `expected` is, in words and signs.
        measure: empties the world it is given, builds what it needs and measures. Errors:
            HarnessError where the physics blows up.
        tolerance: largest deviation from what is expected, as a share of it; in the check's
            unit where that is 0.
    """

    name: str
    unit: str
    formula: str
    measure: Callable[[World], Reading]
    tolerance: float

    def allowed(self, expected: float) -> float:
        """Largest deviation in the check's unit."""
        return self.tolerance * abs(expected) if expected else self.tolerance


@dataclass(frozen=True, slots=True)
class Result:
    """What a check found at so many steps a second and iterations of the contact solver.
    `value`, `expected` and `tolerance` are in `unit`; `formula` says what is expected."""

    name: str
    unit: str
    formula: str
    value: float
    expected: float
    tolerance: float
    step_hz: int
    iterations: int

    @property
    def ok(self) -> bool:
        """Whether the value is as near to the expected one as it has to be; NaN never is."""
        return abs(self.value - self.expected) <= self.tolerance

    def as_data(self) -> dict[str, Any]:
        """Plain data, figures to 9 digits; `value` is None where there is none."""
        return {
            "name": self.name,
            "unit": self.unit,
            "formula": self.formula,
            "value": _rounded(self.value) if math.isfinite(self.value) else None,
            "expected": _rounded(self.expected),
            "tolerance": _rounded(self.tolerance),
            "ok": self.ok,
            "step_hz": self.step_hz,
            "iterations": self.iterations,
        }


def _rounded(value: float) -> float:
    return float(f"{value:.{_DIGITS}g}")
