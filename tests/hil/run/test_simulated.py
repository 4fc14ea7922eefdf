"""The record of a simulated run: what is written of trials, and how it ends."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from benches import fake_bench, fake_plan

from hil.errors import BadInput, HarnessError, HostError, RigError
from hil.plan.freeze import Plan
from hil.record.reader import Run, open_run
from hil.record.writer import RunWriter
from hil.rig import Bench
from hil.run.attendance import Asked
from hil.run.campaign import Ending, Silent, run_campaign
from hil.run.simulated import record_trials, refuse_jobs
from hil.run.trial import Trial, one_by_one, run_trial
from hil.safety import StopRequest
from rigs.schema import Rig

TODAY = date(2026, 6, 1)


@pytest.fixture
def plan(monkeypatch: pytest.MonkeyPatch) -> Plan:
    """Three episodes of the fakes' reach task, each on fakes of its own."""
    monkeypatch.setattr("hil.run.trial.build_bench", lambda *_: fake_bench())
    return fake_plan(fake_bench())


def nobody() -> None:
    """Nobody asks for the end."""


def trials(plan: Plan) -> list[Trial]:
    return list(one_by_one(plan, nobody, lambda _: None))


def written(
    plan: Plan, found: list[Trial] | Iterator[Trial], folder: Path, stop: StopRequest | None = None
) -> tuple[Ending, Run]:
    ending = record_trials(plan, folder, Silent(), stop or StopRequest(), found, TODAY)
    return ending, open_run(folder)


def ends(run: Run) -> list[tuple[str, str]]:
    return [(row["episode"], row["end"]) for row in run.rows("attempt")]


def ended(trial: Trial, outcome: str, reason: str) -> Trial:
    return replace(trial, ending=Ending(outcome, reason, RigError(reason)))


def test_every_trial_starts_from_the_same_state_whatever_ran_before(plan: Plan) -> None:
    last = trials(plan)[-1]
    alone = run_trial(plan, plan.episodes[-1], nobody)
    assert last.attempt is not None
    assert alone.attempt is not None
    assert alone.attempt.episode.ticks.tobytes() == last.attempt.episode.ticks.tobytes()
    assert alone.attempt.episode.ticks["woke_ns"][0] < 10**9, "its clock began with it"
    assert alone.rows == last.rows
    assert alone.proofs == last.proofs


def test_the_ledger_of_trials_reads_like_that_of_one_bench(plan: Plan, tmp_path: Path) -> None:
    ending, run = written(plan, trials(plan), tmp_path / "run")
    assert ending == Ending("complete", "every planned episode was run")
    kinds = [row["row"] for row in run.ledger]
    devices = ["device"] * 3
    assert kinds == ["run", *devices, "self-watch", "model", *["attempt"] * 3, *["safe"] * 3, "end"]
    assert ends(run) == [(name, "completed") for name in ("0001", "0002", "0003")]
    assert {row["cause"] for row in run.rows("safe")} == {ending.reason}


def test_what_a_bench_says_differently_is_written_down(plan: Plan, tmp_path: Path) -> None:
    first, second, third = trials(plan)
    odd: dict[str, Any] = {"row": "finding", "role": "arm", "name": "heat", "ok": False}
    found = [first, replace(second, rows=(*second.rows, odd)), third]
    _, run = written(plan, found, tmp_path / "run")
    kinds = [row["row"] for row in run.ledger]
    assert kinds.count("finding") == 1
    assert kinds.index("attempt") < kinds.index("finding") < kinds.index("safe")


def test_the_first_trial_that_ends_the_run_is_the_last_one(plan: Plan, tmp_path: Path) -> None:
    def lost(*_: object) -> Bench:
        bench = fake_bench()
        bench.devices["scene"].unplugged = len(seen) == 2  # type: ignore[attr-defined]
        return bench

    seen: list[str] = []
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("hil.run.trial.build_bench", lost)
        found = list(one_by_one(plan, nobody, lambda episode: seen.append(episode.name)))
    assert seen == ["0001", "0002"]
    ending, run = written(plan, found, tmp_path / "run")
    assert (ending.outcome, run.end["outcome"]) == ("error", "error")
    assert "scene is gone" in ending.reason
    assert run.end["reason"] == ending.reason
    proofs = {row["role"]: row["safe"] for row in run.rows("safe")}
    assert proofs == {"arm": True, "terminal": True, "scene": False}


