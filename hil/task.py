"""What an archetype promises: the parametric job behind scenarios.

An archetype is found by name in the entry-point group `hil.tasks`. It owns its parameters'
schema, the draw of an episode, the mapping between record channels and model channels, and
the score. It never touches a device and imports no physics: scoring an old record needs
nothing but numpy.

Two kinds of job share one loop: in an *embodied* job the loop senses joints and commands
them; in a *stimulus* job it shows the terminal one prepared input a tick and records the
answer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from hil.contracts import FloatArray, JointSample, SensorSample
from hil.record.format import Episode

Draw = Mapping[str, object]
"""Plain data (JSON) that fixes everything random about one episode."""


@dataclass(frozen=True, slots=True)
class Condition:
    """One named part of success. `ok` is None where the rig could not observe it.

    `limit` reads as the specification does, for example "<= 20 N".
    """

    name: str
    value: float | None
    unit: str
    limit: str
    ok: bool | None


@dataclass(frozen=True, slots=True)
class Score:
    """What the record shows of one episode.

    `success` is True only where every condition is shown to hold, False where one is shown
    not to, and None where that could not be observed.
    """

    conditions: tuple[Condition, ...]
    measures: Mapping[str, float] = field(default_factory=dict)

    @property
    def success(self) -> bool | None:
        verdicts = [condition.ok for condition in self.conditions]
        if not verdicts:
            return None
        if any(ok is False for ok in verdicts):
            return False
        return None if any(ok is None for ok in verdicts) else True


@dataclass(frozen=True, slots=True)
class View:
    """What an embodied policy may know at one tick.

    `joints` holds last known values where the scenario's rule allows it; `target` is the
    last target that was applied, shape (n,), rad; `goal` is what the tracker said before the
    first tick, `tracked` what it said last, `tracked_age_s` ago. `sensors` are the newest
    samples of the scenario's sensor roles. `memory` is the output of that name of the last
    inference that was answered, for networks that hand something on to themselves; empty before.
    """

    tick: int
    elapsed_s: float
    joints: JointSample
    target: FloatArray
    goal: Mapping[str, FloatArray]
    tracked: Mapping[str, FloatArray] = field(default_factory=dict)
    tracked_age_s: float = 0.0
    sensors: Mapping[str, SensorSample] = field(default_factory=dict)
    memory: FloatArray = field(default_factory=lambda: np.zeros(0))


Expert = Callable[[View], FloatArray]
"""A scripted expert in one episode: joint targets in rad, (n,), of each view in turn."""


class Task(Protocol):
    """Common to both kinds of job."""

    Parameters: type[BaseModel]
    """Schema of the `[task]` table of a scenario; refuses what the archetype cannot do."""

    kind: str
    """"embodied" or "stimulus"."""

    def draw(self, parameters: BaseModel, rng: np.random.Generator) -> Draw:
        """Everything random about one episode; all of it from `rng`."""
        ...

    def score(self, episode: Episode, parameters: BaseModel) -> Score:
        """Pure function of the record; the same for sim, twin and real."""
        ...


class EmbodiedTask(Task, Protocol):
    """A job done with joints in a scene."""

    tracks: bool
    """Whether the tracker is asked in every tick, and not only before the first."""

    def joint_names(self, parameters: BaseModel) -> tuple[str, ...]:
        """The joints that the job commands, in the order of its targets; a rig with others
        cannot do it."""
        ...

    def start_pose(self, draw: Draw) -> FloatArray:
        """Joint positions from which the episode starts, rad, in the arm's joint order."""
        ...

    def observe(self, view: View) -> Mapping[str, NDArray[np.float32]]:
        """Model inputs by name, batch axis first."""
        ...

    def act(self, outputs: Mapping[str, NDArray[np.float32]], view: View) -> FloatArray:
        """Joint targets in rad, shape (n,), from the model's outputs."""
        ...

    def expert(self, draw: Draw) -> Expert:
        """A scripted expert for one episode: the ceiling, and the teacher of policies. Of the
        draw it may know what was arranged on purpose, never where things are."""
        ...

    def finished(self, witness: Mapping[str, float]) -> bool:
        """True once nothing that happens later can change the score for the better."""
        ...


@runtime_checkable
class Briefs(Protocol):
    """A job whose network is told, beside what it sees, what an episode asks."""

    def briefed(self, draw: Draw) -> EmbodiedTask:
        """The job as such a network sees and answers it. It is told no more of the draw than an
        expert."""
        ...


class StimulusTask(Task, Protocol):
    """A job of looking at, or listening to, what is shown."""

    def stimuli(self, draw: Draw) -> Sequence[Mapping[str, NDArray[np.float32] | bytes]]:
        """Model inputs of each tick, prepared before the first one is shown."""
        ...

    def reading(self, outputs: Mapping[str, NDArray[np.float32]]) -> FloatArray:
        """The answer recorded for one tick (channel `reading`), 1-D."""
        ...

    def expert(self, draw: Draw) -> FloatArray:
        """The right answer, 1-D: the ceiling, here one by construction."""
        ...

    def null(self) -> FloatArray:
        """The answer of somebody who does not look, 1-D: the floor."""
        ...

    def guess(self, rng: np.random.Generator) -> FloatArray:
        """An answer by chance, 1-D: each that the task allows as likely as any other."""
        ...
