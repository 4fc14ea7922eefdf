"""Teach the network `press-switch` from the scripted expert, and score it.

    python -m models.train.press_switch --out models/zoo/press-switch

DAgger (Ross, Gordon and Bagnell, 2011): the learner drives more and more of each round's
episodes, and every state that it meets is labelled by the expert. The expert is memoryless
and cheap, so each state is also labelled at a few places round it without any physics.
Episodes run under drawn conditions (times, servo figures, stiffness), because the same
network has to do its work on the simulated, the emulated and a real arm.

One thread, fixed seeds: the same versions give the same file.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from hil.contracts import FloatArray, JointSample
from hil.task import View
from models.runtime import Network
from models.train.card_text import card_text
from models.train.rollout import Conditions, Policy, Rollout, roll_out
from models.train.tools import exported, tool_versions
from sim.robots import so101
from sim.tasks.press_turn import ACTION_LIMIT, TASK, Parameters

WIDTH = 128
JOINTS = len(so101.JOINT_NAMES)
OBSERVATION = (
    *(f"{name}.position_rad" for name in so101.JOINT_NAMES),
    *(f"{name}.target_less_position_rad" for name in so101.JOINT_NAMES),
    "switch.x_m",
    "switch.y_m",
    "switch.z_m",
    "switch.yaw_rad",
)
ACTION = tuple(f"{name}.change_rad" for name in so101.JOINT_NAMES[: so101.ARM_JOINTS])

FIRST_ROUND, ROUND, ROUNDS = 200, 100, 6
NEIGHBOURS = 6
STRETCH_TICKS, NOISE_RAD = 12, 0.006
ROUND_STEPS, LAST_STEPS, BATCH = 2500, 14_000, 1024
SPREAD = np.array([0.03] * JOINTS + [0.010] * JOINTS + [0.006] * 3 + [0.03])
FRESH_SEEDS = 1_000_000
"""Seeds from here on are never trained on; scores are of them."""

Table = NDArray[np.float32]

EXPERT = TASK.expert({})


class Learner(nn.Module):
    """Perceptron from observation (n, 16) to change (n, 5) in rad, bounded by a tanh.

    The scaling is done by multiplication only and inside the graph, so that a network whose
    weights are all zero answers zero and moves nothing.
    """

    def __init__(self, mean: Table, deviation: Table) -> None:
        super().__init__()
        self.register_buffer("mean", torch.from_numpy(mean))
        self.register_buffer("scale", torch.from_numpy(1.0 / deviation))
        self.layers = nn.Sequential(
            nn.Linear(len(OBSERVATION), WIDTH),
            nn.Tanh(),
            nn.Linear(WIDTH, WIDTH),
            nn.Tanh(),
            nn.Linear(WIDTH, WIDTH),
            nn.Tanh(),
            nn.Linear(WIDTH, len(ACTION)),
            nn.Tanh(),
        )

    def forward(self, observation: torch.Tensor) -> torch.Tensor:
        mean, scale = self.get_buffer("mean"), self.get_buffer("scale")
        answer: torch.Tensor = self.layers((observation - mean) * scale) * ACTION_LIMIT
        return answer


def label(observation: Table) -> Table:
    """The expert's change (5,) for one observation (16,)."""
    position, lag, goal = np.split(observation.astype(np.float64), [JOINTS, 2 * JOINTS])
    nothing = np.zeros(JOINTS)
    sample = JointSample(0, position, nothing, nothing, np.zeros(JOINTS, dtype=np.int64))
    view = View(0, 0.0, sample, position + lag, {"switch": goal})
    change = EXPERT(view) - view.target
    return change[: so101.ARM_JOINTS].astype(np.float32)


