from __future__ import annotations

import numpy as np
import pytest
from manipulation import Tried, attempt, changed, digest, digest_elsewhere, failures, without
from pydantic import ValidationError

from sim.tasks.insertion import JOB, Parameters

SCENARIO, RIG = "mfg-peg-insertion-arm", "sim-panda-force"
END = slice(-1, None)
HELD = "seated, at rest and released at the end"


@pytest.fixture(scope="module")
def done() -> Tried:
    return attempt(SCENARIO, RIG, "expert")


def test_the_expert_does_it_and_nobody_does_not(done: Tried) -> None:
    assert done.score.success is True, done.score
    assert attempt(SCENARIO, RIG, "null").score.success is False


def test_two_processes_give_the_same_bits(done: Tried) -> None:
    assert digest_elsewhere(SCENARIO, RIG, "expert") == digest(done.episode)


@pytest.mark.parametrize(
    ("rows", "values", "failed"),
    [
        (END, {"peg__robot_n": 3.0}, HELD),
        (END, {"peg__speed": 0.05}, HELD),
        (END, {"peg__z": 0.09}, "depth error"),
        (END, {"peg__x": 1.0}, "beside the hole's middle"),
        (slice(500, 501), {"socket__force_peak_n": 51.0}, "peak force on the socket"),
        (slice(0, -5), {"peg__z": 0.2}, HELD),
    ],
)
def test_what_is_not_done_at_the_end_is_no_success(
    done: Tried, rows: slice, values: dict[str, float], failed: str
) -> None:
    score = done.task.score(changed(done.episode, rows, **values), done.parameters)
    assert score.success is False
    assert failed in failures(score)


@pytest.mark.parametrize("label", ["peg.x", "peg.qz", "peg.robot_n", "socket.force_peak_n"])
def test_what_was_not_observed_is_undecided(done: Tried, label: str) -> None:
    assert done.task.score(without(done.episode, label), done.parameters).success is None


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"clearance_m": [-0.001, 0.001]}, r"within \[0.0005, 0.004\] m"),
        ({"width_m": [0.02, 0.05]}, r"within \[0.014, 0.03\] m"),
        ({"length_m": [0.085, 0.09], "depth_m": [0.03, 0.04]}, r"within \[0.025, 0.032\] m"),
        ({"error_m": 0.01}, "less than or equal to 0.0025"),
        ({"material": "cheese"}, "Extra inputs"),
    ],
)
def test_what_it_cannot_do_is_refused(table: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Parameters.model_validate(table)


def test_the_hole_is_told_with_the_error_that_is_asked_for() -> None:
    asked = Parameters()
    off = []
    for seed in range(200):
        draw = JOB.draw(asked, np.random.default_rng(seed))
        socket = next(one for one in draw["elements"] if one["name"] == "socket")  # type: ignore[attr-defined]
        off.append(np.subtract(socket["told"]["at"], socket["at"]))
        play = draw["hole_m"] - draw["width_m"]  # type: ignore[operator]
        assert play == pytest.approx(asked.clearance_m[0])
    assert np.abs(off).max() <= asked.error_m
    assert np.abs(off)[:, :2].max(axis=0).min() > 0.9 * asked.error_m
