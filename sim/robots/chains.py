"""Chains to the tools of a robot, read off its body, so that they are told only once."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from hil.contracts import FloatArray
from hil.errors import HarnessError
from hil.kinematics import Chain, Placement, Revolute, Vector, rpy_of, transform
from sim.robots.model import Tool
from sim.robots.urdf import Body, Joint


def tool_on(body: Body, link: str, placed: Placement | None = None) -> Tool:
    """The tool fixed to `link` of `body`, `placed` in its frame.

    Its motors have the names of the joints that move it, from the base on; fixed joints are
    folded into the origin of the next. Errors: HarnessError for a link that the body lacks, or
    that a sliding joint moves.
    """
    placed = placed or Placement()
    way = _way_to(body, link)
    joints: list[Revolute] = []
    here = np.eye(4)
    for joint in way:
        here = here @ transform(joint.at, joint.rpy)
        if joint.kind == "revolute":
            joints.append(Revolute(_xyz(here), rpy_of(here), joint.axis))
            here = np.eye(4)
    tool = here @ transform(placed.xyz, placed.rpy)
    moved = [joint for joint in way if joint.kind == "revolute"]
    return Tool(
        Chain(joints, Placement(_xyz(tool), rpy_of(tool))),
        tuple(joint.name for joint in moved),
        tuple(joint.child for joint in moved),
        link,
        placed,
    )


def palmar(radius: float, length: float) -> Placement:
    """Of a round fingertip with its centre `length` m up its link: the side to which it bends
    (x), where the pad is."""
    return Placement((radius, 0.0, length), (0.0, math.pi / 2, 0.0))


def _way_to(body: Body, link: str) -> Sequence[Joint]:
    above = {joint.child: joint for joint in body.joints}
    if link not in above and link != body.links[0].name:
        raise HarnessError(
            f"body {body.name!r} has no link {link!r}",
            f"it has {', '.join(known.name for known in body.links)}",
        )
    way = []
    while link in above:
        joint = above[link]
        if joint.kind not in ("revolute", "fixed"):
            raise HarnessError(
                f"{body.name}: {joint.name} slides, and a chain has only joints that turn",
                "put the tool on a link before it",
            )
        way.append(joint)
        link = joint.parent
    return way[::-1]


def _xyz(frame: FloatArray) -> Vector:
    x, y, z = frame[:3, 3].tolist()
    return (x, y, z)
