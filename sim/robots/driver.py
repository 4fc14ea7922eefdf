"""The UR5e-like arm with a screwdriver on its flange, in place of a gripper.

Own design of about the size of the handheld-class spindles that arms carry: a housing with a
geared motor, and a bit that it turns without end. The rating (25 N·m, 240 turns a minute without
load) is an engineering assumption between the smaller, faster spindles for M4 and the larger
ones for M8. The bit that fits the screw is in the chuck: it is drawn as one bit, and how it meets
a screw is told by the screw (`sim.scenery.screw`).

`_REFLECTED` is the motor's rotor as it is felt behind its gear: it counts in the bit's inertia
about its axis (as that of a thin disc, so half of it about the axes across).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from hil.kinematics import Placement
from sim.robots import six_axis
from sim.robots.chains import tool_on
from sim.robots.mass import made_of
from sim.robots.model import Motor, Robot
from sim.robots.mounting import mounted
from sim.robots.urdf import Body, Colour, Cylinder, Inertial, Joint, Link, Part

BIT = "bit"
"""Link that turns; its frame is at the bit's tip, z out of it."""
SPINDLE = "spindle"
TOOL = "tip"
"""The bit's tip; does not turn with the spindle."""
TIP = 0.200
"""m in front of the flange."""
TORQUE, SPEED = 25.0, 25.0
"""N·m and rad/s."""
RANGE = 400.0
"""rad either way: more than any screw takes."""

_REFLECTED = 5e-4  # kg·m²
_LONG = 0.070  # m, of the bit
_CASE: Colour = (0.20, 0.45, 0.30, 1.0)
_DARK: Colour = (0.18, 0.18, 0.20, 1.0)
_STEEL: Colour = (0.75, 0.77, 0.80, 1.0)


def driver() -> Robot:
    """The tool alone: links `driver` and `bit`, motor `spindle`, tool `tip`."""
    plate = Part(Cylinder(0.032, 0.010), (0.0, 0.0, 0.005), colour=_DARK)
    case = Part(Cylinder(0.026, 0.110), (0.0, 0.0, 0.065), colour=_CASE)
    housing = Link("driver", made_of((plate, 0.10), (case, 0.75)), (plate, case))
    chuck = Part(Cylinder(0.009, 0.025), (0.0, 0.0, -0.060), colour=_DARK)
    shank = Part(Cylinder(0.003, _LONG), (0.0, 0.0, -_LONG / 2), colour=_STEEL)
    flag = Part(Cylinder(0.002, 0.010), (0.006, 0.0, -0.047), colour=_CASE, solid=False)
    inertial = _with_rotor(made_of((chuck, 0.040), (shank, 0.015)))
    joint = Joint(
        SPINDLE,
        "revolute",
        "driver",
        BIT,
        (0.0, 0.0, TIP),
        lower=-RANGE,
        upper=RANGE,
        effort=TORQUE,
        velocity=SPEED,
    )
    body = Body("driver", (housing, Link(BIT, inertial, (chuck, shank, flag))), (joint,))
    motor = Motor(SPINDLE, ((SPINDLE, 1.0),), -RANGE, RANGE, TORQUE, SPEED, friction=0.5)
    tool = tool_on(body, "driver", Placement((0.0, 0.0, TIP)))
    return Robot("driver", body, (motor,), np.zeros(1), {TOOL: tool})


def robot() -> Robot:
    """The arm with the screwdriver; tools `tip` and `flange`, a wrist sensor behind the last
    joint."""
    return mounted(six_axis.arm(), driver(), six_axis.FLANGE, name="six-axis-driver")


def _with_rotor(bare: Inertial) -> Inertial:
    xx, yy, zz, xy, xz, yz = bare.tensor
    half = _REFLECTED / 2
    return replace(bare, tensor=(xx + half, yy + half, zz + _REFLECTED, xy, xz, yz))
