"""What is felt and heard of a jar that is pulled at, and whether that says that it is held.

* touch: as long as the jar slides, friction on the pads grows with the grip, so that their ratio
  is the coefficient of friction; once the jar is held, friction is its weight, and the ratio falls.
  A jar that is lighter than the taxels' thresholds is not felt; but what is not felt is light.
* sound: a jar that slides scrapes, and falls silent when it is held. A soft one is heard less.
"""

from __future__ import annotations

import math
from collections import deque

import numpy as np

from hil.contracts import FloatArray
from sim.tasks.kit.script import Desk

PADS, EAR = ("left", "right"), "ear"
TOUCHED_N = 0.5
"""Normal force on each pad from which on what it feels counts."""


class Touch:
    """Friction over grip of both pads, and whether it says that the jar is held."""

    SMOOTH, FALLEN = 20, 0.85
    PLAIN_N = 1.2
    """Friction on both pads together from which on the taxels' thresholds do not distort it."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._ratios: deque[float] = deque(maxlen=self.SMOOTH)
        self._best, self._felt, self._fallen = 0.0, 0, 0
        self.held = False

    @property
    def present(self) -> bool:
        """Whether both pads say anything at all."""
        found = [self._desk.view.sensors[role] for role in PADS if role in self._desk.view.sensors]
        return len(found) == len(PADS) and all(one.present.any() for one in found)

    @property
    def speaks(self) -> bool:
        """Whether it has felt the jar being pulled at."""
        return self._felt >= 2 * self.SMOOTH

    def look(self) -> None:
        """Take the newest readings."""
        ratio = self._ratio()
        if math.isnan(ratio):
            return
        self._ratios.append(ratio)
        if len(self._ratios) < self.SMOOTH:
            return
        mean = float(np.mean(self._ratios))
        self._felt += 1
        self._best = max(self._best, mean)
        fallen = self.speaks and mean < self.FALLEN * self._best
        self._fallen = self._fallen + 1 if fallen else 0
        self.held = self._fallen >= self.SMOOTH

    def _ratio(self) -> float:
        """NaN where not both pads feel the jar: a jar beside the middle is pushed along by one.
        Readings are normal forces, then friction along the pad's x and y."""
        sums = [
            self._desk.view.sensors[role].value.reshape(3, -1).sum(axis=1)
            for role in PADS
            if role in self._desk.view.sensors
        ]
        there = [one for one in sums if not np.isnan(one).any() and one[0] > TOUCHED_N]
        if len(there) < len(PADS):
            return math.nan
        friction = sum(math.hypot(*one[1:]) for one in there)
        if friction < self.PLAIN_N:
            return math.nan
        return float(friction / sum(one[0] for one in there))


class Hearing:
    """How much louder it is than before the pull, and whether that says that the jar is held."""

    SMOOTH, LOUD_DB, QUIET_DB, DENIED_DB = 5, 4.0, 2.0, 6.0
    BANDS = slice(3, None)
    """From 250 Hz up; the first label counts onsets."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._before: list[FloatArray] = []
        self._excess: deque[FloatArray] = deque(maxlen=self.SMOOTH)
        self._loud = self._quiet = 0
        self._now_db = 0.0
        self._measured_ns = -1
        self.held = False

    @property
    def speaks(self) -> bool:
        """Whether it has heard the jar scrape."""
        return self._loud >= 2 * self.SMOOTH

    @property
    def denies(self) -> bool:
        """Whether the jar is heard to slide, more than creep, now."""
        return self.speaks and self._now_db > self.DENIED_DB

    def listen_before(self) -> None:
        """It is quiet now: learn how quiet."""
        level = self._levels()
        if level is not None:
            self._before.append(level)

    def look(self) -> None:
        """Take the newest levels."""
        level = self._levels()
        if level is None or len(self._before) < self.SMOOTH:
            return
        self._excess.append(level - np.median(self._before, axis=0))
        if len(self._excess) < self.SMOOTH:
            return
        excess = self._now_db = float(np.max(np.mean(self._excess, axis=0)))
        self._loud += excess > self.LOUD_DB
        self._quiet = self._quiet + 1 if excess < self.QUIET_DB else 0
        self.held = self.speaks and self._quiet >= self.SMOOTH

    def _levels(self) -> FloatArray | None:
        """None where there are none, or none since the last look."""
        sample = self._desk.view.sensors.get(EAR)
        if sample is None or np.isnan(sample.value).any():
            return None
        measured_ns = sample.stamp_ns - int(sample.age_ns.max())
        if measured_ns == self._measured_ns:
            return None
        self._measured_ns = measured_ns
        return sample.value[self.BANDS]
