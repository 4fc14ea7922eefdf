"""What a draw holds, read back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import numpy as np

from hil.contracts import FloatArray
from hil.task import Draw


def pose_of(draw: Draw, name: str) -> FloatArray:
    """`poses.NAME`: where a thing was set up, (7,) or as the archetype says."""
    return _vector(draw, "poses", name)


def goal_of(draw: Draw, name: str) -> FloatArray:
    """`goals.NAME`: where it has to be in the end."""
    return _vector(draw, "goals", name)


def number(draw: Draw, key: str) -> float:
    """A number of the draw."""
    return float(cast(float, draw[key]))


def _vector(draw: Draw, table: str, name: str) -> FloatArray:
    vectors = cast(Mapping[str, Any], draw[table])
    return np.array(vectors[name], dtype=np.float64)
