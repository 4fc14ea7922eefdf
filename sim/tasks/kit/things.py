"""Elements of scenes as the plain data that a draw holds."""

from __future__ import annotations

import math
from collections.abc import Sequence

from sim.scenery.cavity import Cavity

Numbers = Sequence[float]
Table = dict[str, object]

UPRIGHT = (0.0, 0.0, 0.0, 1.0)


def box_part(
    size: Numbers, at: Numbers = (0.0, 0.0, 0.0), colour: Numbers = (0.7, 0.7, 0.7, 1.0)
) -> Table:
    """A cuboid of a body, edges in m."""
    return {"shape": "box", "size": list(size), "at": list(at), "colour": list(colour)}


def cylinder_part(
    radius: float,
    length: float,
    at: Numbers = (0.0, 0.0, 0.0),
    colour: Numbers = (0.7, 0.7, 0.7, 1.0),
    rpy: Numbers = (0.0, 0.0, 0.0),
) -> Table:
    """A cylinder of a body, along its z, m."""
    return {
        "shape": "cylinder",
        "radius": radius,
        "length": length,
        "at": list(at),
        "rpy": list(rpy),
        "colour": list(colour),
    }


def body(
    name: str, parts: Sequence[Table], at: Numbers, turn: Numbers = UPRIGHT, **more: object
) -> Table:
    """Element kind `body`; `more` are its other keys."""
    return {
        "kind": "body",
        "name": name,
        "parts": list(parts),
        "at": list(at),
        "turn": list(turn),
        **more,
    }


def mark(name: str, size: Numbers, at: Numbers, turn: Numbers = UPRIGHT) -> Table:
    """A thin green mark on the table that is only seen: where something has to go."""
    part = {**box_part(size, colour=(0.35, 0.75, 0.35, 1.0)), "solid": False}
    return body(name, [part], at, turn, fixed=True)


def vessel(name: str, cavity: Cavity, wall: float, at: Numbers, **more: object) -> Table:
    """Element kind `vessel` with that inside and walls of `wall` m; `more` are its other keys."""
    return {
        "kind": "vessel",
        "name": name,
        "sides": cavity.sides,
        "apothem": cavity.apothem,
        "height": cavity.rim,
        "wall": wall,
        "floor": cavity.floor,
        "at": list(at),
        **more,
    }


def grains(
    count: int, radius: float, density: float, start: str, goal: str, **more: object
) -> Table:
    """Element kind `grains`: balls of `radius` m and `density` kg/m³, all in the vessel `start`,
    whose level is seen in the vessel `goal`; `more` are its other keys."""
    return {
        "kind": "grains",
        "name": "grains",
        "count": count,
        "radius": radius,
        "mass": density * 4 / 3 * math.pi * radius**3,
        "start": start,
        "vessels": [start, goal],
        "levels": [goal],
        **more,
    }
