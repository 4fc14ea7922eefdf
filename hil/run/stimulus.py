"""A stimulus episode's stages: show one prepared input a tick, record the answers.

With overlapped inference an answer comes in a later tick than its question; what is shown in
between is not looked at, and after the last stimulus the loop goes on until the last answer is
there or given up.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from hil.clock import NS_PER_MS, Clock, Deadline
from hil.contracts import FloatArray, Inference, InferenceResult
from hil.errors import DeadlineMissed, DeviceFault
from hil.loop.rules import MissingRule, next_step
from hil.loop.ticklog import ChannelLog, TickNote
from hil.record.format import ActionReason, Channel, TickFlag
from hil.task import StimulusTask
from scenarios.schema import Rules

Stimulus = Mapping[str, NDArray[np.float32] | bytes]


@dataclass(frozen=True, slots=True)
class Look:
    """What tick `row` has to show since `seen_ns`; None where everything has been shown."""

    row: int
    shown: Stimulus | None
    seen_ns: int


@dataclass(frozen=True, slots=True)
class Answer:
    """What was read off the stimulus of tick `row`, shown at `seen_ns`, and what the device
    said if one was asked."""

    row: int
    reading: FloatArray
    result: InferenceResult | None
    seen_ns: int


class Answerer(Protocol):
    """Who answers. None where no answer is there yet (overlapped inference).

    Errors: DeadlineMissed when the answer is late.
    """

    @property
    def waiting(self) -> bool:
        """Whether an answer is still to come once everything has been shown."""
        ...

    def __call__(self, look: Look, deadline: Deadline) -> Answer | None: ...


class ModelAnswers:
    """The scenario's network on the terminal, waited for."""

    waiting = False

    def __init__(self, task: StimulusTask, terminal: Inference) -> None:
        self._task, self._terminal = task, terminal

    def __call__(self, look: Look, deadline: Deadline) -> Answer | None:
        if look.shown is None:
            return None
        result = self._terminal.infer(look.shown, deadline)
        return Answer(look.row, self._task.reading(result.outputs), result, look.seen_ns)


class FixedAnswer:
    """The same reading every time: the expert, who knows it, or the null policy."""

    waiting = False

    def __init__(self, reading: FloatArray) -> None:
        self._reading = reading

    def __call__(self, look: Look, deadline: Deadline) -> Answer | None:
        return None if look.shown is None else Answer(look.row, self._reading, None, look.seen_ns)


class StimulusJob:
    """Stages of one episode for `hil.loop.run_loop`, and its channel `reading`.

    Stimuli are shown in order, one a served tick. Grid points that pass while an answer is
    awaited are looks that the terminal missed: the episode ends with its last grid point, so
    that a slow terminal sees fewer of them. Row k of `reading` is the answer to stimulus k,
    stamped when it was there, with its age since the stimulus was shown.
    """

    def __init__(
        self, *, answer: Answerer, stimuli: Sequence[Stimulus], clock: Clock, rules: Rules
    ) -> None:
        self._ask, self._clock, self._rule = answer, clock, MissingRule.of(rules)
        limit_ms = rules.max_decision_age_ms
        self._limit_ns = None if limit_ms is None else round(limit_ms * NS_PER_MS)
        self._stimuli = stimuli
        self._look = Look(0, None, 0)
        self._answer: Answer | None = None
        self._silent = 0
        self._log: ChannelLog | None = None

    def sense(self, row: int, note: TickNote, deadline: Deadline) -> None:
        shown = self._stimuli[row] if row < len(self._stimuli) else None
        self._look = Look(row, shown, self._clock.now_ns())

    def infer(self, row: int, note: TickNote, deadline: Deadline) -> None:
        self._answer = None
        try:
            answer = self._ask(self._look, deadline)
        except DeadlineMissed:
            note.flags |= TickFlag.NO_ANSWER
            return
        if answer is None:
            return
        if answer.result is not None:
            note.answered(answer.result)
        age_ns = self._clock.now_ns() - answer.seen_ns
        if self._limit_ns is not None and age_ns > self._limit_ns:
            note.flags |= TickFlag.NO_ANSWER
            return
        self._answer = answer

    def act(self, row: int, note: TickNote, deadline: Deadline) -> None:
        answer = self._answer
        step = next_step(self._rule, self._silent, answer is not None)
        self._silent = note.repeats = step.missed
        if step.stop:
            note.fault = DeviceFault(f"no answer to {step.missed} stimuli in a row")
        if answer is None:
            note.flags |= TickFlag.NO_COMMAND
            note.reason = ActionReason.NOTHING
            return
        if self._log is None:
            labels = tuple(f"reading_{i}" for i in range(len(answer.reading)))
            self._log = ChannelLog(len(self._stimuli), labels, "1")
        now_ns = self._clock.now_ns()
        note.data_age_ns = now_ns - answer.seen_ns
        self._log.put(answer.row, now_ns, answer.reading, note.data_age_ns)

    def observe(self, row: int, deadline: Deadline) -> bool:
        return row + 1 >= len(self._stimuli) and not self._ask.waiting

    def channels(self, ticks: int) -> dict[str, Channel]:
        """What was recorded; a terminal that never answered leaves one absent column."""
        log = self._log or ChannelLog(len(self._stimuli), ("reading_0",), "1")
        return {"reading": log.channel(min(ticks, len(self._stimuli)))}

    def frames(self, count: int) -> dict[str, bytes]:
        """The first `count` compressed images that were to be shown, by file name."""
        images = [
            (name, content)
            for stimulus in self._stimuli
            for name, content in stimulus.items()
            if isinstance(content, bytes)
        ]
        return {f"{i:02d}-{name}.jpg": content for i, (name, content) in enumerate(images[:count])}
