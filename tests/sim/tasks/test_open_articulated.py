from __future__ import annotations

from functools import cache
from typing import Any, cast

import numpy as np
import pytest
from manipulation import Tried, attempt, changed, digest, digest_elsewhere, failures, without
from pydantic import ValidationError

from sim.tasks.kit.poses import from_vector
from sim.tasks.open_articulated import JOB, Parameters
from sim.tasks.open_kinds import KINDS, opened
from sim.tasks.open_script import DEPTH_M, FINGER_M, TIP_M, Hook
from sim.tasks.open_things import BAR_M

RIG = "sim-six-axis"
DRAWER, SLIDING = "log-tote-drawer-pull", "mfg-cnc-door-tend"
HINGED, LID = "care-cabinet-door-open", "city-bin-lid-open"
END, LATE = slice(-1, None), slice(-20, None)


@cache
def done(scenario: str) -> Tried:
    return attempt(scenario, RIG, "expert")


@pytest.mark.parametrize("scenario", [DRAWER, SLIDING, HINGED, LID])
def test_the_expert_does_it(scenario: str) -> None:
    assert done(scenario).score.success is True, done(scenario).score


@pytest.mark.parametrize("scenario", [DRAWER, LID])
def test_nobody_does_not(scenario: str) -> None:
    assert attempt(scenario, RIG, "null").score.success is False


def test_two_processes_give_the_same_bits() -> None:
    assert digest_elsewhere(DRAWER, RIG, "expert") == digest(done(DRAWER).episode)


@pytest.mark.parametrize(
    ("scenario", "values", "failed"),
    [
        (DRAWER, {"thing__part__robot_n": 2.0}, "open and at rest, let go"),
        (DRAWER, {"thing__part__speed": -0.02}, "open and at rest, let go"),
        (DRAWER, {"thing__part__push_peak_n": 81.0}, "peak force"),
        (DRAWER, {"thing__push_peak_n": 21.0}, "force on frame"),
        (HINGED, {"thing__part__travel": 0.8}, "opened to"),
        (LID, {"thing__part__travel": 1.0}, "opened to"),
        (LID, {"thing__part__speed": 0.1}, "open and at rest"),
        (SLIDING, {"thing__part__least": 0.1}, "fell back"),
    ],
)
def test_what_is_not_done_at_the_end_is_no_success(
    scenario: str, values: dict[str, float], failed: str
) -> None:
    tried = done(scenario)
    score = tried.task.score(changed(tried.episode, END, **values), tried.parameters)
    assert score.success is False
    assert failed in failures(score)


def test_a_drawer_that_slides_shut_again_was_not_opened() -> None:
    tried = done(DRAWER)
    shut = changed(tried.episode, LATE, thing__part__travel=0.01, thing__part__least=0.01)
    score = tried.task.score(shut, tried.parameters)
    assert score.success is False
    assert {one.name: one.ok for one in score.conditions}["open within"] is True


def test_falling_back_on_the_way_counts_even_if_it_is_open_in_the_end() -> None:
    tried = done(DRAWER)
    travel = tried.episode.channels["witness"].column("thing.part.travel")
    half = int(np.argmax(travel > 0.1))
    back = changed(tried.episode, slice(half, half + 1), thing__part__least=0.02)
    failed = [one for one in tried.task.score(back, tried.parameters).conditions if not one.ok]
    assert [one.name for one in failed] == ["fell back"]
    assert failed[0].value == pytest.approx(0.08, abs=0.01)


def test_a_lid_may_be_held_and_a_drawer_may_not() -> None:
    for scenario, success in ((LID, True), (DRAWER, False)):
        tried = done(scenario)
        held = changed(tried.episode, LATE, thing__part__robot_n=5.0)
        assert tried.task.score(held, tried.parameters).success is success


@pytest.mark.parametrize(
    "label",
    [
        "thing.part.travel",
        "thing.part.speed",
        "thing.part.robot_n",
        "thing.part.least",
        "thing.part.push_peak_n",
        "thing.push_peak_n",
    ],
)
def test_what_was_not_observed_is_undecided(label: str) -> None:
    tried = done(DRAWER)
    assert tried.task.score(without(tried.episode, label), tried.parameters).success is None


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"kind": "window"}, "'drawer', 'hinged-door', 'sliding-door' or 'lid'"),
        ({"x_m": [0.4, 0.6]}, r"within \[0.56, 0.66\] m of a drawer"),
        ({"kind": "hinged-door", "x_m": [0.6, 0.65]}, r"within \[0.63, 0.7\] m of a hinged-door"),
        ({"travel": [0.2, 0.6]}, r"within \[0.1, 0.32\] m of a drawer"),
        ({"kind": "lid", "friction": [0.2, 9.0]}, r"within \[0, 1.5\] N·m of a lid"),
        ({"mass_kg": [1.0, 40.0]}, r"within \[0.5, 15\] kg"),
        ({"y_m": [-0.3, 0.0]}, r"within \[-0.08, 0.08\] m"),
    ],
)
def test_what_a_kind_cannot_have_is_refused(table: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Parameters.model_validate(table)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_hook_keeps_its_play_all_the_way(kind: str, seed: int) -> None:
    """At every travel its flank is as far from the bar, which moves as the mechanism has it."""
    draw = JOB.draw(Parameters.model_validate({"kind": kind}), np.random.default_rng(seed))
    full = cast(float, draw["travel"])
    hook = Hook(kind, cast(float, draw["reach_m"]), cast(float, draw["side"]))
    mover = cast(list[dict[str, Any]], draw["elements"])[0]["movers"][0]
    axis, hinge = np.array(mover["axis"]), np.array(mover["at"])
    for travel in np.linspace(0.0, full, 7):
        bar = travel * axis
        if mover["moves"] == "turns":
            bar = hinge - from_vector(travel * axis) @ hinge
        place, axes = hook.at(float(travel), full, 0.002)
        assert axes @ axes.T == pytest.approx(np.eye(3), abs=1e-12)
        assert abs((place - bar) @ axes[:, 0]) == pytest.approx(BAR_M + FINGER_M / 2 + 0.002)
        # and it reaches beyond the bar
        assert (place - bar) @ axes[:, 2] + TIP_M == pytest.approx(DEPTH_M)


def test_what_counts_as_open() -> None:
    assert opened("drawer", 0.3) == pytest.approx(0.27)
    assert opened("lid", 1.7) == pytest.approx(np.radians(60))
