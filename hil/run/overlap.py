"""Overlapped inference: act on the newest finished inference while the next one runs.

One inference is on its way at a time: it sees the joints of the tick in which it is asked, and
its answer is acted on in the first tick that finds it there. A second one queued behind it would
keep the terminal busier and be older when it is answered.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

from hil.clock import NS_PER_MS, Clock, Deadline
from hil.contracts import Inference, OverlappedInference
from hil.errors import CapabilityMissing, DeadlineMissed
from hil.run.embodied import Decision, seen_ns
from hil.task import EmbodiedTask, View


@dataclass(slots=True)
class OverlapCounts:
    """What became of the inferences of one episode."""

    asked: int = 0
    finished: int = 0
    abandoned: int = 0  # no answer within the time-out
    unsent: int = 0  # the terminal took no question within the stage's budget
    stray: int = 0  # answers to questions that were abandoned


@dataclass(frozen=True, slots=True)
class _Question:
    ticket: int
    asked_ns: int
    seen_ns: int


class OverlappedPolicy:
    """A `Policy` that never waits for its terminal.

    The answer is turned into a target with the view of the tick that acts on it, so that a
    network that decides *changes* of the target changes the present one; the age of the
    observation is that of the tick in which it was asked.
    """

    def __init__(self, task: EmbodiedTask, terminal: OverlappedInference, timeout_ns: int) -> None:
        self._task, self._terminal, self._timeout_ns = task, terminal, timeout_ns
        self._question: _Question | None = None
        self._counts = OverlapCounts()

    def __call__(self, view: View, deadline: Deadline) -> Decision | None:
        """Take what is finished, ask again if nothing is under way.

        Errors: DeadlineMissed where a question was abandoned or could not be sent, and there
        is no decision either; DeviceFault and LinkLost of the terminal.
        """
        abandoned = self._counts.abandoned
        decision = self._collect(view, deadline.clock)
        if self._question is None:
            try:
                self._ask(view, deadline)
            except DeadlineMissed:
                self._counts.unsent += 1
                if decision is None:
                    raise
        if decision is None and self._counts.abandoned > abandoned:
            raise DeadlineMissed(f"no answer within {self._timeout_ns // NS_PER_MS} ms")
        return decision

    def counts(self) -> dict[str, int]:
        """`OverlapCounts` as plain data."""
        return asdict(self._counts)

    def _collect(self, view: View, clock: Clock) -> Decision | None:
        question = self._question
        if question is None:
            return None
        now_ns = clock.now_ns()
        found = self._terminal.collect(Deadline(clock, now_ns))
        if found is not None and found[0] == question.ticket:
            self._question = None
            self._counts.finished += 1
            target = self._task.act(found[1].outputs, view)
            return Decision(target, found[1], question.seen_ns)
        if found is not None:
            self._counts.stray += 1
        if now_ns - question.asked_ns > self._timeout_ns:
            self._question = None
            self._counts.abandoned += 1
        return None

    def _ask(self, view: View, deadline: Deadline) -> None:
        inputs = self._task.observe(view)
        ticket = self._terminal.submit(inputs, deadline)
        self._question = _Question(ticket, deadline.clock.now_ns(), seen_ns(view))
        self._counts.asked += 1


def overlapped_policy(task: EmbodiedTask, terminal: Inference, timeout_ns: int) -> OverlappedPolicy:
    """The scenario's network, asked without being waited for.

    Errors: CapabilityMissing where the terminal's driver can only be waited for.
    """
    if not isinstance(terminal, OverlappedInference):
        raise CapabilityMissing(
            f"terminal {terminal.role!r} cannot be asked without being waited for",
            'use loop.inference = "sync", or a driver with `submit` and `collect`',
        )
    return OverlappedPolicy(task, terminal, timeout_ns)
