"""Franka-Panda-like arm of seven axes, bare or with the parallel gripper.

Joint origins, ranges, torques and speeds are the published ones of the Franka Emika Panda
(`franka_description` of franka_ros, Apache-2.0). Masses, centres of mass and inertia tensors
are those of the published identification (Gaz, Cognetti, Oliva, Robuffo Giordano, De Luca,
"Dynamic Identification of the Franka Emika Panda Robot With Retrieval of Feasible Parameters
Using Penalty-Based Optimization", IEEE RA-L 4(4), 2019) as the same package lists them: they
are found from motion, not by weighing parts, and are not the maker's own. The bodies' shapes
are primitives of about the real size and not the real parts.
"""

from __future__ import annotations

import math

import numpy as np

from hil.kinematics import Placement
from sim.robots.chains import tool_on
from sim.robots.gripper import gripper
from sim.robots.model import Motor, Robot
from sim.robots.mounting import mounted
from sim.robots.urdf import (
    Body,
    Box,
    Capsule,
    Colour,
    Cylinder,
    Inertial,
    Joint,
    Link,
    Part,
    Vector,
)

HOME = (0.0, -math.pi / 4, 0.0, -3 * math.pi / 4, 0.0, math.pi / 2, math.pi / 4)
"""rad; the maker's ready pose: flange 0.31 m in front of the base and 0.59 m above the table,
pointing down."""

FLANGE = Placement((0.0, 0.0, 0.107))
"""In the frame of `link7`, z out of the flange."""

_H = math.pi / 2
_WHITE: Colour = (0.93, 0.93, 0.94, 1.0)
_GREY: Colour = (0.72, 0.74, 0.77, 1.0)
_DARK: Colour = (0.20, 0.20, 0.22, 1.0)
_ALONG_X: Vector = (0.0, _H, 0.0)
_ALONG_Y: Vector = (_H, 0.0, 0.0)

# at (m), rpy (rad), lower and upper (rad), torque (N·m), speed (rad/s)
_JOINTS: tuple[tuple[Vector, Vector, float, float, float, float], ...] = (
    ((0.0, 0.0, 0.333), (0.0, 0.0, 0.0), -2.8973, 2.8973, 87.0, 2.175),
    ((0.0, 0.0, 0.0), (-_H, 0.0, 0.0), -1.7628, 1.7628, 87.0, 2.175),
    ((0.0, -0.316, 0.0), (_H, 0.0, 0.0), -2.8973, 2.8973, 87.0, 2.175),
    ((0.0825, 0.0, 0.0), (_H, 0.0, 0.0), -3.0718, -0.0698, 87.0, 2.175),
    ((-0.0825, 0.384, 0.0), (-_H, 0.0, 0.0), -2.8973, 2.8973, 12.0, 2.61),
    ((0.0, 0.0, 0.0), (_H, 0.0, 0.0), -0.0175, 3.7525, 12.0, 2.61),
    ((0.088, 0.0, 0.0), (_H, 0.0, 0.0), -2.8973, 2.8973, 12.0, 2.61),
)

_INERTIALS = (
    Inertial(
        0.629769,
        (-0.041018, -0.00014, 0.049974),
        (0.00315, 0.00388, 0.004285, 8.2904e-07, 0.00015, 8.2299e-06),
    ),
    Inertial(
        4.970684,
        (0.003875, 0.002081, -0.04762),
        (0.70337, 0.70661, 0.009117, -0.000139, 0.006772, 0.019169),
    ),
    Inertial(
        0.646926,
        (-0.003141, -0.02872, 0.003495),
        (0.007962, 0.02811, 0.025995, -0.003925, 0.010254, 0.000704),
    ),
    Inertial(
        3.228604,
        (0.027518, 0.039252, -0.066502),
        (0.037242, 0.036155, 0.01083, -0.004761, -0.011396, -0.012805),
    ),
    Inertial(
        3.587895,
        (-0.05317, 0.104419, 0.027454),
        (0.025853, 0.019552, 0.028323, 0.007796, -0.001332, 0.008641),
    ),
    Inertial(
        1.225946,
        (-0.011953, 0.041065, -0.038437),
        (0.035549, 0.029474, 0.008627, -0.002117, -0.004037, 0.000229),
    ),
    Inertial(
        1.666555,
        (0.060149, -0.014117, -0.010517),
        (0.001964, 0.004354, 0.005433, 0.000109, -0.001158, 0.000341),
    ),
    Inertial(
        0.735522,
        (0.010517, -0.004252, 0.061597),
        (0.012516, 0.010027, 0.004815, -0.000428, -0.001196, -0.000741),
    ),
)

