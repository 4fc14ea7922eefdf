"""Lessons of a script: what a network would have seen, and what the script says to it."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from hil.contracts import JointSample
from hil.errors import BadInput, ModelRefused
from hil.task import View
from models.train.lessons import Course, Notebook, Tempo, lesson, plan_of, tempo_of

COURSE = Course("mfg-panel-button-press", "sim-six-axis")


@pytest.fixture(scope="module")
def book() -> Notebook:
    return lesson(3, COURSE, None)


def test_a_lesson_names_every_number_that_it_shows(book: Notebook) -> None:
    rows = np.array(book.observations)
    assert rows.shape == (len(book.labels), len(book.channels))
    assert len(set(book.channels)) == len(book.channels)
    assert book.channels[-2:] == ["elapsed_s", "memory.0"]
    elapsed = rows[:, book.channels.index("elapsed_s")]
    assert (np.diff(elapsed) > 0).all()


def test_a_label_is_a_change_that_a_network_can_make(book: Notebook) -> None:
    labels = np.array(book.labels)
    assert np.abs(labels).max() <= 1.0
    assert np.abs(labels).max() > 0.1, "the script moves"


def test_the_script_goes_through_its_moves_in_order(book: Notebook) -> None:
    stages = np.array(book.stages)
    assert (np.diff(stages) >= 0).all()
    assert stages[-1] >= 3
    begun = np.flatnonzero(np.diff(stages)) + 1
    assert all(book.since[row] == 0 for row in begun)
    assert all(math.isnan(value) for value in book.remembered), "nobody was taught yet"


def test_a_lesson_is_the_same_again(book: Notebook) -> None:
    again = lesson(3, COURSE, None)
    np.testing.assert_array_equal(np.array(again.observations), np.array(book.observations))
    np.testing.assert_array_equal(np.array(again.labels), np.array(book.labels))


def test_progress_grows_through_a_move_and_never_beyond_its_end() -> None:
    tempo = Tempo((10.0, 20.0))
    assert tempo.progress(0, 0) == 0.0
    assert tempo.progress(0, 5) == pytest.approx(0.25)
    assert tempo.progress(0, 500) == pytest.approx(0.45)
    assert tempo.progress(1, 0) == pytest.approx(0.5)
    assert tempo.progress(9, 500) == pytest.approx(0.95), "more moves than were ever seen"


def test_the_tempo_is_that_of_lessons_that_went_well() -> None:
    good = Notebook(stages=[0, 0, 1, 1, 1, 1], success=True)
    bad = Notebook(stages=[0] * 100, success=False)
    assert tempo_of([good, bad]).ticks == (2.0, 4.0)
    assert tempo_of([bad]).ticks == (100.0,)


def test_an_archetype_without_a_script_is_refused() -> None:
    with pytest.raises(BadInput, match="is no job of"):
        plan_of(Course("care-light-switch-press", "sim-so101"), 1)


def test_a_memory_of_another_size_is_refused() -> None:
    [planned] = plan_of(COURSE, 1).scenarios.values()
    job: Any = planned.task
    joints = np.zeros(len(job.robot.names))
    sample = JointSample(0, joints, joints, joints, np.zeros(len(joints), dtype=np.int64))
    view = View(0, 0.0, sample, joints, {}, memory=np.array([0.25]))
    assert job.observe(view)["observation"][0, -1] == 0.25
    with pytest.raises(ModelRefused, match="has 3 numbers"):
        job.observe(replace(view, memory=np.zeros(3)))
