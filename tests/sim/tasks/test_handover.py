"""Archetype handover: who lets go when, and what counts as handed over."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from manipulation import Tried, attempt, changed, digest, digest_elsewhere, failures, without
from pydantic import ValidationError

from hil.task import Draw
from sim.tasks import handover_script
from sim.tasks.handover import JOB, Parameters

SCENARIO, CUP, RIG = "mfg-tool-handover-cobot", "care-cup-handover", "sim-panda-force"
WITH_A_BUMP = 4
"""A seed whose receiver bumps before the pull."""
EARLY, LATE = "let go after the pull began", "let go after the pull was strong"
ALONE, CYCLE = "with the receiver alone at the end", "handed over within"
END = slice(-1, None)


@pytest.fixture(scope="module")
def done() -> Tried:
    return attempt(SCENARIO, RIG, "expert", WITH_A_BUMP)


def _person(draw: Draw) -> Mapping[str, Any]:
    elements: Any = draw["elements"]
    found: Mapping[str, Any] = next(one for one in elements if one["kind"] == "receiver")
    return found


def _row(tried: Tried, label: str, limit: float) -> int:
    """The first row in which a column is `limit` or more."""
    column = tried.episode.channels["witness"].column(label)
    assert column is not None
    return int(np.flatnonzero(column >= limit)[0])


def test_the_expert_waits_for_the_pull_and_nobody_is_no_help(done: Tried) -> None:
    assert _person(done.episode.draw)["bump"] is not None
    assert done.score.success is True, done.score
    assert attempt(SCENARIO, RIG, "null").score.success is False


def test_a_cup_is_handed_over_upright() -> None:
    tried = attempt(CUP, RIG, "expert", 2)
    assert tried.score.success is True, tried.score


def test_two_processes_give_the_same_bits(done: Tried) -> None:
    elsewhere = digest_elsewhere(SCENARIO, RIG, "expert", WITH_A_BUMP)
    assert elsewhere == digest(done.episode)


@pytest.mark.parametrize(
    ("felt", "failed"), [(0.15, EARLY), (math.inf, ALONE)], ids=["at a bump", "never"]
)
def test_who_lets_go_at_a_bump_or_never_fails(
    felt: float, failed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handover_script, "PULL_SHARE", felt)
    tried = attempt(SCENARIO, RIG, "expert", WITH_A_BUMP)
    assert tried.score.success is False
    assert tried.named()[failed] is False


def test_who_lets_go_before_anybody_has_it_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handover_script, "FELT_S", 0.0)
    tried = attempt(SCENARIO, RIG, "expert", WITH_A_BUMP)
    assert tried.score.success is False
    assert tried.named()[EARLY] is False
    held = tried.episode.channels["witness"].column("receiver.holds")
    assert held is not None
    assert held.max() == 0.0


def test_the_delay_counts_from_the_force_that_is_agreed_to_be_a_pull(done: Tried) -> None:
    pulled = _row(done, "receiver.pull_n", done.parameters.pull_n)
    held = slice(pulled, pulled + 30)
    late = done.task.score(changed(done.episode, held, thing__robot_n=60.0), done.parameters)
    assert failures(late) == {LATE}
    assert late.measures["pull_to_release_s"] == pytest.approx(30 / 125, abs=1e-3)


@pytest.mark.parametrize(
    ("rows", "values", "failed"),
    [
        (END, {"thing__robot_n": 5.0}, ALONE),
        (END, {"receiver__holds": 0.0}, ALONE),
        (END, {"receiver__speed": 0.3}, ALONE),
        (slice(300, 301), {"thing__qx": 0.16, "thing__qw": 0.98}, "leaned"),
        (slice(-100, -99), {"receiver__slip_m": 0.02}, "slipped in the receiver's hand"),
        (slice(300, 301), {"receiver__force_peak_n": 141.0}, "force on the hand"),
        (slice(0, -70), {"thing__robot_n": 60.0}, CYCLE),
        (slice(0, -70), {"receiver__pulls": 0.0}, EARLY),
    ],
)
def test_what_is_not_handed_over_as_agreed_is_no_success(
    done: Tried, rows: slice, values: dict[str, float], failed: str
) -> None:
    score = done.task.score(changed(done.episode, rows, **values), done.parameters)
    assert score.success is False
    assert failed in failures(score)


@pytest.mark.parametrize(
    "label",
    [
        "thing.qx",
        "thing.robot_n",
        "receiver.holds",
        "receiver.pulls",
        "receiver.pull_n",
        "receiver.slip_m",
        "receiver.speed",
        "receiver.force_peak_n",
    ],
)
def test_what_was_not_observed_is_undecided(done: Tried, label: str) -> None:
    assert done.task.score(without(done.episode, label), done.parameters).success is None


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"hand_x_m": [0.5, 0.9]}, r"within \[0.52, 0.64\] m"),
        ({"thing": "cup", "width_m": [0.05, 0.09]}, r"within \[0.05, 0.068\] m of a cup"),
        ({"width_m": [0.05, 0.06]}, r"within \[0.012, 0.028\] m of a tool"),
        ({"length_m": [0.1, 0.16]}, r"within \[0.155, 0.19\] m of a tool"),
        ({"bump_n": [1.0, 5.0]}, r"within \[0, 3.75\] N of no pull"),
        ({"most_n": [6.0, 9.0]}, r"within \[7.5, 20\] N of a pull"),
        ({"thing": "knife"}, "'tool' or 'cup'"),
        ({"polite": True}, "Extra inputs"),
    ],
)
def test_what_it_cannot_do_is_refused(table: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Parameters.model_validate(table)


def test_receivers_differ_as_asked_and_a_bump_is_over_before_the_pull() -> None:
    asked = Parameters(bump_share=0.5)
    people = [_person(JOB.draw(asked, np.random.default_rng(seed))) for seed in range(200)]
    bumps = [(one["bump"], one["pull"]) for one in people if one["bump"] is not None]
    assert 70 < len(bumps) < 130
    for bump, pull in bumps:
        assert asked.bump_n[0] <= math.hypot(*bump["force"]) <= asked.bump_n[1]
        assert bump["after_s"] + bump["lasts_s"] <= pull["after_s"]
    assert all(math.hypot(*one["pull"]["way"]) == pytest.approx(1.0) for one in people)
    ramps = [one["pull"]["ramp_n_s"] for one in people]
    assert min(ramps) < 26.0 < 59.0 < max(ramps) <= asked.ramp_n_s[1]
