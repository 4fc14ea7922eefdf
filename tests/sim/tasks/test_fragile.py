from __future__ import annotations

import numpy as np
import pytest
from click.testing import CliRunner
from manipulation import Tried, attempt, changed, digest, digest_elsewhere, without
from pydantic import ValidationError

from hil.catalogue import load_rig
from hil.cli.main import cli
from hil.errors import BadInput
from hil.plan.freeze import freeze, single
from hil.run.trial import run_trial
from sim.tasks.fragile import JOB, Parameters

SCENARIO, RIG, SEED = "haz-sample-jar-pick", "sim-panda-grip", 4
"""The first jar of this seed needs more than it is said to, and is of steel."""
END = slice(-1, None)
BOXED = "in the box, upright, at rest and released"


@pytest.fixture(scope="module")
def done() -> Tried:
    return attempt(SCENARIO, RIG, "expert", SEED)


def test_the_expert_does_it_and_nobody_does_not(done: Tried) -> None:
    assert done.score.success is True, done.score
    assert attempt(SCENARIO, RIG, "null", SEED).score.success is False
    squeeze = done.score.measures["largest squeeze over what it needs [1]"]
    assert 1.0 < squeeze < done.parameters.holds[0]


def test_two_processes_give_the_same_bits(done: Tried) -> None:
    assert digest_elsewhere(SCENARIO, RIG, "expert", SEED) == digest(done.episode)


def test_who_neither_feels_nor_hears_drops_it() -> None:
    rig, path = load_rig(RIG)
    plan = freeze(
        single(SCENARIO, 1), "0" * 64, rig, path, SEED, "expert", without=("tactile", "ear")
    )
    trial = run_trial(plan, plan.episodes[0], lambda: None)
    assert trial.attempt is not None, trial.ending
    episode = trial.attempt.episode
    assert JOB.score(episode, plan.scenarios[SCENARIO].parameters).success is False
    for role in ("left", "right", "ear"):
        channel = episode.channels[role]
        assert (channel.age_ns == -1).all(), role
        assert np.isnan(channel.value).all(), role


def test_the_jar_is_seen_before_it_is_taken_and_not_in_the_hand(done: Tried) -> None:
    seen = done.episode.channels["tracker"].column("jar.x")
    witness = done.episode.channels["witness"]
    held, high = witness.column("jar.robot_n"), witness.column("jar.z")
    assert seen is not None
    assert held is not None
    assert high is not None
    there = ~np.isnan(seen)
    carried = (held > 0) & (high > 0.05)
    assert carried.sum() > 200
    assert there[carried].mean() < 0.05
    assert there[0]


@pytest.mark.parametrize(
    ("values", "failed"),
    [
        ({"jar__robot_n": 3.0}, BOXED),
        ({"jar__speed": 0.05}, BOXED),
        ({"jar__z": 0.07}, BOXED),
        ({"jar__x": 1.0}, BOXED),
        ({"jar__qx": 0.7, "jar__qw": 0.7}, BOXED),
        ({"shell__broken": 1.0}, "broken"),
        ({"jar__speed": 0.9}, "fastest"),
    ],
)
def test_what_is_not_done_is_no_success(done: Tried, values: dict[str, float], failed: str) -> None:
    score = done.task.score(changed(done.episode, END, **values), done.parameters)
    assert score.success is False
    assert failed in {condition.name for condition in score.conditions if condition.ok is False}


@pytest.mark.parametrize("label", ["jar.x", "jar.qz", "jar.robot_n", "shell.broken"])
def test_what_was_not_observed_is_undecided(done: Tried, label: str) -> None:
    assert done.task.score(without(done.episode, label), done.parameters).success is None


def test_a_broken_jar_ends_the_episode() -> None:
    assert JOB.finished({"shell.broken": 1.0})
    assert not JOB.finished({"shell.broken": 0.0})


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"mass_kg": [0.01, 0.2]}, r"within \[0.05, 1\] kg"),
        ({"materials": ["glass", "cheese"]}, r"cheese.*glass"),
        ({"friction": [0.9, 1.0], "mass_kg": [0.05, 0.06]}, "jars of this mass and friction need"),
        ({"needs_n": [5.0, 14.0], "holds": [2.0, 5.0]}, "is not fragile to a gripper of 30 N"),
    ],
)
def test_what_cannot_be_done_is_refused(table: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Parameters.model_validate(table)


def test_a_sensor_that_is_not_there_cannot_be_ablated() -> None:
    asked = ["ablate", SCENARIO, "--rig", RIG, "--policy", "expert", "--sensors", "nose"]
    found = CliRunner().invoke(cli, asked)
    assert isinstance(found.exception, BadInput)
    assert "microphone (ear)" in str(found.exception)
