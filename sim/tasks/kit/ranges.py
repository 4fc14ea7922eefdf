"""Parameters of archetypes: ranges that a scenario may set, within what the archetype can do."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from hil.errors import BadInput

Range = tuple[float, float]

_TRIES = 1000


class TaskTable(BaseModel):
    """A `[task]` table: no key that is not known, nothing that changes."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def within(lowest: float, highest: float, unit: str, low: float, high: float) -> Any:
    """Field of a range [low, high], drawn uniformly, which a scenario may set to any other
    within [lowest, highest]."""
    allowed = f"within [{lowest:g}, {highest:g}] {unit}".rstrip()
    field = Field(default=(low, high), description=f"[low, high], {allowed}", validate_default=True)
    field.metadata.append(AfterValidator(_Within(lowest, highest, allowed)))
    return field


@dataclass(frozen=True, slots=True)
class _Within:
    lowest: float
    highest: float
    allowed: str

    def __call__(self, value: Range) -> Range:
        low, high = value
        if not self.lowest <= low <= high <= self.highest:
            raise ValueError(f"[{low:g}, {high:g}] is not a range from low to high {self.allowed}")
        return value


class Tracker(TaskTable):
    """The tracker of a simulated or emulated bench: rate, delay, standard deviations."""

    rate_hz: float = Field(default=30.0, ge=0, le=500)
    delay_s: float = Field(default=0.03, ge=0, le=0.5)
    noise_m: float = Field(default=0.001, ge=0, le=0.01)
    noise_rad: float = Field(default=0.01, ge=0, le=0.1)

    def drawn(self, rng: np.random.Generator) -> dict[str, float]:
        """`tracker` of a draw."""
        return {**self.model_dump(), "seed": int(rng.integers(2**31))}


def uniform(rng: np.random.Generator, span: Range) -> float:
    """One number of a range."""
    return float(rng.uniform(*span))


def apart(
    rng: np.random.Generator, count: int, x: Range, y: Range, distance: float
) -> list[tuple[float, float]]:
    """`count` places (x, y) in m, uniform but no two nearer than `distance`.

    Errors: BadInput where so many do not fit.
    """
    places: list[tuple[float, float]] = []
    for _ in range(_TRIES):
        here = (uniform(rng, x), uniform(rng, y))
        if all(math.dist(here, there) >= distance for there in places):
            places.append(here)
            if len(places) == count:
                return places
    raise BadInput(
        f"{count} things {distance:g} m apart do not fit into x {list(x)} and y {list(y)} m",
        "widen x_m or y_m in the scenario's [task] table, or bring them nearer together",
    )


def about_z(yaw: float) -> list[float]:
    """Quaternion x, y, z, w of a turn about z."""
    return [0.0, 0.0, math.sin(yaw / 2), math.cos(yaw / 2)]


def refuse_outside(key: str, value: Range | None, allowed: Range, of: str) -> None:
    """For a range whose bounds depend on another parameter: ValueError, from a validator, where
    it is given and is not within what is `allowed`; `of` is the unit and of what it is."""
    if value is not None and not allowed[0] <= value[0] <= value[1] <= allowed[1]:
        raise ValueError(
            f"{key} = [{value[0]:g}, {value[1]:g}] is not a range from low to high within"
            f" [{allowed[0]:g}, {allowed[1]:g}] {of}"
        )
