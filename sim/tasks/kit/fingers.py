"""Fingers round a palm for scripts of experts: fingertips brought to places, in closed form.

A place is a row of radius in m, bearing in rad, height in m and pitch in rad: how far the
fingertip's centre is from the palm's middle line, by what angle it is turned about that line from
its own finger's foot (counter-clockwise seen from above), how high it is over the palm, and how
far the last link leans from upright towards the middle. Arrays (n, 4) have one row a finger.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from hil.contracts import FloatArray
from sim.robots.hand4 import HOME_FINGER, PLAN, HandPlan, finger_joints
from sim.tasks.kit.script import Desk, Moves

PITCH = 2.0
"""rad; the usual one."""


def joints_at(place: FloatArray, plan: HandPlan = PLAN) -> FloatArray:
    """Joints (4,) in rad of a finger whose tip is at a place (4,). Errors: BadInput where it is
    out of reach."""
    radius, bearing, height, pitch = place.tolist()
    lean = math.atan2(radius * math.sin(bearing), height - plan.height)
    return finger_joints(radius * math.cos(bearing), height, lean, pitch, plan)


class Fingers:
    """All fingers of a hand, whose motors are those of the plant in the order of fingers.

    Attributes:
        places: (n, 4), where the tips were sent last; before that, the hand's home.
    """

    def __init__(self, desk: Desk, plan: HandPlan = PLAN) -> None:
        self.desk, self._plan = desk, plan
        radius, height, bearing = HOME_FINGER
        self.places: FloatArray = np.tile([radius, bearing, height, PITCH], (plan.fingers, 1))

    def go(self, places: FloatArray, seconds: float) -> Moves:
        """Turn all joints evenly from where they were sent last to `places`: for ways on which
        nothing is touched."""
        start, goal = self.desk.target.copy(), self._joints(places)
        yield from self._over(seconds, lambda part: start + part * (goal - start))
        self.places = places.copy()

    def slide(self, places: FloatArray, seconds: float) -> Moves:
        """Bring the tips to `places` evenly in radius, bearing, height and pitch: for ways on
        which they press and turn what they hold."""
        start = self.places
        yield from self._over(seconds, lambda part: self._joints(start + part * (places - start)))
        self.places = places.copy()

    def _over(self, seconds: float, targets: Callable[[float], FloatArray]) -> Moves:
        passed_s = 0.0
        while passed_s < seconds:
            passed_s += self.desk.tick_s or 1e-3
            part = 0.5 - 0.5 * math.cos(math.pi * min(1.0, passed_s / seconds))
            self.desk.target[:] = targets(part)
            yield

    def _joints(self, places: FloatArray) -> FloatArray:
        return np.concatenate([joints_at(row, self._plan) for row in places])
