"""Scripts of experts: generators that move joint targets a little in every tick.

A script is written as a person would tell it: `yield from hand.reach(above, down)`, then
`yield from hand.grip(0.0)`. Each `yield` ends a tick; before the next, the desk has the new view.
A script knows what a policy may know, joints, tracked poses and sensors, and nothing else.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Sequence

import numpy as np

from hil.contracts import FloatArray
from hil.kinematics import rotation
from hil.task import Expert, View
from sim.robots.kinematics import tool_pose
from sim.robots.model import Robot
from sim.robots.reach import rotation_vector
from sim.tasks.kit.poses import DOWN, from_vector

Moves = Generator[None, None, None]
Script = Callable[["Desk"], Moves]

_LONGEST_TICK_S = 0.1
_DAMPING = 0.02
_ROUNDS = 3
_LINGER_S = 1.5
"""How long a motion may take to settle after its set-point has arrived."""


class Desk:
    """What a script has before it: the newest view, and the targets that it moves.

    Attributes:
        view: of this tick.
        target: joint targets (n,), rad; scripts change it in place.
        tick_s: time since the last tick.
        stage: how many of the script's moves have begun; who learns from it wants to know.
    """

    def __init__(self) -> None:
        self.view: View
        self.target: FloatArray
        self.tick_s = 0.0
        self.stage = 0
        self._last_s: float | None = None

    def look(self, view: View) -> None:
        """Take the view of a new tick."""
        if self._last_s is None:
            self.target = view.target.copy()
            self._last_s = view.elapsed_s
        self.tick_s = min(_LONGEST_TICK_S, max(0.0, view.elapsed_s - self._last_s))
        self.view, self._last_s = view, view.elapsed_s

    def wait(self, seconds: float) -> Moves:
        """Do nothing for a while."""
        self.stage += 1
        end_s = self.view.elapsed_s + seconds
        while self.view.elapsed_s < end_s:
            yield

    def measured(self, name: str, seconds: float = 0.25) -> Generator[None, None, FloatArray]:
        """Where a tracked thing at rest is, (7,): the mean of what the tracker says meanwhile,
        which has less noise than one pose. The first tenth of a second is left out, since a
        tracker is late."""
        yield from self.wait(0.1)
        end_s = self.view.elapsed_s + seconds
        poses: list[FloatArray] = []
        while not poses or self.view.elapsed_s < end_s:
            pose = self.view.tracked[name]
            poses.append(np.append(pose[:3], pose[3:] * math.copysign(1.0, pose[-1])))
            yield
        mean = np.mean(poses, axis=0)
        return np.append(mean[:3], mean[3:] / np.linalg.norm(mean[3:]))

    def until(self, holds: Callable[[], bool], longest_s: float) -> Moves:
        """Do nothing until something holds, or for `longest_s` at most."""
        self.stage += 1
        end_s = self.view.elapsed_s + longest_s
        while not holds() and self.view.elapsed_s < end_s:
            yield


class Hand:
    """One robot's tool and gripper, in a plant with `names` for motors.

    `at` and `yaw` say where the robot stands; poses are in the base frame of the plant.
    """

    def __init__(
        self,
        desk: Desk,
        robot: Robot,
        names: Sequence[str] | None = None,
        tool: str | None = None,
        at: Sequence[float] = (0.0, 0.0, 0.0),
        yaw: float = 0.0,
    ) -> None:
        all_names = list(names or robot.names)
        found = robot.tools[tool or next(iter(robot.tools))]
        self.desk, self.chain = desk, found.chain
        self.places = np.array([all_names.index(name) for name in found.motors])
        own = [robot.motors[place] for place in robot.places(found.motors)]
        self._lower = np.array([motor.lower for motor in own])
        self._upper = np.array([motor.upper for motor in own])
        self._speed = np.array([motor.speed for motor in own])
        grippers = [name for name in robot.names if name.endswith("gripper")]
        self._gripper = all_names.index(grippers[0]) if grippers else -1
        self._base, self._at = rotation((0.0, 0.0, yaw)), np.array(at)

    def where(self, *, measured: bool = True) -> tuple[FloatArray, FloatArray]:
        """Position (3,) and axes (3, 3) of the tool, as measured or as commanded last."""
        joints = self.desk.view.joints.position if measured else self.desk.target
        pose = tool_pose(self.chain, joints[self.places])
        return self._base @ pose.position + self._at, self._base @ pose.axes

    def reach(
        self,
        position: Sequence[float] | FloatArray,
        axes: FloatArray = DOWN,
        speed: float = 0.25,
        *,
        near: float = 0.003,
        until: Callable[[], bool] | None = None,
    ) -> Moves:
        """Bring the tool to `position` (3,) m with `axes` (3, 3), in a straight line at `speed`
        m/s, turning as it goes; ends when it is measured to be `near` (m), when `until` holds,
        or a little after the set-point has arrived."""
        self.desk.stage += 1
        start, turned = self.where(measured=False)
        goal = np.asarray(position, dtype=np.float64)
        way = float(np.linalg.norm(goal - start))
        turn = rotation_vector(axes @ turned.T)
        longest_s = max(way / speed, float(np.linalg.norm(turn)) / (4 * speed), 0.02)
        done, late_s = 0.0, 0.0
        while True:
            if until is not None and until():
                return
            done = min(1.0, done + self.desk.tick_s / longest_s)
            part = 0.5 - 0.5 * math.cos(math.pi * done)  # starts and stops gently
            self.aim(start + part * (goal - start), from_vector(part * turn) @ turned)
            yield
            if done < 1.0:
                continue
            late_s += self.desk.tick_s
            if late_s > _LINGER_S or np.linalg.norm(self.where()[0] - goal) <= near:
                return

    def aim(self, position: FloatArray, axes: FloatArray | None = None) -> None:
        """Set the targets so that the tool would be at `position` with `axes` (or any, for
        None), as near as the joints' ranges and speeds allow in this tick: damped least
        squares from where the targets are."""
        here = self.desk.target[self.places].copy()
        local = self._base.T @ (position - self._at)
        local_axes = None if axes is None else self._base.T @ axes
        for _ in range(_ROUNDS):
            here = np.clip(
                here + self._correction(here, local, local_axes), self._lower, self._upper
            )
        most = self._speed * max(self.desk.tick_s, 1e-3)
        before = self.desk.target[self.places]
        self.desk.target[self.places] = before + np.clip(here - before, -most, most)

    def grip(self, opening: float, seconds: float = 0.4) -> Moves:
        """Turn the gripper's motor to `opening` (rad) over `seconds`."""
        self.desk.stage += 1
        start, passed_s = float(self.desk.target[self._gripper]), 0.0
        while passed_s < seconds:
            passed_s += self.desk.tick_s
            part = min(1.0, passed_s / seconds)
            self.desk.target[self._gripper] = start + part * (opening - start)
            yield

    def _correction(
        self, joints: FloatArray, position: FloatArray, axes: FloatArray | None
    ) -> FloatArray:
        pose = tool_pose(self.chain, joints)
        error = position - pose.position
        jacobian = pose.jacobian[:3]
        if axes is not None:
            error = np.concatenate([error, 0.2 * rotation_vector(axes @ pose.axes.T)])
            jacobian = np.vstack([jacobian, 0.2 * pose.jacobian[3:]])
        square = jacobian @ jacobian.T + _DAMPING**2 * np.eye(len(jacobian)) * 0.01
        step: FloatArray = jacobian.T @ np.linalg.solve(square, error)
        return step * min(1.0, 0.3 / max(float(np.abs(step).max()), 1e-9))


def scripted(script: Script, at: Desk | None = None) -> Expert:
    """An expert that plays `script` once, and then holds its last target; `at` is the desk that
    the script has before it, for who looks over its shoulder."""
    desk = Desk() if at is None else at
    moves: list[Moves] = []

    def decide(view: View) -> FloatArray:
        desk.look(view)
        if not moves:
            moves.append(script(desk))
        next(moves[0], None)
        return desk.target.copy()

    return decide


def together(*parts: Moves) -> Moves:
    """Several scripts at a time, until the last has ended."""
    running = list(parts)
    while running:
        running = [part for part in running if _goes_on(part)]
        if running:
            yield


def _goes_on(part: Moves) -> bool:
    try:
        next(part)
    except StopIteration:
        return False
    return True
