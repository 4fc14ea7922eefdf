"""What a network of an arm's job is told, sees and answers once it knows what an episode asks.

A scripted expert is given the draw and takes from it what was arranged on purpose: goals, sizes,
which way. A network is given the same numbers beside what a policy sees, and never where things
are. It answers where the tools have to be, and the targets of all motors that move no tool
(grippers, a spindle); the targets of the arms follow by inverse kinematics.

`observation` (1, m), float32: joint positions; lead of the targets over them; poses of the tools
as measured and as commanded, in the base of each tool's chain; tracked poses in the order of
their names; sensors in the order of their roles, with what is absent as 0 and a flag a value;
what is asked; the time in s; and what the network handed on to itself in its output `memory`,
0 at first. A pose is its position and the first two columns of its rotation, which is
continuous. `reach` (1, k) is a pose for each tool, in m, whose columns need not be normal, and
the other motors' targets in rad.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from hil.contracts import FloatArray
from hil.errors import ModelRefused
from hil.task import Draw, View
from sim.robots.kinematics import tool_pose
from sim.robots.model import Robot, Tool
from sim.tasks.kit.poses import matrix_of
from sim.tasks.kit.script import Desk, Hand

_ARRANGED = frozenset({"poses", "elements", "tracker", "start"})
"""Of a draw: where things are and what nobody knows. All its other numbers are what is asked."""
_ARM_MOTORS = 6
"""A tool with as many can be brought to any pose."""
_POSE = ("x_m", "y_m", "z_m", "ax", "ay", "az", "bx", "by", "bz")
_PARTS = {3: _POSE[:3], 4: (*_POSE[:3], "yaw_cosine", "yaw_sine"), 7: _POSE}


@dataclass(frozen=True)
class Brief:
    """Of one episode of a job of `robot`: `asked` are numbers by name."""

    robot: Robot
    asked: Mapping[str, float]

    @classmethod
    def of(cls, draw: Draw, robot: Robot) -> Brief | None:
        """What a draw asks; None for a robot without arms, whose networks are told nothing."""
        if not arms_of(robot):
            return None
        table = {key: value for key, value in draw.items() if key not in _ARRANGED}
        return cls(robot, dict(_numbers("", table)))

    @cached_property
    def arms(self) -> Mapping[str, Tool]:
        return arms_of(self.robot)

    @cached_property
    def others(self) -> list[int]:
        """Places of the motors that move no tool."""
        moving = {motor for tool in self.arms.values() for motor in tool.motors}
        return [k for k, name in enumerate(self.robot.names) if name not in moving]

    def observe(self, view: View) -> Mapping[str, NDArray[np.float32]]:
        position = view.joints.position
        parts = [position, view.target - position]
        parts += [self.tools(position), self.tools(view.target)]
        parts += [_plain(view.tracked[name]) for name in sorted(view.tracked)]
        samples = [view.sensors[role] for role in sorted(view.sensors)]
        parts += [np.where(sample.present, sample.value, 0.0) for sample in samples]
        parts += [sample.present.astype(float) for sample in samples]
        parts += [np.array([*self.asked.values(), view.elapsed_s]), self._remembered(view)]
        return {"observation": np.concatenate(parts).astype(np.float32)[None]}

    def channels(self, view: View) -> list[str]:
        """Names of the numbers in `observe` of such a view, for a network's card."""
        names = [f"{name}.position_rad" for name in self.robot.names]
        names += [f"{name}.target_less_position_rad" for name in self.robot.names]
        names += [f"{name}.{part}" for name in self.arms for part in _POSE]
        names += [f"{name}.commanded.{part}" for name in self.arms for part in _POSE]
        names += self._filtered(view)
        for role in sorted(view.sensors):
            names += [f"{role}.{k}_present" for k in range(view.sensors[role].value.size)]
        names += [f"asked.{name}" for name in self.asked]
        return [*names, "elapsed_s", *(f"memory.{k}" for k in range(self.memory(view)))]

    def answers(self) -> list[str]:
        """Names of the numbers in `reach`."""
        names = [f"{name}.{part}" for name in self.arms for part in _POSE]
        return names + [f"{self.robot.names[k]}.position_rad" for k in self.others]

    def memory(self, view: View) -> int:
        """How many numbers a network hands on: two, and three for each that a tracker or sensor
        says, since what these said before is what there is to remember."""
        return 2 + 3 * len(self._filtered(view))

    def tools(self, joints: FloatArray) -> FloatArray:
        """Poses (9 t,) of the tools at positions or targets (n,) of all motors."""
        found = []
        for tool in self.arms.values():
            pose = tool_pose(tool.chain, joints[self.robot.places(tool.motors)])
            found.append(_columns(pose.position, pose.axes))
        return np.concatenate(found)

    def reach_of(self, target: FloatArray) -> FloatArray:
        """The answer (k,) that means these targets (n,)."""
        return np.concatenate([self.tools(target), target[self.others]])

    def act(self, reach: NDArray[np.float32], view: View) -> FloatArray:
        """Targets (n,), rad, by damped least squares from the last ones, as far as motors' ranges
        and speeds allow in a tick; NaN for an answer that is not finite."""
        wanted = reach.astype(np.float64).reshape(-1)
        if wanted.size != 9 * len(self.arms) + len(self.others):
            raise ModelRefused(
                f"the network's output 'reach' has {wanted.size} numbers, {self.robot.name} is"
                f" told {', '.join(self.answers())}",
                "use a network that was taught on this robot",
            )
        if not np.isfinite(wanted).all():
            return np.full(len(view.target), np.nan)  # which the loop takes for no answer
        desk = Desk()
        desk.look(view)
        desk.tick_s = view.elapsed_s / max(1, view.tick)
        for name, pose in zip(self.arms, wanted[: 9 * len(self.arms)].reshape(-1, 9), strict=True):
            Hand(desk, self.robot, tool=name).aim(pose[:3], _axes(pose[3:]))
        speeds = np.array([motor.speed for motor in self.robot.motors])[self.others]
        most = speeds * desk.tick_s
        change = wanted[9 * len(self.arms) :] - desk.target[self.others]
        desk.target[self.others] += np.clip(change, -most, most)
        return np.clip(desk.target, self.robot.lower, self.robot.upper)

    def _filtered(self, view: View) -> list[str]:
        names = []
        for name in sorted(view.tracked):
            names += [f"{name}.{part}" for part in _PARTS[len(view.tracked[name])]]
        for role in sorted(view.sensors):
            names += [f"{role}.{k}" for k in range(view.sensors[role].value.size)]
        return names

    def _remembered(self, view: View) -> FloatArray:
        size = self.memory(view)
        if view.memory.size not in (0, size):
            raise ModelRefused(
                f"the network's output 'memory' has {view.memory.size} numbers, here {size} are"
                " handed on",
                f"use a network whose output 'memory' is (1, {size})",
            )
        return view.memory if view.memory.size else np.zeros(size)


