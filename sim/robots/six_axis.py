"""UR5e-like arm of six axes, bare or with the parallel gripper.

Kinematics are the published Denavit-Hartenberg parameters of the UR5e (Universal Robots,
"DH parameters for calculations of kinematics and dynamics"):

    joint   a (m)      d (m)      alpha (rad)
    1       0          0.1625     pi/2
    2       -0.425     0          0
    3       -0.3922    0          0
    4       0          0.1333     pi/2
    5       0          0.0997     -pi/2
    6       0          0.0996     0

with the base turned by half a turn, so that the arm at zero lies along +x. Masses and centres
of mass are of the same page, inertia tensors, ranges, torques and speeds those of the maker's
description package (`ur_description`, BSD-3-Clause), which gives the elbow half of its range:
it cannot turn further past the upper arm. The base's 4 kg are those of that package, its
inertia that of its cylinder. The bodies' shapes are primitives of about the real size and not
the real parts.
"""

from __future__ import annotations

import math

import numpy as np

from sim.robots.chains import tool_on
from sim.robots.gripper import gripper
from sim.robots.mass import made_of
from sim.robots.model import Motor, Robot
from sim.robots.mounting import mounted
from sim.robots.urdf import (
    Body,
    Capsule,
    Colour,
    Cylinder,
    Inertial,
    Joint,
    Link,
    Part,
    Vector,
)

_H = math.pi / 2
_TURN = 2 * math.pi

HOME = (-0.32, -1.8, 2.0, -_H - 0.2, -_H, -_H - 0.32)
"""rad; elbow up, flange 0.41 m in front of the base and 0.40 m above the table, pointing down
with its x to the front."""

FLANGE = "wrist_3_link"
"""The link whose frame is the flange's, z out of it."""

_BODY: Colour = (0.75, 0.78, 0.82, 1.0)
_LID: Colour = (0.35, 0.62, 0.80, 1.0)
_DARK: Colour = (0.22, 0.23, 0.25, 1.0)
_ALONG_X: Vector = (0.0, _H, 0.0)
_ALONG_Y: Vector = (_H, 0.0, 0.0)

# name, parent, at (m), rpy (rad), range +- (rad), torque (N·m); all turn at half a turn a second
_JOINTS: tuple[tuple[str, str, Vector, Vector, float, float], ...] = (
    ("shoulder_pan", "base", (0.0, 0.0, 0.1625), (0.0, 0.0, math.pi), _TURN, 150.0),
    ("shoulder_lift", "shoulder_link", (0.0, 0.0, 0.0), (_H, 0.0, 0.0), _TURN, 150.0),
    ("elbow", "upper_arm_link", (-0.425, 0.0, 0.0), (0.0, 0.0, 0.0), math.pi, 150.0),
    ("wrist_1", "forearm_link", (-0.3922, 0.0, 0.1333), (0.0, 0.0, 0.0), _TURN, 28.0),
    ("wrist_2", "wrist_1_link", (0.0, -0.0997, 0.0), (_H, 0.0, 0.0), _TURN, 28.0),
    ("wrist_3", "wrist_2_link", (0.0, 0.0996, 0.0), (-_H, 0.0, 0.0), _TURN, 28.0),
)
_SPEED = math.pi

