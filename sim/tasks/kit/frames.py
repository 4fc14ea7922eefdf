"""Frames of things that a robot works on: places and directions told from the thing's side.

A panel, a cupboard or a bin that stands before the robot has x away from the robot, into it, y
to the left and z up.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hil.contracts import FloatArray
from hil.errors import HarnessError
from sim.robots.model import Robot
from sim.robots.reach import limb, reach
from sim.tasks.kit.poses import from_vector, matrix_of
from sim.tasks.kit.script import Hand, Moves

FACING: FloatArray = np.array([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [-1.0, 0.0, 0.0]])
"""Axes of a tool that points into a thing (z along its x) with fingers side by side (y)."""

READY_M = (0.40, 0.0, 0.48)
"""Base frame; nearer than anything that such an arm works on, and higher than a hand is long."""

_ELBOW_UP = (-0.35, -1.45, 2.3, -4.0, -1.2, math.pi / 2)
_MIRRORED = (math.pi + 0.35, -math.pi + 1.45, -2.3, math.pi + 4.0 - 2 * math.pi, 1.2, -math.pi / 2)
"""rad, of the six-axis arm: two ways to stand before a thing, each the other's mirror image. The
second wrist joint is stretched out, and the arm stuck, where the tool points some 60 degrees to
the left with the first, to the right with the second."""


@dataclass(frozen=True, slots=True)
class Frame:
    """`axes` (3, 3) as columns and `origin` (3,), m, in the base frame."""

    axes: FloatArray
    origin: FloatArray

    @classmethod
    def of(cls, pose: FloatArray) -> Frame:
        """Of a tracked pose (7,)."""
        return cls(matrix_of(pose[3:]), pose[:3])

    def place(self, local: Sequence[float] | FloatArray) -> FloatArray:
        """Base frame (3,) of a place told in this one."""
        return np.asarray(self.origin + self.axes @ np.asarray(local, dtype=np.float64))

    def turned(self, local: FloatArray) -> FloatArray:
        """Base frame (3, 3) of axes told in this one."""
        return np.asarray(self.axes @ local)

    def about(self, axis: Sequence[float], angle: float) -> Frame:
        """The frame after a turn by `angle` rad about its own unit `axis`."""
        return Frame(self.axes @ from_vector(angle * np.asarray(axis)), self.origin)

    def along(self, axis: Sequence[float], way: float) -> Frame:
        """The frame after a way of `way` m along its own unit `axis`."""
        return Frame(self.axes, self.place(way * np.asarray(axis)))


def rolled(roll: float, axes: FloatArray = FACING) -> FloatArray:
    """`axes` (3, 3) turned by `roll` rad about the x of the thing, as a knob is turned."""
    return np.asarray(from_vector(np.array([roll, 0.0, 0.0])) @ axes)


class Before:
    """A hand that works on one thing: it goes to places in the thing's frame and rolls about
    the thing's x as far as it is told, also by more than half a turn.

    Attributes:
        local, roll: where it was sent last.
    """

    def __init__(self, hand: Hand, frame: Frame, axes: FloatArray = FACING) -> None:
        self.hand, self.frame, self._axes = hand, frame, axes
        position, _ = hand.where(measured=False)
        self.local: FloatArray = frame.axes.T @ (position - frame.origin)
        self.roll = 0.0

    def square_up(self) -> Moves:
        """Turn the tool to the thing's frame, where it is."""
        yield from self.hand.reach(
            self.frame.place(self.local), self.frame.turned(rolled(self.roll, self._axes))
        )

    def go(
        self,
        local: Sequence[float] | FloatArray,
        roll: float | None = None,
        speed: float = 0.2,
        roll_speed: float = 1.5,
    ) -> Moves:
        """Evenly to `local` (3,) m and `roll` rad, at `speed` m/s and `roll_speed` rad/s at most
        on the average, starting and stopping gently."""
        start, begun = self.local, self.roll
        goal, end = np.asarray(local, dtype=np.float64), begun if roll is None else roll
        seconds = max(
            float(np.linalg.norm(goal - start)) / speed, abs(end - begun) / roll_speed, 0.05
        )
        passed_s = 0.0
        while passed_s < seconds:
            passed_s += self.hand.desk.tick_s or 1e-3
            part = 0.5 - 0.5 * math.cos(math.pi * min(1.0, passed_s / seconds))
            self.local, self.roll = start + part * (goal - start), begun + part * (end - begun)
            axes = self.frame.turned(rolled(self.roll, self._axes))
            self.hand.aim(self.frame.place(self.local), axes)
            yield


def ready(robot: Robot, *, mirrored: bool = False) -> FloatArray:
    """Motors' positions (n,) in which the six-axis arm waits before a thing, its tool at
    `READY_M` and pointing straight on, the rest as at home. Between there and home its joints
    may turn in any order without the tool meeting the table."""
    arm = limb(robot)
    seed = np.array(_MIRRORED if mirrored else _ELBOW_UP)
    fits = len(arm.motors) == len(seed)
    found = reach(arm, np.array(READY_M), FACING, seed, tries=1) if fits else None
    if found is None:
        raise HarnessError(f"{robot.name} cannot reach {READY_M} m", "it is no six-axis arm")
    start = robot.home.copy()
    start[robot.places(arm.motors)] = found
    return start