def arms_of(robot: Robot) -> dict[str, Tool]:
    """Tools that can be brought to any pose, the first of each set of motors."""
    found: dict[str, Tool] = {}
    for name, tool in robot.tools.items():
        known = any(tool.motors == other.motors for other in found.values())
        if len(tool.motors) >= _ARM_MOTORS and not known:
            found[name] = tool
    return found


def _numbers(name: str, value: object) -> list[tuple[str, float]]:
    """All numbers in plain data, by the path to them; a pose (7,) as other poses are given."""
    if isinstance(value, Mapping):
        return [
            one
            for key in sorted(value)
            for one in _numbers(f"{name}.{key}" if name else str(key), value[key])
        ]
    if isinstance(value, Sequence) and not isinstance(value, str):
        if len(value) == 7 and name.startswith("goals."):
            parts = _plain(np.array(value, dtype=np.float64))
            return [(f"{name}.{part}", float(x)) for part, x in zip(_POSE, parts, strict=True)]
        return [one for k, item in enumerate(value) for one in _numbers(f"{name}.{k}", item)]
    return [(name, float(value))] if isinstance(value, int | float) else []


def _plain(pose: FloatArray) -> FloatArray:
    """A tracked pose for a network: continuous, with no two forms for one pose."""
    if len(pose) == 4:
        return np.array([*pose[:3], np.cos(pose[3]), np.sin(pose[3])])
    return _columns(pose[:3], matrix_of(pose[3:])) if len(pose) == 7 else pose


def _columns(position: FloatArray, axes: FloatArray) -> FloatArray:
    return np.concatenate([position, axes[:, 0], axes[:, 1]])


def _axes(columns: FloatArray) -> FloatArray:
    """Rotation (3, 3) nearest in its first column to two columns (6,): Gram and Schmidt."""
    first = columns[:3] / max(float(np.linalg.norm(columns[:3])), 1e-6)
    second = columns[3:] - first * float(first @ columns[3:])
    second = second / max(float(np.linalg.norm(second)), 1e-6)
    return np.stack([first, second, np.cross(first, second)], axis=1)
