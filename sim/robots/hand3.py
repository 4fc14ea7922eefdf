"""Three-finger hand of nine joints that hangs over the table, much like a TriFinger.

Each finger hangs from a plate, `FingersPlan.radius` from its middle. Its first joint (`abd`)
turns about the radial line and swings the finger sideways; two parallel joints (`j1`, `j2`)
bend it towards the middle. All joints are 0 where a finger hangs straight down.

Lengths and masses are about those of the TriFinger Edu (links of 160 mm; 149 g for a link that
carries a motor, 41 g for the last with its tip), torque 0.36 N·m and speed 10 rad/s those
published as limits of the TriFinger Pro (BSD-3-Clause package `trifinger_simulation`). The side
offsets between its links are left out: a finger bends in one plane. Inertias are those of the
primitives.
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

TORQUE = 0.36
"""N·m."""
SPEED = 10.0
"""rad/s."""
FRICTION = 0.02
"""N·m that hold a joint without power: its gears are light and can be driven backwards."""

JOINTS = ("abd", "j1", "j2")
RANGES = ((-1.0, 1.0), (-1.57, 1.0), (0.0, 2.7))
"""rad, of the three joints of a finger."""


@dataclass(frozen=True, slots=True)
class FingersPlan:
    """Sizes in m: `radius` on which the `fingers` hang, height of their first joints above the
    table, lengths from the second joint to the third and on to the centre of the fingertip,
    radii of the two links."""

    fingers: int = 3
    radius: float = 0.110
    height: float = 0.290
    lengths: tuple[float, float] = (0.160, 0.160)
    thickness: tuple[float, float] = (0.014, 0.010)


PLAN = FingersPlan()
HOME_FINGER = (0.090, 0.120, 0.0)
"""m, m, rad: where the fingertips are at rest, as `finger_joints` takes it."""

_PLATE: Colour = (0.80, 0.81, 0.83, 1.0)
_MOTOR: Colour = (0.15, 0.15, 0.17, 1.0)
_BONE: Colour = (0.36, 0.38, 0.43, 1.0)
_RUBBER: Colour = (0.90, 0.55, 0.15, 1.0)


def finger_joints(
    radial: float, height: float, swing: float, plan: FingersPlan = PLAN
) -> FloatArray:
    """Joints (3,) in rad that bring a fingertip's centre to a place, in closed form.

    `radial` (m) is measured from the hand's middle along the finger's own radial line, `height`
    (m) from the table, `swing` (rad) is the first joint. In the finger's own frame (x to the
    middle, z down) the fingertip then is (radius - radial, -h tan(swing), h) with h =
    plan.height - height: two links in a plane, by the law of cosines, elbow outwards.

    Errors: BadInput for a place out of reach or that needs a joint beyond its range.
    """
    first, second = plan.lengths
    x, z = plan.radius - radial, (plan.height - height) / math.cos(swing)
    distance = math.hypot(x, z)
    where = f"fingertip at radius {radial:.4f} m, height {height:.4f} m, swing {swing:.3f} rad"
    if not abs(first - second) <= distance <= first + second:
        raise BadInput(
            f"{where}: {distance:.4f} m from the finger's first joint",
            f"between {abs(first - second):.3f} and {first + second:.3f} m can be reached",
        )
    bend = math.acos((distance**2 - first**2 - second**2) / (2 * first * second))
    lean = math.atan2(x, z) - math.atan2(second * math.sin(bend), first + second * math.cos(bend))
    found = np.array([swing, lean, bend])
    lower, upper = np.array(RANGES).T
    if (found < lower).any() or (found > upper).any():
        raise BadInput(f"{where}: needs joints {found} rad", f"their ranges are {RANGES} rad")
    return found


def hand(plan: FingersPlan = PLAN) -> Robot:
    """The hand on its stand: base link `stand`, its origin on the table under the middle.

    Motors and joints `f0_abd`, `f0_j1`, ...; tools `f0`, ... (fingertips' centres); tips `f0`,
    ... on links `f0_l2`.
    """
    numbers = range(plan.fingers)
    links = [_stand(plan)]
    joints: list[Joint] = []
    for number in numbers:
        links += _finger_links(number, plan)
        joints += _finger_hinges(number, plan)
    body = Body("hand3", tuple(links), tuple(joints))
    tip = Placement((0.0, 0.0, plan.lengths[-1]))
    return Robot(
        "hand3",
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
        {f"f{number}": tool_on(body, f"f{number}_l2", tip) for number in numbers},
        tips={
            f"f{number}": Tip(f"f{number}_l2", palmar(plan.thickness[-1], plan.lengths[-1]))
            for number in numbers
        },
        self_collision=True,
        grip_links=tuple(f"f{number}_l{link}" for number in numbers for link in (1, 2)),
    )


def _stand(plan: FingersPlan) -> Link:
    # posts are only seen: they stand where fingers swing through
    top = plan.height + 0.045
    plate = Part(Cylinder(plan.radius + 0.045, 0.020), (0.0, 0.0, top), colour=_PLATE)
    pieces = [(plate, 1.0)]
    for number in range(plan.fingers):
        angle = _azimuth(number, plan) + math.pi / plan.fingers
        out = plan.radius + 0.035
        at = (out * math.cos(angle), out * math.sin(angle), top / 2)
        pieces.append((Part(Cylinder(0.006, top), at, colour=_PLATE, solid=False), 0.1))
    return Link("stand", made_of(*pieces), tuple(part for part, _ in pieces))


def _finger_links(number: int, plan: FingersPlan) -> list[Link]:
    motor = Part(Box((0.050, 0.040, 0.060)), (0.0, 0.0, -0.010), colour=_MOTOR, solid=False)
    (upper, lower), (thick, thin) = plan.lengths, plan.thickness
    arm = Part(Capsule(thick, upper), (0.0, 0.0, upper / 2), colour=_BONE)
    tip = Part(Capsule(thin, lower), (0.0, 0.0, lower / 2), colour=_BONE)
    # seen a little outside the last link's round end
    pad = Part(Sphere(thin * 1.03), (0.0, 0.0, lower), colour=_RUBBER, solid=False)
    return [
        Link(f"f{number}_knuckle", made_of((motor, 0.149)), (motor,)),
        Link(f"f{number}_l1", made_of((arm, 0.149)), (arm,)),
        Link(f"f{number}_l2", made_of((tip, 0.041)), (tip, pad)),
    ]


def _finger_hinges(number: int, plan: FingersPlan) -> list[Joint]:
    angle = _azimuth(number, plan)
    hook = (plan.radius * math.cos(angle), plan.radius * math.sin(angle), plan.height)
    origins = (hook, (0.0, 0.0, 0.0), (0.0, 0.0, plan.lengths[0]))
    links = ("stand", *(f"f{number}_{link}" for link in ("knuckle", "l1", "l2")))
    return [
        Joint(
            f"f{number}_{name}",
            "revolute",
            parent,
            child,
            at,
            # upside down: z hangs, x points to the middle
            (0.0, math.pi, angle) if name == "abd" else (0.0, 0.0, 0.0),
            (1.0, 0.0, 0.0) if name == "abd" else (0.0, 1.0, 0.0),
            lower,
            upper,
            TORQUE,
            SPEED,
        )
        for name, parent, child, at, (lower, upper) in zip(
            JOINTS, links, links[1:], origins, RANGES, strict=False
        )
    ]


def _azimuth(finger: int, plan: FingersPlan) -> float:
    return 2 * math.pi * finger / plan.fingers
