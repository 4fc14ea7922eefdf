"""An archetype of manipulation as data: what is its own is a few functions, the rest is here.

Implements `hil.task.EmbodiedTask`. Networks of all such archetypes see and answer in one form:
`observation` (1, m), float32, is joint positions, the lead of the targets over them, tracked
poses in the order of their names (each as position and, where it has one, yaw as sine and
cosine, or the quaternion with w >= 0), sensors in the order of their roles with what is absent
as 0 and a flag a value, the time in s, and what the network handed on to itself in its output
`memory` (1, k), 0 at first; `action` (1, n) is the change of every target in this tick, as a
share of `action_limit` in -1 .. 1. An arm's network may be told what the episode asks, and then
sees and answers as `sim.tasks.kit.brief` says.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Generic, TypeVar, cast

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from hil.contracts import FloatArray
from hil.errors import HarnessError, ModelRefused
from hil.record.format import Episode
from hil.task import Condition, Draw, Expert, Score, View
from sim.robots.model import Robot
from sim.tasks.kit.brief import Brief
from sim.tasks.kit.script import Script, scripted
from sim.tasks.kit.seen import Seen

P = TypeVar("P", bound=BaseModel)


def _never(_witness: Mapping[str, float]) -> bool:
    return False


def _nothing(_seen: Seen, _draw: Draw, _asked: BaseModel) -> Mapping[str, float | None]:
    return {}


@dataclass(frozen=True)
class Job(Generic[P]):
    """One archetype.

    Attributes:
        name: of the archetype.
        Parameters: schema of the `[task]` table of a scenario; refuses what the archetype
            cannot do.
        make_robot: the robot that does it; its motors are the joints of the job.
        scene: `elements`, `poses`, `start` and whatever else the draw of an episode holds.
        conditions: the named parts of success, of what the record shows.
        script: the scripted expert of one episode, given its draw.
        finished: whether nothing that happens later can change the score for the better.
        measures: figures beside success.
        tracks: whether the tracker is asked in every tick.
        action_limit: rad, the most by which a network moves a target in a tick.
        memory: how many numbers a network may hand on to itself.
        brief: what this episode asks, where a network is told.
    """

    name: str
    Parameters: type[P]
    make_robot: Callable[[], Robot]
    scene: Callable[[P, np.random.Generator, Robot], dict[str, object]]
    conditions: Callable[[Seen, Draw, P], tuple[Condition, ...]]
    script: Callable[[Draw, Robot], Script]
    finished: Callable[[Mapping[str, float]], bool] = _never
    measures: Callable[[Seen, Draw, P], Mapping[str, float | None]] = _nothing
    tracks: bool = True
    action_limit: float = 0.05
    memory: int = 1
    brief: Brief | None = None
    kind: str = "embodied"

    @cached_property
    def robot(self) -> Robot:
        return self.make_robot()

    def _remembered(self, view: View) -> FloatArray:
        if not view.memory.size:
            return self._nothing
        if view.memory.size != self.memory:
            raise ModelRefused(
                f"the network's output 'memory' has {view.memory.size} numbers,"
                f" {self.name} hands on {self.memory}",
                f"use a network whose output 'memory' is (1, {self.memory})",
            )
        return view.memory

    @cached_property
    def _nothing(self) -> FloatArray:
        return np.zeros(self.memory)

    def joint_names(self, parameters: BaseModel) -> tuple[str, ...]:
        return self.robot.names

    def draw(self, parameters: BaseModel, rng: np.random.Generator) -> Draw:
        return self.scene(self._checked(parameters), rng, self.robot)

    def start_pose(self, draw: Draw) -> FloatArray:
        return np.array(cast(list[float], draw["start"]), dtype=np.float64)

    def briefed(self, draw: Draw) -> Job[P]:
        """This job as a network sees it that is told what an episode asks."""
        brief = Brief.of(draw, self.robot)
        return self if brief is None else replace(self, brief=brief)

    def observe(self, view: View) -> Mapping[str, NDArray[np.float32]]:
        if self.brief is not None:
            return self.brief.observe(view)
        position = view.joints.position
        parts = [position, view.target - position]
        parts += [_plain(view.tracked[name]) for name in sorted(view.tracked)]
        for role in sorted(view.sensors):
            sample = view.sensors[role]
            parts += [np.where(sample.present, sample.value, 0.0), sample.present.astype(float)]
        parts.append(np.array([view.elapsed_s]))
        parts.append(self._remembered(view))
        return {"observation": np.concatenate(parts).astype(np.float32)[None]}

    def channels(self, view: View) -> list[str]:
        """Names of the numbers in `observe` of such a view, for a network's card."""
        if self.brief is not None:
            return self.brief.channels(view)
        names = [f"{name}.position_rad" for name in self.robot.names]
        names += [f"{name}.target_less_position_rad" for name in self.robot.names]
        for name in sorted(view.tracked):
            parts = _PARTS.get(len(view.tracked[name]), ())
            count = len(_plain(view.tracked[name]))
            names += [f"{name}.{parts[i] if parts else i}" for i in range(count)]
        for role in sorted(view.sensors):
            count = view.sensors[role].value.size
            names += [f"{role}.{i}" for i in range(count)]
            names += [f"{role}.{i}_present" for i in range(count)]
        return [*names, "elapsed_s", *(f"memory.{i}" for i in range(self.memory))]

    def act(self, outputs: Mapping[str, NDArray[np.float32]], view: View) -> FloatArray:
        if self.brief is not None:
            if "reach" not in outputs:
                raise ModelRefused(
                    f"the network answers {', '.join(sorted(outputs))} and no 'reach'",
                    f"{self.name} is told what is asked, and answers where its tools have to be",
                )
            return self.brief.act(outputs["reach"], view)
        change = outputs["action"].astype(np.float64).reshape(len(view.target))
        return np.asarray(view.target + self.action_limit * np.clip(change, -1.0, 1.0))

    def expert(self, draw: Draw) -> Expert:
        return scripted(self.script(draw, self.robot))

    def score(self, episode: Episode, parameters: BaseModel) -> Score:
        asked, seen = self._checked(parameters), Seen.of(episode)
        found = self.measures(seen, episode.draw, asked)
        return Score(
            self.conditions(seen, episode.draw, asked),
            {name: value for name, value in found.items() if value is not None},
        )

    def _checked(self, parameters: BaseModel) -> P:
        if not isinstance(parameters, self.Parameters):
            raise HarnessError(f"{self.name} was given parameters of {type(parameters).__name__}")
        return parameters


_PARTS = {
    3: ("x_m", "y_m", "z_m"),
    4: ("x_m", "y_m", "z_m", "yaw_sine", "yaw_cosine"),
    7: ("x_m", "y_m", "z_m", "qx", "qy", "qz", "qw"),
}
"""Of a tracked pose by how many numbers it has."""


def _plain(pose: FloatArray) -> FloatArray:
    """A tracked pose for a network: continuous, with no two forms for one pose."""
    if len(pose) == 4:
        return np.array([*pose[:3], np.sin(pose[3]), np.cos(pose[3])])
    if len(pose) == 7 and pose[6] < 0:
        return np.array([*pose[:3], *-pose[3:]])
    return pose
