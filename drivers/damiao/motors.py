"""Models of Damiao motors as data: `drivers/damiao/motors.toml`."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from drivers.damiao.codec import Ranges
from hil.errors import BadInput

_SAME = 1e-3
"""Ranges are the same within this share: 12.566 and 4 pi are, 12.5 and 12.566 are not."""


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    ranges: tuple[tuple[float, float, float], ...] = Field(min_length=1)
    peak_torque: float | None = Field(None, gt=0)
    no_load_speed: float | None = Field(None, gt=0)
    gear_ratio: float = Field(1.0, gt=0)
    torque_constant: float = Field(0.0, ge=0)
    pole_pairs: int = Field(0, ge=0)
    phase_resistance: float = Field(0.0, ge=0)
    phase_inductance: float = Field(0.0, ge=0)
    flux_linkage: float = Field(0.0, ge=0)
    inertia: float = Field(0.0, ge=0)


@dataclass(frozen=True, slots=True)
class MotorModel:
    """One model. `ranges` are its known settings, the default first; `facts` are further
    registers by name, as the data sheet has them (0: not known)."""

    name: str
    ranges: tuple[Ranges, ...]
    peak_torque: float | None
    no_load_speed: float | None
    facts: Mapping[str, float]

    def knows(self, ranges: Ranges) -> bool:
        """Whether these ranges are among the known settings."""
        return any(_alike(ranges, known) for known in self.ranges)


def load_motors() -> Mapping[str, MotorModel]:
    """All models by name."""
    text = (resources.files("drivers.damiao") / "motors.toml").read_text(encoding="utf-8")
    rows = TypeAdapter(dict[str, _Row]).validate_python(tomllib.loads(text))
    return {name: _model(name, row) for name, row in rows.items()}


def find_motor(name: str, models: Mapping[str, MotorModel]) -> MotorModel:
    """Errors: BadInput naming the known models."""
    if name not in models:
        raise BadInput(f"no Damiao motor is called {name!r}", f"known: {', '.join(models)}")
    return models[name]


def _model(name: str, row: _Row) -> MotorModel:
    ranges = tuple(Ranges(*entry) for entry in row.ranges)
    facts = row.model_dump(exclude={"ranges", "peak_torque", "no_load_speed"})
    return MotorModel(name, ranges, row.peak_torque, row.no_load_speed, facts)


def _alike(one: Ranges, other: Ranges) -> bool:
    pairs = (
        (one.position, other.position),
        (one.velocity, other.velocity),
        (one.torque, other.torque),
    )
    return all(math.isclose(a, b, rel_tol=_SAME) for a, b in pairs)
