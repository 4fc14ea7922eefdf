"""The emergency stop in motion: torque off and read back, a complete record, a named cause."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from harming import ROOT, Bench, assert_safe, plan_for, run_and, run_on, twin_bench

from hil.judge.verdict import judge
from hil.record.reader import Run
from hil.run.conduct import Ending
from hil.run.crew import Crew

RIG = ROOT / "tests" / "acceptance" / "twin-so101-button.toml"
MANY = 50
"""Episodes planned; the button ends the run in the first."""


@pytest.fixture(scope="module")
def twin() -> Iterator[Bench]:
    with twin_bench(str(RIG)) as found:
        yield found


@pytest.fixture
def bench(twin: Bench) -> Iterator[Bench]:
    """With a button that is released and reset at the end."""
    yield twin
    twin.scene.control("button", twin.soon(), do="unstick", channel="a")
    for act in ("restart", "release", "reset"):
        twin.scene.control("button", twin.soon(), do=act)


def do(bench: Bench, what: str, **args: object) -> Callable[[Crew], None]:
    return lambda _: bench.scene.control("button", bench.soon(), do=what, **args)


def assert_stopped(ending: Ending, run: Run, cause: str) -> None:
    """Between two ticks of the first episode, whose record is whole."""
    assert run.end["outcome"] == ending.outcome
    (attempt,) = run.rows("attempt")
    assert (attempt["episode"], attempt["end"]) == ("0001", "interrupted")
    episode = run.episode("0001")
    assert episode.meta["end"] == "interrupted"
    assert cause in str(episode.meta["reason"])
    assert 5 <= len(episode.ticks) == attempt["ticks"]
    assert len(episode.channels["joints.position"].value) == len(episode.ticks)
    proofs = run.rows("safe")
    assert all(cause in row["cause"] for row in proofs)
    arm = next(row for row in proofs if row["role"] == "arm")
    assert arm["safe"]
    torques = [value for name, value in arm["readings"].items() if "torque_enable" in name]
    assert len(torques) == 6
    assert not any(torques), "read back from every servo"


def test_pressed_in_motion(bench: Bench, tmp_path: Path) -> None:
    ending, run = run_and(do(bench, "press"), plan_for(str(RIG), MANY), bench, tmp_path / "run")
    assert ending.outcome == "interrupted"
    assert ending.reason == "emergency stop button: pressed"
    assert_stopped(ending, run, "emergency stop button: pressed")
    assert_safe(run, bench, "button")
    button = next(row for row in run.rows("safe") if row["role"] == "button")
    assert (button["state"], button["readings"]["a_closed"]) == ("pressed", False)
    assert judge(run).outcome != "PASS"


@pytest.mark.parametrize(
    ("what", "args", "cause"),
    [
        ("stick", {"channel": "a", "closed": False}, "pressed (A open, B closed so far)"),
        ("restart", {}, "latched, to be reset by hand"),
    ],
)
def test_other_states_that_stop(
    bench: Bench, tmp_path: Path, what: str, args: dict[str, object], cause: str
) -> None:
    ending, run = run_and(
        do(bench, what, **args), plan_for(str(RIG), MANY), bench, tmp_path / "run"
    )
    assert ending.outcome == "interrupted"
    assert_stopped(ending, run, cause)
    assert_safe(run, bench, "button")


@pytest.mark.parametrize(
    ("what", "cause"), [("silence", "silent for "), ("freeze", "its stream stands still for ")]
)
def test_a_button_that_cannot_be_read_stops_the_rig_and_is_an_error(
    bench: Bench, tmp_path: Path, what: str, cause: str
) -> None:
    ending, run = run_and(do(bench, what), plan_for(str(RIG), MANY), bench, tmp_path / "run")
    assert ending.outcome == "error"
    assert "could not prove the safe state of button" in ending.reason
    assert_stopped(ending, run, f"emergency stop button: {cause}")
    safe = {row["role"]: row["safe"] for row in run.rows("safe")}
    assert safe == {"arm": True, "terminal": True, "scene": True, "button": False}
    assert bench.status()["torque_on"] == 0
    assert judge(run).outcome == "ERROR"


def test_a_button_that_is_pressed_before_the_run_lets_nothing_move(
    bench: Bench, tmp_path: Path
) -> None:
    bench.scene.control("button", bench.soon(), do="press")
    ending, run = run_on(plan_for(str(RIG), MANY), bench, tmp_path / "run")
    assert (ending.outcome, ending.reason) == ("interrupted", "emergency stop button: pressed")
    assert run.rows("attempt") == []
    findings = [row for row in run.rows("finding") if row["role"] == "button"]
    assert [row["detail"] for row in findings] == ["pressed"]
    assert_safe(run, bench, "button")


def test_the_button_survives_a_worker_that_is_killed(bench: Bench, tmp_path: Path) -> None:
    """The watchdog makes the arm safe first, then shows that the button can be read."""

    def kill(crew: Crew) -> None:
        os.kill(crew.worker.pid, signal.SIGKILL)

    ending, run = run_and(kill, plan_for(str(RIG)), bench, tmp_path / "run")
    assert ending.outcome == "error"
    assert_safe(run, bench, "button")
