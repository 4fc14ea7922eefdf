from __future__ import annotations

import pytest
from manipulation import Tried, attempt, changed, digest, digest_elsewhere, failures, without
from pydantic import ValidationError

from sim.tasks.pick_place import JOB, Parameters

SCENARIO, RIG = "mfg-kit-pick-place", "sim-panda"
END = slice(-1, None)
HELD = "placed, at rest and released at the end"


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
        ({"block__robot_n": 3.0}, HELD),
        ({"block__speed": 0.05}, HELD),
        ({"block__x": 1.0}, "place error"),
        ({"bystander__y": 1.0}, "bystander moved"),
        ({"block__qx": 0.7, "block__qw": 0.7}, "turn error"),
    ],
)
def test_what_is_not_done_at_the_end_is_no_success(
    done: Tried, values: dict[str, float], failed: str
) -> None:
    score = done.task.score(changed(done.episode, END, **values), done.parameters)
    assert score.success is False
    assert failed in failures(score)


def test_a_moment_at_the_goal_is_no_success(done: Tried) -> None:
    """It was there for a while, but left again before the end."""
    late = changed(done.episode, slice(-5, None), block__x=0.2)
    assert done.task.score(late, done.parameters).success is False


@pytest.mark.parametrize("label", ["block.x", "block.qz", "block.robot_n", "bystander.z"])
def test_what_was_not_observed_is_undecided(done: Tried, label: str) -> None:
    assert done.task.score(without(done.episode, label), done.parameters).success is None


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"edge_m": [0.03, 0.09]}, r"within \[0.03, 0.06\] m"),
        ({"x_m": [0.2, 0.5]}, r"within \[0.35, 0.6\] m"),
        ({"mass_kg": [0.2, 0.1]}, "from low to high"),
        ({"tolerance_m": 0.5}, "less than or equal to 0.05"),
        ({"material": "cheese"}, "Extra inputs"),
    ],
)
def test_what_it_cannot_do_is_refused(table: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Parameters.model_validate(table)
    assert JOB.Parameters is Parameters


def test_a_row_that_was_lost_in_between_changes_nothing(done: Tried) -> None:
    lost = changed(done.episode, slice(100, 101), bystander__x=float("nan"))
    assert done.task.score(lost, done.parameters) == done.score
