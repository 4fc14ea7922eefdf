"""Lessons of a script: what a network would have seen, and where the script wants the tools."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hil.errors import BadInput
from models.train.lessons import Course, Notebook, job_of, lesson, plan_of

COURSE = Course("mfg-panel-button-press", "sim-six-axis")


@pytest.fixture(scope="module")
def book() -> Notebook:
    return lesson(3, COURSE)


def test_a_lesson_names_every_number_that_it_shows(book: Notebook) -> None:
    rows = np.array(book.observations)
    assert rows.shape == (len(book.labels), len(book.channels))
    assert len(set(book.channels)) == len(book.channels)
    assert np.array(book.labels).shape[1] == len(book.answers)
    elapsed = rows[:, book.channels.index("elapsed_s")]
    assert (np.diff(elapsed) > 0).all()
    assert book.success


def test_a_label_is_where_the_tool_was_then_sent(book: Notebook) -> None:
    """One tick later the targets, as the next observation has them, are what was asked for."""
    rows, labels = np.array(book.observations), np.array(book.labels)
    begin = book.channels.index("grip.commanded.x_m")
    np.testing.assert_allclose(rows[1:, begin : begin + 9], labels[:-1, :9], atol=1e-5)
    assert np.abs(np.diff(labels[:, :3], axis=0)).max() > 1e-4, "the script moves"


def test_the_script_goes_through_its_moves_in_order(book: Notebook) -> None:
    stages = np.array(book.stages)
    assert (np.diff(stages) >= 0).all()
    assert stages[-1] >= 3


def test_nothing_is_remembered_before_anybody_was_taught(book: Notebook) -> None:
    memory = [k for k, name in enumerate(book.channels) if name.startswith("memory.")]
    assert len(memory) >= 2
    assert not np.array(book.observations)[:, memory].any()


def test_a_lesson_is_the_same_again(book: Notebook) -> None:
    again = lesson(3, COURSE)
    np.testing.assert_array_equal(np.array(again.observations), np.array(book.observations))
    np.testing.assert_array_equal(np.array(again.labels), np.array(book.labels))


def test_an_archetype_without_a_script_is_refused() -> None:
    with pytest.raises(BadInput, match="is no job of"):
        plan_of(Course("care-light-switch-press", "sim-so101"), 1)


def test_a_hand_has_no_arm_to_be_told_where_to_go() -> None:
    with pytest.raises(BadInput, match="has no arm"):
        plan_of(Course("log-label-present-reorient", "sim-hand4"), 1)


def test_the_job_of_a_kind_is_found() -> None:
    plan = plan_of(Course("log-carton-cut-open", "sim-six-axis-knife"), 1)
    assert job_of(plan).robot.name == "six-axis-knife"


def test_lessons_that_were_kept_are_the_same(book: Notebook, tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="package torch is in the extra 'train'")
    from models.train.imitation import read, write

    write(tmp_path / "lessons.npz", [book, book])
    first, second = read(tmp_path / "lessons.npz")
    for one in (first, second):
        np.testing.assert_array_equal(np.array(one.labels), np.array(book.labels))
        np.testing.assert_array_equal(np.array(one.observations), np.array(book.observations))
        assert (one.stages, one.success) == (book.stages, book.success)
        assert (one.channels, one.answers) == (book.channels, book.answers)