_SHAPES: tuple[tuple[Part, ...], ...] = (
    (
        Part(Box((0.200, 0.150, 0.060)), (-0.040, 0.0, 0.030), colour=_WHITE),
        Part(Cylinder(0.070, 0.080), (0.0, 0.0, 0.100), colour=_WHITE),
    ),
    (
        Part(Cylinder(0.060, 0.140), (0.0, 0.0, -0.123), colour=_WHITE),
        Part(Capsule(0.058, 0.110), rpy=_ALONG_Y, colour=_WHITE),
    ),
    (
        Part(Capsule(0.054, 0.130), colour=_GREY),
        Part(Capsule(0.056, 0.120), (0.0, -0.110, 0.0), _ALONG_Y, _WHITE),
    ),
    (
        Part(Cylinder(0.055, 0.090), (0.0, 0.0, -0.075), colour=_WHITE),
        Part(Capsule(0.050, 0.070), (0.040, 0.0, 0.0), _ALONG_X, _WHITE),
    ),
    (
        Part(Capsule(0.052, 0.100), colour=_GREY),
        Part(Capsule(0.048, 0.080), (-0.0400, 0.0, 0.0), _ALONG_X, _WHITE),
        Part(Cylinder(0.050, 0.090), (-0.0825, 0.055, 0.0), _ALONG_Y, _WHITE),
    ),
    (
        Part(Cylinder(0.052, 0.120), (0.0, 0.0, -0.220), colour=_WHITE),
        Part(Capsule(0.042, 0.160), (0.0, 0.020, -0.090), (0.1, 0.0, 0.0), _WHITE),
    ),
    (
        Part(Capsule(0.046, 0.070), colour=_GREY),
        Part(Capsule(0.044, 0.060), (0.050, 0.0, 0.0), _ALONG_X, _WHITE),
    ),
    (
        Part(Cylinder(0.044, 0.090), (0.0, 0.0, 0.045), colour=_WHITE),
        Part(Cylinder(0.032, 0.017), (0.0, 0.0, 0.0985), colour=_DARK),
    ),
)


def arm() -> Robot:
    """The bare arm: motors `joint1` to `joint7`, links `link0` to `link7`, tool `flange`.

    Without power its brakes hold, with at least the motors' torque.
    """
    links = [
        Link(f"link{number}", inertial, parts)
        for number, (inertial, parts) in enumerate(zip(_INERTIALS, _SHAPES, strict=True))
    ]
    joints = [
        Joint(
            f"joint{number}",
            "revolute",
            f"link{number - 1}",
            f"link{number}",
            at,
            rpy,
            lower=lower,
            upper=upper,
            effort=torque,
            velocity=speed,
        )
        for number, (at, rpy, lower, upper, torque, speed) in enumerate(_JOINTS, 1)
    ]
    body = Body("panda", tuple(links), tuple(joints))
    return Robot(
        "panda",
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
        {"flange": tool_on(body, "link7", FLANGE)},
        wrist="joint7",
    )


def robot() -> Robot:
    """The arm with the parallel gripper, turned by -45° on the flange as the maker's hand is:
    at `HOME` its fingers slide along y. Tools `grip` and `flange`."""
    turned = (0.0, 0.0, -math.pi / 4)
    return mounted(arm(), gripper(), "link7", FLANGE.xyz, turned, "panda")
