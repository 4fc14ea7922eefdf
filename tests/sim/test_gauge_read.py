"""The archetype gauge-read: its parameters, its draws and its score."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from hil.plugins import TASKS, load
from hil.record.format import TICK, Channel, Episode
from sim.tasks.gauge_read import TASK, Parameters

_SCENARIO = (
    Path(__file__).parents[2]
    / "scenarios"
    / "smart-manufacturing"
    / "mfg-gauge-reading-glasses.toml"
)


def _episode(readings: list[float], truth: float = 0.5, looks: int = 3) -> Episode:
    values = np.array(readings, np.float64).reshape(-1, 1)
    channel = Channel(
        value=values,
        stamp_ns=np.zeros(len(values), np.int64),
        age_ns=np.zeros(values.shape, np.int64),
        labels=("fraction",),
        unit="1",
    )
    return Episode(
        name="0001",
        draw={"gauge": {"value_fraction": truth}, "looks": [{}] * looks},
        meta={},
        ticks=np.zeros(len(values), TICK),
        channels={"reading": channel},
    )


def test_the_entry_point_is_this_task() -> None:
    assert load(TASKS, "gauge-read") is TASK


def test_scoring_needs_no_opencv() -> None:
    code = "import sys, sim.tasks.gauge_read; sys.exit('cv2' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_scenario_is_the_standard_difficulty() -> None:
    table = tomllib.loads(_SCENARIO.read_text(encoding="utf-8"))["task"]
    assert Parameters.model_validate(table) == Parameters()


@pytest.mark.parametrize(
    "bad",
    [
        {"tilt_deg": [0, 60]},
        {"tilt_deg": [9, 3]},
        {"value_fraction": [-0.1, 1]},
        {"jpeg_quality": 0},
        {"frames": 0},
        {"tilt_rad": [0, 0.1]},
    ],
)
def test_what_cannot_be_drawn_is_refused_with_the_allowed_range(bad: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as caught:
        Parameters.model_validate(bad)
    assert next(iter(bad)) in str(caught.value)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_draws_stay_inside_their_ranges_and_repeat(seed: int) -> None:
    parameters = Parameters(frames=4, value_fraction=(0.2, 0.3))
    draw: Any = TASK.draw(parameters, np.random.default_rng(seed))
    assert draw == TASK.draw(parameters, np.random.default_rng(seed))
    assert 0.2 <= draw["gauge"]["value_fraction"] <= 0.3
    assert len(draw["looks"]) == 4
    assert len({look["noise_seed"] for look in draw["looks"]}) == 4
    assert all(0 <= look["tilt_deg"] < 25 for look in draw["looks"])


def test_looks_shake_but_show_the_same_gauge() -> None:
    draw: Any = TASK.draw(Parameters(), np.random.default_rng(1))
    first, second = draw["looks"][:2]
    assert first["offset_x"] != second["offset_x"]
    assert first["wall_seed"] == second["wall_seed"]
    images = [stimulus["image"] for stimulus in TASK.stimuli(draw)]
    assert len(set(images)) == len(images) == 3
    assert all(bytes(image).startswith(b"\xff\xd8") for image in images)


def test_a_reading_is_one_number() -> None:
    reading = TASK.reading({"reading": np.array([[0.25]], np.float32)})
    assert reading.shape == (1,)
    assert reading[0] == 0.25


def test_the_median_within_tolerance_is_a_success() -> None:
    score = TASK.score(_episode([0.51, 0.9, 0.515]), Parameters())
    assert score.success is True
    assert score.measures["reading_fraction"] == 0.515
    assert score.measures["worst_look_error_fraction"] == pytest.approx(0.4)


def test_a_median_outside_tolerance_is_a_failure() -> None:
    score = TASK.score(_episode([0.53, 0.53, 0.5]), Parameters())
    assert score.success is False
    assert [condition.ok for condition in score.conditions] == [True, False]
    assert TASK.score(_episode([0.53, 0.53, 0.5]), Parameters(tolerance_fraction=0.05)).success


def test_absent_looks_are_counted_and_not_read_as_zero() -> None:
    score = TASK.score(_episode([np.nan, 0.5, 0.505], truth=0.5), Parameters())
    assert score.success is True
    assert score.measures["absent_looks"] == 1


@pytest.mark.parametrize("readings", [[np.nan, np.nan, 0.5], [0.5], [np.inf, np.nan, 0.5]])
def test_too_few_answers_are_a_failure_even_if_right(readings: list[float]) -> None:
    score = TASK.score(_episode(readings), Parameters())
    assert score.success is False
    assert score.conditions[0].ok is False


def test_no_answer_at_all_is_a_failure_without_an_error_figure() -> None:
    score = TASK.score(_episode([np.nan] * 3), Parameters())
    assert score.success is False
    assert score.conditions[1].value is None
    assert "reading_fraction" not in score.measures


def test_a_record_without_the_channel_shows_nothing() -> None:
    episode = _episode([0.5] * 3)
    bare = Episode(episode.name, episode.draw, episode.meta, episode.ticks)
    assert TASK.score(bare, Parameters()).success is None
