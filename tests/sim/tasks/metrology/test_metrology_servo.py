from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from manipulation import digest, digest_elsewhere, without
from metrology import figure, measured, planted, varied

from hil.catalogue import scenario_files
from hil.errors import BadInput
from hil.task import Score
from sim.geartrain import Gear, GearTrain

STEP, BACKLASH, DRIFT = "char-joint-step", "char-joint-backlash", "char-joint-drift"
RIG = "sim-servo"


def test_a_step_is_answered_the_same_in_any_process() -> None:
    done = measured(scenario_files()[STEP], RIG)
    assert done.score.success is True, done.score
    rise, settling = (
        figure(done, f"{name} [s]")[0] for name in ("rise time, 10 to 90 %", "settling time")
    )
    # 80 % of 0.4 rad at no more than the motor's 4.71 rad/s
    assert 0.32 / 4.71 < rise < settling
    assert digest_elsewhere(STEP, RIG, "expert") == digest(done.episode)
    unseen: Score = done.task.score(without(done.episode, "shaft.rad"), done.parameters)
    assert unseen.success is None


def test_a_joint_that_is_left_alone_answered_nothing() -> None:
    assert measured(scenario_files()[STEP], RIG, "null").score.success is False


@pytest.mark.parametrize("play_rad", [0.0, 0.02])
def test_the_play_of_the_gears_is_found(tmp_path: Path, play_rad: float) -> None:
    lines = f"resolution_rad = 1e-5\ngears = {{ shoulder_pan = {{ play_rad = {play_rad} }} }}"
    scenario = varied(tmp_path, BACKLASH, "cycles = 3")
    done = measured(scenario, planted(tmp_path, RIG, lines))
    value, low, high = figure(done, "backlash [rad]")
    # stamps are as fine as the steps of the physics: twice 0.1 rad/s in 1 ms
    assert value == pytest.approx(play_rad, abs=2e-4)
    assert high - low < 1e-4
    assert done.named()["backlash"] is (play_rad < 0.015)


def test_a_servo_that_warms_up_shows_by_how_much_and_how_fast(tmp_path: Path) -> None:
    line = "gears = { shoulder_pan = { warm_rad = 0.01, warm_s = 25.0 } }"
    done = measured(varied(tmp_path, DRIFT, "cycles = 30"), planted(tmp_path, RIG, line))
    _, low, high = figure(done, "time constant of drift [s]")
    assert low <= 25.0 <= high
    # what went before the first reading, some five seconds after the start, is not in it
    total = figure(done, "total drift [rad]")[0]
    assert -0.01 * np.exp(-4.0 / 25.0) < total < -0.01 * np.exp(-6.0 / 25.0)
    assert done.score.success is False


def test_a_servo_that_does_not_warm_up_does_not_drift(tmp_path: Path) -> None:
    done = measured(varied(tmp_path, DRIFT, "cycles = 12"), RIG)
    _, low, high = figure(done, "drift rate [rad/s]")
    assert low <= 0.0 <= high
    assert done.score.success is True


def test_a_gear_train_without_errors_changes_nothing() -> None:
    train = GearTrain(("a", "b"), {})
    goal = np.array([0.3, -0.2])
    assert np.array_equal(train.output(goal, 10**9), goal)
    assert np.array_equal(train.encoder(goal, 10**9), goal)


def test_play_is_taken_up_before_the_output_follows() -> None:
    train = GearTrain(("a",), {"a": Gear(play_rad=0.1)})
    ways = [train.output(np.array([goal]), 0)[0] for goal in (0.0, 0.04, 0.2, 0.11, 0.0)]
    assert ways == pytest.approx([0.0, 0.0, 0.15, 0.15, 0.05])
    assert train.encoder(np.array([0.05]), 0) == pytest.approx([0.0])


def test_scatter_is_drawn_for_a_new_goal_and_held_while_it_stands() -> None:
    train = GearTrain(("a",), {"a": Gear(scatter_rad=0.01)})
    train.restart(3, 0)
    first, second, third = (train.output(np.array([goal]), 0)[0] for goal in (0.0, 1.0, 1.0))
    assert first == 0.0
    assert second == third != 1.0


def test_gears_of_a_joint_that_is_not_there_are_refused() -> None:
    with pytest.raises(BadInput, match="elbow"):
        GearTrain(("a",), {"elbow": Gear()})
