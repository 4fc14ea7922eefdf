from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from run_builder import CLAIMS, TASKS, Knobs, LampTask, build_run

from hil.errors import DamagedRecord, HarnessError
from hil.judge.inputs import Record
from hil.judge.model import ClaimResult, Outcome, Verdict, verdict_json
from hil.judge.verdict import judge
from hil.record.format import Episode, EpisodeEnd
from hil.task import Score


def verdict_of(folder: Path, **knobs: Any) -> Verdict:
    return judge(build_run(folder / "run", Knobs(**knobs)), TASKS)


def claim(verdict: Verdict, metric: str) -> ClaimResult:
    return next(c for c in verdict.scenarios[0].claims if c.metric == metric)


def test_good_run_passes(tmp_path: Path) -> None:
    verdict = verdict_of(tmp_path)
    assert (verdict.outcome, verdict.exit_code, verdict.reasons) == (Outcome.PASS, 0, ())
    success = claim(verdict, "success")
    assert (success.count, success.total, success.needed) == (14, 14, 14)
    assert success.bound == pytest.approx(0.05 ** (1 / 14), abs=2e-6)
    reaction = claim(verdict, "reaction")
    assert reaction.total == 14 * 40
    assert reaction.bound is not None
    assert 8000 < reaction.bound < 20_000
    assert claim(verdict, "misses").count == 0
    assert verdict.scenarios[0].above_floor is True


def test_same_record_gives_the_same_bytes(tmp_path: Path) -> None:
    first = verdict_json(verdict_of(tmp_path / "a", failures=(2,), silent=(5,)))
    second = verdict_json(verdict_of(tmp_path / "b", failures=(2,), silent=(5,)))
    assert first == second
    assert json.loads(first)["schema"] == 1


def test_a_failure_more_than_the_claim_bears_fails(tmp_path: Path) -> None:
    verdict = verdict_of(tmp_path, failures=(3,))
    assert (verdict.outcome, verdict.exit_code) == (Outcome.FAIL, 1)
    assert "14 of 14 had to succeed, 1 failed" in claim(verdict, "success").reason
    failed = verdict.scenarios[0].episodes[2]
    assert failed.success is False
    assert failed.reason == "lamp on at the end: 0 (limit = 1)"


def test_too_few_episodes_show_nothing(tmp_path: Path) -> None:
    verdict = verdict_of(tmp_path, episodes=13)
    assert (verdict.outcome, verdict.exit_code) == (Outcome.INCONCLUSIVE, 3)
    assert "14 without a failure would" in claim(verdict, "success").reason


@pytest.mark.parametrize("stage", ["infer", "sense"])
def test_slow_stage_fails_latency_and_is_named(tmp_path: Path, stage: str) -> None:
    verdict = verdict_of(tmp_path, slow_us={stage: 33_000})
    assert verdict.outcome is Outcome.FAIL
    for metric in ("reaction", "misses"):
        late = claim(verdict, metric)
        assert (late.state, late.stage) == (Outcome.FAIL, stage)
        assert f"stage {stage} is to blame" in late.reason
    assert any(f"stage {stage} is to blame" in reason for reason in verdict.reasons)
    assert claim(verdict, "success").state is Outcome.PASS


def test_claim_on_one_stage_blames_that_stage(tmp_path: Path) -> None:
    bound = {**CLAIMS[1], "metric": "infer", "bound_us": 3000}
    verdict = verdict_of(tmp_path, claims=[bound])
    assert (claim(verdict, "infer").state, claim(verdict, "infer").stage) == (Outcome.FAIL, "infer")


def test_unanswered_points_fail_latency_even_if_the_timeout_is_short(tmp_path: Path) -> None:
    verdict = verdict_of(tmp_path, silent=(1, 2, 3, 4))
    reaction = claim(verdict, "reaction")
    assert (reaction.state, reaction.bound) == (Outcome.FAIL, None)
    assert "never answered" in reaction.shown


