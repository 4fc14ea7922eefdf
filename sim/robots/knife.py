"""The UR5e-like arm with a carton knife on its flange, in place of a gripper.

Own design of about the size of the openers that cartons are slit with: a handle, a blade with a
straight edge, and a shoe of two balls beside the edge, which rides on what is cut so that the
blade reaches `DEPTH` into it. The blade's plane is that of the tool's x and z, its edge faces x.
It has no motor. What cutting takes is told by what is cut (`sim.scenery.seam`), which gives the
shoe's contact its compliance too.
"""

from __future__ import annotations

import numpy as np

from hil.kinematics import Placement
from sim.robots import six_axis
from sim.robots.chains import tool_on
from sim.robots.mass import made_of
from sim.robots.model import Robot
from sim.robots.mounting import mounted
from sim.robots.urdf import Body, Box, Colour, Cylinder, Joint, Link, Part, Sphere

BLADE = "blade"
"""Link of the blade; its frame is that of `TOOL`."""
TOOL = "edge"
"""The lower end of the edge, z out of the flange, x the way in which it cuts."""
TIP = 0.160
"""m in front of the flange."""
DEPTH = 0.004
"""m by which the blade reaches below its shoe."""

_BALL, _ASIDE = 0.006, 0.011  # m, radius of the shoe's balls and their distance from the blade
_CHORD, _THICK, _LONG = 0.009, 0.0006, 0.030  # m, of the blade that is seen
_GRIP: Colour = (0.95, 0.65, 0.10, 1.0)
_DARK: Colour = (0.18, 0.18, 0.20, 1.0)
_STEEL: Colour = (0.85, 0.87, 0.90, 1.0)


def knife() -> Robot:
    """The tool alone: links `knife` and `blade`, tool `edge`, no motor."""
    plate = Part(Cylinder(0.032, 0.010), (0.0, 0.0, 0.005), colour=_DARK)
    handle = Part(Box((0.034, 0.026, 0.110)), (0.0, 0.0, 0.065), colour=_GRIP)
    fork = [
        Part(Box((0.010, 0.006, 0.034)), (0.0, side * _ASIDE, 0.130), colour=_DARK)
        for side in (1.0, -1.0)
    ]
    low = TIP - DEPTH - _BALL
    shoe = [Part(Sphere(_BALL), (0.0, side * _ASIDE, low), colour=_STEEL) for side in (1.0, -1.0)]
    body = made_of((plate, 0.10), (handle, 0.22), *((part, 0.01) for part in (*fork, *shoe)))
    blade = Part(Box((_CHORD, _THICK, _LONG)), (-_CHORD / 2, 0.0, -_LONG / 2), colour=_STEEL)
    tool = Body(
        "knife",
        (
            Link("knife", body, (plate, handle, *fork, *shoe)),
            Link(BLADE, made_of((blade, 0.002)), (blade,)),
        ),
        (Joint("blade_clamp", "fixed", "knife", BLADE, (0.0, 0.0, TIP)),),
    )
    return Robot("knife", tool, (), np.empty(0), {TOOL: tool_on(tool, BLADE, Placement())})


def robot() -> Robot:
    """The arm with the knife; tools `edge` and `flange`, a wrist sensor behind the last joint."""
    return mounted(six_axis.arm(), knife(), six_axis.FLANGE, name="six-axis-knife")
