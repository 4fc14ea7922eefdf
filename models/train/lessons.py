"""Lessons of a scripted expert: episodes in the product's own loop, with what a network would
have seen and where the script wants the tools.

How far a script is in its story is what a network has to remember; it is told as the number of
the script's moves that have begun, and how long the last one has lasted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hil.catalogue import load_rig
from hil.contracts import FloatArray
from hil.errors import BadInput
from hil.plan.freeze import Plan, freeze, single
from hil.run.trial import run_trial
from hil.task import Draw, Expert, View
from models.runtime import Network
from sim.tasks.kit.brief import arms_of
from sim.tasks.kit.job import Job
from sim.tasks.kit.script import Desk, scripted
from sim.tasks.tool_use import ToolUse

Table = NDArray[np.float32]


@dataclass(frozen=True)
class Course:
    """What is taught where: a scenario on a rig, by its expert."""

    scenario: str
    rig: str


@dataclass
class Notebook:
    """One lesson: names of the numbers of observation and answer, and lists over the ticks:
    observation (m,), the script's answer (k,), and the number of its move."""

    channels: list[str] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)
    observations: list[Table] = field(default_factory=list)
    labels: list[Table] = field(default_factory=list)
    stages: list[int] = field(default_factory=list)
    success: bool = False


@dataclass(frozen=True)
class Taught(Job[Any]):
    """A job whose expert is `lead`, told the draw."""

    lead: Callable[[Draw], Expert] | None = None

    def expert(self, draw: Draw) -> Expert:
        assert self.lead is not None
        return self.lead(draw)


def plan_of(course: Course, seed: int, episodes: int = 1) -> Plan:
    """Episodes of the course's scenario. Errors: BadInput for an unknown one, or one whose
    archetype is no job of an arm with a script."""
    rig, path = load_rig(course.rig)
    plan = freeze(single(course.scenario, episodes), "0" * 64, rig, path, seed, "expert")
    job_of(plan)
    return plan


def job_of(plan: Plan) -> Job[Any]:
    """The job of a plan of one scenario, and of its kind where an archetype has several."""
    planned = _planned(plan)
    task = planned.task
    if isinstance(task, ToolUse):
        task = task.jobs[planned.parameters.kind]
    if not isinstance(task, Job):
        raise BadInput(
            f"scenario {planned.scenario.id!r} is no job of sim.tasks.kit",
            "its archetype has a training script of its own",
        )
    if not arms_of(task.robot):
        raise BadInput(
            f"scenario {planned.scenario.id!r}: {task.robot.name} has no arm",
            "its archetype has a training script of its own",
        )
    return task


def lesson(seed: int, course: Course) -> Notebook:
    """One episode of the expert, and what a network would have been shown."""
    plan = plan_of(course, seed)
    job, book = job_of(plan), Notebook()

    def lead(draw: Draw) -> Expert:
        return _noting(job, draw, book)

    book.success = _succeeds(plan, lead)
    return book


def success(seed: int, course: Course, content: bytes) -> bool:
    """Whether a network does a fresh episode, its answers coming at once."""
    plan = plan_of(course, seed)
    network = Network(content, {})
    return _succeeds(plan, lambda draw: driven(job_of(plan).briefed(draw), network))


def driven(job: Job[Any], network: Network) -> Expert:
    """A network as whoever decides in one episode of a job that was briefed."""
    memory: FloatArray = np.zeros(0)

    def decide(view: View) -> FloatArray:
        nonlocal memory
        seen = job.observe(replace(view, memory=memory))
        outputs = network.run(network.prepare(seen))
        memory = outputs["memory"][0].astype(np.float64)
        return job.act(outputs, view)

    return decide


def _noting(job: Job[Any], draw: Draw, book: Notebook) -> Expert:
    told = job.briefed(draw)
    assert told.brief is not None  # it has arms
    brief, desk = told.brief, Desk()
    script = scripted(job.script(draw, job.robot), desk)

    def decide(view: View) -> FloatArray:
        if not book.channels:
            book.channels, book.answers = told.channels(view), brief.answers()
        book.observations.append(told.observe(view)["observation"][0])
        target = script(view)
        book.labels.append(brief.reach_of(target).astype(np.float32))
        book.stages.append(desk.stage)
        return target

    return decide


def _planned(plan: Plan) -> Any:
    [planned] = plan.scenarios.values()
    return planned


def _succeeds(plan: Plan, lead: Callable[[Draw], Expert]) -> bool:
    planned, job = _planned(plan), job_of(plan)
    taught: Any = Taught(**{one.name: getattr(job, one.name) for one in fields(Job)}, lead=lead)
    if isinstance(planned.task, ToolUse):
        taught = replace(planned.task, jobs={**planned.task.jobs, planned.parameters.kind: taught})
    changed = replace(planned, task=taught)
    plan = replace(plan, scenarios={planned.scenario.id: changed})
    attempt = run_trial(plan, plan.episodes[0], lambda: None).attempt
    if attempt is None:
        return False
    return taught.score(attempt.episode, planned.parameters).success is True
