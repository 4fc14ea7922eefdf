from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pytest
from manipulation import Tried, attempt, changed, digest, digest_elsewhere, failures, without
from pydantic import ValidationError

from hil.contracts import FloatArray, JointSample
from hil.record.format import Episode
from hil.task import View
from sim.tasks.sorting import JOB
from sim.tasks.sorting_line import Line
from sim.tasks.sorting_things import BELT_X_M, LINE_M, TOP_M, Parameters, names

SCENARIO, RIG = "city-waste-sort-belt", "sim-panda-belt"
RIGHT = "share in the right bin, at rest and released for 0.5 s at the end"
END = slice(-1, None)


@pytest.fixture(scope="module")
def done() -> Tried:
    return attempt(SCENARIO, RIG, "expert")


def test_the_expert_sorts_all_and_nobody_none(done: Tried) -> None:
    assert done.score.success is True, done.score
    assert done.score.measures["share right"] == 1.0
    idle = attempt(SCENARIO, RIG, "null")
    assert idle.score.success is False
    assert idle.score.measures["share right"] == 0.0
    assert idle.named()["lost"] is False  # the belt has carried them off its end


def test_two_processes_give_the_same_bits(done: Tried) -> None:
    assert digest_elsewhere(SCENARIO, RIG, "expert") == digest(done.episode)


@pytest.mark.parametrize(
    ("rows", "values", "failed"),
    [
        (END, {"a1__robot_n": 3.0}, RIGHT),
        (END, {"b1__speed": 0.05}, RIGHT),
        (END, {"a1__in_bin_a": 0.0}, RIGHT),
        (slice(-20, None), {"a2__in_bin_a": 0.0}, RIGHT),
        (slice(500, 510), {"c1__in_bin_a": 1.0}, "in a wrong bin"),
        (slice(0, 10), {"c1__z": 0.02}, "lost"),
        (slice(-100, -90), {"a1__in_bin_a": 0.0, "a1__z": 0.02}, "lost"),
    ],
)
def test_what_was_not_done_right_all_the_way_is_no_success(
    done: Tried, rows: slice, values: dict[str, float], failed: str
) -> None:
    score = done.task.score(changed(done.episode, rows, **values), done.parameters)
    assert score.success is False
    assert failed in failures(score)


def test_one_that_came_too_late_to_lie_still_is_out_of_time(done: Tried) -> None:
    """Four things in 2 s each: the last one moved until 9.5 s after the first came."""
    late = changed(done.episode, slice(0, 1400), a1__in_bin_a=0.0, a1__z=0.2)
    conditions = {one.name: one for one in done.task.score(late, done.parameters).conditions}
    assert conditions["time for each"].ok is False
    assert conditions["time for each"].value == pytest.approx(
        (1400 / 125 - _arrived_s(done.episode)) / 4, abs=0.01
    )
    assert conditions["lost"].ok is True


@pytest.mark.parametrize("label", ["a1.z", "b1.in_bin_b", "b1.in_bin_c", "c1.speed", "a2.robot_n"])
def test_what_was_not_observed_is_undecided(done: Tried, label: str) -> None:
    assert done.task.score(without(done.episode, label), done.parameters).success is None


def test_the_share_counts_what_is_right(done: Tried) -> None:
    one_off = changed(done.episode, END, c1__speed=0.5)
    assert done.task.score(one_off, done.parameters).measures["share right"] == 0.75


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"width_m": [0.03, 0.07]}, r"within \[0.01, 0.064\] m"),
        ({"belt_m_s": [0.3, 0.8]}, r"within \[0, 0.5\] m/s"),
        ({"belt_m_s": [0.0, 0.3]}, r"\[0.05, 0.5\] m/s, or \[0, 0\] for a tray"),
        ({"pitch_m": [1.2, 1.3]}, r"is within \[1.2, 3\] s"),
        ({"pitch_m": [0.2, 0.7]}, r"is within \[1.2, 3\] s"),
        ({"pitch_m": [0.08, 0.7]}, "fingers need 0.1"),
        ({"belt_m_s": [0.0, 0.0]}, "4 things 0.75 m apart are out of reach"),
        ({"bin_m": [0.1, 0.165, 0.09]}, "is too small"),
        ({"bin_m": [0.17, 0.25, 0.09]}, "have to fit into 0.62 m"),
        ({"classes": 6}, "less than or equal to 5"),
        ({"shapes": ["bag"]}, "'box' or 'can'"),
    ],
)
def test_what_it_cannot_do_is_refused(table: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Parameters.model_validate(table)


def test_draws_differ_but_things_keep_their_names() -> None:
    asked = Parameters.model_validate({"classes": 2, "count": 5})
    assert names(asked) == ["a1", "b1", "a2", "b2", "a3"]
    first, second = (JOB.draw(asked, np.random.default_rng(seed)) for seed in (1, 2))
    assert first["poses"] != second["poses"]
    assert sorted(first["poses"]) == sorted(second["poses"]) == sorted(names(asked))  # type: ignore[call-overload]
    ways = sorted(pose[1] for pose in first["poses"].values())  # type: ignore[attr-defined]
    assert ways[-1] < LINE_M
    gaps = np.diff(ways)
    assert gaps.min() >= asked.pitch_m[0]
    assert gaps.max() <= asked.pitch_m[1]


def test_the_line_finds_speed_and_place_of_what_it_is_told_late() -> None:
    """Poses of two things on a belt of 0.4 m/s, 30 times a second, 30 ms old, noisy by 1 mm."""
    speed, late_s = 0.4, 0.03
    line = Line(["a1", "b1"], late_s)
    for view in _views(speed, late_s, 1.5):
        line.look(view)
    assert line.speed() == pytest.approx(speed, rel=0.01)
    place = line.at("a1", 2.0)
    assert place[:3] == pytest.approx([BELT_X_M, -0.8 + speed * 2.0, TOP_M], abs=0.002)
    assert place[3] == pytest.approx(0.3, abs=0.01)
    assert line.first(1.5) == "a1"
    line.take("a1")
    assert line.first(1.5) == "b1"


def _views(speed: float, late_s: float, seconds: float) -> Iterator[View]:
    rng = np.random.default_rng(3)
    tracked: dict[str, FloatArray] = {}
    nothing = np.zeros(8)
    joints = JointSample(0, nothing, nothing, nothing, np.zeros(8, dtype=np.int64))
    for tick in range(round(seconds * 125)):
        now_s = tick / 125
        if tick % 4 == 0:
            for name, start in (("a1", -0.8), ("b1", -1.5)):
                y = start + speed * (now_s - late_s)
                place = np.array([BELT_X_M, y, TOP_M]) + rng.normal(0.0, 0.001, 3)
                tracked[name] = np.append(place, [0.0, 0.0, math.sin(0.15), math.cos(0.15)])
        yield View(tick, now_s, joints, nothing, {}, dict(tracked))


def _arrived_s(episode: Episode) -> float:
    witness = episode.channels["witness"]
    elapsed = (witness.stamp_ns - episode.ticks["scheduled_ns"][0]) / 1e9
    ways = [witness.column(f"{name}.y") for name in ("a1", "a2", "b1", "c1")]
    first = [np.flatnonzero(way >= LINE_M)[0] for way in ways if way is not None]
    return float(elapsed[min(first)])
