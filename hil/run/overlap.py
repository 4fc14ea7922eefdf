"""Overlapped inference: act on the newest finished inference while the next one runs.

One inference is on its way at a time: it sees what there was in the tick in which it is asked,
and its answer is acted on in the first tick that finds it there. A second one queued behind it
would keep the terminal busier and be older when it is answered.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from hil.clock import NS_PER_MS, Clock, Deadline
from hil.contracts import Inference, InferenceResult, OverlappedInference
from hil.errors import CapabilityMissing, DeadlineMissed
from hil.run.embodied import Decision, seen_ns
from hil.run.stimulus import Answer, Look
from hil.task import EmbodiedTask, StimulusTask, View

Inputs = Mapping[str, NDArray[np.float32] | bytes]


@dataclass(slots=True)
class OverlapCounts:
    """What became of the inferences of one episode."""

    asked: int = 0
    finished: int = 0
    abandoned: int = 0  # no answer within the time-out
    unsent: int = 0  # the terminal took no question within the stage's budget
    stray: int = 0  # answers to questions that were abandoned


@dataclass(frozen=True, slots=True)
class Question:
    """One inference under way: which tick asked it, and the stamp of the oldest input it saw."""

    row: int
    seen_ns: int
    asked_ns: int
    ticket: int


class Overlap:
    """At most one inference on its way to a terminal that is never waited for."""

    def __init__(self, terminal: OverlappedInference, timeout_ns: int) -> None:
        self._terminal, self._timeout_ns = terminal, timeout_ns
        self._question: Question | None = None
        self._counts = OverlapCounts()

    @property
    def waiting(self) -> bool:
        """Whether a question is under way."""
        return self._question is not None

    def turn(
        self, inputs: Callable[[], Inputs] | None, row: int, seen_ns: int, deadline: Deadline
    ) -> tuple[InferenceResult, Question] | None:
        """One tick: take what is finished and, once nothing is under way, ask what `inputs`
        gives (None: nothing to ask). Returns the finished inference and its question.

        Errors: DeadlineMissed where a question was abandoned or could not be sent, and nothing
        has finished either; DeviceFault and LinkLost of the terminal.
        """
        abandoned = self._counts.abandoned
        found = self._collect(deadline.clock)
        if self._question is None and inputs is not None:
            try:
                self._ask(inputs(), row, seen_ns, deadline)
            except DeadlineMissed:
                self._counts.unsent += 1
                if found is None:
                    raise
        if found is None and self._counts.abandoned > abandoned:
            raise DeadlineMissed(f"no answer within {self._timeout_ns // NS_PER_MS} ms")
        return found

    def counts(self) -> dict[str, int]:
        """`OverlapCounts` as plain data."""
        return asdict(self._counts)

    def _collect(self, clock: Clock) -> tuple[InferenceResult, Question] | None:
        question = self._question
        if question is None:
            return None
        now_ns = clock.now_ns()
        found = self._terminal.collect(Deadline(clock, now_ns))
        if found is not None and found[0] == question.ticket:
            self._question = None
            self._counts.finished += 1
            return found[1], question
        if found is not None:
            self._counts.stray += 1
        if now_ns - question.asked_ns > self._timeout_ns:
            self._question = None
            self._counts.abandoned += 1
        return None

    def _ask(self, inputs: Inputs, row: int, seen_ns: int, deadline: Deadline) -> None:
        ticket = self._terminal.submit(inputs, deadline)
        self._question = Question(row, seen_ns, deadline.clock.now_ns(), ticket)
        self._counts.asked += 1


class OverlappedPolicy:
    """A `hil.run.embodied.Policy` that never waits for its terminal.

    The answer is turned into a target with the view of the tick that acts on it, so that a
    network that decides *changes* of the target changes the present one; the age of the
    observation is that of the tick in which it was asked.
    """

    def __init__(self, task: EmbodiedTask, overlap: Overlap) -> None:
        self._task, self._overlap = task, overlap

    def __call__(self, view: View, deadline: Deadline) -> Decision | None:
        """This tick's decision, or None while it is being made. Errors: as `Overlap.turn`."""
        found = self._overlap.turn(
            lambda: self._task.observe(view), view.tick, seen_ns(view), deadline
        )
        if found is None:
            return None
        result, question = found
        return Decision(self._task.act(result.outputs, view), result, question.seen_ns)


class OverlappedAnswers:
    """A `hil.run.stimulus.Answerer` that never waits: what is shown while a question is under
    way is not looked at, as a camera's picture is passed over by a network that is busy."""

    def __init__(self, task: StimulusTask, overlap: Overlap) -> None:
        self._task, self._overlap = task, overlap

    @property
    def waiting(self) -> bool:
        return self._overlap.waiting

    def __call__(self, look: Look, deadline: Deadline) -> Answer | None:
        """An answer that has come, to whatever was asked. Errors: as `Overlap.turn`."""
        shown = look.shown
        inputs = None if shown is None else lambda: shown
        found = self._overlap.turn(inputs, look.row, look.seen_ns, deadline)
        if found is None:
            return None
        result, question = found
        return Answer(question.row, self._task.reading(result.outputs), result, question.seen_ns)


def overlap_with(terminal: Inference, timeout_ns: int) -> Overlap:
    """Overlapped inference on a terminal.

    Errors: CapabilityMissing where the terminal's driver can only be waited for.
    """
    if not isinstance(terminal, OverlappedInference):
        raise CapabilityMissing(
            f"terminal {terminal.role!r} cannot be asked without being waited for",
            'use loop.inference = "sync", or a driver with `submit` and `collect`',
        )
    return Overlap(terminal, timeout_ns)
