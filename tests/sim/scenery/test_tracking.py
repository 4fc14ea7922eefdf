"""What a tracker says does not depend on when it is asked, and is late by its delay."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from hil.contracts import FloatArray
from hil.errors import BadInput
from sim.scenery.tracking import Tracking
from sim.world import Placed

HZ = 1000


class Sliding:
    """A thing whose x is the number of steps done, in mm."""

    solids: Sequence[Placed] = ()

    def __init__(self) -> None:
        self.step = 0

    def poses(self) -> Mapping[str, FloatArray]:
        return {"thing": np.array([self.step / 1000, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0])}

    def witness(self) -> Mapping[str, float]:
        return {}

    def show(self) -> None: ...


def followed(spec: dict[str, float], steps: int, ask: Sequence[int]) -> list[FloatArray]:
    thing = Sliding()
    tracking = Tracking((thing,), spec, HZ)
    said = []
    for step in range(1, steps + 1):
        thing.step = step
        tracking.follow(step)
        if step in ask:
            said.append(tracking.newest(step)["thing"])
    return said


def test_a_pose_is_seen_after_its_delay_and_on_the_grid() -> None:
    said = followed({"rate_hz": 100.0, "delay_s": 0.025}, 100, [24, 34, 35, 44, 45, 100])
    # measured every 10 steps, known 25 later
    assert [round(float(pose[0]) * 1000) for pose in said] == [0, 0, 10, 10, 20, 70]


def test_who_asks_more_often_is_told_the_same() -> None:
    spec = {"rate_hz": 50.0, "delay_s": 0.01, "noise_m": 0.01, "noise_rad": 0.05, "seed": 4}
    often = followed(spec, 200, range(1, 201))
    seldom = followed(spec, 200, [200])
    np.testing.assert_array_equal(often[-1], seldom[-1])
    assert np.linalg.norm(seldom[-1][3:]) == pytest.approx(1.0)


def test_noise_has_the_size_that_was_asked_for() -> None:
    spec = {"rate_hz": 1000.0, "noise_m": 0.002, "noise_rad": 0.02, "seed": 7}
    said = np.array(followed(spec, 4000, range(1, 4001)))
    errors = said[:, 0] - np.arange(1, 4001) / 1000
    # 4000 samples: the standard deviation is known to 1.1 %, five times that is 6 %
    assert errors.std() == pytest.approx(0.002, rel=0.06)
    assert said[:, 3].std() == pytest.approx(0.01, rel=0.06)


def test_measured_once_where_no_rate_is_given() -> None:
    said = followed({}, 50, [1, 50])
    np.testing.assert_array_equal(said[0], said[1])
    assert Tracking((), {}, HZ).next_step(5) > 10**12


def test_a_tracker_that_cannot_be_is_named() -> None:
    with pytest.raises(BadInput, match=r"tracker of the scene[^\0]*rate_hz"):
        Tracking((), {"rate_hz": -1}, HZ)


class Veiled(Sliding):
    """The same, of which a camera sees so much."""

    share = 0.0

    def hidden(self, eye: tuple[float, float, float]) -> float:
        return self.share


def test_with_an_eye_what_is_hidden_is_not_seen_and_noise_grows_before() -> None:
    thing = Veiled()
    spec = {"rate_hz": 1000.0, "noise_m": 0.002, "eye": (0.0, 0.0, 1.0), "seed": 7}
    tracking = Tracking((thing,), {**spec, "least_confidence": 0.2}, HZ)
    said: dict[float, list[float]] = {0.0: [], 0.75: []}
    for step in range(1, 4001):
        thing.share = (0.0, 0.75, 0.9)[step % 3]
        tracking.follow(step)
        seen = tracking.newest(step)
        assert ("thing" in seen) == (thing.share < 0.8)
        if seen:
            said[thing.share].append(float(seen["thing"][0]))
    spreads = [np.std(rows) for rows in said.values()]
    assert spreads[0] == pytest.approx(0.002, rel=0.15)
    assert spreads[1] / spreads[0] == pytest.approx(2.0, rel=0.15)  # 1 / sqrt(1 - 0.75)


def test_without_an_eye_nothing_is_hidden() -> None:
    thing = Veiled()
    thing.share = 1.0
    tracking = Tracking((thing,), {"rate_hz": 100.0}, HZ)
    tracking.follow(10)
    assert "thing" in tracking.newest(10)


def test_jitter_makes_a_pose_later_and_dropout_loses_it_but_neither_changes_others() -> None:
    plain = {"rate_hz": 100.0, "delay_s": 0.02, "noise_m": 0.001, "seed": 3}
    steps = range(1, 2001)

    def first_seen(spec: dict[str, float]) -> dict[float, int]:
        """The step at which each pose was there first."""
        found: dict[float, int] = {}
        for step, pose in zip(steps, followed(spec, 2000, steps), strict=True):
            found.setdefault(float(pose[0]), step)
        return found

    punctual, late = first_seen(plain), first_seen({**plain, "jitter_s": 0.03})
    waits = [late[pose] - step for pose, step in punctual.items() if pose in late]
    assert min(waits) >= 0
    assert 15 <= max(waits) <= 30
    lossy = first_seen({**plain, "dropout": 0.5})
    assert set(lossy) <= set(punctual)
    assert 60 <= len(lossy) <= 140  # of 200
