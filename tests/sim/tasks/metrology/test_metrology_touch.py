from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from manipulation import Tried, changed, without
from metrology import figure, measured, varied
from pydantic import ValidationError

from sim.tasks.metrology.force import TrackingParameters, commanded, sections
from sim.tasks.metrology.touch import TOUCH, TouchParameters

SCENARIO, RIG = "char-touch-sensitivity", "sim-hand4-touch"


@pytest.fixture(scope="module")
def touched(tmp_path_factory: pytest.TempPathFactory) -> Tried:
    return measured(varied(tmp_path_factory.mktemp("touch"), SCENARIO, "cycles = 4"), RIG)


def test_a_finger_stops_once_it_feels(touched: Tried) -> None:
    assert touched.score.success is True, touched.score
    value = figure(touched, "touch sensitivity [N]")[0]
    # it goes on for some hundredths of a second at 20 mm/s into 2 N/mm
    assert 0.15 < value < 0.02 * 0.05 * 2000


def test_a_finger_that_feels_nothing_is_not_sensitive(touched: Tried) -> None:
    blind = changed(touched.episode, slice(None), gauge__peak_n=0.0)
    score = TOUCH.score(blind, touched.parameters)
    assert {one.name for one in score.conditions if one.ok is False} == {"touch sensitivity"}
    assert "touch sensitivity [N]" not in score.measures  # no finite figure
    unseen = without(touched.episode, "gauge.peak_n")
    assert TOUCH.score(unseen, touched.parameters).success is None


def test_who_approaches_slowly_touches_softly(tmp_path: Path, touched: Tried) -> None:
    slow = measured(varied(tmp_path, SCENARIO, "cycles = 3\nspeed_m_s = 0.008"), RIG)
    name = "touch sensitivity [N]"
    assert figure(slow, name)[0] < figure(touched, name)[0]


def test_a_force_follows_tones_steps_and_sines(tmp_path: Path) -> None:
    task = "cycles = 3\nsines_hz = [1.0, 4.0]"
    done = measured(varied(tmp_path, "char-force-tracking", task), RIG)
    assert done.score.success is True, done.score
    assert 0.0 < figure(done, "tracking delay [s]")[0] < 0.05
    assert figure(done, "tracking error [N]")[0] < 0.4
    assert done.score.measures["bandwidth [Hz]"] == 4.0  # a lower bound: it did not fall
    assert "bandwidth [Hz] to" not in done.score.measures
    still = changed(done.episode, slice(None), gauge__n=0.0)
    assert done.task.score(still, done.parameters).success is False


def test_a_command_follows_from_the_parameters_alone() -> None:
    asked = TrackingParameters()
    table = sections(asked)
    step = next(one for one in table if one.kind == "step")
    assert commanded(asked, table, step.start_s + 0.5) == asked.middle_n
    assert commanded(asked, table, step.end_s) == asked.middle_n + asked.step_n
    assert commanded(asked, table, 0.0) == asked.middle_n
    assert all(one.end_s < after.start_s for one, after in pairwise(table))


def test_what_the_finger_cannot_do_is_refused() -> None:
    with pytest.raises(ValidationError, match=r"less than or equal to 0\.05"):
        TouchParameters(speed_m_s=0.5)
