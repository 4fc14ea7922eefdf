"""Archetype handover-arms: the left arm lets go when the right one pulls, and not before."""

from __future__ import annotations

import math

import numpy as np
import pytest
from manipulation import Tried, attempt, changed, digest, digest_elsewhere, failures, without
from pydantic import ValidationError

from hil.errors import BadInput
from sim.plants import panda
from sim.tasks import handover_arms_script
from sim.tasks.handover_arms import JOB, Parameters

SCENARIO, RIG = "mfg-bar-handover-two-arms", "sim-two-panda"
END = slice(-1, None)
PULLED, HELD = "let go after the other pulled", "at its place in the right hand alone"


@pytest.fixture(scope="module")
def done() -> Tried:
    return attempt(SCENARIO, RIG, "expert")


def test_the_expert_passes_it_on_and_nobody_does_not(done: Tried) -> None:
    assert done.score.success is True, done.score
    assert attempt(SCENARIO, RIG, "null").score.success is False


def test_two_processes_give_the_same_bits(done: Tried) -> None:
    assert digest_elsewhere(SCENARIO, RIG, "expert") == digest(done.episode)


@pytest.mark.parametrize(
    ("share", "failed"), [(-1.0, PULLED), (math.inf, HELD)], ids=["unasked", "never"]
)
def test_who_lets_go_unasked_or_never_fails(
    share: float, failed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handover_arms_script, "PULL_SHARE", share)
    monkeypatch.setattr(handover_arms_script, "PULL_M_S", 0.0 if share < 0 else 0.006)
    tried = attempt(SCENARIO, RIG, "expert")
    assert tried.score.success is False
    assert tried.named()[failed] is False


@pytest.mark.parametrize(
    ("rows", "values", "failed"),
    [
        (END, {"held__left_n": 3.0}, HELD),
        (END, {"held__right_n": 0.0}, HELD),
        (END, {"bar__z": 0.015}, "place error"),
        (END, {"bar__speed": 0.05}, HELD),
        (slice(300, 301), {"bar__qx": 0.16, "bar__qw": 0.98}, "leaned"),
        (slice(300, 301), {"held__tension_peak_n": 61.0}, "tension between the arms"),
        (slice(0, None), {"held__right_pull_n": 10.0}, PULLED),
    ],
)
def test_what_is_not_passed_on_as_agreed_is_no_success(
    done: Tried, rows: slice, values: dict[str, float], failed: str
) -> None:
    score = done.task.score(changed(done.episode, rows, **values), done.parameters)
    assert score.success is False
    assert failed in failures(score)


def test_a_left_hand_that_is_slow_to_let_go_fails(done: Tried) -> None:
    """Both hold it, and the right one pulls, for 0.3 s before it has it alone."""
    witness = done.episode.channels["witness"]
    left, right = witness.column("held.left_n"), witness.column("held.right_n")
    assert left is not None
    assert right is not None
    alone = int(np.flatnonzero((left <= 0.0) & (right > 0.0))[0])
    rows = slice(alone - 38, alone)
    longer = changed(
        done.episode, rows, held__left_n=60.0, held__right_n=60.0, held__right_pull_n=25.0
    )
    score = done.task.score(longer, done.parameters)
    assert failures(score) == {"let go within, of the pull"}


@pytest.mark.parametrize(
    "label",
    ["bar.x", "bar.qx", "held.left_n", "held.right_n", "held.right_pull_n", "held.tension_peak_n"],
)
def test_what_was_not_observed_is_undecided(done: Tried, label: str) -> None:
    assert done.task.score(without(done.episode, label), done.parameters).success is None


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"goal_x_m": [0.5, 0.7]}, r"within \[0.6, 0.75\] m"),
        ({"length_m": [0.1, 0.25]}, r"within \[0.2, 0.32\] m"),
        ({"width_m": [0.02, 0.05]}, r"within \[0.012, 0.035\] m"),
        ({"pull_n": 50.0}, "less than or equal to 20"),
    ],
)
def test_what_it_cannot_do_is_refused(table: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Parameters.model_validate(table)


def test_a_plant_of_one_arm_is_told_that_it_lacks_one() -> None:
    draw = JOB.draw(Parameters(), np.random.default_rng(1))
    plant = panda(500)
    try:
        with pytest.raises(BadInput, match="names 2 robots, and there are 1"):
            plant.arrange(draw, plant.home)
    finally:
        plant.close()