@pytest.mark.parametrize("outcomes", [("interrupted", "error"), ("error", "interrupted")])
def test_of_several_endings_the_gravest_counts(
    plan: Plan, tmp_path: Path, outcomes: tuple[str, str]
) -> None:
    """As a pool hands them over when a process was killed: nothing that was begun is left out."""
    first, second, third = trials(plan)
    hurt = [ended(one, said, said) for one, said in zip((second, third), outcomes, strict=True)]
    ending, run = written(plan, [first, *hurt], tmp_path / "run")
    assert ending.outcome == "error"
    assert len(run.rows("attempt")) == 3
    assert {row["cause"] for row in run.rows("safe")} == {"error"}


def test_a_bench_that_was_not_safe_stays_on_the_record(plan: Plan, tmp_path: Path) -> None:
    first, second, third = trials(plan)
    unsafe = tuple({**row, "safe": False} for row in second.proofs)
    found = [first, ended(replace(second, proofs=unsafe), "error", "unsafe"), third]
    _, run = written(plan, found, tmp_path / "run")
    assert [row["safe"] for row in run.rows("safe")] == [False] * 3


def test_a_stop_between_two_trials_interrupts_the_run(plan: Plan, tmp_path: Path) -> None:
    stop = StopRequest()

    def stopping() -> Iterator[Trial]:
        for trial in one_by_one(plan, lambda: Asked(stop.cause) if stop() else None, begun.append):
            yield trial
            stop.request("SIGINT")

    begun: list[object] = []
    ending, run = written(plan, stopping(), tmp_path / "run", stop)
    assert (ending.outcome, run.end["reason"]) == ("interrupted", "SIGINT")
    assert ends(run) == [("0001", "completed")]
    assert len(begun) == 1
    assert run.rows("safe")[0]["cause"] == "SIGINT"


def test_a_stop_in_a_trial_cuts_it_between_two_ticks(plan: Plan) -> None:
    looks = iter(range(1000))
    trial = run_trial(
        plan, plan.episodes[0], lambda: Asked("SIGTERM") if next(looks) > 12 else None
    )
    assert (trial.ending.outcome, trial.ending.reason) == ("interrupted", "SIGTERM")
    assert trial.attempt is not None
    assert trial.attempt.end == "interrupted"
    assert all(row["from_cause_us"] >= 0 for row in trial.proofs)


def test_a_full_disk_ends_the_run_and_no_further_trial_is_asked_for(
    plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = RunWriter.append

    def full(self: RunWriter, row: dict[str, object]) -> None:
        if row["row"] == "attempt" and row["episode"] == "0002":
            raise OSError(errno.ENOSPC, "No space left on device")
        whole(self, row)

    monkeypatch.setattr(RunWriter, "append", full)
    begun: list[object] = []
    ending, run = written(plan, one_by_one(plan, nobody, begun.append), tmp_path / "run")
    assert isinstance(ending.error, HostError)
    assert len(begun) == 2
    assert ends(run) == [("0001", "completed")]
    assert [row["episode"] for row in run.rows("unrecorded")] == ["0002"]
    assert all(row["safe"] for row in run.rows("safe"))
    assert (run.end["outcome"], "No space" in run.end["reason"]) == ("error", True)


def test_a_defect_is_named_and_the_record_closed(
    plan: Plan, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object) -> Bench:
        bench = fake_bench()
        bench.devices["scene"].track = lambda _: 1 / 0  # type: ignore[attr-defined]
        return bench

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("hil.run.trial.build_bench", broken)
        ending = run_campaign(plan, tmp_path / "run", Silent(), StopRequest())
    assert isinstance(ending.error, HarnessError)
    assert "ZeroDivisionError" in ending.reason
    assert "ZeroDivisionError" in capfd.readouterr().err
    run = open_run(tmp_path / "run")
    assert run.end["reason"] == ending.reason
    assert all(row["safe"] for row in run.rows("safe"))


def test_a_defect_of_whoever_hands_over_trials_closes_the_record(
    plan: Plan, tmp_path: Path
) -> None:
    def broken() -> Iterator[Trial]:
        yield trials(plan)[0]
        raise ZeroDivisionError("defect")

    with pytest.raises(ZeroDivisionError):
        written(plan, broken(), tmp_path / "run")
    run = open_run(tmp_path / "run")
    assert run.end == {"row": "end", "outcome": "error", "reason": "ZeroDivisionError: defect"}
    assert ends(run) == [("0001", "completed")]


@pytest.mark.parametrize("kind", ["twin", "real"])
def test_devices_that_are_there_once_do_one_episode_at_a_time(kind: str) -> None:
    rig = Rig.model_construct(name="bench", kind=kind)
    refuse_jobs(rig, 1)
    with pytest.raises(BadInput, match=f"kind '{kind}'.* one episode at a time, not 2"):
        refuse_jobs(rig, 2)
