"""What a network hands on to itself from one inference to the next."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import episodes
import numpy as np
import pytest
from episodes import Setup
from fakes import ReachTask

from hil.clock import Deadline
from hil.contracts import InferenceResult
from hil.task import View

Told = Callable[[int], float | None]


def remembered(monkeypatch: pytest.MonkeyPatch, told: Told, deaf: int = -1) -> list[list[float]]:
    """The memories that the network was given, where its n-th answer holds `told(n)`; the
    question numbered `deaf` is answered too late."""
    seen: list[list[float]] = []

    class Remembering(ReachTask):
        def observe(self, view: View) -> dict[str, np.ndarray]:
            seen.append(view.memory.tolist())
            return super().observe(view)

    monkeypatch.setattr(episodes, "ReachTask", Remembering)
    setup = Setup()
    infer = setup.terminal.infer

    def answer(inputs: Mapping[str, object], deadline: Deadline) -> InferenceResult:
        number = len(seen) - 1
        setup.terminal.infer_ns = 10**9 if number == deaf else 2_000_000
        found = infer(inputs, deadline)
        value = told(number)
        if value is None:
            return found
        memory = np.array([[value, -value]], dtype=np.float32)
        return replace(found, outputs={**found.outputs, "memory": memory})

    monkeypatch.setattr(setup.terminal, "infer", answer)
    attempt = setup.run(loop={"duration_s": 0.2})
    assert attempt.end == "completed", attempt.reason
    return seen


def test_it_is_empty_at_first_and_then_what_the_last_answer_held(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen = remembered(monkeypatch, float)
    assert seen[:4] == [[], [0.0, 0.0], [1.0, -1.0], [2.0, -2.0]]


def test_a_network_without_one_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = remembered(monkeypatch, lambda _: None)
    assert len(seen) > 3
    assert all(memory == [] for memory in seen)


def test_a_memory_that_is_not_finite_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = remembered(monkeypatch, lambda n: np.nan if n == 2 else float(n))
    assert seen[2:5] == [[1.0, -1.0], [1.0, -1.0], [3.0, -3.0]]


def test_an_answer_that_came_too_late_hands_nothing_on(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = remembered(monkeypatch, float, deaf=2)
    assert seen[2:5] == [[1.0, -1.0], [1.0, -1.0], [3.0, -3.0]]
