"""Teach the network `in-hand-yaw` the gait of a hand, and score it against the script.

    python -m models.train.in_hand_yaw --out models/zoo/in-hand-yaw

DAgger (Ross, Gordon and Bagnell, 2011) under domain randomisation, on the level where somebody
shoves the cube. The teacher is `models.train.in_hand_teacher`: the scripted cycle as a law of
the state, told the truth. The network sees what a policy may see, joints and a tracker that is
late and noisy. Scores are paired: network and script on the same fresh seeds.

Fixed seeds and one thread a process: the same versions give the same file.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import TextIO, cast

import numpy as np
import torch

from hil.contracts import FloatArray
from hil.task import Draw, View
from models.runtime import Network
from models.train.card_text import card_text
from models.train.in_hand_learner import ACTION, OBSERVATION, Learner, Table, export
from models.train.in_hand_teacher import Lies, next_target
from models.train.rollout import Conditions, Policy, Rollout, roll_out
from models.train.tools import tool_versions
from sim.layout import Layout, Mount
from sim.plant import Plant
from sim.robots import hand4
from sim.tasks.in_hand import JOB, Parameters
from sim.tasks.in_hand_expert import nearest
from sim.tasks.kit.draws import number, pose_of
from sim.tasks.kit.poses import yaw_of
from sim.world import View as Camera

SHOVED = Parameters(push_n=(0.8, 1.5), push_every_s=0.5, turn_rad=(0.3, 2.6))
"""The level of scenario log-label-present-reorient-shoved."""
CALM = Parameters()
STEP_HZ, EPISODE_S, LESSON_S = 1000, 13.5, 8.0
FIRST_ROUND, ROUND, ROUNDS = 100, 80, 4
STRETCH_TICKS, NOISE_RAD = 10, 0.02
OTHER_GOALS = 2
ROUND_STEPS, LAST_STEPS, BATCH = 2000, 12_000, 512
FRESH_SEEDS = 1_000_000
"""Seeds from here on are never trained on; scores are of them."""
_CAMERA = Camera((0.3, -0.3, 0.3), (0.0, 0.0, 0.05))


def plant_of(rng: np.random.Generator | None = None) -> Plant:
    """The hand; with `rng`, one whose motors are weaker or stronger, quicker or slower."""
    found = hand4.hand()
    if rng is not None:
        torque, lag = rng.uniform(0.7, 1.1), rng.uniform(0.008, 0.016)
        motors = [replace(motor, torque=motor.torque * torque, lag_s=lag) for motor in found.motors]
        found = replace(found, motors=tuple(motors))
    return Plant(Layout("hand4", (Mount(found),), _CAMERA, table_at=(0.0, 0.0)), STEP_HZ)


def goal_yaw(draw: Draw) -> float:
    """Where the cube's x has to look, rad."""
    return float(yaw_of(pose_of(draw, "cube")[None, 3:])[0]) + number(draw, "turn_rad")


def seen_by(view: View, draw: Draw) -> Lies:
    """How the cube lies as the tracker has it."""
    yaw = float(yaw_of(view.tracked["cube"][None, 3:])[0])
    return Lies(number(draw, "edge_m"), yaw, nearest(goal_yaw(draw) - yaw, 2 * np.pi))


def teacher(draw: Draw) -> Policy:
    """The law, told no more than a policy is; it drives, but does not label."""
    return lambda view: next_target(view.target, seen_by(view, draw))


def null_policy(view: View) -> FloatArray:
    """Moves nothing: the floor."""
    return view.target


def onnx_policy(content: bytes) -> Policy:
    """A finished network as a policy."""
    network = Network(content, {})
    return lambda view: JOB.act(network.run(network.prepare(JOB.observe(view))), view)


@dataclass(slots=True)
class _Stretch:
    learner: bool = False
    noise: FloatArray = field(default_factory=lambda: np.zeros(16))


def mixed(learner: Policy, lesson: Policy, share: float, rng: np.random.Generator) -> Policy:
    """`learner` in `share` of the stretches of `STRETCH_TICKS`, `lesson` in the others, and
    noise on the targets of both in some."""
    stretch = _Stretch()

    def policy(view: View) -> FloatArray:
        if view.tick % STRETCH_TICKS == 0:
            stretch.learner = rng.random() < share
            stretch.noise = rng.normal(0.0, NOISE_RAD, 16) * (rng.random() < 0.25)
        driver = learner if stretch.learner else lesson
        return driver(view) + stretch.noise

    return policy


