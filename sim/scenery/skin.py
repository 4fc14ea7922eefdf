"""The geometry of surfaces that are wiped: flat ones and round ones, and marks on them.

A surface has a frame with z out of it and the origin on it; a place on it is told by x and y of
that frame, and `radius` is that of a ball whose top is at the origin, None for a flat surface.
Pure arithmetic; whoever scores, scripts or builds uses the same.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hil.contracts import FloatArray


@dataclass(frozen=True, slots=True)
class Skin:
    """A flat surface, or the top of a ball of `radius` m."""

    radius: float | None = None

    def points(self, across: FloatArray) -> FloatArray:
        """(n, 3) of places (n, 2), m, in the surface's frame: z = sqrt(r² - x² - y²) - r."""
        if self.radius is None:
            return np.column_stack([across, np.zeros(len(across))])
        up = np.sqrt(self.radius**2 - (across**2).sum(axis=1))
        return np.column_stack([across, up - self.radius])

    def normals(self, across: FloatArray) -> FloatArray:
        """(n, 3), unit vectors out of the surface."""
        if self.radius is None:
            return np.tile([0.0, 0.0, 1.0], (len(across), 1))
        return np.asarray(self.points(across) + np.array([0.0, 0.0, self.radius])) / self.radius


@dataclass(frozen=True, slots=True)
class Blob:
    """An ellipse on the surface: middle and half axes in m, turned by `turn` rad."""

    at: tuple[float, float]
    half: tuple[float, float]
    turn: float = 0.0

    def holds(self, across: FloatArray) -> NDArray[np.bool_]:
        """(n,): which places (n, 2) are in it."""
        c, s = math.cos(self.turn), math.sin(self.turn)
        away = across - np.array(self.at)
        own = away @ np.array([[c, -s], [s, c]]) / np.array(self.half)
        return np.asarray((own**2).sum(axis=1) <= 1.0)

    @property
    def reach(self) -> tuple[float, float]:
        """Half of its extent along the frame's x and y, m."""
        c, s = math.cos(self.turn), math.sin(self.turn)
        a, b = self.half
        return math.hypot(a * c, b * s), math.hypot(a * s, b * c)


def cells(blobs: Sequence[Blob], pitch: float) -> tuple[FloatArray, FloatArray]:
    """The marked cells of a grid of `pitch` m through the origin: their middles (n, 2), and to
    which blob each belongs (n,), the first of those that hold it."""
    places, owners = [], []
    taken: set[tuple[float, float]] = set()
    for number, blob in enumerate(blobs):
        spans = [
            np.arange(math.floor((m - r) / pitch), math.ceil((m + r) / pitch) + 1.0)
            for m, r in zip(blob.at, blob.reach, strict=True)
        ]
        grid: FloatArray = np.stack(np.meshgrid(*spans, indexing="ij"), axis=-1).reshape(-1, 2)
        for i, j in grid[blob.holds(grid * pitch)].tolist():
            if (i, j) not in taken:
                taken.add((i, j))
                places.append((i * pitch, j * pitch))
                owners.append(number)
    return np.array(places).reshape(-1, 2), np.array(owners, dtype=np.int64)
