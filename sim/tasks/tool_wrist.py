"""What an expert with a tool on the flange feels: the force on it, by the sensor `wrist`."""

from __future__ import annotations

import numpy as np

from hil.contracts import FloatArray
from sim.tasks.kit.script import Desk, Hand, Moves


class Wrist:
    """Of a robot whose tool's axes are those of the sensor, as a tool fixed straight on the
    flange has them. The weight of the tool, as it was tared, is not in what is felt."""

    def __init__(self, desk: Desk, hand: Hand) -> None:
        self._desk, self._hand = desk, hand
        self._force: FloatArray = np.zeros(3)

    def force(self) -> FloatArray:
        """What pushes the tool, (3,), base frame, N."""
        return self._pushed() - self._force

    def tare(self, seconds: float = 0.12) -> Moves:
        """Take what is felt now, which has to be in free air and at rest, for the weight."""
        end_s = self._desk.view.elapsed_s + seconds
        felt = []
        while self._desk.view.elapsed_s < end_s:
            felt.append(self._pushed())
            yield
        self._force = np.mean(felt, axis=0)

    def _pushed(self) -> FloatArray:
        value = self._desk.view.sensors["wrist"].value[:3]
        return np.asarray(self._hand.where()[1] @ value)
