"""A physics that fails a check makes a run void, whatever its episodes say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from run_builder import TASKS, Knobs, build_run

from hil.errors import DamagedRecord
from hil.judge.model import Outcome, Verdict
from hil.judge.verdict import judge
from hil.record.reader import Run
from hil.report.html import render_html
from hil.report.table import render_table


def check(value: float | None, **changes: Any) -> dict[str, Any]:
    plain = {
        "name": "slip force on a table",
        "unit": "N",
        "formula": "μ m g",
        "value": value,
        "expected": 2.5,
        "tolerance": 0.1,
        "ok": True,
        "step_hz": 500,
        "iterations": 150,
    }
    return plain | changes


def run_of(folder: Path, *checks: dict[str, Any], **knobs: Any) -> Run:
    run = build_run(folder / "run", Knobs(**knobs))
    run.ledger.insert(1, {"row": "physics", "role": "scene", "checks": list(checks)})
    return run


def judged(run: Run) -> Verdict:
    return judge(run, TASKS)


def test_a_physics_within_its_tolerances_changes_nothing(tmp_path: Path) -> None:
    verdict = judged(run_of(tmp_path, check(2.45), check(2.55, name="other")))
    assert (verdict.outcome, verdict.reasons) == (Outcome.PASS, ())
    assert [(one.role, one.name, one.ok) for one in verdict.physics] == [
        ("scene", "slip force on a table", True),
        ("scene", "other", True),
    ]


@pytest.mark.parametrize(
    ("value", "said"),
    [(2.39, "is 2.39, not 2.5 ± 0.1 N"), (None, "is nothing, not 2.5 ± 0.1 N")],
)
def test_one_failed_check_makes_the_run_void(
    tmp_path: Path, value: float | None, said: str
) -> None:
    verdict = judged(run_of(tmp_path, check(2.5), check(value, name="creep"), failures=(3,)))
    assert (verdict.outcome, verdict.exit_code) == (Outcome.VOID, 3)
    assert verdict.reasons[0].endswith(f"creep {said}")


def test_an_error_of_the_rig_is_graver(tmp_path: Path) -> None:
    verdict = judged(run_of(tmp_path, check(9.9), unsafe=True))
    assert verdict.outcome is Outcome.ERROR
    assert any("slip force" in reason for reason in verdict.reasons)


def test_a_row_that_lacks_a_figure_is_a_damaged_record(tmp_path: Path) -> None:
    lame = check(2.5)
    del lame["tolerance"]
    with pytest.raises(DamagedRecord, match=r"ledger\.jsonl, row 2: checks\.0\.tolerance"):
        judged(run_of(tmp_path, lame))


def test_the_report_shows_every_check_and_escapes_it(tmp_path: Path) -> None:
    run = run_of(tmp_path, check(2.45), check(9.9, name="<i>odd</i>"))
    verdict = judged(run)
    page = render_html(run, verdict)
    assert "Physics of the simulation" in page
    assert "&lt;i&gt;odd&lt;/i&gt;" in page
    assert "2.45 N" in page
    assert "500 steps a second, 150 solver iterations" in page
    assert ">OFF<" in page


def test_a_run_without_physics_shows_no_table(tmp_path: Path) -> None:
    run = build_run(tmp_path / "run", Knobs(kind="real"))
    assert "Physics of the simulation" not in render_html(run, judged(run))


def test_the_terminal_shows_every_check(tmp_path: Path) -> None:
    verdict = judged(run_of(tmp_path, check(2.45), check(9.9, name="odd")))
    console = Console(width=120)
    with console.capture() as shown:
        console.print(render_table(verdict))
    lines = shown.get().splitlines()
    assert any(line.split()[:4] == ["ok", "slip", "force", "on"] for line in lines)
    assert any(line.split()[:2] == ["OFF", "odd"] for line in lines)
