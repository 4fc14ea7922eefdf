"""A parallel gripper to hang on any flange: one motor whose pinion slides two fingers.

Own design of about the size of a Franka Hand: opening 0 to 80 mm, 70 N of grip, the fingers'
inner faces meet 103 mm in front of the flange. Masses are those of the primitives below; the
housing weighs what the published Franka Hand does (0.73 kg).

The pinion drives two racks, so a turn of 1 rad moves each finger by `RATIO` metres and, by
virtual work, a motor torque T presses each finger with T / (RATIO * 2): 0.4 N·m for 20 N,
1.4 N·m for 70 N. The grip force on an object is that of *one* finger; the other's is the
reaction to it.

In PyBullet the fingers are driven both, each with half of the motor's force, *and* tied by a
gear (`Robot.gears`). Without the gear equal forces leave the pair in neutral equilibrium: in a
world of 1 kHz a cube of 100 g held with 20 N drifted to the end of the fingers' way (20 mm)
within a second under a side load of 5 N, or when gripped 3 mm beside the middle; with the gear
the fingers stayed symmetric within 0.005 mm at 20 N and 70 N, under side loads up to 15 N,
and pressed with the force above within 0.3 %. Driving one finger alone, with all the force,
through the gear was as good in force, and less symmetric (0.04 mm).
"""

from __future__ import annotations

import math

import numpy as np

from hil.kinematics import Placement
from sim.robots.chains import tool_on
from sim.robots.mass import made_of
from sim.robots.model import Motor, Robot, Tip
from sim.robots.urdf import Body, Box, Colour, Cylinder, Joint, Link, Part, Vector

MOTOR = "gripper"
RATIO = 0.010
"""m/rad: way of a finger for a turn of the pinion (its pitch radius)."""
FINGERS = 2
TRAVEL = 0.040
"""m: way of each finger; the opening is twice that."""
WEAKEST_GRIP, STRONGEST_GRIP = 20.0, 70.0
"""N: the range of forces it is specified for; 70 N is what a Franka Hand holds for good."""
GRIP = 30.0
"""N: what its current is limited to unless something else is asked."""
FINGER_SPEED = 0.05
"""m/s of each finger, as of a Franka Hand."""
GRIP_CENTRE: Vector = (0.0, 0.0, 0.1034)
"""m, gripper frame: between the pads."""

_PAD_AT = 0.045  # m: middle of a pad, in front of its slide
_PAD_STIFFNESS = 3e4
"""N/m at each of a face's four contact points: 1 MPa of rubber, 20 by 22 mm and 4 mm thick, is
1.1e5 N/m. An estimate: real pads differ by a factor of several."""
_PAD_DAMPING = 100.0  # N s/m at each point
_STROKE_AT = 0.0584  # m: where the fingers' slides are, in front of the flange
_METAL: Colour = (0.86, 0.87, 0.88, 1.0)
_DARK: Colour = (0.16, 0.16, 0.18, 1.0)
_RUBBER: Colour = (0.30, 0.30, 0.33, 1.0)


def torque_for(force: float) -> float:
    """Motor torque in N·m that presses each finger with `force` N."""
    return force * RATIO * FINGERS


def force_at(torque: float) -> float:
    """Force in N of each finger at a motor torque in N·m, friction left out."""
    return torque / (RATIO * FINGERS)


def angle_for(opening: float) -> float:
    """Pinion's angle in rad at which the pads are `opening` m apart; 0 is closed."""
    return opening / (RATIO * FINGERS)


def opening_at(angle: float) -> float:
    """Distance of the pads in m at a pinion's angle in rad."""
    return angle * RATIO * FINGERS


def gripper(force: float = GRIP) -> Robot:
    """The gripper alone: base link `hand`, z out of the flange, fingers sliding along y; its
    current is limited so that a finger presses with at most `force` N."""
    links = (_housing(), _finger("left", 1.0), _finger("right", -1.0))
    body = Body("gripper", links, _slides(force))
    return Robot(
        "gripper",
        body,
        (
            Motor(
                MOTOR,
                (("finger_left", RATIO), ("finger_right", RATIO)),
                0.0,
                TRAVEL / RATIO,
                torque_for(force),
                FINGER_SPEED / RATIO,
            ),
        ),
        np.array([TRAVEL / RATIO]),
        {"grip": tool_on(body, "hand", Placement(GRIP_CENTRE))},
        tips={
            "left": Tip("left_finger", Placement((0.0, 0.0, _PAD_AT), (math.pi / 2, 0.0, 0.0))),
            "right": Tip("right_finger", Placement((0.0, 0.0, _PAD_AT), (-math.pi / 2, 0.0, 0.0))),
        },
        grip_links=("left_finger", "right_finger"),
        grip_stiffness=_PAD_STIFFNESS,
        grip_damping=_PAD_DAMPING,
    )


def _housing() -> Link:
    flange = Part(Cylinder(0.032, 0.012), (0.0, 0.0, 0.006), colour=_DARK)
    case = Part(Box((0.062, 0.200, 0.050)), (0.0, 0.0, 0.033), colour=_METAL)
    return Link("hand", made_of((flange, 0.09), (case, 0.64)), (flange, case))


def _finger(side: str, sign: float) -> Link:
    """Origin on the slide, in the plane where the pads meet; y points along the slide."""
    carriage = Part(Box((0.020, 0.024, 0.016)), (0.0, sign * 0.016, 0.008), colour=_DARK)
    finger = Part(Box((0.020, 0.012, 0.042)), (0.0, sign * 0.010, 0.035), colour=_METAL)
    pad = Part(Box((0.020, 0.004, 0.022)), (0.0, sign * 0.002, _PAD_AT), colour=_RUBBER)
    inertial = made_of((carriage, 0.030), (finger, 0.030), (pad, 0.004))
    return Link(f"{side}_finger", inertial, (carriage, finger, pad))


def _slides(force: float) -> tuple[Joint, ...]:
    return tuple(
        Joint(
            f"finger_{side}",
            "prismatic",
            "hand",
            f"{side}_finger",
            (0.0, 0.0, _STROKE_AT),
            axis=(0.0, sign, 0.0),
            upper=TRAVEL,
            effort=force,
            velocity=FINGER_SPEED,
        )
        for side, sign in (("left", 1.0), ("right", -1.0))
    )
