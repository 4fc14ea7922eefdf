"""What is shown of a run of which several episodes go on at once."""

from __future__ import annotations

from dataclasses import replace
from io import StringIO

import pytest
from benches import fake_bench, fake_plan
from rich.console import Console

from hil.cli.progress import RunDisplay
from hil.plan.freeze import Plan
from hil.run.episode import Attempt
from hil.run.trial import run_trial


@pytest.fixture
def plan() -> Plan:
    plan = fake_plan(fake_bench())
    claims = [{"kind": "success", "p": 0.5, "confidence": 0.95}]
    return replace(plan, data={"scenarios": [{"id": "reach", "claims": claims}]})


@pytest.fixture
def attempt(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> Attempt:
    monkeypatch.setattr("hil.run.trial.build_bench", lambda *_: fake_bench())
    trial = run_trial(plan, plan.episodes[0], lambda: None)
    assert trial.attempt is not None
    return trial.attempt


def shown(plan: Plan, attempt: Attempt, counts: list[int], *, terminal: bool) -> str:
    text = StringIO()
    with RunDisplay(plan, Console(file=text, force_terminal=terminal, width=160)) as display:
        display.phase("Reach")
        for count in counts:
            display.at_work(count)
        display.attempt(attempt)
    return text.getvalue()


@pytest.mark.parametrize("terminal", [False, True])
def test_how_many_are_at_work(plan: Plan, attempt: Attempt, terminal: bool) -> None:
    text = shown(plan, attempt, [2, 2, 3], terminal=terminal)
    assert "Reach" in text
    assert "1 of 1 succeeded" in text
    assert "3 at work" in text


@pytest.mark.parametrize("terminal", [False, True])
def test_one_at_a_time_is_not_worth_a_word(plan: Plan, attempt: Attempt, terminal: bool) -> None:
    assert "at work" not in shown(plan, attempt, [], terminal=terminal)
