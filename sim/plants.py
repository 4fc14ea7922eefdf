"""The plants by name: which robots stand where, and the camera before them.

Entry points of group `hil.plants`; each is called with the step rate in Hz.
Errors: BadInput for a rate that it cannot be stepped at.
"""

from __future__ import annotations

from sim.plant import Layout, Mount, Plant
from sim.robots import hand4 as four_fingers
from sim.robots import panda as seven_axes
from sim.robots import six_axis as six_axes
from sim.robots import so101 as five_axes
from sim.robots.model import Robot
from sim.world import View

_NEAR = View(eye=(-0.02, -0.50, 0.42), target=(0.20, 0.0, 0.12), fov_deg=36.0)
_ARM = View(eye=(1.10, -0.72, 0.66), target=(0.44, 0.0, 0.12), fov_deg=38.0)
_BEFORE = View(eye=(-0.20, -1.08, 0.88), target=(0.45, 0.0, 0.31), fov_deg=44.0)
_HAND = View(eye=(0.24, -0.26, 0.26), target=(0.0, 0.0, 0.04), fov_deg=36.0)


def so101(step_hz: int, stiffness: float | None = None) -> Plant:
    """One SO-101-like arm; `stiffness` N·m/rad of its servos, where it differs."""
    return Plant(
        Layout("so101", (Mount(five_axes.robot(stiffness)),), _NEAR, iterations=60), step_hz
    )


def panda(step_hz: int) -> Plant:
    """One Panda-like arm with a parallel gripper, standing on a table."""
    return Plant(_arm_layout("panda", seven_axes.robot()), step_hz)


def six_axis(step_hz: int) -> Plant:
    """One UR5e-like arm with a parallel gripper on a table, seen from beside and behind it, so
    that what stands before it shows its face."""
    robot = six_axes.robot()
    layout = Layout("six-axis", (Mount(robot),), _BEFORE, table=(1.6, 1.6), table_at=(0.4, 0.0))
    return Plant(layout, step_hz)


def hand4(step_hz: int) -> Plant:
    """The four-finger hand, lying palm up."""
    layout = Layout("hand4", (Mount(four_fingers.hand()),), _HAND, table_at=(0.0, 0.0))
    return Plant(layout, step_hz)


def _arm_layout(name: str, robot: Robot) -> Layout:
    return Layout(name, (Mount(robot),), _ARM, table=(1.6, 1.6), table_at=(0.4, 0.0))
