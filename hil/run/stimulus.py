"""A stimulus episode's stages: show one prepared input a tick, record the answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from hil.clock import Clock, Deadline
from hil.contracts import FloatArray, Inference, InferenceResult
from hil.errors import DeadlineMissed, DeviceFault
from hil.loop.rules import MissingRule, next_step
from hil.loop.ticklog import ChannelLog, TickNote
from hil.record.format import ActionReason, Channel, TickFlag
from hil.task import StimulusTask
from scenarios.schema import Rules

Stimulus = Mapping[str, NDArray[np.float32] | bytes]


class Answerer(Protocol):
    """Who answers one stimulus, with what the device said if one was asked.

    Errors: DeadlineMissed when the answer is late.
    """

    def __call__(
        self, shown: Stimulus, deadline: Deadline
    ) -> tuple[FloatArray, InferenceResult | None]: ...


def model_answer(task: StimulusTask, terminal: Inference) -> Answerer:
    """The scenario's network on the terminal."""

    def answer(shown: Stimulus, deadline: Deadline) -> tuple[FloatArray, InferenceResult | None]:
        result = terminal.infer(shown, deadline)
        return task.reading(result.outputs), result

    return answer


def fixed_answer(reading: FloatArray) -> Answerer:
    """The same reading every time: the expert, who knows it, or the null policy."""
    return lambda _shown, _deadline: (reading, None)


class StimulusJob:
    """Stages of one episode for `hil.loop.run_loop`, and its channel `reading`.

    Stimuli are shown in order, one a served tick. Grid points that pass while an answer is
    awaited are looks that the terminal missed: the episode ends with its last grid point, so
    that a slow terminal sees fewer of them.
    """

    def __init__(
        self,
        *,
        answer: Answerer,
        stimuli: Sequence[Stimulus],
        clock: Clock,
        rules: Rules,
    ) -> None:
        self._ask, self._clock, self._rule = answer, clock, MissingRule.of(rules)
        self._stimuli = stimuli
        self._shown: Stimulus = {}
        self._answer: FloatArray | None = None
        self._silent = 0
        self._log: ChannelLog | None = None

    def sense(self, row: int, note: TickNote, deadline: Deadline) -> None:
        self._shown = self._stimuli[row]

    def infer(self, row: int, note: TickNote, deadline: Deadline) -> None:
        self._answer = None
        try:
            self._answer, result = self._ask(self._shown, deadline)
        except DeadlineMissed:
            note.flags |= TickFlag.NO_ANSWER
            return
        if result is not None:
            note.answered(result)

    def act(self, row: int, note: TickNote, deadline: Deadline) -> None:
        step = next_step(self._rule, self._silent, self._answer is not None)
        self._silent = note.repeats = step.missed
        if step.stop:
            note.fault = DeviceFault(f"no answer to {step.missed} stimuli in a row")
        if self._answer is None:
            note.flags |= TickFlag.NO_COMMAND
            note.reason = ActionReason.NOTHING
            return
        if self._log is None:
            labels = tuple(f"reading_{i}" for i in range(len(self._answer)))
            self._log = ChannelLog(len(self._stimuli), labels, "1")
        self._log.put(row, self._clock.now_ns(), self._answer)

    def observe(self, row: int, deadline: Deadline) -> bool:
        return row + 1 >= len(self._stimuli)

    def channels(self, ticks: int) -> dict[str, Channel]:
        """What was recorded; a terminal that never answered leaves one absent column."""
        log = self._log or ChannelLog(len(self._stimuli), ("reading_0",), "1")
        return {"reading": log.channel(ticks)}

    def frames(self, count: int) -> dict[str, bytes]:
        """The first `count` compressed images that were to be shown, by file name."""
        images = [
            (name, content)
            for stimulus in self._stimuli
            for name, content in stimulus.items()
            if isinstance(content, bytes)
        ]
        return {f"{i:02d}-{name}.jpg": content for i, (name, content) in enumerate(images[:count])}
