from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path

import pytest
from manipulation import Tried, without
from metrology import figure, measured, planted, varied
from pydantic import ValidationError

from sim.tasks.metrology.arm import POSE, PoseParameters
from sim.tasks.metrology.path import PathParameters, timetable, ways

POSES, PATHS, RIG = "char-pose-repeatability", "char-path-accuracy", "sim-panda-fine"
RADIUS_M = 0.45
"""Of the middle pose about the first joint."""


@pytest.fixture(scope="module")
def off(tmp_path_factory: pytest.TempPathFactory) -> Tried:
    """An arm whose first joint has a wrong zero and comes to rest with a scatter."""
    folder = tmp_path_factory.mktemp("pose")
    rig = planted(folder, RIG, "gears = { joint1 = { offset_rad = 0.004, scatter_rad = 5e-4 } }")
    return measured(varied(folder, POSES, "cycles = 12"), rig)


def test_planted_errors_are_found(off: Tried) -> None:
    _, low, high = figure(off, "AP_P at P1 [m]")
    assert low <= 2 * RADIUS_M * math.sin(0.004 / 2) <= high
    # the distance from the mean of a normal error along one line is half-normal
    mean = math.sqrt(2 / math.pi)
    expected = RADIUS_M * 5e-4 * (mean + 3 * math.sqrt(1 - mean**2))
    value, low, high = figure(off, "RP_l at P1 [m]")
    assert low <= expected <= high
    assert 0.5 * expected < value < 2 * expected
    _, low, high = figure(off, "AP attitude [rad]")
    assert low <= 0.004 <= high


def test_a_device_beyond_what_is_declared_fails(off: Tried) -> None:
    failed = {name for name, ok in off.named().items() if ok is False}
    assert {"AP_P", "RP_l"} <= failed
    assert off.score.success is False


def test_what_the_tracker_did_not_see_is_undecided(off: Tried) -> None:
    score = POSE.score(without(off.episode, "tool.qw"), off.parameters)
    assert score.success is None
    assert not score.measures


def test_who_does_not_move_has_carried_out_nothing(tmp_path: Path) -> None:
    done = measured(varied(tmp_path, POSES, "cycles = 4"), RIG, "null")
    assert done.named()["repeats carried out"] is False
    assert done.score.success is False


def test_an_arm_without_errors_shows_the_noise_of_the_tracker(tmp_path: Path) -> None:
    done = measured(varied(tmp_path, POSES, "cycles = 6\nnoise_m = 2e-5"), RIG)
    assert done.score.success is True, done.score
    assert figure(done, "AP_P [m]")[0] < 3e-5
    assert figure(done, "RP_l [m]")[0] < 8e-5


def test_a_wrong_zero_moves_every_path_aside(tmp_path: Path) -> None:
    scenario = varied(tmp_path, PATHS, "cycles = 3")
    rig = planted(tmp_path, RIG, "gears = { joint1 = { offset_rad = 0.004 } }")
    done = measured(scenario, rig)
    # a turn by d moves a place at r by r d, at right angles to r; a circle's points with tangents
    # towards the base feel all of it
    at = done.score.measures["AT_P, circle [m]"]
    assert 0.004 * 0.45 <= at <= 0.004 * 0.58 + 5e-4
    assert done.named()["AT_P"] is False
    assert done.named()["RT_P"] is True


def test_the_timetable_has_no_gap_into_which_a_repeat_could_fall() -> None:
    asked = PathParameters()
    table = timetable(asked)
    assert len(table) == 2 * asked.cycles + asked.corners
    assert all(one.last_s < after.start_s for one, after in pairwise(table))
    line = ways(asked)["line"]
    assert line.at(0.0) == pytest.approx(line.points[0])
    assert line.at(line.seconds) == pytest.approx(line.points[-1])


def test_a_cube_out_of_reach_is_refused() -> None:
    with pytest.raises(ValidationError, match="the arm does not reach"):
        PoseParameters(middle_m=(0.85, 0.0, 0.4))
    with pytest.raises(ValidationError, match="would do"):
        PathParameters(middle_m=(0.45, 0.6, 0.4))