def test_virtual_clock_skips_latency(tmp_path: Path) -> None:
    verdict = verdict_of(tmp_path, virtual=True, kind="sim", slow_us={"infer": 90_000})
    assert verdict.outcome is Outcome.PASS
    for metric in ("reaction", "misses"):
        assert claim(verdict, metric).state is Outcome.SKIPPED
        assert claim(verdict, metric).bound is None
    assert not verdict.scenarios[0].timing.measured
    assert any("virtual" in sentence for sentence in verdict.not_said)


def test_only_skipped_claims_pass_nothing(tmp_path: Path) -> None:
    verdict = verdict_of(tmp_path, virtual=True, kind="sim", claims=CLAIMS[1:])
    assert verdict.outcome is Outcome.INCONCLUSIVE


def test_interrupted_run_is_inconclusive_and_says_what_is_missing(tmp_path: Path) -> None:
    verdict = verdict_of(tmp_path, interrupted_after=5)
    assert (verdict.outcome, verdict.exit_code) == (Outcome.INCONCLUSIVE, 3)
    scenario = verdict.scenarios[0]
    assert (scenario.successes, scenario.undecided) == (5, 9)
    assert "9 of 14 episodes cannot be counted" in claim(verdict, "success").reason
    assert claim(verdict, "reaction").state is Outcome.INCONCLUSIVE
    assert scenario.episodes[13].end == "missing"


def test_interrupted_run_is_never_a_failure_of_the_device(tmp_path: Path) -> None:
    verdict = verdict_of(tmp_path, interrupted_after=5, failures=(1, 2, 3))
    assert claim(verdict, "success").state is Outcome.FAIL
    assert verdict.outcome is Outcome.INCONCLUSIVE


def test_unsafe_exit_is_an_error_whatever_the_score(tmp_path: Path) -> None:
    verdict = verdict_of(tmp_path, unsafe=True)
    assert (verdict.outcome, verdict.exit_code) == (Outcome.ERROR, 4)
    assert verdict.reasons[0] == "arm was not proved safe: torque still on"


@pytest.mark.parametrize(
    ("word", "outcome", "code"), [("error", Outcome.ERROR, 4), ("void", Outcome.VOID, 3)]
)
def test_the_ledgers_last_word(tmp_path: Path, word: str, outcome: Outcome, code: int) -> None:
    verdict = verdict_of(tmp_path, outcome=word)
    assert (verdict.outcome, verdict.exit_code) == (outcome, code)


def test_device_that_gives_up_has_failed(tmp_path: Path) -> None:
    verdict = verdict_of(tmp_path, faults=(7,))
    assert verdict.outcome is Outcome.FAIL
    episode = verdict.scenarios[0].episodes[6]
    assert (episode.success, episode.reason) == (False, "it broke (device-fault)")


def test_rig_error_in_an_episode_says_nothing_of_the_device(tmp_path: Path) -> None:
    verdict = verdict_of(tmp_path, errors=(7,))
    assert verdict.outcome is Outcome.ERROR
    assert verdict.scenarios[0].episodes[6].success is None
    assert claim(verdict, "success").state is Outcome.INCONCLUSIVE


@pytest.mark.parametrize(
    ("first", "success"),
    [
        (EpisodeEnd.ERROR, True),
        (EpisodeEnd.DEVICE_FAULT, False),
        (EpisodeEnd.COMPLETED, True),
    ],
)
def test_trying_again_helps_only_after_an_error_of_the_rig(
    tmp_path: Path, first: EpisodeEnd, success: bool
) -> None:
    verdict = verdict_of(tmp_path, retried={4: first})
    episode = verdict.scenarios[0].episodes[3]
    assert episode.success is success
    assert [a.attempt for a in episode.attempts] == [1, 2]
    assert episode.record == ("0004.2" if first is EpisodeEnd.ERROR else "0004")


def test_what_was_not_observed_is_not_scored(tmp_path: Path) -> None:
    verdict = verdict_of(tmp_path, unobserved=(2, 3))
    assert verdict.outcome is Outcome.INCONCLUSIVE
    success = claim(verdict, "success")
    assert success.state is Outcome.INCONCLUSIVE
    assert "2 of 14" in success.reason
    assert "not observed: lamp on at the end" in success.reason
    assert claim(verdict, "reaction").state is Outcome.PASS


