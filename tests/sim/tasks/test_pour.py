"""Pouring: done by the expert, by nobody else, and never by a spill, a nudge or a lucky moment.

The episode here has half as many balls as the scenarios, to take half the time.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import manipulation
import numpy as np
import pytest
from manipulation import Tried, attempt, changed, digest, failures, without
from pydantic import ValidationError

from hil import catalogue
from sim.scenery.grains import level_of
from sim.tasks.pour import JOB
from sim.tasks.pour_script import from_lip, hand_axes, heading_of
from sim.tasks.pour_things import CUP, JUG, Parameters

RIG = "sim-panda"
END = slice(-1, None)
DONE = "filled, put back and released"
CHANGES = (
    ("fill_limit = 0.10", "fill_limit = 0.15\ngrains = [40, 42]\nasked = [0.55, 0.6]"),
    ("rate_hz = 125", "rate_hz = 50"),
    ("duration_s = 20.0", "duration_s = 20.0"),
)


@contextmanager
def small_pours() -> Iterator[None]:
    """The catalogue with two small pours besides."""
    known = catalogue.scenario_files()
    text = known["care-water-pour"].read_text()
    for old, new in CHANGES:
        assert old in text
        text = text.replace(old, new)
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        for name, seconds in (("small-pour", 19.0), ("short-pour", 4.0)):
            known[name] = Path(folder, f"{name}.toml")
            mine = text.replace("care-water-pour", name)
            known[name].write_text(mine.replace("duration_s = 20.0", f"duration_s = {seconds}"))
        patch.setattr(catalogue, "scenario_files", lambda: known)
        yield


def short_digest() -> str:
    """Of four seconds, in which the jug is taken."""
    with small_pours():
        return digest(attempt("short-pour", RIG, "expert").episode)


@pytest.fixture(scope="module")
def small() -> Iterator[None]:
    with small_pours():
        yield


@pytest.fixture(scope="module")
def done(small: None) -> Tried:
    return attempt("small-pour", RIG, "expert")


def test_the_expert_does_it(done: Tried) -> None:
    assert done.score.success is True, done.score
    witness = done.episode.channels["witness"]
    spilled = witness.value[-1, witness.labels.index("grains.spilled")]
    assert spilled == 0.0


def test_nobody_does_not(small: None) -> None:
    tried = attempt("short-pour", RIG, "null")
    assert tried.score.success is False
    assert tried.named()["fill error"] is False
    assert tried.named()["spilled"] is True


@pytest.mark.parametrize(
    ("values", "failed"),
    [
        ({"jug__robot_n": 1.0}, DONE),
        ({"jug__z": 0.02}, DONE),
        ({"jug__speed": 0.1}, DONE),
        ({"grains__speed_max": 1.0}, DONE),
        ({"jug__qx": 0.5, "jug__qw": 0.866}, "jug tilted at the end"),
        ({"jug__x": 0.9}, "jug from its place"),
        ({"grains__in_cup": 30.0}, "fill error"),
        ({"grains__in_cup": 10.0}, "fill error"),
        ({"grains__spilled": 1.0}, "spilled"),
    ],
)
def test_what_is_not_so_at_the_end_is_no_success(
    done: Tried, values: dict[str, float], failed: str
) -> None:
    score = done.task.score(changed(done.episode, END, **values), done.parameters)
    assert score.success is False
    assert failed in failures(score)


@pytest.mark.parametrize(
    ("values", "failed"),
    [({"cup__y": 0.5}, "cup moved"), ({"cup__qx": 0.1, "cup__qw": 0.995}, "cup tilted")],
)
def test_a_cup_that_was_ever_pushed_is_no_success(
    done: Tried, values: dict[str, float], failed: str
) -> None:
    early = slice(200, 202)
    score = done.task.score(changed(done.episode, early, **values), done.parameters)
    assert [one.name for one in score.conditions if one.ok is False] == [failed]


def test_a_mark_that_was_only_passed_is_no_success(done: Tried) -> None:
    """Right for a while, and then one lump too many."""
    whole = float(done.episode.draw["asked"])
    late = changed(done.episode, slice(-10, None), grains__in_cup=whole + 5)
    assert done.task.score(late, done.parameters).success is False


@pytest.mark.parametrize(
    "label", ["grains.in_cup", "grains.spilled", "jug.qx", "jug.robot_n", "cup.z"]
)
def test_what_was_not_observed_is_undecided(done: Tried, label: str) -> None:
    assert done.task.score(without(done.episode, label), done.parameters).success is None


def test_two_processes_give_the_same_bits() -> None:
    program = "from test_pour import short_digest; print(short_digest())"
    found = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
        cwd=Path(__file__).parent,
        env={**os.environ, "PYTHONPATH": str(Path(manipulation.__file__).parent)},
    )
    assert found.stdout.strip() == short_digest()


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"grains": (30, 60)}, r"within \[40, 120\] balls"),
        ({"diameter_m": (0.004, 0.013)}, r"within \[0\.01, 0\.016\] m"),
        ({"grains": (78, 120), "diameter_m": (0.012, 0.016)}, "do not fit into the jug, "),
        ({"fill_limit": 0.05}, "allowed are 2 or more"),
        ({"x_m": (0.3, 0.5)}, r"within \[0\.4, 0\.55\] m"),
        ({"asked": (0.5, 0.9)}, r"within \[0\.2, 0\.7\] of the balls"),
    ],
)
def test_what_cannot_be_done_or_seen_is_refused(values: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Parameters.model_validate(values)


def test_reagent_of_five_percent_without_a_spill_can_be_asked_for() -> None:
    asked = Parameters(
        grains=(90, 96), diameter_m=(0.011, 0.012), asked=(0.5, 0.6), fill_limit=0.05, spill_limit=0
    )
    draw = JOB.draw(asked, np.random.default_rng(1))
    assert 90 <= float(draw["grains"]) <= 96


@pytest.mark.parametrize("seed", range(20))
def test_a_draw_has_its_mark_where_what_is_asked_comes_to(seed: int) -> None:
    asked = Parameters()
    draw = JOB.draw(asked, np.random.default_rng(seed))
    jug, cup, balls = draw["elements"]
    assert asked.grains[0] <= balls["count"] <= asked.grains[1]
    assert asked.asked[0] - 0.01 <= draw["asked"] / balls["count"] <= asked.asked[1] + 0.01
    assert cup["mark"] == draw["level_m"] == level_of(CUP, draw["asked"], balls["radius"])
    assert jug["at"][1] * cup["at"][1] < 0
    assert np.hypot(*np.subtract(jug["at"][:2], cup["at"][:2])) >= 2 * asked.aside_m[0]


def test_the_jug_is_taken_by_two_walls_and_tilted_about_its_lip() -> None:
    jug = np.array([0.5, 0.15, 0.0, 0.0, 0.0, np.sin(0.15), np.cos(0.15)])
    cup = np.array([0.48, -0.1, 0.0, 0.0, 0.0, 0.0, 1.0])
    yaw = heading_of(jug, cup)
    wall = (yaw + np.pi / 2 - 0.3) / (2 * np.pi / JUG.sides)  # beside a finger
    assert wall == pytest.approx(round(wall))
    assert abs(yaw - np.arctan2(-0.25, -0.02)) <= np.pi / JUG.sides
    for tilt in (0.0, 0.7, 1.6):
        assert np.linalg.norm(from_lip(yaw, tilt)) == pytest.approx(
            np.linalg.norm(from_lip(yaw, 0.0))
        )
    level = hand_axes(yaw, 0.0)
    np.testing.assert_allclose(level[:, 2], [np.cos(yaw), np.sin(yaw), 0.0], atol=1e-12)
    np.testing.assert_allclose(hand_axes(yaw, 1.0, over=True)[:, 2], hand_axes(yaw, 1.0)[:, 2])
