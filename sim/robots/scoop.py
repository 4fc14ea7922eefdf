"""The UR5e-like arm with a scoop on its flange, in place of a gripper.

Own design of about the size of the scoops that popcorn is sold with: a stem, and at its end a
tray with a back and two sides, open to the front, which faces the arm. With the flange pointing
down the tray is level. It has no motor.
"""

from __future__ import annotations

import numpy as np

from hil.kinematics import Placement
from sim.robots import six_axis
from sim.robots.chains import tool_on
from sim.robots.mass import made_of
from sim.robots.model import Robot
from sim.robots.mounting import mounted
from sim.robots.urdf import Body, Box, Colour, Cylinder, Link, Part

TOOL = "lip"
"""The middle of the tray's front edge, z out of the flange (down through the tray), the front
towards -x."""
LONG, WIDE, HIGH = 0.100, 0.078, 0.055
"""m, inside: of the tray."""

_DOWN = 0.200  # m from the flange to the tray's floor
_THICK = 0.003
_STEEL: Colour = (0.80, 0.82, 0.85, 1.0)
_DARK: Colour = (0.18, 0.18, 0.20, 1.0)


def scoop() -> Robot:
    """The tool alone: base link `scoop`, tool `lip`, no motor."""
    middle = -LONG / 2 - 0.010  # so that the stem ends behind the back
    side_at = (WIDE + _THICK) / 2
    wall_z = _DOWN - HIGH / 2
    parts = (
        Part(Cylinder(0.032, 0.010), (0.0, 0.0, 0.005), colour=_DARK),
        Part(Cylinder(0.010, _DOWN - 0.010), (0.0, 0.0, 0.010 + (_DOWN - 0.010) / 2), colour=_DARK),
        Part(Box((LONG, WIDE, _THICK)), (middle, 0.0, _DOWN + _THICK / 2), colour=_STEEL),
        Part(Box((_THICK, WIDE, HIGH)), (middle + LONG / 2, 0.0, wall_z), colour=_STEEL),
        Part(Box((LONG, _THICK, HIGH)), (middle, side_at, wall_z), colour=_STEEL),
        Part(Box((LONG, _THICK, HIGH)), (middle, -side_at, wall_z), colour=_STEEL),
    )
    masses = (0.10, 0.12, 0.06, 0.03, 0.04, 0.04)
    link = Link("scoop", made_of(*zip(parts, masses, strict=True)), parts)
    body = Body("scoop", (link,))
    lip = Placement((middle - LONG / 2, 0.0, _DOWN))
    return Robot("scoop", body, (), np.empty(0), {TOOL: tool_on(body, "scoop", lip)})


def robot() -> Robot:
    """The arm with the scoop; tools `lip` and `flange`, a wrist sensor behind the last joint."""
    return mounted(six_axis.arm(), scoop(), six_axis.FLANGE, name="six-axis-scoop")
