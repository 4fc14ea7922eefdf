"""Drawers, doors and lids as mechanisms with a bar for a handle.

The frame of the thing is in the middle of the closed bar: x into the thing, y left, z up. The
bar stands `GAP_M` before the front.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

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
_STAND = (0.45, 0.46, 0.48, 1.0)
_GIVE = {"stiffness": 4e3, "damping": 15.0}
"""N/m and N·s/m of each of the several points of a touch, together some 2e4 N/m: what yields
between an arm's drives and the thing, so that the peak of a touch is not a matter of the step."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """One thing. `travel` is the full one, m or rad; `reach` m from the bar to the hinge, where
    there is one; `friction` N or N·m; `side` +1 where a door has its hinge, or slides to, on the
    left, else -1; `height` that of the bar over the table, m."""

    kind: Name
    travel: float
    reach: float
    mass: float
    friction: float
    side: float
    height: float


def way(kind: str, reach: float, side: float) -> tuple[Three | None, Three]:
    """The hinge of a thing and its axis, about which it turns open; or None and the direction
    in which it slides open."""
    if kind == "drawer":
        return None, (-1.0, 0.0, 0.0)
    if kind == "sliding-door":
        return None, (0.0, side, 0.0)
    if kind == "lid":
        return (reach, 0.0, 0.0), (0.0, 1.0, 0.0)
    return (GAP_M + _SHEET / 2, side * reach, 0.0), (0.0, 0.0, -side)


def element(drawn: Drawn, pose: list[float]) -> Table:
    """The mechanism `thing` at `pose` (7,), with its mover `part`."""
    parts, frame = _BUILDERS[drawn.kind](drawn)
    hinge, axis = way(drawn.kind, drawn.reach, drawn.side)
    part = {
        "name": "part",
        "moves": "slides" if hinge is None else "turns",
        "at": list(hinge or (0.0, 0.0, 0.0)),
        "axis": list(axis),
        "parts": parts,
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


def _drawer(drawn: Drawn) -> tuple[list[Table], list[Table]]:
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
    return parts, frame


def _sliding(drawn: Drawn) -> tuple[list[Table], list[Table]]:
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
    return parts, frame


def _hinged(drawn: Drawn) -> tuple[list[Table], list[Table]]:
    high, edge, far = 0.30, 0.022, drawn.reach + 0.01
    panel = box_part(
        (_SHEET, drawn.reach + edge - 0.01, high),
        (0.0, -drawn.side * (drawn.reach + edge + 0.01) / 2, 0.0),
        _FRONT,
    )
    # in the frame of the hinge
    parts = [panel, *_bar(upright=True, at=(-GAP_M - _SHEET / 2, -drawn.side * drawn.reach, 0.0))]
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
    return parts, frame


def _lid(drawn: Drawn) -> tuple[list[Table], list[Table]]:
    wide, sheet = 0.30, 0.012
    deep = drawn.reach - GAP_M
    # in the frame of the hinge
    parts = [
        box_part((deep, wide, sheet), (-deep / 2, 0.0, 0.0), _FRONT),
        *_bar(upright=False, at=(-drawn.reach, 0.0, 0.0)),
    ]
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
    return parts, frame


def _base(
    height: float, below: float, at: tuple[float, float], size: tuple[float, float]
) -> list[Table]:
    """What it stands on, from the table to `below`, in the frame of a bar at `height`."""
    high = height + below
    if high < 0.01:
        return []
    return [box_part((*size, high), (*at, below - high / 2), _STAND)]


_BUILDERS: Mapping[str, Callable[[Drawn], tuple[list[Table], list[Table]]]] = MappingProxyType(
    {"drawer": _drawer, "sliding-door": _sliding, "hinged-door": _hinged, "lid": _lid}
)
"""Parts that move, and parts of the frame."""
