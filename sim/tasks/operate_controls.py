"""The controls of a panel as movers of a mechanism, and what is wanted of each.

The panel's frame has x into it, y to the left, z up, its face at x = 0; positive travel is in,
or clockwise as seen by who stands before it. Levers and rockers go from 0 to their throw,
upwards in their own frame, which is turned over for one that goes down.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from sim.tasks.kit.ranges import Range
from sim.tasks.kit.things import Table, box_part, cylinder_part

Name = Literal["button", "switch", "knob", "lever", "valve"]

GIVE = {"stiffness": 1e4, "damping": 20.0}
"""N/m and N·s/m of a touch: a finger's skin on plastic and what yields behind it, so that the
peak of a touch is not a matter of the step."""

TRIP_M = 0.0025
"""A button's travel at which it toggles."""
BUTTON_M = 0.012
"""How far a button stands out."""
THROW = MappingProxyType({"switch": 0.45, "lever": 1.2})
"""rad, from off to on."""
ROCKER_M = (0.008, 0.040, 0.064)
ROCKER_OUT_M = 0.010
"""The rocker's axis before the panel."""
DETENT = math.pi / 6
"""rad between two places of a knob."""
KNOB_BAR_M = (0.018, 0.010, 0.040)
KNOB_DISC_M = 0.010
LEVER_M = 0.090
LEVER_THICK_M = 0.014
LEVER_OUT_M = 0.015
"""The lever's axis before the panel."""
WHEEL_OUT_M = 0.060
SPOKES = 4
SPOKE_M = 0.010

_HUB_M = 0.014
_DARK = (0.20, 0.21, 0.24, 1.0)
_ALONG_X = (0.0, math.pi / 2, 0.0)
_ALONG_Y = (math.pi / 2, 0.0, 0.0)
Colour = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Control:
    """One kind of control.

    Attributes:
        unit: of what it takes to move it.
        effort: standard range of that: force at which a button trips, most moment of a detent,
            friction of a valve. `allowed` is the widest that a scenario may ask for.
        size: m, drawn: radius of a button, and of a wheel's rim; 0 for the others.
        pitch: m from one to the next of a panel.
        turn: standard range of the angle to turn by, rad, and `most_turn`; None where it
            has only two states.
        build: the mover without its name, of its effort, its size and the colour.
    """

    unit: str
    effort: Range
    allowed: Range
    pitch: float
    build: Callable[[float, float, Colour], Table]
    size: Range = (0.0, 0.0)
    turn: Range | None = None
    most_turn: float = 0.0


def _button(effort: float, size: float, colour: Colour) -> Table:
    cap = cylinder_part(size, BUTTON_M, (-BUTTON_M / 2, 0.0, 0.0), colour, _ALONG_X)
    return {
        "moves": "slides",
        "parts": [cap],
        "mass": 0.03,
        "axis": [1.0, 0.0, 0.0],
        "lower": -0.002,
        "upper": 0.007,
        "preload": 0.4 * effort,
        "ramp": 0.0005,
        "stiffness": 0.6 * effort / TRIP_M,
        "damping": 6.0,
        "cushion": {"at": 0.0045, "stiffness": 8e3},
        "latch": {"trip": TRIP_M, "rearm": 0.001},
    }


def _switch(effort: float, _size: float, colour: Colour) -> Table:
    throw = THROW["switch"]
    return {
        "moves": "turns",
        "parts": [box_part(ROCKER_M, colour=colour)],
        "mass": 0.08,
        "at": [-ROCKER_OUT_M, 0.0, 0.0],
        "rpy": [0.0, -throw / 2, 0.0],
        "axis": [0.0, 1.0, 0.0],
        "damping": 0.012,
        "friction": 0.1 * effort,
        **_two_states(throw, effort),
    }


