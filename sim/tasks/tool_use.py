"""Archetype tool-use: a tool on the flange does its work on a thing that resists it.

One archetype of several kinds (`cut-seam`, `drive-screw`, `scoop`), each with its own table of
parameters and its own robot: a tool belongs to the robot's flange, as in cells that do one such
job. What every kind has in common is that success lies in what the tool left, within limits of
how it was used, with the tool withdrawn at the end.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, model_validator

from hil.contracts import FloatArray
from hil.errors import HarnessError
from hil.record.format import Episode
from hil.task import Draw, Expert, Score, View
from sim.tasks import tool_cut, tool_scoop, tool_screw
from sim.tasks.kit.job import Job
from sim.tasks.kit.ranges import TaskTable

Kind = Literal["cut-seam", "drive-screw", "scoop"]

_TABLES: Mapping[Kind, str] = MappingProxyType(
    {"cut-seam": "cut", "drive-screw": "screw", "scoop": "scoop"}
)


class ToolParameters(TaskTable):
    """`kind`, and the table of that kind, all of whose keys have standard values."""

    kind: Kind
    cut: tool_cut.Parameters | None = None
    screw: tool_screw.Parameters | None = None
    scoop: tool_scoop.Parameters | None = None

    @model_validator(mode="after")
    def _of_its_kind(self) -> ToolParameters:
        own = _TABLES[self.kind]
        for table in _TABLES.values():
            if table != own and getattr(self, table) is not None:
                raise ValueError(f"table {table!r} is not of kind {self.kind!r}; give {own!r}")
        return self


@dataclass(frozen=True)
class ToolUse:
    """Implements `hil.task.EmbodiedTask` by handing each episode to the job of its kind."""

    jobs: Mapping[str, Job[Any]]
    name: str = "tool-use"
    Parameters: type[ToolParameters] = ToolParameters
    kind: str = "embodied"
    tracks: bool = True
    action_limit: float = 0.05

    def joint_names(self, parameters: BaseModel) -> tuple[str, ...]:
        job, asked = self._job(parameters)
        return job.joint_names(asked)

    def draw(self, parameters: BaseModel, rng: np.random.Generator) -> Draw:
        job, asked = self._job(parameters)
        return {"kind": self._checked(parameters).kind, **job.draw(asked, rng)}

    def start_pose(self, draw: Draw) -> FloatArray:
        return self._of(draw).start_pose(draw)

    def observe(self, view: View) -> Mapping[str, NDArray[np.float32]]:
        return self._any().observe(view)

    def act(self, outputs: Mapping[str, NDArray[np.float32]], view: View) -> FloatArray:
        return self._any().act(outputs, view)

    def briefed(self, draw: Draw) -> Job[Any]:
        return self._of(draw).briefed(draw)

    def expert(self, draw: Draw) -> Expert:
        return self._of(draw).expert(draw)

    def finished(self, witness: Mapping[str, float]) -> bool:
        """Never: the end of an episode is part of what is asked."""
        return False

    def score(self, episode: Episode, parameters: BaseModel) -> Score:
        job, asked = self._job(parameters)
        return job.score(episode, asked)

    def _job(self, parameters: BaseModel) -> tuple[Job[Any], BaseModel]:
        whole = self._checked(parameters)
        job = self.jobs[whole.kind]
        return job, getattr(whole, _TABLES[whole.kind]) or job.Parameters()

    def _of(self, draw: Draw) -> Job[Any]:
        return self.jobs[str(draw["kind"])]

    def _any(self) -> Job[Any]:
        """What networks see and answer has one form, whatever the kind."""
        return next(iter(self.jobs.values()))

    def _checked(self, parameters: BaseModel) -> ToolParameters:
        if not isinstance(parameters, ToolParameters):
            raise HarnessError(f"{self.name} was given parameters of {type(parameters).__name__}")
        return parameters


JOB = ToolUse({"cut-seam": tool_cut.JOB, "drive-screw": tool_screw.JOB, "scoop": tool_scoop.JOB})