def labelled(rollouts: Sequence[Rollout], rng: np.random.Generator) -> tuple[Table, Table]:
    """Observations (n, 16) of the episodes and of places near them, and labels (n, 5)."""
    met = np.concatenate([TASK.observe(view)["observation"] for r in rollouts for view in r.views])
    near = np.repeat(met, NEIGHBOURS, axis=0)
    # some neighbours far and some very close, so that the last millimetres are learnt as well
    reach = np.exp(rng.uniform(np.log(0.03), 0.0, (len(near), 1)))
    near += (rng.normal(0.0, 1.0, near.shape) * SPREAD * reach).astype(np.float32)
    observations = np.concatenate([met, near])
    return observations, np.stack([label(row) for row in observations])


def fit(learner: Learner, data: tuple[Table, Table], steps: int, rng: np.random.Generator) -> float:
    """Adam on the mean absolute error in units of the limit; returns the last hundred's mean."""
    observations, changes = map(torch.from_numpy, data)
    optimiser = torch.optim.Adam(learner.parameters(), lr=2e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps, eta_min=1e-5)
    losses = []
    for _ in range(steps):
        rows = torch.from_numpy(rng.integers(0, len(observations), BATCH))
        error = (learner(observations[rows]) - changes[rows]) / ACTION_LIMIT
        loss = error.abs().mean() + error.square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        losses.append(float(loss.detach()))
    return float(np.mean(losses[-100:]))


def learner_policy(learner: Learner) -> Policy:
    """The network in training as a policy."""

    def policy(view: View) -> FloatArray:
        with torch.no_grad():
            answer = learner(torch.from_numpy(TASK.observe(view)["observation"]))
        return TASK.act({"action": answer.numpy()}, view)

    return policy


def onnx_policy(content: bytes) -> Policy:
    """A finished network as a policy."""
    network = Network(content, {})
    return lambda view: TASK.act(network.run(network.prepare(TASK.observe(view))), view)


def null_policy(view: View) -> FloatArray:
    """Moves nothing: the floor."""
    return view.target


@dataclass(slots=True)
class _Stretch:
    learner: bool = False
    noise: FloatArray = field(default_factory=lambda: np.zeros(JOINTS))


def mixed(learner: Policy, share: float, rng: np.random.Generator) -> Policy:
    """`learner` in `share` of the stretches of `STRETCH_TICKS`, the expert in the others, and
    noise on the targets of both."""
    stretch = _Stretch()

    def policy(view: View) -> FloatArray:
        if view.tick % STRETCH_TICKS == 0:
            stretch.learner = rng.random() < share
            stretch.noise = rng.normal(0.0, NOISE_RAD, JOINTS) * (rng.random() < 0.5)
        driver = learner if stretch.learner else EXPERT
        return driver(view) + stretch.noise

    return policy


def collect(policy: Policy | None, share: float, seeds: range) -> list[Rollout]:
    """Training episodes under drawn conditions; `policy` None is the expert alone."""
    asked = Parameters()
    found = []
    for seed in seeds:
        rng = np.random.default_rng([seed, 1])
        driver = mixed(policy or EXPERT, share, rng)
        draw = TASK.draw(asked, np.random.default_rng(seed))
        found.append(roll_out(TASK, asked, draw, driver, Conditions.drawn(rng), rng, 3.0))
    return found


def successes(policy: Policy, seeds: range, drawn: bool) -> int:
    """Successful episodes of `policy`, at the figures of `rigs/sim-so101.toml` or drawn ones."""
    asked, count = Parameters(), 0
    for seed in seeds:
        rng = np.random.default_rng([seed, 2])
        draw = TASK.draw(asked, np.random.default_rng(seed))
        conditions = Conditions.drawn(rng) if drawn else Conditions()
        count += roll_out(TASK, asked, draw, policy, conditions, rng).score.success is True
    return count


