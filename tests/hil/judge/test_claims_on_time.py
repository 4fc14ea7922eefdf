"""Claims on ticks, blocks and episodes, from a recorded run to the words of the verdict."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError
from run_builder import CLAIMS, TASKS, Knobs, build_run

from hil.judge.model import ClaimResult, Outcome, Verdict, verdict_json
from hil.judge.verdict import judge
from scenarios.schema import Claim

LATENCY, MISSES = CLAIMS[1], CLAIMS[2]


def verdict_of(folder: Path, loop: dict[str, Any] | None = None, **knobs: Any) -> Verdict:
    run = build_run(folder / "run", Knobs(**knobs))
    plan = json.loads(json.dumps(run.plan))
    plan["scenarios"][0]["loop"].update(loop or {})
    return judge(replace(run, plan=plan), TASKS)


def only(folder: Path, claim: dict[str, Any], **knobs: Any) -> ClaimResult:
    (found,) = verdict_of(folder, claims=[claim], **knobs).scenarios[0].claims
    return found


def test_blocks_as_samples(tmp_path: Path) -> None:
    claim = {**LATENCY, "sample": "block", "block_ticks": 8, "quantile": 0.9}
    found = only(tmp_path, claim)
    assert (found.state, found.total, found.needed) == (Outcome.PASS, 14 * 40 // 8, 29)
    assert (found.sample, found.block_ticks) == ("block", 8)
    assert "p90 of the maximum of reaction time over 8 grid points in a row" in found.statement
    assert "implies p90 of reaction time at most 20 ms" in found.statement
    tick = only(tmp_path / "tick", {**LATENCY, "quantile": 0.9})
    assert found.bound is not None
    assert tick.bound is not None
    assert found.bound > tick.bound, "the stronger statement has the higher bound"


def test_a_block_is_a_second_unless_said(tmp_path: Path) -> None:
    found = only(tmp_path, {**LATENCY, "sample": "block", "quantile": 0.5, "confidence": 0.9})
    assert (found.block_ticks, found.total) == (50, 14 * 40 // 50)


def test_too_few_blocks_show_nothing(tmp_path: Path) -> None:
    found = only(tmp_path, {**LATENCY, "sample": "block", "block_ticks": 10})
    assert (found.state, found.total, found.needed) == (Outcome.INCONCLUSIVE, 56, 59)
    assert "59 would" in found.reason


def test_misses_by_block_and_by_episode(tmp_path: Path) -> None:
    block = {**MISSES, "sample": "block", "block_ticks": 8}
    good = only(tmp_path / "good", block)
    assert (good.state, good.count, good.total) == (Outcome.PASS, 0, 70)
    assert "blocks of 8 grid points" in good.statement
    bad = only(tmp_path / "bad", block, silent=(3,))
    assert (bad.state, bad.count) == (Outcome.FAIL, 14)
    by_episode = {**MISSES, "sample": "episode", "max_fraction": 0.2}
    found = only(tmp_path / "episode", by_episode, silent=(3,))
    assert (found.state, found.count, found.total) == (Outcome.FAIL, 14, 14)
    assert "of episodes with a grid point later than" in found.statement


@pytest.mark.parametrize("claim", [LATENCY, MISSES])
def test_spells_are_never_passed_over_in_silence(tmp_path: Path, claim: dict[str, Any]) -> None:
    spells = {"silent": tuple(range(12, 22)), "episodes": 20}
    found = only(tmp_path / "spells", claim, **spells)
    assert found.effective is not None
    assert found.effective < found.total / 3
    assert f"{found.total} samples are worth about {found.effective} independent" in found.note
    assert "claim the maximum of blocks or episodes" in found.note
    calm = only(tmp_path / "calm", claim)
    assert calm.note == ""
    assert calm.effective in (None, calm.total)


def test_nothing_is_noted_where_nothing_was_measured(tmp_path: Path) -> None:
    found = only(tmp_path, LATENCY, silent=tuple(range(12, 22)), virtual=True, kind="sim")
    assert (found.state, found.note, found.effective) == (Outcome.SKIPPED, "", None)


def test_declared_start_up_is_in_no_bound_and_is_told(tmp_path: Path) -> None:
    slow_start = {"silent": (0, 1), "claims": [LATENCY, MISSES]}
    bare = verdict_of(tmp_path / "bare", **slow_start)
    assert bare.outcome is Outcome.FAIL
    verdict = verdict_of(tmp_path / "declared", loop={"startup_ticks": 2}, **slow_start)
    assert verdict.outcome is Outcome.PASS
    timing = verdict.scenarios[0].timing
    assert timing.startup is not None
    assert (timing.startup.count, timing.startup.unanswered) == (28, 28)
    assert (timing.points, timing.misses, timing.startup_ticks) == (14 * 38, 0, 2)
    assert timing.flags["no_answer"] == 28
    assert any("start-up" in sentence for sentence in verdict.not_said)
    assert not any("start-up" in sentence for sentence in bare.not_said)
    assert json.loads(verdict_json(verdict))["scenarios"][0]["timing"]["startup"]["count"] == 28


def test_worst_second_is_in_the_verdict(tmp_path: Path) -> None:
    timing = verdict_of(tmp_path, skipped_every=10).scenarios[0].timing
    worst = timing.worst_second
    assert worst is not None
    assert worst.episode == "0001"
    assert (worst.points, worst.misses) == (48, timing.misses // 14)
    assert worst.achieved_hz == pytest.approx(50 * 40 / 48)


@pytest.mark.parametrize(
    ("claim", "fault"),
    [
        ({**LATENCY, "block_ticks": 50}, 'block_ticks needs sample = "block"'),
        ({**LATENCY, "sample": "block", "block_ticks": 1}, "greater than or equal to 2"),
        ({**MISSES, "sample": "second"}, "'tick', 'episode' or 'block'"),
    ],
)
def test_claims_that_make_no_sense_are_refused(claim: dict[str, Any], fault: str) -> None:
    with pytest.raises(ValidationError, match=fault):
        TypeAdapter(Claim).validate_python(claim)
