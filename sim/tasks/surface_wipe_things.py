"""What stands before the arm that wipes: a table top, a panel or a head, with marks, and vases."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import cast

import numpy as np

from hil.contracts import FloatArray
from sim.robots import wiper
from sim.tasks.kit.poses import matrix_of
from sim.tasks.kit.ranges import Range, apart, uniform
from sim.tasks.kit.things import Numbers, Table, body, box_part, cylinder_part

PANEL = (0.40, 0.60)
"""m: a flat surface, along its x and y."""
VASE_M, VASE_RADIUS = 0.09, 0.025
"""Height and radius of what stands on it."""

Four = tuple[float, float, float, float]

_THICK = 0.03
_STEEP = math.pi / 4

_WHITE, _GLASS, _SKIN = (0.90, 0.90, 0.88, 1.0), (0.70, 0.82, 0.90, 1.0), (0.86, 0.70, 0.60, 1.0)
_LEG, _VASE = (0.35, 0.36, 0.38, 1.0), (0.25, 0.35, 0.75, 1.0)


@dataclass(frozen=True, slots=True)
class Kind:
    """What an arm can do with one kind of surface: ranges that a scenario may have, as lowest,
    low, high and highest, where low and high are those that it has unless it says.

    Attributes:
        x, z: of the surface's middle, m.
        lean: rad towards the robot.
        mark_half: half axes of marks, m.
        marked: marks reach that far from the middle, m.
        flat: whether it is a panel, and not a head.
        seed: joints, rad, near which the arm works on it.
    """

    x: Four
    z: Four
    lean: Four
    mark_half: Four
    marked: float
    flat: bool
    seed: tuple[float, ...]


_DOWN = (0.0, -0.45, 0.0, -2.4, 0.0, 1.95, math.pi / 4)
_FORWARD = (0.0, -0.5, 0.0, -2.1, 0.0, 3.15, math.pi / 4)

KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "table": Kind(
            (0.44, 0.46, 0.54, 0.54),
            (0.06, 0.10, 0.20, 0.22),
            (-0.1, 0.0, 0.0, 0.1),
            (0.01, 0.02, 0.045, 0.05),
            0.15,
            True,
            _DOWN,
        ),
        "window": Kind(
            (0.46, 0.48, 0.53, 0.53),
            (0.79, 0.80, 0.86, 0.86),
            (1.5, 1.5, 1.58, 1.62),
            (0.01, 0.02, 0.045, 0.05),
            0.15,
            True,
            _FORWARD,
        ),
        "head": Kind(
            (0.40, 0.46, 0.54, 0.56),
            (0.20, 0.22, 0.30, 0.35),
            (0.0, 0.0, 0.0, 0.0),
            (0.008, 0.01, 0.018, 0.02),
            0.048,
            False,
            _DOWN,
        ),
    }
)


def parts(radius: float | None, height: float, lean: float) -> list[Table]:
    """A flat surface on a post, or a head on its neck, whose middle is `height` m up."""
    if radius is not None:
        ball: Table = {"shape": "sphere", "radius": radius, "at": [0.0, 0.0, -radius]}
        neck = max(0.02, height - 1.6 * radius)
        below = [0.0, 0.0, -1.6 * radius - neck / 2]
        return [{**ball, "colour": list(_SKIN)}, cylinder_part(0.05, neck, below, _SKIN)]
    steep = lean > _STEEP
    top = box_part([*PANEL, _THICK], [0.0, 0.0, -_THICK / 2], _GLASS if steep else _WHITE)
    under = PANEL[0] / 2 if steep else _THICK
    long = max(0.02, height - under)
    at = [-under - long / 2, 0.0, -_THICK / 2] if steep else [0.0, 0.0, -under - long / 2]
    size = [long, 0.06, _THICK] if steep else [0.06, 0.06, long]
    return [top, box_part(size, at, _LEG)]


def drawn_marks(rng: np.random.Generator, count: int, half: Range, marked: float) -> list[Table]:
    """`marks` of a wipeable: ellipses of half axes `half` m within `marked` m of its middle."""
    inner = marked - half[1]
    distance = min(1.5 * half[1], 0.8 * inner)  # so that four fit, wherever the first are
    places = apart(rng, count, (-inner, inner), (-inner, inner), distance)
    return [
        {
            "at": list(place),
            "half": [uniform(rng, half), uniform(rng, half)],
            "turn": float(rng.uniform(0.0, math.pi)),
        }
        for place in places
    ]


def pad() -> Table:
    """`pad` of a wipeable: that of the arm."""
    return {"link": wiper.LINK, "face": wiper.FACE, "size": list(wiper.SIZE)}


def vases(rng: np.random.Generator, count: int, at: Numbers, turn: Numbers) -> list[Table]:
    """Up to two things that stand on a flat surface at `at`, `turn`, beside all marks."""
    found = []
    for number in range(count):
        side = (1 if number else -1) * float(rng.uniform(0.24, 0.26))
        along = float(rng.uniform(-0.12, 0.12))
        place = np.array(at) + matrix_of(np.array(turn)) @ np.array([along, side, VASE_M / 2])
        found.append(
            body(
                f"vase{number}",
                [cylinder_part(VASE_RADIUS, VASE_M, colour=_VASE)],
                place.tolist(),
                turn,
                mass=0.25,
                friction=0.8,
                rolling=0.001,
                anchored=True,
            )
        )
    return found


def place_of(thing: Table) -> FloatArray:
    """(7,) of an element as it was set up."""
    at, turn = cast(list[float], thing["at"]), cast(list[float], thing["turn"])
    return np.array([*at, *turn])
