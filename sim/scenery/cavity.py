"""The hollow of a vessel: a right prism over a regular polygon, open at the top.

Pure geometry in the vessel's frame: origin in the middle of its underside, z out of the opening,
x through the middle of a side.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hil.contracts import FloatArray
from sim.sensing.rotation import matrix


@dataclass(frozen=True, slots=True)
class Cavity:
    """`sides` of the polygon, `apothem` from its middle to a side, `floor` and `rim`: heights
    over the underside between which it reaches; m."""

    sides: int
    apothem: float
    floor: float
    rim: float

    @property
    def area(self) -> float:
        """m², of a polygon of n sides about a circle of radius a: n a² tan(pi / n)."""
        return self.sides * self.apothem**2 * math.tan(math.pi / self.sides)

    def holds(self, points: FloatArray) -> NDArray[np.bool_]:
        """Which of `points` (n, 3), in the vessel's frame, are inside, (n,)."""
        bearings = 2 * math.pi * np.arange(self.sides) / self.sides
        out = points[:, :2] @ np.stack([np.cos(bearings), np.sin(bearings)])
        height = points[:, 2]
        inside = (out.max(axis=1) <= self.apothem) & (height > self.floor) & (height <= self.rim)
        return np.asarray(inside)

    def places(self, count: int, radius: float) -> FloatArray | None:
        """Places (count, 3) of balls of `radius` m in it, none of which touches another or the
        vessel: rings about the middle in layers. None where so many do not fit."""
        gap = _GAP * radius
        layer = _rings(self.apothem - gap, gap)
        if not len(layer):
            return None
        layers = -(-count // len(layer))
        if self.floor + 2 * gap * layers > self.rim:
            return None
        heights = self.floor + gap * (1 + 2 * np.arange(layers))
        whole = [np.column_stack([layer, np.full(len(layer), height)]) for height in heights]
        return np.asarray(np.concatenate(whole)[:count])


@dataclass(frozen=True, slots=True)
class Inside:
    """A cavity in the world. `pose` tells where its vessel is now: place in m and quaternion
    x, y, z, w."""

    cavity: Cavity
    pose: Callable[[], tuple[tuple[float, ...], tuple[float, ...]]]

    def local(self, points: FloatArray) -> FloatArray:
        """Points (n, 3) of the world in the vessel's frame."""
        at, turn = self.pose()
        return np.asarray((points - np.array(at)) @ matrix(np.array(turn)))

    def world(self, points: FloatArray) -> FloatArray:
        """Points (n, 3) of the vessel's frame in the world."""
        at, turn = self.pose()
        return np.asarray(points @ matrix(np.array(turn)).T + np.array(at))


_GAP = 1.02
"""Half the distance of two balls that start beside each other, of their radius."""


def _rings(outermost: float, gap: float) -> FloatArray:
    """Places (n, 2) in the plane at least 2 `gap` apart, on rings of radius `outermost` and
    less. A ring of radius R has room for pi / asin(gap / R)."""
    found: list[tuple[float, float]] = []
    ring = outermost
    while ring >= 0:
        room = int(math.pi / math.asin(gap / ring)) if ring > gap else 1
        if room == 1:
            found.append((0.0, 0.0))
            break
        for place in range(room):
            bearing = 2 * math.pi * place / room
            found.append((ring * math.cos(bearing), ring * math.sin(bearing)))
        ring -= 2 * gap
    return np.array(found).reshape(-1, 2)
