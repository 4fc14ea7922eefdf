"""Pacing on an absolute grid, as pure functions over plain data.

The grid never moves: lateness of one tick costs that tick and no other. Points that passed
while a tick was still at work are skipped and counted, never made up for in a burst.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Grid:
    """Instants start + i * period, i >= 0, in ns of the run's clock."""

    start_ns: int
    period_ns: int

    def at(self, index: int) -> int:
        """Stamp of one grid point."""
        return self.start_ns + index * self.period_ns


@dataclass(frozen=True, slots=True)
class Point:
    """The grid point to serve next, and how many were missed before it."""

    index: int
    skipped: int


def next_point(grid: Grid, served: int, now_ns: int) -> Point:
    """The point to serve after `served` (-1 before the first).

    It is the following one while that lies ahead. When it has passed, the newest passed point
    is served at once, late by less than a period, and those in between are skipped.
    """
    newest_passed = (now_ns - grid.start_ns) // grid.period_ns
    index = max(served + 1, newest_passed)
    return Point(index, index - served - 1)
