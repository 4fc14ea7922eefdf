"""What the arm of a receiving person does, step by step: waits, holds, bumps, pulls, takes away.

The arm is a spring and a damper between the hand and a point that the person has in mind (an
equilibrium point, Feldman 1986), as measured of human arms: some 100 to 400 N/m at the hand
(Mussa-Ivaldi, Hogan and Bizzi, J. Neurosci. 5(10), 1985). To pull is to move that point ahead of
the hand:

    F = k (goal - hand) - d v + bump

with the lead of the goal over the hand growing by `ramp_n_s` / k until it pulls with `most_n`.
Once the hand has come away by `FREE_M` the person takes it along for `withdraw_m` in all.

Approximations: one stiffness in all directions, critically damped with the hand's mass, no
tremor, no reaction of the person to what the robot does but these.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np
from pydantic import Field, model_validator

from hil.contracts import FloatArray
from sim.scenery.bodies import Table, Triple

FREE_M = 0.02
"""A hand that has moved so far while pulling has what it pulled at."""
WITHDRAW_M_S = 0.25
_INSTANT_S = 1e-6
"""Sums of decimal fractions are off by less, steps are longer."""


class Bump(Table):
    """A touch that is no pull: half a sine of at most `force` N, `after_s` of taking hold."""

    after_s: float = Field(ge=0, le=60)
    lasts_s: float = Field(ge=0.02, le=1)
    force: Triple


class Pull(Table):
    """The pull: `after_s` of taking hold, along `way` (any length but 0), rising by `ramp_n_s`
    to `most_n`."""

    after_s: float = Field(ge=0, le=60)
    way: Triple
    ramp_n_s: float = Field(gt=0, le=1000)
    most_n: float = Field(gt=0, le=100)

    @model_validator(mode="after")
    def _has_a_direction(self) -> Pull:
        if not any(self.way):
            raise ValueError("way = (0, 0, 0) has no direction")
        return self

    @property
    def unit(self) -> FloatArray:
        """(3,)."""
        return np.array(self.way) / math.hypot(*self.way)


class ArmSpec(Table):
    """`hand_kg` is the effective mass of a hand as ISO/TS 15066 has it, 0.6 kg."""

    hand_kg: float = Field(default=0.6, ge=0.2, le=5)
    stiffness: float = Field(default=300.0, ge=50, le=1000)
    withdraw_m: float = Field(default=0.12, ge=0.03, le=0.4)
    pull: Pull
    bump: Bump | None = None

    @property
    def damping(self) -> float:
        """N·s/m, critical."""
        return 2.0 * math.sqrt(self.stiffness * self.hand_kg)


class Phase(IntEnum):
    """What the person is at."""

    WAITS = 0
    HOLDS = 1
    PULLS = 2
    TAKES = 3


@dataclass(slots=True)
class ReceiverArm:
    """One person's arm. Ways are from where the hand waits, (3,), m.

    Attributes:
        phase: what the person is at.
        held_s: since the hand took hold.
    """

    spec: ArmSpec
    step_s: float
    phase: Phase = Phase.WAITS
    held_s: float = 0.0
    _lead: float = 0.0
    _from: FloatArray = field(default_factory=lambda: np.zeros(3))

    def force(self, way: FloatArray, velocity: FloatArray, *, holds: bool) -> FloatArray:
        """(3,) N on the hand in the step to come; `holds`: it has hold of the thing."""
        self._go_on(way, holds)
        spec = self.spec
        goal = self._from + self._lead * spec.pull.unit
        pull = spec.stiffness * (goal - way) - spec.damping * velocity
        if holds:
            self.held_s += self.step_s
        return np.asarray(pull + self._bump())

    def _go_on(self, way: FloatArray, holds: bool) -> None:
        pull = self.spec.pull
        if self.phase is Phase.WAITS and holds:
            self.phase = Phase.HOLDS
        if self.phase is Phase.HOLDS and self.held_s + _INSTANT_S >= pull.after_s:
            self.phase = Phase.PULLS
        if self.phase in (Phase.WAITS, Phase.HOLDS):
            return
        moved = float((way - self._from) @ pull.unit)
        if moved >= FREE_M:
            self.phase = Phase.TAKES
        if self.phase is Phase.TAKES:
            ahead = self._lead + WITHDRAW_M_S * self.step_s
            self._lead = max(self._lead, min(ahead, self.spec.withdraw_m))
        elif self.spec.stiffness * (self._lead - moved) < pull.most_n:
            self._lead += pull.ramp_n_s / self.spec.stiffness * self.step_s

    def _bump(self) -> FloatArray:
        bump = self.spec.bump
        if bump is None or self.phase is Phase.WAITS:
            return np.zeros(3)
        part = (self.held_s - bump.after_s) / bump.lasts_s
        if not 0.0 <= part <= 1.0:
            return np.zeros(3)
        return np.array(bump.force) * math.sin(math.pi * part)
