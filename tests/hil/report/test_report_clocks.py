"""What the report says of a device's clock that wandered or was set."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from run_builder import TASKS, Knobs, build_run

from hil.judge.model import Attribution, ClockFit, ClockSet, HopTiming
from hil.judge.verdict import judge
from hil.report.html import render_html

HOP = HopTiming("there", 90, 80.0, 95.0, 120.0, None, 61.0)
STEADY = ClockFit("terminal", 12.0, 3.0, 0.5, 61.0, 118.0, 288)


def page(folder: Path, clock: ClockFit, left_out: int) -> str:
    run = build_run(folder, Knobs())
    verdict = judge(run, TASKS)
    found = Attribution(90, 100, 100, (HOP,), (clock,), left_out)
    scenario = replace(verdict.scenarios[0], attribution=found)
    return " ".join(render_html(run, replace(verdict, scenarios=(scenario,))).split())


def test_a_steady_clock_is_told_in_one_sentence(tmp_path: Path) -> None:
    text = page(tmp_path / "run", STEADY, 0)
    assert "known to 61 µs from 288 round trips. Motion" in text
    assert "one line fits worse" not in text
    assert "more decisions" not in text


def test_pieces_and_steps_are_told_with_what_was_left_out(tmp_path: Path) -> None:
    back = ClockSet(12.345, 13.4, -4000.0, 140.0, ("0004",))
    idle = ClockSet(50.0, 52.0, 2e6, 150.0, ())
    text = page(tmp_path / "run", replace(STEADY, pieces=9, steps=(back, idle)), 21)
    assert "round trips, in 9 pieces since one line fits worse. " in text
    assert (
        "It was set back by 4 ms (± 140 µs) between 12.345 and 13.4 s after the first of them,"
        " in episode 0004." in text
    )
    assert "It was set forward by 2 s" in text
    assert "between episodes. 21 more decisions are in no row" in text


def test_two_stretches_of_one_line_each_are_no_pieces(tmp_path: Path) -> None:
    back = ClockSet(12.0, 13.0, -4000.0, 140.0, ("0004", "0005"))
    text = page(tmp_path / "run", replace(STEADY, pieces=2, steps=(back,)), 1)
    assert "one line fits worse" not in text
    assert "in episodes 0004, 0005." in text
