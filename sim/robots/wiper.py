"""The Panda-like arm with a wiping pad on its flange, in place of a gripper.

Own design of about the size of the cleaning tools that arms carry: a plate on a short stem,
and on it a sponge of `SIZE` with its face `FACE` in front of the flange. It has no motor. The
sponge's shape is that of its unloaded face; how much it gives is told by what it presses on
(`sim.scenery.wipeable`), in one place with what gives in the arm and its mounting.
"""

from __future__ import annotations

import math

import numpy as np

from hil.kinematics import Placement
from sim.robots import panda
from sim.robots.chains import tool_on
from sim.robots.mass import made_of
from sim.robots.model import Robot
from sim.robots.mounting import mounted
from sim.robots.urdf import Body, Box, Colour, Cylinder, Link, Part

LINK = "pad"
FACE = 0.085
"""m in front of the flange, in the frame of `LINK`, whose z points out of the flange."""
SIZE = (0.060, 0.090)
"""m, along the link's x and y."""
TOOL = "face"
"""The middle of the face, z out of it."""

_STEM: Colour = (0.20, 0.20, 0.22, 1.0)
_PLATE: Colour = (0.86, 0.87, 0.88, 1.0)
_SPONGE: Colour = (0.95, 0.75, 0.20, 1.0)
_THICK = 0.025  # m, of the sponge


def pad() -> Robot:
    """The tool alone: base link `pad`, tool `face`, no motor."""
    stem_long = FACE - _THICK - 0.008
    stem = Part(Cylinder(0.020, stem_long), (0.0, 0.0, stem_long / 2), colour=_STEM)
    plate = Part(Box((*SIZE, 0.008)), (0.0, 0.0, FACE - _THICK - 0.004), colour=_PLATE)
    sponge = Part(Box((*SIZE, _THICK)), (0.0, 0.0, FACE - _THICK / 2), colour=_SPONGE)
    inertial = made_of((stem, 0.15), (plate, 0.10), (sponge, 0.03))
    body = Body("pad", (Link(LINK, inertial, (stem, plate, sponge)),))
    return Robot(
        "pad",
        body,
        (),
        np.empty(0),
        {TOOL: tool_on(body, LINK, Placement((0.0, 0.0, FACE)))},
        grip_links=(LINK,),
    )


def robot() -> Robot:
    """The arm with the pad, turned by -45° on the flange: at the arm's home the face looks down
    and its long side lies along y. Tools `face` and `flange`, a wrist sensor behind joint 7."""
    turned = (0.0, 0.0, -math.pi / 4)
    return mounted(panda.arm(), pad(), "link7", panda.FLANGE.xyz, turned, "panda-wiper")
