"""Own parametric hand of four fingers and sixteen joints, fingers around a round palm.

Each finger stands on the palm's rim, `HandPlan.radius` from its middle. Its first joint
(`abd`) turns about the radial line and leans the finger sideways; three parallel joints (`j1`
to `j3`) bend it towards the middle. All joints are 0 where a finger stands upright.

Servo figures are those of the Dynamixel XC330-M288 at 5 V (data sheet: stall torque 0.93 N·m at
1.8 A, 81 rev/min without load, 23 g, 20 x 34 x 26 mm), held by a limited current as hands of
that servo usually are (operating mode 5): at `CURRENT_LIMIT` the torque is `TORQUE`. Such a
drive follows its set-point with all its torque. Fingers carry their servos; their masses are
those of the primitives, of a servo and its bracket each.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from hil.contracts import FloatArray
from hil.errors import BadInput
from hil.kinematics import Placement
from sim.robots.chains import palmar, tool_on
from sim.robots.mass import made_of
from sim.robots.model import Motor, Robot, Tip
from sim.robots.urdf import Body, Box, Capsule, Colour, Cylinder, Joint, Link, Part, Sphere

STALL_TORQUE, STALL_CURRENT = 0.93, 1.8
"""N·m and A, at 5 V."""
CURRENT_LIMIT = 1.2
"""A; two thirds of the stall current."""
TORQUE = STALL_TORQUE * CURRENT_LIMIT / STALL_CURRENT
"""N·m, 0.62: torque is taken as proportional to current."""
NO_LOAD_SPEED = 8.48
"""rad/s: 81 rev/min."""
FRICTION = 0.05
"""N·m that hold a joint without power; an estimate."""

JOINTS = ("abd", "j1", "j2", "j3")
RANGES = ((-0.9, 0.9), (-1.9, 2.4), (-1.9, 2.7), (-1.9, 2.4))
"""rad, of the four joints of a finger."""


@dataclass(frozen=True, slots=True)
class HandPlan:
    """Sizes in m: `radius` on which the `fingers` stand, height of their first joints above
    the palm, `lengths` between joints and from the last to the centre of the fingertip, radius
    of the fingers, radius and thickness of the palm."""

    fingers: int = 4
    radius: float = 0.078
    height: float = 0.012
    lengths: tuple[float, float, float] = (0.050, 0.040, 0.030)
    thickness: float = 0.009
    palm_radius: float = 0.080
    palm_height: float = 0.040


PLAN = HandPlan()
HOME_FINGER = (0.055, 0.055, 0.0)
"""m, m, rad: where the fingertips are at rest, as `finger_joints` takes it."""

_PALM: Colour = (0.82, 0.83, 0.85, 1.0)
_SERVO: Colour = (0.13, 0.13, 0.15, 1.0)
_BRACKET: Colour = (0.35, 0.37, 0.42, 1.0)
_RUBBER: Colour = (0.90, 0.55, 0.15, 1.0)
_SERVO_BOX = Box((0.026, 0.020, 0.020))


def finger_joints(
    radial: float, height: float, abduction: float, pitch: float = 2.0, plan: HandPlan = PLAN
) -> FloatArray:
    """Joints (4,) in rad that bring a fingertip's centre to a place, in closed form.

    `radial` (m) is measured from the palm's middle along the finger's own radial line, `height`
    (m) from the palm's surface, `abduction` (rad) leans the finger sideways; `pitch` (rad) is
    how far the last link leans towards the middle. The fingertip then is, in the finger's own
    frame, (radius - radial, -h tan(abduction), h) with h = height - plan.height: two links in a
    plane, by the law of cosines, with the second joint bent inwards.

    Errors: BadInput for a place out of reach or that needs a joint beyond its range.
    """
    first, second, last = plan.lengths
    up = (height - plan.height) / math.cos(abduction)
    x = plan.radius - radial - last * math.sin(pitch)
    z = up - last * math.cos(pitch)
    distance = math.hypot(x, z)
    where = f"fingertip at radius {radial:.4f} m, height {height:.4f} m, pitch {pitch:.3f} rad"
    if not abs(first - second) <= distance <= first + second:
        raise BadInput(
            f"{where}: its last joint would be {distance:.4f} m from the first",
            f"between {abs(first - second):.3f} and {first + second:.3f} m can be reached",
        )
    bend = math.acos(_cosine(distance**2 - first**2 - second**2, 2 * first * second))
    inner = math.acos(_cosine(first**2 + distance**2 - second**2, 2 * first * distance))
    lean = math.atan2(x, z) - inner
    found = np.array([abduction, lean, bend, pitch - lean - bend])
    lower, upper = np.array(RANGES).T
    if (found < lower).any() or (found > upper).any():
        raise BadInput(f"{where}: needs joints {found} rad", f"their ranges are {RANGES} rad")
    return found


def hand(plan: HandPlan = PLAN) -> Robot:
    """The hand: base link `palm` with its origin in the middle of the mounting face, palm up.

    Motors and joints `f0_abd`, `f0_j1`, ...; tools `palm` (middle of the palm's surface, which
    no joint moves) and `f0`, ... (fingertips' centres); tips `f0`, ... on links `f0_l3`.
    """
    numbers = range(plan.fingers)
    links = [_palm(plan)]
    joints: list[Joint] = []
    for number in numbers:
        links += _finger_links(number, plan)
        joints += _finger_hinges(number, plan)
    body = Body("hand4", tuple(links), tuple(joints))
    tip = Placement((0.0, 0.0, plan.lengths[-1]))
    surface = Placement((0.0, 0.0, plan.palm_height))
    return Robot(
        "hand4",
        body,
        tuple(
            Motor(
                joint.name,
                ((joint.name, 1.0),),
                joint.lower,
                joint.upper,
                joint.effort,
                joint.velocity,
                friction=FRICTION,
            )
            for joint in joints
        ),
        np.tile(finger_joints(*HOME_FINGER, plan=plan), plan.fingers),
        {"palm": tool_on(body, "palm", surface)}
        | {f"f{number}": tool_on(body, f"f{number}_l3", tip) for number in numbers},
        tips={
            f"f{number}": Tip(f"f{number}_l3", palmar(plan.thickness, plan.lengths[-1]))
            for number in numbers
        },
        self_collision=True,
        grip_links=tuple(f"f{number}_l{link}" for number in numbers for link in (1, 2, 3)),
    )


def _palm(plan: HandPlan) -> Link:
    disc = Part(
        Cylinder(plan.palm_radius, plan.palm_height),
        (0.0, 0.0, plan.palm_height / 2),
        colour=_PALM,
    )
    # feet under the fingers are only seen: fingers bend through where they stand
    feet = [
        Part(
            Box((0.020, 0.024, plan.height)),
            (
                plan.radius * math.cos(angle),
                plan.radius * math.sin(angle),
                plan.palm_height + plan.height / 2,
            ),
            (0.0, 0.0, angle),
            _SERVO,
            solid=False,
        )
        for angle in (_azimuth(number, plan) for number in range(plan.fingers))
    ]
    # a square mat, only seen: the renderer shades a cylinder's lid as if it were domed, and
    # draws it a millimetre too high
    edge = (plan.radius - 0.012) * math.sqrt(2)
    lid = Part(
        Box((edge, edge, 0.001)),
        (0.0, 0.0, plan.palm_height + 0.0008),
        (0.0, 0.0, math.pi / plan.fingers),
        _BRACKET,
        solid=False,
    )
    return Link("palm", made_of((disc, 0.40)), (disc, lid, *feet))


def _finger_links(number: int, plan: HandPlan) -> list[Link]:
    servo = Part(_SERVO_BOX, colour=_SERVO, solid=False)
    links = [Link(f"f{number}_knuckle", made_of((servo, 0.023)), (servo,))]
    for place, (length, mass) in enumerate(zip(plan.lengths, (0.030, 0.030, 0.015), strict=True)):
        bone = Part(Capsule(plan.thickness, length), (0.0, 0.0, length / 2), colour=_BRACKET)
        parts = [bone]
        if place == 2:
            pad = Sphere(plan.thickness * 1.03)  # seen a little outside the bone's round end
            parts.append(Part(pad, (0.0, 0.0, length), colour=_RUBBER, solid=False))
        links.append(Link(f"f{number}_l{place + 1}", made_of((bone, mass)), tuple(parts)))
    return links


def _finger_hinges(number: int, plan: HandPlan) -> list[Joint]:
    angle = _azimuth(number, plan)
    foot = (
        plan.radius * math.cos(angle),
        plan.radius * math.sin(angle),
        plan.palm_height + plan.height,
    )
    origins = [foot, (0.0, 0.0, 0.0), *((0.0, 0.0, length) for length in plan.lengths[:2])]
    names = ("palm", *(f"f{number}_{link}" for link in ("knuckle", "l1", "l2", "l3")))
    return [
        Joint(
            f"f{number}_{name}",
            "revolute",
            parent,
            child,
            at,
            (0.0, 0.0, angle + math.pi if name == "abd" else 0.0),
            (1.0, 0.0, 0.0) if name == "abd" else (0.0, 1.0, 0.0),
            lower,
            upper,
            TORQUE,
            NO_LOAD_SPEED,
        )
        for name, parent, child, at, (lower, upper) in zip(
            JOINTS, names, names[1:], origins, RANGES, strict=False
        )
    ]


def _azimuth(finger: int, plan: HandPlan) -> float:
    return 2 * math.pi * finger / plan.fingers


def _cosine(over: float, under: float) -> float:
    return min(1.0, max(-1.0, over / under))
