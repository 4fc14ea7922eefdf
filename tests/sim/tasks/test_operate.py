from __future__ import annotations

import math
from functools import cache
from typing import Any, cast

import numpy as np
import pytest
from manipulation import Tried, attempt, changed, digest, digest_elsewhere, failures, without
from pydantic import ValidationError

from sim.tasks.operate import JOB, Parameters
from sim.tasks.operate_controls import CONTROLS, DETENT, THROW

RIG = "sim-six-axis"
BUTTON, KNOB, SWITCH = "mfg-panel-button-press", "mfg-panel-button-knob", "mfg-panel-rocker-switch"
LEVER, VALVE = "haz-breaker-lever", "haz-valve-turn"
END, LATE = slice(-1, None), slice(-20, None)
HELD = "in its state, at rest and let go"


@cache
def done(scenario: str) -> Tried:
    return attempt(scenario, RIG, "expert")


@pytest.mark.parametrize("scenario", [BUTTON, KNOB, SWITCH, LEVER, VALVE])
def test_the_expert_does_it(scenario: str) -> None:
    assert done(scenario).score.success is True, done(scenario).score


@pytest.mark.parametrize("scenario", [BUTTON, KNOB, LEVER])
def test_nobody_does_not(scenario: str) -> None:
    score = attempt(scenario, RIG, "null").score
    assert score.success is False
    assert next(one for one in score.conditions if one.name == "peak force").value == 0.0


def test_two_processes_give_the_same_bits() -> None:
    assert digest_elsewhere(KNOB, RIG, "expert") == digest(done(KNOB).episode)


@pytest.mark.parametrize(
    ("scenario", "values", "failed"),
    [
        (KNOB, {"panel__control__robot_n": 2.0}, HELD),
        (KNOB, {"panel__control__speed": -0.1}, HELD),
        (KNOB, {"panel__other1__most": 4.0}, "other1 moved"),
        (KNOB, {"panel__other2__least": -4.0}, "other2 moved"),
        (KNOB, {"panel__control__push_peak_n": 31.0}, "peak force"),
        (KNOB, {"panel__other1__push_peak_n": 31.0}, "peak force"),
        (KNOB, {"panel__push_peak_n": 31.0}, "peak force"),
        (BUTTON, {"panel__control__on": 0.0}, "switched on"),
        (BUTTON, {"panel__control__toggles": 2.0}, "toggles"),
        (LEVER, {"panel__control__on": 0.0}, "switched on"),
        (LEVER, {"panel__control__travel": 0.6}, "angle error"),
        (VALVE, {"panel__control__twist_peak_nm": 21.0}, "peak torque"),
    ],
)
def test_what_is_not_done_at_the_end_is_no_success(
    scenario: str, values: dict[str, float], failed: str
) -> None:
    tried = done(scenario)
    score = tried.task.score(changed(tried.episode, END, **values), tried.parameters)
    assert score.success is False
    assert failed in failures(score)


@pytest.mark.parametrize("scenario", [KNOB, VALVE])
@pytest.mark.parametrize("off", [-2 * math.pi, 2 * math.pi, DETENT])
def test_turns_are_signed_and_counted(scenario: str, off: float) -> None:
    """One turn too many looks the same, and is none the less wrong."""
    tried = done(scenario)
    goal = cast(float, tried.episode.draw["goal"])
    turned = changed(tried.episode, LATE, panel__control__travel=goal + off)
    assert tried.task.score(turned, tried.parameters).success is False
    right = changed(tried.episode, LATE, panel__control__travel=goal)
    assert tried.task.score(right, tried.parameters).success is True


def test_passing_through_the_goal_is_no_success() -> None:
    tried = done(KNOB)
    start = cast(dict[str, float], tried.episode.draw["starts"])["control"]
    gone = changed(tried.episode, LATE, panel__control__travel=start)
    score = tried.task.score(gone, tried.parameters)
    assert score.success is False
    assert {one.name: one.ok for one in score.conditions}["in its state within"] is True


@pytest.mark.parametrize(
    ("scenario", "label"),
    [
        (KNOB, "panel.control.travel"),
        (KNOB, "panel.control.robot_n"),
        (KNOB, "panel.control.speed"),
        (KNOB, "panel.other1.most"),
        (KNOB, "panel.other2.push_peak_n"),
        (BUTTON, "panel.control.on"),
        (VALVE, "panel.control.twist_peak_nm"),
    ],
)
def test_what_was_not_observed_is_undecided(scenario: str, label: str) -> None:
    tried = done(scenario)
    assert tried.task.score(without(tried.episode, label), tried.parameters).success is None


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"control": "crank"}, "'button', 'switch', 'knob', 'lever' or 'valve'"),
        ({"x_m": [0.4, 0.6]}, r"within \[0.56, 0.66\] m"),
        ({"control": "button", "effort": [3, 40]}, r"within \[2, 15\] N of a button"),
        ({"control": "valve", "effort": [3, 2]}, r"within \[0.2, 4\] N·m of a valve"),
        ({"control": "lever", "turn_rad": [0.5, 1.0]}, "a lever has two states"),
        ({"control": "knob", "turn_rad": [0.5, 3.0]}, r"within \[0.3, 2.1\] rad of a knob"),
    ],
)
def test_what_a_control_cannot_have_is_refused(table: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Parameters.model_validate(table)


@pytest.mark.parametrize("control", CONTROLS)
def test_a_draw_is_of_what_was_asked(control: str) -> None:
    asked = Parameters.model_validate({"control": control})
    draws = [JOB.draw(asked, np.random.default_rng(seed)) for seed in range(40)]
    goals = [cast(float, draw["goal"]) for draw in draws]
    starts = [cast(dict[str, float], draw["starts"])["control"] for draw in draws]
    turns = np.array(goals) - np.array(starts)
    if control in THROW:
        assert set(goals) == {THROW[control]}
        assert {bool(draw["down"]) for draw in draws} == {True, False}
    elif control == "button":
        assert set(goals) == {0.0}
    else:
        low, high = cast(tuple[float, float], CONTROLS[control].turn)
        slack = DETENT / 2 if control == "knob" else 0.0
        assert ((np.abs(turns) >= low - slack) & (np.abs(turns) <= high + slack)).all()
        assert (turns > 0).any()
        assert (turns < 0).any()