def lesson(seed: int, content: bytes | None, share: float) -> tuple[bool, Table, Table]:
    """One training episode under drawn conditions: whether it was a success, observations
    (n, 48) and labels (n, 16)."""
    rng = np.random.default_rng([seed, 1])
    most = float(rng.uniform(0.0, 1.8))
    tracker = {
        "rate_hz": 30.0,
        "delay_s": float(rng.uniform(0.015, 0.045)),
        "noise_m": float(rng.uniform(0.0005, 0.0015)),
        "noise_rad": float(rng.uniform(0.005, 0.015)),
    }
    asked = Parameters.model_validate(
        {
            **SHOVED.model_dump(),
            "push_n": (most / 2, most),
            "pushed_for_s": LESSON_S - 2.5,
            "tracker": tracker,
        }
    )
    draw = JOB.draw(asked, np.random.default_rng(seed))
    driver = teacher(draw)
    learner = driver if content is None else onnx_policy(content)
    infer_us = int(rng.integers(500, 9000))
    conditions = Conditions(
        read_us=int(rng.integers(800, 4000)),
        command_us=400,
        infer_us=infer_us,
        jitter_us=infer_us // 2,
        reach_rad=0.6,
    )
    plant = plant_of(rng)
    policy = mixed(learner, driver, share, rng)
    found = roll_out(JOB, asked, draw, policy, conditions, rng, LESSON_S, plant)
    observations, labels = labelled(found, draw, rng)
    return found.score.success is True, observations, labels


def labelled(found: Rollout, draw: Draw, rng: np.random.Generator) -> tuple[Table, Table]:
    """What the learner saw, (n, 48), and what the teacher, who knows the truth, says to it,
    (n, 16); each also for `OTHER_GOALS` other goals."""
    first = pose_of(draw, "cube")[3:]
    turns = [first, *(_turn_of(truth) for truth in found.truths[:-1])]
    wanted, edge = goal_yaw(draw), number(draw, "edge_m")
    observations, labels = [], []
    for view, turn in zip(found.views, turns, strict=True):
        yaw = float(yaw_of(turn[None])[0])
        seen = JOB.observe(view)["observation"][0]
        left = nearest(wanted - yaw, 2 * np.pi)
        others = rng.choice([0.05, 0.3, 1.2], OTHER_GOALS) * rng.normal(0.0, 1.0, OTHER_GOALS)
        for more in (0.0, *others):
            if abs(left + more) > 3.0:
                continue
            aim = next_target(view.target, Lies(edge, yaw, left + more))
            observations.append(_with_goal(seen, more))
            labels.append(np.clip((aim - view.target) / JOB.action_limit, -1.0, 1.0))
    return np.array(observations, dtype=np.float32), np.array(labels, dtype=np.float32)


def _turn_of(truth: object) -> FloatArray:
    values = cast(dict[str, float], truth)
    return np.array([values[f"cube.q{axis}"] for axis in "xyzw"])


def _with_goal(seen: Table, more: float) -> Table:
    """The observation (48,) with its goal turned on by `more` rad."""
    x, y, z, w = seen[42:46]
    half_sine, half_cosine = np.sin(more / 2), np.cos(more / 2)
    turned = np.array(
        [
            x * half_cosine - y * half_sine,
            y * half_cosine + x * half_sine,
            z * half_cosine + w * half_sine,
            w * half_cosine - z * half_sine,
        ]
    )
    found = seen.copy()
    found[42:46] = turned if turned[3] >= 0 else -turned
    return found


def fit(learner: Learner, data: tuple[Table, Table], steps: int, rng: np.random.Generator) -> float:
    """Adam on the mean absolute error, of shares; returns the last hundred's mean."""
    observations, labels = map(torch.from_numpy, data)
    optimiser = torch.optim.Adam(learner.parameters(), lr=2e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps, eta_min=1e-5)
    losses = []
    for _ in range(steps):
        rows = torch.from_numpy(rng.integers(0, len(observations), BATCH))
        loss = (learner(observations[rows]) - labels[rows]).abs().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        losses.append(float(loss.detach()))
    return float(np.mean(losses[-100:]))


def train(seed: int, pool: ProcessPoolExecutor, report: TextIO) -> Learner:
    """The whole course; writes a line a round to `report`."""
    torch.manual_seed(seed)
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    rng = np.random.default_rng(seed)
    learner, content = Learner(), None
    data: list[tuple[Table, Table]] = []
    start = 0
    for turn in range(ROUNDS + 1):
        count = ROUND if turn else FIRST_ROUND
        seeds = range(start, start + count)
        share = min(1.0, 0.5 + 0.2 * (turn - 1)) if turn else 0.0
        lessons = list(pool.map(partial(lesson, content=content, share=share), seeds))
        start += count
        data += [(observations, labels) for _, observations, labels in lessons]
        whole = (np.concatenate([d[0] for d in data]), np.concatenate([d[1] for d in data]))
        if turn == 0:
            learner.fit_to(whole[0])
        loss = fit(learner, whole, ROUND_STEPS if turn < ROUNDS else LAST_STEPS, rng)
        content = export(learner)
        learner.train()
        good = sum(success for success, _, _ in lessons)
        report.write(
            f"round {turn}: {good}/{count} of its episodes good (share {share:.1f}),"
            f" {len(whole[0])} labelled states, loss {loss:.4f}\n"
        )
        report.flush()
    return learner


