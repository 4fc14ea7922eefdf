"""What stands between a simulated joint's encoder and its output: errors that a device does not
know of, and that only an instrument at the output shows.

The controller brings its encoder to the goal; so the output stands off by

    e(t) = offset + warm (1 - exp(-t / T)) + scatter

and, behind gears with play, follows what the gear turns by, the play operator (Krasnosel'skii and
Pokrovskii, Systems with Hysteresis, 1989): u(t) = clip(u(t - dt), g(t) - play/2, g(t) + play/2).
The encoder is before the play and reads g. Approximations: the output does not rattle within the
play, and no load takes it up; warming starts when a scene is arranged and knows nothing of the
work done; scatter is drawn anew for every new goal, and held while the goal stands.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from hil.clock import NS_PER_S
from hil.contracts import FloatArray
from hil.errors import BadInput


class Gear(BaseModel):
    """Errors of one joint, rad at the output: `offset_rad` of the encoder's zero, standard
    deviation `scatter_rad` of a goal reached, `play_rad` of the gears, and `warm_rad` approached
    with the time constant `warm_s`."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    offset_rad: float = Field(default=0.0, ge=-0.2, le=0.2)
    scatter_rad: float = Field(default=0.0, ge=0, le=0.05)
    play_rad: float = Field(default=0.0, ge=0, le=0.2)
    warm_rad: float = Field(default=0.0, ge=-0.2, le=0.2)
    warm_s: float = Field(default=60.0, gt=0, le=36_000)


class GearTrain:
    """The gears of all joints in order; arrays (n,), rad. A `sim.plant.Probe`, so that its
    random stream and its warming start with the scene."""

    next_ns = sys.maxsize
    """It never samples."""

    def __init__(self, names: Sequence[str], gears: Mapping[str, Gear]) -> None:
        unknown = sorted(set(gears) - set(names))
        if unknown:
            raise BadInput(
                f"gears of joints that are not there: {', '.join(unknown)}",
                f"the joints are {', '.join(names)}",
            )
        table = [gears.get(name, Gear()) for name in names]
        self._offset, self._scatter, self._play, self._warm, self._warm_s = (
            np.array([getattr(gear, key) for gear in table]) for key in Gear.model_fields
        )
        self.restart(0, 0)

    def restart(self, seed: int, origin_ns: int) -> None:
        """Cold, with the play taken up to neither side."""
        self._rng = np.random.default_rng([seed, 0x6EA4])
        self._origin_ns = origin_ns
        self._goal: FloatArray | None = None
        self._held = np.zeros(len(self._offset))
        self._output: FloatArray | None = None
        self._lead = np.zeros(len(self._offset))

    def take(self, stamp_ns: int) -> None:
        """Nothing to sample."""

    def output(self, goal: FloatArray, now_ns: int) -> FloatArray:
        """Where the outputs are driven for the goals of the encoders."""
        if self._goal is None:
            self._goal = goal.copy()
        fresh = goal != self._goal
        drawn = self._rng.normal(0.0, 1.0, len(goal)) * self._scatter
        self._held = np.where(fresh, drawn, self._held)
        self._goal = goal.copy()
        turned = goal - self._off(now_ns)
        before = turned if self._output is None else self._output
        self._output = np.clip(before, turned - self._play / 2, turned + self._play / 2)
        self._lead = turned - self._output
        return self._output

    def encoder(self, output: FloatArray, now_ns: int) -> FloatArray:
        """What the encoders read where the outputs are."""
        return output + self._lead + self._off(now_ns)

    def _off(self, now_ns: int) -> FloatArray:
        passed_s = max(0, now_ns - self._origin_ns) / NS_PER_S
        warming = self._warm * -np.expm1(-passed_s / self._warm_s)
        return np.asarray(self._offset + warming + self._held)