def train(seed: int, report: TextIO) -> Learner:
    """The whole course; writes a line a round to `report`."""
    torch.manual_seed(seed)
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    rng = np.random.default_rng(seed)
    data = labelled(collect(None, 0.0, range(FIRST_ROUND)), rng)
    learner = Learner(data[0].mean(axis=0), np.maximum(data[0].std(axis=0), 1e-3))
    for turn in range(ROUNDS):
        loss = fit(learner, data, ROUND_STEPS, rng)
        start = FIRST_ROUND + turn * ROUND
        rollouts = collect(
            learner_policy(learner), min(1.0, 0.4 + 0.2 * turn), range(start, start + ROUND)
        )
        good = sum(r.score.success is True for r in rollouts)
        report.write(f"round {turn + 1}: loss {loss:.4f}, {good}/{ROUND} of its episodes good\n")
        more = labelled(rollouts, rng)
        data = (np.concatenate([data[0], more[0]]), np.concatenate([data[1], more[1]]))
    loss = fit(learner, data, LAST_STEPS, rng)
    report.write(f"{len(data[0])} labelled states, loss {loss:.4f}\n")
    return learner


def export(learner: Learner) -> bytes:
    """ONNX bytes, opset 17, batch of one."""
    return exported(learner, len(OBSERVATION))


def scores(content: bytes, episodes: int, report: TextIO) -> dict[str, float]:
    """Success rates on fresh seeds: policy, floor (null policy) and ceiling (expert)."""
    seeds = range(FRESH_SEEDS, FRESH_SEEDS + episodes)
    few = seeds[: max(20, episodes // 3)]
    policy = onnx_policy(content)
    found = {
        "episodes": float(episodes),
        "successes": float(successes(policy, seeds, drawn=False)),
        "successes_drawn_conditions": float(successes(policy, seeds, drawn=True)),
        "floor_episodes": float(len(few)),
        "floor_successes": float(successes(null_policy, few, drawn=False)),
        "ceiling_episodes": float(len(few)),
        "ceiling_successes": float(successes(EXPERT, few, drawn=False)),
    }
    report.writelines(f"{name} {value:g}\n" for name, value in found.items())
    return found


def card(content: bytes, seed: int, found: dict[str, float]) -> str:
    """Text of `card.toml`."""
    asked = Parameters()
    return card_text(
        {
            "schema": 1,
            "name": "press-switch",
            "title": "Press a wall switch with an SO-101 arm",
            "file": "model.onnx",
            "sha256": hashlib.sha256(content).hexdigest(),
            "archetype": "press-turn",
            "licence": "Apache-2.0",
            "normalisation": "inside the graph",
            "limits": (
                "Taught in simulation with an SO-101 at 50 Hz, tip starting about 0.25 m forward"
                f" and 0.16 m up. Switch x {asked.x_m} m, y {asked.y_m} m, z {asked.z_m} m,"
                f" yaw {asked.yaw_rad} rad, trip force {asked.trip_force_n} N, tracker noise"
                f" {asked.track_noise_m} m. It sees no camera and no force: the pose comes from a"
                " tracker. Outside these ranges nothing is promised."
            ),
            "inputs": [
                {
                    "name": "observation",
                    "source": {"kind": "tensor", "channels": list(OBSERVATION)},
                }
            ],
            "outputs": [{"name": "action", "channels": list(ACTION)}],
            "provenance": {
                "script": "models/train/press_switch.py",
                "seed": seed,
                "data": (
                    f"{FIRST_ROUND + ROUNDS * ROUND} simulated episodes (DAgger, seeds from 0),"
                    " labelled by the scripted expert sim/tasks/press_expert.py;"
                    f" scores on seeds from {FRESH_SEEDS}"
                ),
                "tools": tool_versions(),
            },
            "scores": found,
        }
    )


def main() -> None:
    """Train, export, score, and write the model's folder."""
    parser = argparse.ArgumentParser(description="Teach and score the network press-switch.")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--episodes", type=int, default=300, help="episodes to score")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    content = export(train(options.seed, sys.stdout))
    text = card(content, options.seed, scores(content, options.episodes, sys.stdout))
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "model.onnx").write_bytes(content)
    (options.out / "card.toml").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