def trial(seed: int, asked: Parameters, content: bytes | None, who: str) -> bool:
    """Whether one fresh episode at the figures of `rigs/sim-hand4.toml` is a success."""
    draw = JOB.draw(asked, np.random.default_rng(seed))
    policy: Policy = null_policy
    if who == "network" and content is not None:
        policy = onnx_policy(content)
    elif who == "script":
        policy = JOB.expert(draw)
    elif who == "law":
        policy = teacher(draw)
    conditions = Conditions(read_us=1500, command_us=400, infer_us=3000, reach_rad=0.6)
    rng = np.random.default_rng([seed, 2])
    found = roll_out(JOB, asked, draw, policy, conditions, rng, EPISODE_S, plant_of(None))
    return found.score.success is True


def scores(
    content: bytes, episodes: int, pool: ProcessPoolExecutor, report: TextIO
) -> dict[str, float]:
    """Successes on fresh seeds, shoved and calm, and how network and script pair up."""
    seeds = range(FRESH_SEEDS, FRESH_SEEDS + episodes)

    def of(asked: Parameters, who: str, some: Iterable[int] = seeds) -> list[bool]:
        return list(pool.map(partial(trial, asked=asked, content=content, who=who), some))

    network, script = of(SHOVED, "network"), of(SHOVED, "script")
    pairs = list(zip(network, script, strict=True))
    few = seeds[: max(20, episodes // 3)]
    found = {
        "episodes": episodes,
        "successes": sum(network),
        "script_successes": sum(script),
        "both": sum(a and b for a, b in pairs),
        "network_only": sum(a and not b for a, b in pairs),
        "script_only": sum(b and not a for a, b in pairs),
        "neither": sum(not a and not b for a, b in pairs),
        "law_successes": sum(of(SHOVED, "law")),
        "calm_episodes": len(few),
        "calm_successes": sum(of(CALM, "network", few)),
        "floor_episodes": len(few),
        "floor_successes": sum(of(SHOVED, "null", few)),
    }
    report.writelines(f"{name} {value}\n" for name, value in found.items())
    return {name: float(value) for name, value in found.items()}


def card(content: bytes, seed: int, found: dict[str, float]) -> str:
    """Text of `card.toml`."""
    asked = SHOVED
    return card_text(
        {
            "schema": 1,
            "name": "in-hand-yaw",
            "title": "Turn a cube on the palm of a four-finger hand",
            "file": "model.onnx",
            "sha256": hashlib.sha256(content).hexdigest(),
            "archetype": "in-hand-reorient",
            "licence": "Apache-2.0",
            "normalisation": "inside the graph",
            "limits": (
                "Taught in simulation with the hand hand4 at 50 Hz. Cube edge"
                f" {asked.edge_m} m, mass {asked.mass_kg} kg, friction {asked.friction}, turns of"
                f" {asked.turn_rad} rad; shoves up to 1.8 N for 20 ms. It remembers nothing and"
                " goes the shorter way round, so that a cube that was shoved beyond half a turn"
                " from its goal is turned the wrong way. It sees no camera and no force: the"
                " pose comes from a tracker. Outside these ranges nothing is promised."
            ),
            "inputs": [
                {
                    "name": "observation",
                    "source": {"kind": "tensor", "channels": list(OBSERVATION)},
                }
            ],
            "outputs": [{"name": "action", "channels": list(ACTION)}],
            "provenance": {
                "script": "models/train/in_hand_yaw.py",
                "seed": seed,
                "data": (
                    f"{FIRST_ROUND + ROUNDS * ROUND} simulated episodes (DAgger, seeds from 0),"
                    " labelled by models/train/in_hand_teacher.py, which knows the true pose;"
                    f" scores on seeds from {FRESH_SEEDS}, the script on the same ones"
                ),
                "tools": tool_versions(),
            },
            "scores": found,
        }
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Train, export, score, and write the model's folder."""
    parser = argparse.ArgumentParser(description="Teach and score the network in-hand-yaw.")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--episodes", type=int, default=200, help="episodes to score")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args(arguments)
    with ProcessPoolExecutor(options.processes, mp_context=get_context("spawn")) as pool:
        content = export(train(options.seed, pool, sys.stdout))
        found = scores(content, options.episodes, pool, sys.stdout)
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "model.onnx").write_bytes(content)
    (options.out / "card.toml").write_text(card(content, options.seed, found), encoding="utf-8")


if __name__ == "__main__":
    main()
