"""The plants by name: which robots stand where, and the camera before them.

Entry points of group `hil.plants`; each is called with the step rate in Hz.
Errors: BadInput for a rate that it cannot be stepped at.
"""

from __future__ import annotations

from dataclasses import replace

from sim.layout import Layout, Mount
from sim.plant import Plant
from sim.robots import driver as screwdriving
from sim.robots import hand4 as four_fingers
from sim.robots import knife as cutting
from sim.robots import panda as seven_axes
from sim.robots import scoop as scooping
from sim.robots import six_axis as six_axes
from sim.robots import so101 as five_axes
from sim.robots import two_panda as two_arms
from sim.robots import wiper as wiping
from sim.robots.model import Robot
from sim.world import View

_NEAR = View(eye=(-0.02, -0.50, 0.42), target=(0.20, 0.0, 0.12), fov_deg=36.0)
_ARM = View(eye=(1.10, -0.72, 0.66), target=(0.44, 0.0, 0.12), fov_deg=38.0)
_BEFORE = View(eye=(-0.20, -1.08, 0.88), target=(0.45, 0.0, 0.31), fov_deg=44.0)
_BESIDE = View(eye=(0.55, -1.60, 0.95), target=(0.55, 0.0, 0.29), fov_deg=42.0)
_BOARD = View(eye=(0.98, -0.42, 0.82), target=(0.42, -0.02, 0.0), fov_deg=40.0)
_BENCH = View(eye=(0.92, -0.42, 0.42), target=(0.46, 0.0, 0.17), fov_deg=34.0)
_ALONG = View(eye=(1.20, 0.95, 0.95), target=(0.46, -0.16, 0.06), fov_deg=44.0)
_WIDE = View(eye=(-0.42, -1.05, 1.18), target=(0.40, 0.0, 0.46), fov_deg=54.0)
_HAND = View(eye=(0.24, -0.26, 0.26), target=(0.0, 0.0, 0.04), fov_deg=36.0)


def so101(step_hz: int, stiffness: float | None = None) -> Plant:
    """One SO-101-like arm; `stiffness` N·m/rad of its servos, where it differs."""
    return Plant(
        Layout("so101", (Mount(five_axes.robot(stiffness)),), _NEAR, iterations=60), step_hz
    )


def panda(step_hz: int) -> Plant:
    """One Panda-like arm with a parallel gripper, standing on a table."""
    return Plant(_arm_layout("panda", seven_axes.robot()), step_hz)


def panda_cable(step_hz: int) -> Plant:
    """The Panda-like arm over a board on its table, seen from above. Nothing heavy is held, and
    a chain of many parts costs a time a step that grows with the solver's iterations."""
    robot = seven_axes.robot()
    layout = Layout(
        "panda-cable",
        (Mount(robot),),
        _BOARD,
        table=(1.6, 1.6),
        table_at=(0.4, 0.0),
        iterations=60,
    )
    return Plant(layout, step_hz)


def two_panda(step_hz: int) -> Plant:
    """Two Panda-like arms with parallel grippers that face each other over a table: motors
    `left_joint1` to `left_gripper`, then `right_joint1` to `right_gripper`."""
    mounts = (
        Mount(two_arms.left()),
        Mount(two_arms.right(), two_arms.RIGHT_AT, two_arms.RIGHT_YAW),
    )
    middle = two_arms.APART / 2
    layout = Layout("two-panda", mounts, _BESIDE, table=(1.9, 1.4), table_at=(middle, 0.0))
    return Plant(layout, step_hz)


def panda_belt(step_hz: int) -> Plant:
    """One Panda-like arm with a parallel gripper, and a view along a belt that comes from its
    right."""
    robot = seven_axes.robot()
    layout = Layout("panda-belt", (Mount(robot),), _ALONG, table=(1.6, 1.6), table_at=(0.4, 0.0))
    return Plant(layout, step_hz)


def six_axis(step_hz: int) -> Plant:
    """One UR5e-like arm with a parallel gripper on a table, seen from beside and behind it, so
    that what stands before it shows its face."""
    robot = six_axes.robot()
    layout = Layout("six-axis", (Mount(robot),), _BEFORE, table=(1.6, 1.6), table_at=(0.4, 0.0))
    return Plant(layout, step_hz)


def panda_wiper(step_hz: int) -> Plant:
    """One Panda-like arm with a wiping pad on its flange, standing on a table."""
    robot = wiping.robot()
    layout = Layout(
        "panda-wiper",
        (Mount(robot),),
        _WIDE,
        table=(1.6, 1.6),
        table_at=(0.4, 0.0),
        iterations=60,  # nothing is squeezed
    )
    return Plant(layout, step_hz)


def six_axis_knife(step_hz: int) -> Plant:
    """One UR5e-like arm with a carton knife on its flange, standing on a table."""
    return Plant(_arm_layout("six-axis-knife", cutting.robot()), step_hz)


def six_axis_driver(step_hz: int) -> Plant:
    """One UR5e-like arm with a screwdriver on its flange, standing on a table; seen from near, as
    screws are small."""
    return Plant(
        replace(_arm_layout("six-axis-driver", screwdriving.robot()), view=_BENCH), step_hz
    )


def six_axis_scoop(step_hz: int) -> Plant:
    """One UR5e-like arm with a scoop on its flange, standing on a table."""
    layout = _arm_layout("six-axis-scoop", scooping.robot())
    # a hundred loose balls have many contacts, none of which has to hold for long
    return Plant(replace(layout, iterations=50), step_hz)


def hand4(step_hz: int) -> Plant:
    """The four-finger hand, lying palm up."""
    layout = Layout("hand4", (Mount(four_fingers.hand()),), _HAND, table_at=(0.0, 0.0))
    return Plant(layout, step_hz)


def _arm_layout(name: str, robot: Robot) -> Layout:
    return Layout(name, (Mount(robot),), _ARM, table=(1.6, 1.6), table_at=(0.4, 0.0))
