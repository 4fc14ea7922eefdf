"""The self-check of a rig's physics: once a run, on the ledger before the first attempt."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from benches import fake_bench, fake_plan
from fakes import FakeScene

from hil.clock import Deadline
from hil.record.reader import open_run
from hil.rig import Bench
from hil.run.campaign import Silent, run_on_bench
from hil.run.physics import physics_rows
from hil.run.simulated import run_simulated
from hil.safety import StopRequest

CHECK = {"name": "weight", "unit": "N", "value": 1.0, "expected": 1.0, "tolerance": 0.1, "ok": True}


class CheckedScene(FakeScene):
    """A scene whose plant tells of its physics; counts how often it was asked, over all."""

    def __init__(self, asked: list[str], *given: Any) -> None:
        super().__init__(*given)
        self._asked = asked

    def self_check(self, deadline: Deadline) -> Sequence[Mapping[str, Any]]:
        self._asked.append(self.role)
        return [CHECK]


def checked(asked: list[str]) -> Callable[..., Bench]:
    def bench(*_: object) -> Bench:
        made = fake_bench()
        arm = made.devices["arm"]
        scene = CheckedScene(asked, "scene", made.clock, arm)
        made.devices = {**made.devices, "scene": scene}
        return made

    return bench


def test_a_simulated_run_is_checked_once_before_its_trials(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked: list[str] = []
    monkeypatch.setattr("hil.run.trial.build_bench", checked(asked))
    plan = fake_plan(fake_bench())
    ending = run_simulated(
        plan, tmp_path / "run", Silent(), StopRequest(), 1, lambda: date(2026, 6, 1)
    )
    assert ending.outcome == "complete"
    rows = open_run(tmp_path / "run").ledger
    kinds = [row["row"] for row in rows]
    assert asked == ["scene"]
    assert kinds[:2] == ["run", "physics"]
    assert kinds.count("physics") == 1
    assert rows[1] == {"row": "physics", "role": "scene", "checks": [CHECK]}


def test_a_run_on_one_bench_is_checked_once(tmp_path: Path) -> None:
    asked: list[str] = []
    with checked(asked)() as bench:
        bench.open()
        run_on_bench(fake_plan(bench), bench, tmp_path / "run")
    assert asked == ["scene"]
    kinds = [row["row"] for row in open_run(tmp_path / "run").ledger]
    assert kinds.index("physics") < kinds.index("self-watch") < kinds.index("attempt")


def test_a_rig_without_physics_has_no_row() -> None:
    assert physics_rows(fake_bench()) == []
