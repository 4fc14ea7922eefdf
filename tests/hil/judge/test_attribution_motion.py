"""Motion found in the encoder after the command that asked for it."""

from __future__ import annotations

import numpy as np
import pytest

from hil.clock import NS_PER_MS
from hil.contracts import FloatArray, IntArray
from hil.judge.attribution import attribute
from hil.judge.motion import WITHIN_NS, motion_onsets_ns
from hil.record.format import TICK, Channel, Episode

PERIOD_NS = 20 * NS_PER_MS
COUNT = 60


def act_ns() -> IntArray:
    """Commands are written 8 ms into each tick."""
    return np.arange(COUNT, dtype=np.int64) * PERIOD_NS + 8 * NS_PER_MS


def seen_ns() -> IntArray:
    """Reads are with the host 2 ms into each tick."""
    return (np.arange(COUNT, dtype=np.int64) * PERIOD_NS + 2 * NS_PER_MS)[:, None]


def step(at: int, height: float) -> FloatArray:
    """0, and `height` from place `at` on, shape (COUNT, 1)."""
    return np.where(np.arange(COUNT) >= at, height, 0.0)[:, None]


def told(applied: FloatArray, before: float = 0.0) -> FloatArray:
    return np.vstack([[[before]], applied])


@pytest.mark.parametrize("height", [0.1, -0.1])
def test_a_step_is_found_at_the_first_read_that_shows_it(height: float) -> None:
    noise = np.random.default_rng(1).uniform(-0.0008, 0.0008, (COUNT, 1))
    found = motion_onsets_ns(act_ns(), told(step(20, height)), step(23, height) + noise, seen_ns())
    assert found.tolist() == [3 * PERIOD_NS - 6 * NS_PER_MS]


def test_the_first_command_of_an_episode_counts_if_the_target_before_it_is_known() -> None:
    position = step(2, 0.1)
    assert len(motion_onsets_ns(act_ns(), told(step(0, 0.1)), position, seen_ns())) == 1
    unknown = told(step(0, 0.1), before=np.nan)
    assert len(motion_onsets_ns(act_ns(), unknown, position, seen_ns())) == 0


def test_a_joint_that_moves_already_or_creeps_says_nothing() -> None:
    ramp = (np.arange(COUNT) * 0.002)[:, None]
    assert not len(motion_onsets_ns(act_ns(), told(ramp), ramp, seen_ns()))
    moving = ramp * 10
    assert not len(motion_onsets_ns(act_ns(), told(step(20, 0.1), 0.0), moving, seen_ns()))


def test_a_blocked_joint_and_one_pushed_the_other_way_say_nothing() -> None:
    still, away = step(0, 0.0), step(23, -0.1)
    assert not len(motion_onsets_ns(act_ns(), told(step(20, 0.1)), still, seen_ns()))
    assert not len(motion_onsets_ns(act_ns(), told(step(20, 0.1)), away, seen_ns()))
    late = step(20 + WITHIN_NS // PERIOD_NS + 2, 0.1)
    assert not len(motion_onsets_ns(act_ns(), told(step(20, 0.1)), late, seen_ns()))


def test_absent_values_are_no_motion_and_no_rest() -> None:
    position = step(23, 0.1)
    position[23] = np.nan  # the read that would have shown it was lost
    found = motion_onsets_ns(act_ns(), told(step(20, 0.1)), position, seen_ns())
    assert found.tolist() == [4 * PERIOD_NS - 6 * NS_PER_MS]
    position[19] = np.nan
    assert not len(motion_onsets_ns(act_ns(), told(step(20, 0.1)), position, seen_ns()))


def test_each_start_of_each_joint_is_one_sample() -> None:
    there_and_back = step(20, 0.1) - step(45, 0.1)
    seen = step(22, 0.1) - step(49, 0.1)
    both = np.hstack([there_and_back, step(30, 0.2)])
    positions = np.hstack([seen, step(31, 0.2)])
    targets = np.vstack([np.zeros((1, 2)), both])
    found = motion_onsets_ns(act_ns(), targets, positions, np.hstack([seen_ns()] * 2))
    steps = [(onset + 6 * NS_PER_MS) // PERIOD_NS for onset in found.tolist()]
    assert steps == [2, 4, 1]


def test_the_table_states_one_read_period_as_its_resolution() -> None:
    ticks = np.zeros(COUNT, TICK)
    ticks["act_ns"] = act_ns()
    ticks["scheduled_ns"] = np.arange(COUNT) * PERIOD_NS
    ticks["asked_ns"] = -1
    stamp, age = seen_ns()[:, 0], np.zeros((COUNT, 1), np.int64)
    channels = {
        "joints.position": Channel(step(3, 0.1), stamp, age, ("a",), "rad"),
        "joints.applied": Channel(step(0, 0.1), act_ns(), age, ("a",), "rad"),
    }
    start = {"event": "start", "target": [0.0]}
    found = attribute([Episode("0001", {}, {}, ticks, channels, (start,))], 1, 50.0)
    assert found is not None
    motion = found.hops[-1]
    assert (motion.hop, motion.count, motion.max_us) == ("motion", 1, 54_000)
    assert motion.unsure_us == 20_000
    without = attribute([Episode("0001", {}, {}, ticks, channels, ())], 1, 50.0)
    assert without is not None
    assert "motion" not in [hop.hop for hop in without.hops]
