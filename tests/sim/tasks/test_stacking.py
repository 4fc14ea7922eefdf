from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest
from manipulation import Tried, attempt, changed, digest, digest_elsewhere, failures, without
from pydantic import ValidationError

from sim.tasks.stacking import JOB, Parameters

SCENARIO, RIG = "home-block-stack-tutor", "sim-panda"


@pytest.fixture(scope="module")
def done() -> Tried:
    return attempt(SCENARIO, RIG, "expert")


def test_the_expert_does_it_and_nobody_does_not(done: Tried) -> None:
    assert done.score.success is True, done.score
    assert attempt(SCENARIO, RIG, "null").score.success is False


def test_two_processes_give_the_same_bits(done: Tried) -> None:
    assert digest_elsewhere(SCENARIO, RIG, "expert") == digest(done.episode)


@pytest.mark.parametrize(
    ("values", "failed"),
    [
        ({"top__robot_n": 1.0}, "standing, at rest and released at the end"),
        ({"top__z": 0.5}, "top: height error"),  # as high as ever, but on nothing
        ({"middle__x": 1.0}, "middle: sideways"),
    ],
)
def test_a_tower_that_does_not_stand_by_itself_is_none(
    done: Tried, values: dict[str, float], failed: str
) -> None:
    score = done.task.score(changed(done.episode, slice(-1, None), **values), done.parameters)
    assert score.success is False
    assert failed in failures(score)


def test_what_was_not_observed_is_undecided(done: Tried) -> None:
    score = done.task.score(without(done.episode, "middle.z"), done.parameters)
    assert score.success is None


def test_towers_nearer_than_a_gripper_is_wide_are_refused() -> None:
    with pytest.raises(ValidationError, match=r"greater than or equal to 0\.13"):
        Parameters(apart_m=0.1)


@pytest.mark.parametrize("seed", [117, 121, 137, 210])
def test_things_that_leave_no_room_for_the_last_are_thrown_anew(seed: int) -> None:
    """Seeds with which the first three things stand in the way of the fourth."""
    drawn = JOB.draw(Parameters(), np.random.default_rng(seed))
    poses: dict[str, list[float]] = {**drawn["poses"], **drawn["goals"]}  # type: ignore[dict-item]
    places = [pose[:2] for pose in poses.values()]
    assert min(math.dist(*two) for two in combinations(places, 2)) >= 0.13
