"""Parameters of archetypes: ranges that a scenario may set, within what the archetype can do."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from hil.errors import BadInput

Range = tuple[float, float]

_TRIES, _ROUNDS = 1000, 20
_FEW_TRIES = 100


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
    for _ in range(_ROUNDS):
        places = _thrown(rng, count, x, y, distance, _TRIES)
        if places:
            return places
    raise BadInput(
        f"{count} things {distance:g} m apart do not fit into x {list(x)} and y {list(y)} m",
        "widen x_m or y_m in the scenario's [task] table, or bring them nearer together",
    )


def refuse_crowded(count: int, x: Range, y: Range, distance: float) -> None:
    """ValueError, from a validator, where `apart` would often find no room for `count` things."""
    if not _has_room(count, x, y, distance):
        nearer = (distance * share / 8 for share in range(7, 0, -1))
        most = next((near for near in nearer if _has_room(count, x, y, near)), 0.0)
        raise ValueError(
            f"x_m = {list(x)}, y_m = {list(y)}: there is room for {count} things up to {most:.3f} m"
            f" apart, and they are to be {distance:g} m apart; widen x_m or y_m"
        )


def _has_room(count: int, x: Range, y: Range, distance: float) -> bool:
    """Whether one throw in two succeeds with far fewer tries than `apart` has, which then hardly
    ever fails."""
    chances = (np.random.default_rng(k) for k in range(_ROUNDS))
    thrown = [_thrown(chance, count, x, y, distance, _FEW_TRIES) for chance in chances]
    return sum(places is not None for places in thrown) >= _ROUNDS / 2


def _thrown(
    rng: np.random.Generator, count: int, x: Range, y: Range, distance: float, tries: int
) -> list[tuple[float, float]] | None:
    """One after the other; None where the first ones leave no room for the others."""
    places: list[tuple[float, float]] = []
    for _ in range(tries):
        here = (uniform(rng, x), uniform(rng, y))
        if all(math.dist(here, there) >= distance for there in places):
            places.append(here)
            if len(places) == count:
                return places
    return None


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
