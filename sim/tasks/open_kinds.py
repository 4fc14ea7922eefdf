"""What is opened: drawer, doors and lid as mechanisms with a bar for a handle.

The frame of the thing is in the middle of the closed bar: x into the thing, y left, z up. The
bar stands `GAP_M` before the front, and a hook goes into the gap: a closed gripper that comes in
the plane of x and `along`, leaning by `lean` from x towards `along`, and pulls the bar against
its side. A hook takes what it pulls with play, so an arm that does not yield does not fight
against the thing's own way; nothing is squeezed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from sim.tasks.kit.ranges import Range
from sim.tasks.kit.things import Table, box_part, cylinder_part

Name = Literal["drawer", "hinged-door", "sliding-door", "lid"]
Three = tuple[float, float, float]

GAP_M = 0.050
"""From the middle of the bar to the front."""
BAR_M = 0.007
"""Radius of the bar."""

_BAR_LONG = 0.15
_SHEET = 0.018
_METAL = (0.75, 0.76, 0.78, 1.0)
_FRONT = (0.25, 0.50, 0.80, 1.0)
_CASE = (0.86, 0.85, 0.82, 1.0)
_GIVE = {"stiffness": 4e3, "damping": 15.0}  # N/m, N·s/m: as of `sim.tasks.operate_controls`


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of thing.

    Attributes:
        unit, load_unit: of the travel, and of what friction there is against it.
        x: m, standard range of the bar's distance from the robot, and `x_most` that a scenario
            may ask for.
        travel: standard range of the full travel, and `most` of it that a scenario may ask for.
        reach: m, standard range of the distance from bar to hinge; 0 where there is none.
        mass: kg, standard range. friction: the same.
        lean: rad, of the hook at the beginning and at full travel, in the thing's frame as it
            moves along.
        let_go: whether it has to stay open by itself, and not in the robot's hand.
        opened: travel from which on it counts as open, m or rad; None: by its share of the full
            travel.
        build: the moving part and the frame, of what was drawn.
        along: the direction in which the hook leans, of the side that was drawn.
    """

    unit: str
    load_unit: str
    x: Range
    x_most: Range
    travel: Range
    most: Range
    reach: Range
    mass: Range
    friction: Range
    lean: Range
    let_go: bool
    opened: float | None
    build: Callable[[Drawn], tuple[Table, list[Table]]]
    along: Callable[[float], Three]


@dataclass(frozen=True, slots=True)
class Drawn:
    """`side` is +1 where a door has its hinge, or slides to, on the left, else -1; `height` is
    that of the bar over the table."""

    travel: float
    reach: float
    mass: float
    friction: float
    side: float
    height: float


def _bar(upright: bool, at: Three = (0.0, 0.0, 0.0)) -> list[Table]:
    """The bar and its two posts, which end at the front."""
    x, y, z = at
    turn = (0.0, 0.0, 0.0) if upright else (math.pi / 2, 0.0, 0.0)
    parts = [cylinder_part(BAR_M, _BAR_LONG, at, _METAL, turn)]
    for end in (-0.5, 0.5):
        off = end * (_BAR_LONG - 0.012)
        place = (x + GAP_M / 2, y, z + off) if upright else (x + GAP_M / 2, y + off, z)
        parts.append(box_part((GAP_M, 0.012, 0.012), place, _METAL))
    return parts


def _drawer(drawn: Drawn) -> tuple[Table, list[Table]]:
    wide, high, deep = 0.34, 0.14, drawn.travel + 0.06
    front = GAP_M + _SHEET / 2
    inside = GAP_M + _SHEET + deep / 2
    parts = [
        box_part((_SHEET, wide, high), (front, 0.0, 0.0), _FRONT),
        box_part((deep, wide - 0.02, 0.01), (inside, 0.0, -high / 2 + 0.01), _CASE),
        *(
            box_part((deep, 0.01, high - 0.03), (inside, side * (wide / 2 - 0.015), -0.01), _CASE)
            for side in (-1.0, 1.0)
        ),
        *_bar(upright=False),
    ]
    back = GAP_M + deep + 0.03
    frame = [
        box_part((deep, wide + 0.06, 0.02), (inside, 0.0, high / 2 + 0.02), _CASE),
        box_part((0.02, wide + 0.06, high + 0.06), (back, 0.0, 0.0), _CASE),
        *(
            box_part((deep, 0.02, high + 0.06), (inside, side * (wide / 2 + 0.02), 0.0), _CASE)
            for side in (-1.0, 1.0)
        ),
        *_base(drawn.height, -high / 2 - 0.01, (inside, 0.0), (deep, wide + 0.06)),
    ]
    mover = {"moves": "slides", "axis": [-1.0, 0.0, 0.0], "parts": parts}
    return mover, frame


def _sliding(drawn: Drawn) -> tuple[Table, list[Table]]:
    wide, high = drawn.travel + 0.06, 0.30
    behind = -drawn.side * (wide / 2 - 0.05)  # the bar is near the edge that opens
    front = GAP_M + _SHEET / 2
    panel = box_part((_SHEET, wide, high), (front, -behind, 0.0), _FRONT)
    parts = [panel, *_bar(upright=True)]
    middle, depth = GAP_M + _SHEET + 0.02, 0.02
    across = 2 * drawn.travel + 0.16
    frame = [
        box_part((depth, across, 0.03), (middle, 0.0, side * (high / 2 + 0.005)), _CASE)
        for side in (-1.0, 1.0)
    ]
    frame += [
        box_part((depth, 0.03, high), (middle, side * across / 2, 0.0), _CASE)
        for side in (-1.0, 1.0)
    ]
    frame += _base(drawn.height, -high / 2 - 0.01, (middle + 0.05, 0.0), (0.12, across))
    return {"moves": "slides", "axis": [0.0, drawn.side, 0.0], "parts": parts}, frame


