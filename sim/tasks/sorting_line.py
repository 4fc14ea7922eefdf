"""What things on a belt do, as a tracker has told it that is late and noisy."""

from __future__ import annotations

import math
from collections import deque

import numpy as np

from hil.contracts import FloatArray
from hil.task import View
from sim.tasks.kit.poses import yaw_of

_WINDOW = 40


class Line:
    """What things on the belt do, as the tracker has told.

    All move as fast as the belt, so its speed is the slope of all their ways together: least
    squares on the newest poses of each, with an offset of its own for each.
    """

    def __init__(self, things: list[str], late_s: float) -> None:
        self._late_s = late_s
        self._seen: dict[str, deque[FloatArray]] = {one: deque(maxlen=_WINDOW) for one in things}
        self._last: dict[str, FloatArray] = {}

    def look(self, view: View) -> None:
        """Note poses that are new."""
        for name, rows in self._seen.items():
            pose = view.tracked[name]
            if name in self._last and np.array_equal(pose, self._last[name]):
                continue
            self._last[name] = pose.copy()
            yaw = float(yaw_of(pose[None, 3:])[0])
            rows.append(
                np.array([view.elapsed_s - self._late_s, *pose[:3], math.sin(yaw), math.cos(yaw)])
            )

    def take(self, name: str) -> None:
        """It is no longer on the belt."""
        del self._seen[name]

    def speed(self) -> float:
        """m/s along y; 0 while too little is known."""
        above = below = 0.0
        for rows in self._seen.values():
            if len(rows) < 5:
                continue
            table = np.array(rows)
            late = table[:, 0] - table[:, 0].mean()
            above += float(late @ table[:, 2])
            below += float(late @ late)
        return above / below if below else 0.0

    def at(self, name: str, when_s: float) -> FloatArray:
        """Where a thing will be, x, y, z in m, and its yaw in rad."""
        time, x, y, z, sine, cosine = np.array(self._seen[name]).mean(axis=0)
        return np.array([x, y + self.speed() * (when_s - time), z, math.atan2(sine, cosine)])

    def first(self, now_s: float) -> str:
        """The thing that is farthest on."""
        return max(self._seen, key=lambda name: float(self.at(name, now_s)[1]))
