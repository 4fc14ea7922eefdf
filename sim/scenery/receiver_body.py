"""The hand of a `receiver` as a body: three slides along the world's axes, which are all that
moves it, and behind the last of them the palm and the forearm, which are solid, and the fingers,
which are only seen."""

from __future__ import annotations

import math

import numpy as np

from hil.kinematics import rotation
from sim.robots.urdf import Body, Box, Capsule, Inertial, Joint, Link, Part, Vector

SLIDES: tuple[tuple[str, Vector], ...] = (
    ("x", (1.0, 0.0, 0.0)),
    ("y", (0.0, 1.0, 0.0)),
    ("z", (0.0, 0.0, 1.0)),
)
"""Joints by name, and the way of each."""
PALM: Vector = (0.018, 0.085, 0.060)
"""m: thick, wide, high."""
SPEED_BOUND = 25.0
"""m/s: no hand is as fast."""

_SLIDE_KG = 0.001
_RANGE_M = 1.0
_SKIN, _SLEEVE = (0.86, 0.66, 0.53, 1.0), (0.25, 0.35, 0.55, 1.0)


def hand_body(name: str, hand_kg: float, palm_m: float, yaw: float) -> Body:
    """The hand's origin is where it grips; the palm is `palm_m` behind it, the arm in the
    direction `yaw` in rad."""
    rail = Inertial.of(Box((0.01, 0.01, 0.01)), _SLIDE_KG)
    hand = Inertial.of(Box(PALM), hand_kg)
    links = [
        Link("person", rail),
        Link("slide_x", rail),
        Link("slide_y", rail),
        Link("hand", hand, _parts(palm_m, yaw)),
    ]
    joints = [
        Joint(
            axis,
            "prismatic",
            parent.name,
            child.name,
            axis=way,
            lower=-_RANGE_M,
            upper=_RANGE_M,
            effort=1000.0,
            velocity=SPEED_BOUND,
        )
        for (axis, way), parent, child in zip(SLIDES, links, links[1:], strict=False)
    ]
    return Body(name, links, joints)


def _parts(palm_m: float, yaw: float) -> tuple[Part, ...]:
    turn = rotation((0.0, 0.0, yaw))
    thick, wide, _ = PALM

    def part(shape: Box | Capsule, at: Vector, pitch: float = 0.0, *, solid: bool = True) -> Part:
        x, y, z = (turn @ np.array(at)).tolist()
        colour = _SLEEVE if isinstance(shape, Capsule) else _SKIN
        return Part(shape, (x, y, z), (0.0, pitch, yaw), colour, solid)

    finger, side = palm_m + 0.02, wide / 2
    return (
        part(Box(PALM), (palm_m + thick / 2, 0.0, 0.0)),
        part(Capsule(0.032, 0.20), (palm_m + thick + 0.135, 0.0, 0.0), math.pi / 2),
        part(Box((finger, 0.012, 0.045)), (palm_m / 2, -side, 0.0), solid=False),
        part(Box((finger, 0.016, 0.020)), (palm_m / 2, side, 0.0), solid=False),
    )
