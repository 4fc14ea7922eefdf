"""What an expert feels: the force on what a hand holds, by the force sensor at its wrist."""

from __future__ import annotations

import numpy as np

from hil.contracts import FloatArray
from sim.tasks.kit.script import Desk, Hand, Moves


class Wrist:
    """The sensor of `role`, in the axes of the tool `flange` of a robot whose flange is turned
    as the sensor is. The weight of the hand and of what it holds, as it was tared, is not in
    what is felt."""

    def __init__(self, desk: Desk, flange: Hand, role: str = "wrist") -> None:
        self._desk, self._flange, self._role = desk, flange, role
        self._weight: FloatArray = np.zeros(3)

    def force(self) -> FloatArray:
        """What pushes, (3,), N, in the axes in which the hand's poses are."""
        return self._raw() - self._weight

    def strength(self) -> float:
        """Its size, N."""
        return float(np.linalg.norm(self.force()))

    def tare(self, seconds: float = 0.12) -> Moves:
        """Take what is felt now, which has to be in free air and at rest, for the weight."""
        end_s, felt = self._desk.view.elapsed_s + seconds, []
        while self._desk.view.elapsed_s < end_s:
            felt.append(self._raw())
            yield
        self._weight = np.mean(felt, axis=0)

    def _raw(self) -> FloatArray:
        value = self._desk.view.sensors[self._role].value[:3]
        return np.asarray(self._flange.where()[1] @ value)
