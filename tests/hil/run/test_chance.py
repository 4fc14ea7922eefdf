"""Chance as policy: within the envelope, from a stream of its own, and nothing else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from benches import fake_bench, fake_plan
from fakes import FakeArm

from hil.clock import Deadline, VirtualClock
from hil.contracts import JointLimits, JointSample
from hil.loop.envelope import Envelope, Sent
from hil.plan.freeze import stream_seed
from hil.record.format import TickFlag
from hil.run.chance import RandomAnswers, random_policy
from hil.run.episode import Attempt, run_episode
from hil.run.stimulus import Look
from hil.safety import StopRequest
from hil.task import View
from sim.tasks.gauge_read import TASK

PERIOD_S = 0.02
SOON = Deadline(VirtualClock(), 10**9)


def envelope(lead_rad: float = 1.0) -> Envelope:
    limits = JointLimits(np.full(2, -2.0), np.full(2, 2.0), np.array([5.0, 1.0]))
    return Envelope(limits, lead_rad, 2.0)


def sample(position: np.ndarray) -> JointSample:
    zeros = np.zeros(2)
    return JointSample(0, position, zeros, zeros, np.zeros(2, np.int64))


def targets(allowed: Envelope, here: np.ndarray, last: np.ndarray, count: int) -> np.ndarray:
    """Targets of `count` ticks in the same view, (count, 2)."""
    decide = random_policy(allowed, PERIOD_S, np.random.default_rng(5))
    view = View(0, 0.0, sample(here), last, {})
    found = [decide(view, SOON) for _ in range(count)]
    return np.array([one.target for one in found if one is not None])


def test_targets_are_uniform_over_what_a_tick_may_move() -> None:
    last = np.array([0.5, -0.5])
    changes = targets(envelope(), last, last, 20_000) - last
    stride = np.array([2.0, 1.0]) * PERIOD_S
    assert (np.abs(changes) <= stride).all()
    # uniform: mean 0 and variance stride² / 3, each within five standard errors
    scaled = changes / stride
    assert (np.abs(scaled.mean(axis=0)) < 5 * np.sqrt(1 / 3 / len(scaled))).all()
    assert (np.abs(scaled.var(axis=0) - 1 / 3) < 5 * np.sqrt(4 / 45 / len(scaled))).all()
    assert abs(np.corrcoef(scaled.T)[0, 1]) < 5 / np.sqrt(len(scaled)), "each joint for itself"


def test_the_envelope_has_nothing_to_change() -> None:
    """Beside the range's end, and where the target already leads the joint by nearly all it may."""
    allowed = envelope(lead_rad=0.1)
    last = np.array([1.99, 0.0])
    here = np.array([1.95, 0.095])
    wished = targets(allowed, here, last, 500)
    for target in wished:
        sent = allowed.apply(target, Sent.resting(last), sample(here), PERIOD_S)
        np.testing.assert_allclose(sent.target, target, rtol=0, atol=1e-12)
    assert wished[:, 0].max() > 1.999
    assert wished[:, 1].min() < -0.004


def test_guesses_are_fresh_for_every_stimulus_and_anywhere_on_the_scale() -> None:
    answers = RandomAnswers(TASK, np.random.default_rng(1))
    found = [answers(Look(row, {"image": b""}, 7), SOON) for row in range(1000)]
    readings = np.array([one.reading for one in found if one is not None])
    assert readings.shape == (1000, 1)
    assert len(np.unique(readings)) == 1000
    assert (readings.min() < 0.01, readings.max() > 0.99) == (True, True)
    assert answers(Look(1000, None, 7), SOON) is None, "nothing is shown any more"


def attempt(seed: int, policy: str) -> Attempt:
    bench = fake_bench()
    plan = fake_plan(bench)
    planned, episode = plan.scenarios["reach"], replace(plan.episodes[0], seed=seed)
    bench.open()
    arm = bench.devices["arm"]
    assert isinstance(arm, FakeArm)
    arm.enable(bench.deadline(1))
    return run_episode(bench, planned, episode, policy, StopRequest())  # type: ignore[arg-type]


def test_an_episode_s_seed_alone_decides_what_chance_does() -> None:
    first, again, other = (
        attempt(seed, "random").episode.channels["joints.applied"].value for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first[:5], other[:5])
    assert len(np.unique(first[:, 0])) == len(first), "another target in every tick"


def test_the_draw_is_that_of_any_other_policy_and_no_tick_is_out_of_order() -> None:
    episode = attempt(3, "random").episode
    assert episode.draw == attempt(3, "null").episode.draw
    limited = (episode.ticks["flags"] & TickFlag.LIMITED_ACTION) > 0
    assert len(limited) > 50
    assert not limited.any()
    assert stream_seed(3, "policy") not in (
        3,
        stream_seed(3, "faults/arm"),
        stream_seed(4, "policy"),
    )