_LINKS = (
    Link(
        "shoulder_link",
        Inertial(
            3.761,
            (0.0, -0.00193, -0.02561),
            (0.0070021, 0.00648091, 0.00657286, 7.3e-07, -1.053e-05, 0.00049994),
        ),
        (
            Part(Cylinder(0.060, 0.090), (0.0, 0.0, -0.030), colour=_BODY),
            Part(Capsule(0.060, 0.060), (0.0, -0.030, 0.0), _ALONG_Y, _BODY),
        ),
    ),
    Link(
        "upper_arm_link",
        Inertial(
            8.058,
            (-0.2125, 0.0, 0.11336),
            (0.01505885, 0.33388086, 0.33247207, -5.4e-05, 5.63e-06, -1.81e-06),
        ),
        (
            Part(Cylinder(0.058, 0.110), (0.0, 0.0, 0.140), colour=_BODY),
            Part(Cylinder(0.055, 0.020), (0.0, 0.0, 0.205), colour=_LID),
            Part(Capsule(0.045, 0.400), (-0.2125, 0.0, 0.138), _ALONG_X, _BODY),
            Part(Cylinder(0.050, 0.100), (-0.425, 0.0, 0.125), colour=_BODY),
            Part(Cylinder(0.047, 0.016), (-0.425, 0.0, 0.183), colour=_LID),
        ),
    ),
    Link(
        "forearm_link",
        Inertial(
            2.846,
            (-0.2422, 0.0, 0.0265),
            (0.00399632, 0.07879254, 0.0784851, -1.365e-05, 0.00137272, -6.6e-06),
        ),
        (
            Part(Cylinder(0.048, 0.110), (0.0, 0.0, 0.015), colour=_BODY),
            Part(Capsule(0.040, 0.360), (-0.196, 0.0, 0.007), _ALONG_X, _BODY),
            Part(Cylinder(0.040, 0.120), (-0.3922, 0.0, 0.030), colour=_BODY),
            Part(Cylinder(0.038, 0.014), (-0.3922, 0.0, -0.037), colour=_LID),
        ),
    ),
    Link(
        "wrist_1_link",
        Inertial(
            1.37,
            (0.0, -0.01634, -0.0018),
            (0.00165491, 0.00135962, 0.00126279, -2.82e-06, -4.38e-06, 0.00010157),
        ),
        (
            Part(Cylinder(0.038, 0.085), (0.0, 0.0, 0.0), colour=_BODY),
            Part(Cylinder(0.036, 0.012), (0.0, 0.0, 0.0485), colour=_LID),
            Part(Cylinder(0.036, 0.060), (0.0, -0.030, 0.0), _ALONG_Y, _BODY),
        ),
    ),
    Link(
        "wrist_2_link",
        Inertial(
            1.3,
            (0.0, 0.01634, -0.0018),
            (0.00135617, 0.00127827, 0.00096614, -2.74e-06, 4.44e-06, -5.048e-05),
        ),
        (
            Part(Cylinder(0.038, 0.080), (0.0, 0.0, 0.0), colour=_BODY),
            Part(Cylinder(0.036, 0.012), (0.0, 0.0, 0.046), colour=_LID),
            Part(Cylinder(0.036, 0.056), (0.0, 0.028, 0.0), _ALONG_Y, _BODY),
        ),
    ),
    Link(
        "wrist_3_link",
        Inertial(
            0.365,
            (0.0, 0.0, -0.001159),
            (0.00018694, 0.00018908, 0.00025756, 6e-08, -1.7e-07, -9.2e-07),
        ),
        (
            Part(Cylinder(0.036, 0.034), (0.0, 0.0, -0.025), colour=_BODY),
            Part(Cylinder(0.032, 0.008), (0.0, 0.0, -0.004), colour=_DARK),
        ),
    ),
)


def arm() -> Robot:
    """The bare arm: motors `shoulder_pan` to `wrist_3`, tool `flange`.

    Without power its brakes hold, with at least the motors' torque.
    """
    joints = tuple(
        Joint(
            name,
            "revolute",
            parent,
            link.name,
            at,
            rpy,
            lower=-turn,
            upper=turn,
            effort=torque,
            velocity=_SPEED,
        )
        for (name, parent, at, rpy, turn, torque), link in zip(_JOINTS, _LINKS, strict=True)
    )
    body = Body("six-axis", (_base(), *_LINKS), joints)
    return Robot(
        "six-axis",
        body,
        tuple(
            Motor(
                joint.name,
                ((joint.name, 1.0),),
                joint.lower,
                joint.upper,
                joint.effort,
                joint.velocity,
                friction=joint.effort,
            )
            for joint in joints
        ),
        np.array(HOME),
        {"flange": tool_on(body, FLANGE)},
        wrist="wrist_3",
    )


def robot() -> Robot:
    """The arm with the parallel gripper; tools `grip` and `flange`."""
    return mounted(arm(), gripper(), FLANGE, name="six-axis")


def _base() -> Link:
    foot = Part(Cylinder(0.075, 0.087), (0.0, 0.0, 0.0435), colour=_BODY)
    return Link("base", made_of((foot, 4.0)), (foot,))