def test_episode_maxima_as_samples(tmp_path: Path) -> None:
    maxima = {**CLAIMS[1], "sample": "episode", "quantile": 0.8}
    good = claim(verdict_of(tmp_path / "good", claims=[maxima]), "reaction")
    assert (good.state, good.total, good.needed) == (Outcome.PASS, 14, 14)
    cut = claim(verdict_of(tmp_path / "cut", claims=[maxima], faults=(1,)), "reaction")
    assert (cut.state, cut.count) == (Outcome.FAIL, 1)
    few = claim(verdict_of(tmp_path / "few", claims=[{**maxima, "quantile": 0.95}]), "reaction")
    assert (few.state, few.needed) == (Outcome.INCONCLUSIVE, 59)


def test_skipped_grid_points_are_misses(tmp_path: Path) -> None:
    verdict = verdict_of(tmp_path, skipped_every=10)
    misses = claim(verdict, "misses")
    assert misses.state is Outcome.FAIL
    assert misses.count == verdict.scenarios[0].timing.skipped == 14 * 4 * 2
    assert verdict.scenarios[0].timing.longest_streak == 2


def test_what_is_not_said_follows_the_run(tmp_path: Path) -> None:
    twin = " ".join(verdict_of(tmp_path / "twin").not_said)
    assert "software overhead" in twin
    assert "no city, authority or standards body endorses it" in twin
    assert "lamp-press: Only one lamp was tried." in twin
    real = " ".join(
        verdict_of(tmp_path / "real", kind="real", policy="expert", not_said=()).not_said
    )
    assert "given by the fixture's tracker" in real
    assert "software overhead" not in real
    assert "scripted expert" in real
    assert "how hard the scenario is" in " ".join(
        verdict_of(tmp_path / "bare", brackets=False).not_said
    )


def test_score_near_the_floor_is_marked(tmp_path: Path) -> None:
    verdict = verdict_of(tmp_path, failures=tuple(range(2, 15)))
    assert verdict.scenarios[0].above_floor is False


class CrashingTask(LampTask):
    def score(self, episode: Episode, parameters: Any) -> Score:
        raise IndexError("no such column")


def test_a_task_that_cannot_score_is_named(tmp_path: Path) -> None:
    run = build_run(tmp_path / "run")
    with pytest.raises(HarnessError, match="episode 0001 cannot be scored: IndexError"):
        judge(run, {"lamp": CrashingTask()})


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda plan: plan["scenarios"][0].pop("claims"), "plan.json: scenarios.0.claims"),
        (lambda plan: plan.update(policy="guess"), "plan.json: policy"),
        (lambda plan: plan["scenarios"][0]["task"].update(limit_n="x"), "task.limit_n"),
        (lambda plan: plan["episodes"].append(plan["episodes"][0]), "planned twice: 0001"),
        (lambda plan: plan["episodes"].pop(), "unplanned episodes: 0014"),
        (lambda plan: plan["episodes"][0].update(scenario="x"), "unplanned scenarios: x"),
    ],
)
def test_plan_of_another_form_is_refused(tmp_path: Path, change: Any, named: str) -> None:
    run = build_run(tmp_path / "run")
    data = json.loads(json.dumps(run.plan))
    change(data)
    record: Record = replace(run, plan=data)
    with pytest.raises(DamagedRecord, match=named):
        judge(record, TASKS)


def test_few_samples_can_still_show_the_opposite(tmp_path: Path) -> None:
    """What is plainly worse than claimed needs no more trials to be called a failure."""
    all_failed = verdict_of(tmp_path / "all", episodes=6, failures=tuple(range(1, 7)))
    success = claim(all_failed, "success")
    assert (success.state, all_failed.exit_code) == (Outcome.FAIL, 1)
    assert success.reason == "6 of 6 failed, which shows less than 0.394"
    one_failed = verdict_of(tmp_path / "one", episodes=6, failures=(1,))
    assert claim(one_failed, "success").state is Outcome.INCONCLUSIVE
    slow = verdict_of(tmp_path / "slow", episodes=1, ticks=20, slow_us={"infer": 40_000})
    assert claim(slow, "reaction").state is Outcome.FAIL
    assert claim(slow, "misses").state is Outcome.FAIL
