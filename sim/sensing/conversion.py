"""From a signal to the number that a sensor's electronics make of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

import numpy as np
from numpy.typing import NDArray
from pydantic import field_validator, model_validator

from hil.contracts import FloatArray
from sim.sensing.tables import PerLabel, SpreadPerLabel, Table, spread

_FINEST = 1e-12


class Conversion(Table):
    """Dead band, range and resolution, each for all labels or one a label; in their units.

    Attributes:
        deadband: a signal nearer to zero than this reads 0, as firmware does that hides noise.
        lower, upper: range, at whose ends the reading saturates; None for no end.
        resolution: step between readings, which are multiples of it or an end of the range that
            rounding would have stepped over; 0 for none.
    """

    deadband: SpreadPerLabel = 0.0
    lower: PerLabel | None = None
    upper: PerLabel | None = None
    resolution: SpreadPerLabel = 0.0

    @field_validator("resolution")
    @classmethod
    def _can_be_counted(cls, value: SpreadPerLabel) -> SpreadPerLabel:
        steps = np.atleast_1d(value)
        if np.any((steps > 0) & (steps < _FINEST)):
            raise ValueError(f"a resolution is 0 for none, or at least {_FINEST}")
        return value

    @model_validator(mode="after")
    def _has_a_range(self) -> Self:
        if self.lower is not None and self.upper is not None:
            lower, upper = np.asarray(self.lower), np.asarray(self.upper)
            fits = lower.ndim == 0 or upper.ndim == 0 or lower.shape == upper.shape
            if not (fits and np.all(lower < upper)):
                raise ValueError("lower must be below upper for every label")
        return self


@dataclass(frozen=True, slots=True)
class Converter:
    """A `Conversion` laid out over n labels; arrays (n,)."""

    deadband: FloatArray
    lower: FloatArray
    upper: FloatArray
    resolution: FloatArray
    _step: FloatArray = field(init=False, repr=False, compare=False)
    _stepped: NDArray[np.bool_] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        stepped = self.resolution > 0
        object.__setattr__(self, "_stepped", stepped)
        object.__setattr__(self, "_step", np.where(stepped, self.resolution, 1.0))

    @classmethod
    def of(cls, table: Conversion, count: int, what: str) -> Self:
        """Errors: BadInput where a list has another length than there are labels."""
        return cls(
            spread(table.deadband, count, f"{what}: deadband"),
            _end(table.lower, -np.inf, count, f"{what}: lower"),
            _end(table.upper, np.inf, count, f"{what}: upper"),
            spread(table.resolution, count, f"{what}: resolution"),
        )

    def read(self, signal: FloatArray) -> FloatArray:
        """Readings (n,) of a signal (n,): dead band, then range, then steps. NaN stays NaN."""
        kept = np.where(np.abs(signal) < self.deadband, 0.0, signal)
        inside = self._in_range(kept)
        steps = np.rint(inside / self._step) * self._step
        return self._in_range(np.where(self._stepped, steps, inside))

    def _in_range(self, signal: FloatArray) -> FloatArray:
        return np.minimum(np.maximum(signal, self.lower), self.upper)


def _end(
    value: float | Sequence[float] | None, without: float, count: int, what: str
) -> FloatArray:
    return np.full(count, without) if value is None else spread(value, count, what)
