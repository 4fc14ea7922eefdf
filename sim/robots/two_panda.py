"""Two Panda-like arms with parallel grippers that face each other over a table.

The left one stands in the origin and looks along x, the right one `APART` metres before it and
looks back: what lies half-way is within reach of both, with either gripper pointing down.
"""

from __future__ import annotations

import math
from dataclasses import replace

from sim.robots import panda
from sim.robots.chains import tool_on
from sim.robots.model import Robot, Tool
from sim.robots.mounting import mounted, prefixed
from sim.robots.urdf import Vector

APART = 1.1
"""m: between the bases. Half of it is where an arm of this size has most room to turn."""
RIGHT_AT: Vector = (APART, 0.0, 0.0)
RIGHT_YAW = math.pi
"""rad: how the right arm's base is turned in the left one's frame, which is the plant's."""


def left() -> Robot:
    """Motors `left_joint1` to `left_joint7` and `left_gripper`; tools `grip` and `flange`."""
    return prefixed(panda.robot(), "left_")


def right() -> Robot:
    """The same with `right_`; its own base frame stands at `RIGHT_AT`, turned by `RIGHT_YAW`."""
    return prefixed(panda.robot(), "right_")


def pair() -> Robot:
    """Both as one robot: motors of the left and then of the right arm, as the plant has them,
    and the tools `left` and `right`, whose chains begin in the plant's frame.

    A job with two arms takes its joints from it; in the plant they are two bodies, so that they
    collide with each other.
    """
    one, other = left(), right()
    turned = (0.0, 0.0, RIGHT_YAW)
    both = mounted(one, other, one.body.links[0].name, RIGHT_AT, turned, "two-panda")
    tools = {"left": one.tools["grip"], "right": other.tools["grip"]}
    return replace(both, wrist="", tools={name: _on(both, tool) for name, tool in tools.items()})


def _on(both: Robot, tool: Tool) -> Tool:
    return tool_on(both.body, tool.link, tool.placed)
