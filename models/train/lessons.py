"""Lessons of a scripted expert: episodes in the product's own loop, with what a network would
have seen and what the script says to it.

The script plays along as a ghost whoever drives: it goes on in its story and says in every tick
where the targets should be now. How far it is in the story is what a network has to remember; it
is told as the number of the script's moves that have begun, and how long the last one has lasted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hil.catalogue import load_rig
from hil.contracts import FloatArray, ModelImage
from hil.errors import BadInput
from hil.plan.freeze import Plan, freeze, single
from hil.run.trial import run_trial
from hil.task import Draw, Expert, View
from models.runtime import Network
from sim.tasks.kit.job import Job
from sim.tasks.kit.script import Desk, scripted

STRETCH_TICKS, NOISE_RAD, NOISY_SHARE = 10, 0.01, 0.3
"""How long one of expert and learner drives, and the noise on the targets in some of these
stretches: what is never disturbed is never seen to be put right."""

Table = NDArray[np.float32]


@dataclass(frozen=True)
class Course:
    """What is taught where: a scenario on a rig, by its expert."""

    scenario: str
    rig: str


@dataclass(frozen=True)
class Tempo:
    """How long each of the script's moves lasts on average, in ticks: makes of a place in the
    story a number in 0 .. 1."""

    ticks: tuple[float, ...]

    def progress(self, stage: int, since: int) -> float:
        """Of the `since`-th tick of move number `stage`."""
        last = len(self.ticks) - 1
        share = min(0.9, since / max(1.0, self.ticks[min(stage, last)]))
        return min(1.0, (min(stage, last) + share) / len(self.ticks))


@dataclass(frozen=True)
class Pupil:
    """A network in training, in a form that goes to other processes."""

    content: bytes
    tempo: Tempo
    share: float
    """Of the stretches in which it drives."""


@dataclass
class Notebook:
    """One lesson: names of the observation's numbers, and lists over the ticks: observation (m,),
    label (n,) as share of the action limit, the move's number and since when, what was
    remembered (absent: NaN)."""

    channels: list[str] = field(default_factory=list)
    observations: list[Table] = field(default_factory=list)
    labels: list[FloatArray] = field(default_factory=list)
    stages: list[int] = field(default_factory=list)
    since: list[int] = field(default_factory=list)
    remembered: list[float] = field(default_factory=list)
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
    archetype is no job with a script."""
    rig, path = load_rig(course.rig)
    plan = freeze(single(course.scenario, episodes), "0" * 64, rig, path, seed, "expert")
    if not isinstance(_planned(plan).task, Job):
        raise BadInput(
            f"scenario {course.scenario!r} is no job of sim.tasks.kit",
            "its archetype has a training script of its own",
        )
    return plan


def lesson(seed: int, course: Course, pupil: Pupil | None) -> Notebook:
    """One episode: the expert drives, with `pupil` in its share of the stretches."""
    plan = plan_of(course, seed)
    planned = _planned(plan)
    job: Job[Any] = planned.task
    book = Notebook()
    rng = np.random.default_rng([seed, 1])

    def lead(draw: Draw) -> Expert:
        return _Lead(job, draw, pupil, rng, book)

    taught = Taught(**{one.name: getattr(job, one.name) for one in fields(Job)}, lead=lead)
    book.success = _succeeds(_with(plan, replace(planned, task=taught)))
    return book


def success(seed: int, course: Course, content: bytes, name: str, sha256: str) -> bool:
    """Whether a finished network does a fresh episode, as `hil run` would run it."""
    plan = plan_of(course, seed)
    planned = replace(_planned(plan), model=ModelImage(name, content, sha256, {}))
    return _succeeds(replace(_with(plan, planned), policy="model"))


class _Lead:
    """Expert and pupil by turns."""

    def __init__(
        self,
        job: Job[Any],
        draw: Draw,
        pupil: Pupil | None,
        rng: np.random.Generator,
        book: Notebook,
    ) -> None:
        self._job, self._pupil, self._rng, self._book = job, pupil, rng, book
        self._desk = Desk()
        self._ghost = scripted(job.script(draw, job.robot), self._desk)
        self._network = None if pupil is None else Network(pupil.content, {})
        self._memory = 0.0
        self._stage, self._since = 0, 0
        self._learner = False
        self._noise = np.zeros(len(job.robot.motors))

    def __call__(self, view: View) -> FloatArray:
        if view.tick % STRETCH_TICKS == 0:
            self._turn()
        seen = replace(view, memory=np.array([self._memory]))
        observation = self._job.observe(seen)["observation"]
        if not self._book.channels:
            self._book.channels = self._job.channels(view)
        target = self._ghost(view)
        self._note(observation[0], target - view.target)
        if self._network is None or not self._learner:
            if self._pupil is not None:
                self._memory = self._pupil.tempo.progress(self._stage, self._since)
            return target + self._noise
        outputs = self._network.run(self._network.prepare({"observation": observation}))
        self._memory = float(outputs["memory"][0, 0])
        return self._job.act(outputs, view) + self._noise

    def _turn(self) -> None:
        rng, pupil = self._rng, self._pupil
        self._learner = pupil is not None and bool(rng.random() < pupil.share)
        noisy = rng.random() < NOISY_SHARE
        self._noise = rng.normal(0.0, NOISE_RAD, len(self._noise)) * noisy

    def _note(self, observation: Table, change: FloatArray) -> None:
        book, stage = self._book, self._desk.stage
        self._since = self._since + 1 if stage == self._stage else 0
        self._stage = stage
        book.observations.append(observation)
        book.labels.append(np.clip(change / self._job.action_limit, -1.0, 1.0))
        book.stages.append(stage)
        book.since.append(self._since)
        book.remembered.append(np.nan if self._pupil is None else self._memory)


def tempo_of(books: list[Notebook]) -> Tempo:
    """Mean lengths of the moves in the lessons that went well."""
    good = [book for book in books if book.success] or books
    last = max(max(book.stages) for book in good)
    lengths = [[book.stages.count(stage) for book in good] for stage in range(last + 1)]
    return Tempo(tuple(float(np.mean([n for n in row if n] or [1])) for row in lengths))


def _planned(plan: Plan) -> Any:
    [planned] = plan.scenarios.values()
    return planned


def _with(plan: Plan, planned: Any) -> Plan:
    return replace(plan, scenarios={planned.scenario.id: planned})


def _succeeds(plan: Plan) -> bool:
    planned = _planned(plan)
    attempt = run_trial(plan, plan.episodes[0], lambda: None).attempt
    if attempt is None:
        return False
    return planned.task.score(attempt.episode, planned.parameters).success is True