def _lever(effort: float, _size: float, colour: Colour) -> Table:
    """A bar that points out of the panel in the middle of its throw."""
    throw = THROW["lever"]
    bar = box_part(
        (LEVER_M, LEVER_THICK_M, LEVER_THICK_M), (-LEVER_M / 2, 0.0, 0.0), (0.5, 0.5, 0.52, 1.0)
    )
    grip = box_part((0.03, 0.03, LEVER_THICK_M), (-LEVER_M + 0.015, 0.0, 0.0), colour)
    hub = cylinder_part(0.016, 0.03, (0.0, 0.0, 0.0), _DARK, _ALONG_Y)
    return {
        "moves": "turns",
        "parts": [grip, bar, hub],
        "mass": 0.2,
        "at": [-LEVER_OUT_M, 0.0, 0.0],
        "rpy": [0.0, -throw / 2, 0.0],
        "axis": [0.0, 1.0, 0.0],
        "damping": 0.3,
        "friction": 0.05 * effort,
        **_two_states(throw, effort),
    }


def _two_states(throw: float, effort: float) -> Table:
    """Rests at 0 and at the throw, with `effort` N·m at most to get out of either."""
    return {
        "lower": -0.03,
        "upper": throw + 0.03,
        "detent": {"pitch": throw, "force": effort},
        "latch": {"trip": 0.7 * throw, "rearm": 0.3 * throw, "way": "follows"},
    }


def _knob(effort: float, _size: float, colour: Colour) -> Table:
    """A disc with a bar across, which points up at 0."""
    deep, wide, long = KNOB_BAR_M
    bar = box_part((deep, wide, long), (-KNOB_DISC_M - deep / 2, 0.0, 0.0), colour)
    disc = cylinder_part(0.022, KNOB_DISC_M, (-KNOB_DISC_M / 2, 0.0, 0.0), _DARK, _ALONG_X)
    return {
        "moves": "turns",
        "parts": [bar, disc],
        "mass": 0.1,
        "axis": [1.0, 0.0, 0.0],
        "lower": -3.2,
        "upper": 3.2,
        "damping": 0.012,
        "friction": 0.1 * effort,
        "detent": {"pitch": DETENT, "force": effort},
    }


def _valve(effort: float, size: float, colour: Colour) -> Table:
    """A wheel whose rim has the radius `size`; one spoke is told by its colour."""
    parts = [cylinder_part(_HUB_M, 0.03, colour=_DARK, rpy=_ALONG_X)]
    for number in range(SPOKES):
        angle = number * 2 * math.pi / SPOKES
        middle = (size + _HUB_M) / 2
        at = (0.0, middle * math.cos(angle), middle * math.sin(angle))
        spoke = box_part(
            (SPOKE_M, size - _HUB_M, SPOKE_M), at, (0.95, 0.95, 0.9, 1.0) if not number else colour
        )
        parts.append({**spoke, "rpy": [angle, 0.0, 0.0]})
    pieces = 20
    for number in range(pieces):
        angle = number * 2 * math.pi / pieces
        at = (0.0, size * math.cos(angle), size * math.sin(angle))
        length = 2 * size * math.tan(math.pi / pieces) + 0.002
        rim = box_part((0.014, 0.010, length), at, colour)
        parts.append({**rim, "rpy": [angle, 0.0, 0.0]})
    return {
        "moves": "turns",
        "parts": parts,
        "mass": 0.6,
        "at": [-WHEEL_OUT_M, 0.0, 0.0],
        "axis": [1.0, 0.0, 0.0],
        "lower": -40.0,
        "upper": 40.0,
        "damping": 0.05,
        "friction": effort,
    }


CONTROLS: Mapping[str, Control] = MappingProxyType(
    {
        "button": Control("N", (3.0, 8.0), (2.0, 15.0), 0.10, _button, (0.012, 0.020)),
        "switch": Control("N·m", (0.08, 0.20), (0.05, 0.30), 0.10, _switch),
        "knob": Control(
            "N·m", (0.08, 0.18), (0.05, 0.30), 0.10, _knob, turn=(0.5, 2.1), most_turn=2.1
        ),
        "lever": Control("N·m", (1.0, 3.5), (0.5, 4.0), 0.12, _lever),
        "valve": Control(
            "N·m", (0.5, 2.5), (0.2, 4.0), 0.24, _valve, (0.070, 0.090), (1.5, 7.0), 12.6
        ),
    }
)
PANEL = ("button", "switch", "knob")
"""Controls that stand beside each other on one panel; levers and valves are among themselves."""