def _hinged(drawn: Drawn) -> tuple[Table, list[Table]]:
    high, edge, far = 0.30, 0.022, drawn.reach + 0.01
    hinge = (GAP_M + _SHEET / 2, drawn.side * drawn.reach, 0.0)
    panel = box_part(
        (_SHEET, drawn.reach + edge - 0.01, high),
        (0.0, -drawn.side * (drawn.reach + edge + 0.01) / 2, 0.0),
        _FRONT,
    )
    bar = _bar(upright=True, at=(-hinge[0], -hinge[1], 0.0))
    mover = {
        "moves": "turns",
        "at": list(hinge),
        "axis": [0.0, 0.0, -drawn.side],
        "parts": [panel, *bar],
    }
    deep = 0.16
    middle, wide = GAP_M + _SHEET + deep / 2 + 0.004, far + edge
    aside = drawn.side * (far - edge) / 2
    frame = [
        box_part((0.012, wide, high), (middle + deep / 2, aside, 0.0), _CASE),
        *(
            box_part((deep, wide, 0.015), (middle, aside, side * high / 2), _CASE)
            for side in (-1.0, 1.0)
        ),
        box_part((deep, 0.015, high), (middle, drawn.side * far, 0.0), _CASE),
        box_part((deep, 0.015, high), (middle, -drawn.side * edge, 0.0), _CASE),
        *_base(drawn.height, -high / 2 - 0.008, (middle, aside), (deep, wide)),
    ]
    return mover, frame


def _lid(drawn: Drawn) -> tuple[Table, list[Table]]:
    wide, sheet = 0.30, 0.012
    deep = drawn.reach - GAP_M
    mover = {
        "moves": "turns",
        "at": [drawn.reach, 0.0, 0.0],
        "axis": [0.0, 1.0, 0.0],
        "parts": [
            box_part((deep, wide, sheet), (-deep / 2, 0.0, 0.0), _FRONT),
            *_bar(upright=False, at=(-drawn.reach, 0.0, 0.0)),
        ],
    }
    high = drawn.height - sheet
    down, middle = -sheet - high / 2, GAP_M + deep / 2
    frame = [
        box_part((0.012, wide, high), (GAP_M + 0.006, 0.0, down), _CASE),
        box_part((0.012, wide, high), (drawn.reach + 0.006, 0.0, down), _CASE),
        *(
            box_part((deep, 0.012, high), (middle, side * wide / 2, down), _CASE)
            for side in (-1.0, 1.0)
        ),
    ]
    return mover, frame


def _base(
    height: float, below: float, at: tuple[float, float], size: tuple[float, float]
) -> list[Table]:
    """What it stands on, from the table to `below`, in the frame of a bar at `height`."""
    high = height + below
    if high < 0.01:
        return []
    return [box_part((*size, high), (*at, below - high / 2), (0.45, 0.46, 0.48, 1.0))]


def element(kind: Kind, drawn: Drawn, pose: list[float]) -> Table:
    """The mechanism `thing` with its mover `part`."""
    mover, frame = kind.build(drawn)
    part = {
        **mover,
        "name": "part",
        "mass": drawn.mass,
        "friction": drawn.friction,
        "damping": 0.2 * drawn.friction,
        "lower": 0.0,
        "upper": drawn.travel,
        "give": _GIVE,
    }
    return {
        "kind": "mechanism",
        "name": "thing",
        "at": pose[:3],
        "turn": pose[3:],
        "frame": frame,
        "give": _GIVE,
        "movers": [part],
    }


def _down(_side: float) -> Three:
    return (0.0, 0.0, -1.0)


def _up(_side: float) -> Three:
    return (0.0, 0.0, 1.0)


def _aside(side: float) -> Three:
    return (0.0, side, 0.0)


OPEN_SHARE = 0.9
"""Of the full travel; what is open further is open."""


def opened(kind: str, full: float) -> float:
    """Travel from which on a thing of `full` travel counts as open, m or rad."""
    limit = KINDS[kind].opened
    return OPEN_SHARE * full if limit is None else limit


_STEEP, _HALF = math.radians(60), math.radians(50)

KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "drawer": Kind(
            "m",
            "N",
            (0.59, 0.65),
            (0.56, 0.66),
            (0.20, 0.30),
            (0.10, 0.32),
            (0.0, 0.0),
            (2.0, 6.0),
            (4.0, 15.0),
            (_STEEP, _STEEP),
            True,
            None,
            _drawer,
            _down,
        ),
        "sliding-door": Kind(
            "m",
            "N",
            (0.59, 0.65),
            (0.56, 0.66),
            (0.24, 0.36),
            (0.10, 0.40),
            (0.0, 0.0),
            (4.0, 10.0),
            (6.0, 20.0),
            (0.0, 0.0),
            True,
            None,
            _sliding,
            _aside,
        ),
        "hinged-door": Kind(
            "rad",
            "N·m",
            (0.64, 0.68),
            (0.63, 0.70),
            (1.40, 1.65),
            (0.60, 1.75),
            (0.24, 0.32),
            (2.0, 5.0),
            (0.4, 1.5),
            (_HALF, math.radians(95)),
            True,
            None,
            _hinged,
            _aside,
        ),
        "lid": Kind(
            "rad",
            "N·m",
            (0.59, 0.65),
            (0.56, 0.66),
            (1.50, 1.75),
            (1.30, 1.80),
            (0.26, 0.32),
            (0.8, 2.5),
            (0.2, 0.6),
            (0.0, math.radians(45)),
            False,
            math.radians(60),
            _lid,
            _up,
        ),
    }
)
