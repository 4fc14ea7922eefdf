"""Teach a network the script of a manipulation job, and score it.

    python -m models.train.imitation mfg-kit-pick-place --rig sim-panda --out models/zoo/pick-place

DAgger (Ross, Gordon and Bagnell, 2011): the learner drives more and more of the episodes, and
the script, which plays along, says in every tick where the targets should be. The network is
recurrent by one number: how far it is in the story (`models.train.lessons`).

Fixed seeds and one thread a process: the same versions give the same file.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import TextIO

import numpy as np
import torch

from models.train.card_text import card_text
from models.train.imitation_learner import Learner, Table, export
from models.train.lessons import (
    Course,
    Notebook,
    Pupil,
    Tempo,
    lesson,
    plan_of,
    success,
    tempo_of,
)
from models.train.tools import tool_versions

ROUND_STEPS, LAST_STEPS, BATCH = 3000, 16_000, 512
SHARES = (0.0, 0.3, 0.6, 0.8, 1.0)
"""Of the stretches in which the learner drives, by round."""
FRESH_SEEDS = 1_000_000
"""Master seeds from here on are never trained on; scores are of them."""


@dataclass(frozen=True)
class Data:
    """What was seen (n, m), what the script said (n, k), and where in the story it was then
    (n,) and a tick before (n,)."""

    observations: Table
    actions: Table
    before: Table
    now: Table


def data_of(book: Notebook, tempo: Tempo) -> Data:
    """One lesson as data. Where nothing was remembered, the script's own place is."""
    places = zip(book.stages, book.since, strict=True)
    now = np.array([tempo.progress(stage, since) for stage, since in places])
    told = np.array(book.remembered)
    before = np.where(np.isnan(told), np.concatenate([[0.0], now[:-1]]), told)
    return Data(
        np.array(book.observations, dtype=np.float32),
        np.array(book.labels, dtype=np.float32),
        before.astype(np.float32),
        now.astype(np.float32),
    )


def joined(parts: Sequence[Data]) -> Data:
    """All data together."""
    return Data(
        np.concatenate([part.observations for part in parts]),
        np.concatenate([part.actions for part in parts]),
        np.concatenate([part.before for part in parts]),
        np.concatenate([part.now for part in parts]),
    )


def fit(learner: Learner, data: Data, steps: int, rng: np.random.Generator) -> float:
    """Adam on the mean absolute errors of action and memory; returns the last hundred's mean."""
    seen = torch.from_numpy(
        np.column_stack([data.observations[:, :-1], data.before]).astype(np.float32)
    )
    actions, now = torch.from_numpy(data.actions), torch.from_numpy(data.now)[:, None]
    optimiser = torch.optim.Adam(learner.parameters(), lr=1e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps, eta_min=1e-5)
    losses = []
    for _ in range(steps):
        rows = torch.from_numpy(rng.integers(0, len(seen), BATCH))
        blurred = seen[rows]
        # a memory a little off is put right again
        blurred[:, -1] += torch.from_numpy(
            (rng.normal(0.0, 0.1 * learner.pace, BATCH) * (rng.random(BATCH) < 0.3)).astype("f4")
        )
        action, onward = learner(blurred)
        loss = (action - actions[rows]).abs().mean()
        loss = loss + (onward - now[rows]).abs().mean() / learner.pace
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        losses.append(float(loss.detach()))
    return float(np.mean(losses[-100:]))


def train(
    course: Course, seed: int, lessons: int, pool: ProcessPoolExecutor, report: TextIO
) -> tuple[Learner, list[str]]:
    """The whole course of `lessons` episodes a round, and the names of the observation's numbers;
    writes a line a round to `report`."""
    torch.manual_seed(seed)
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    rng = np.random.default_rng(seed)
    pupil: Pupil | None = None
    learner: Learner | None = None
    tempo = Tempo((1.0,))
    parts: list[Data] = []
    channels: list[str] = []
    for turn, share in enumerate(SHARES):
        seeds = range(turn * lessons, (turn + 1) * lessons)
        books = list(pool.map(partial(lesson, course=course, pupil=pupil), seeds))
        if learner is None:
            tempo = tempo_of(books)
        parts += [data_of(book, tempo) for book in books]
        data = joined(parts)
        if learner is None:
            channels = books[0].channels
            joints = data.actions.shape[1]
            learner = Learner(data.observations, joints, len(tempo.ticks))
        last = turn == len(SHARES) - 1
        loss = fit(learner, data, LAST_STEPS if last else ROUND_STEPS, rng)
        following = SHARES[min(turn + 1, len(SHARES) - 1)]
        pupil = Pupil(export(learner), tempo, following)
        learner.train()
        good = sum(book.success for book in books)
        report.write(
            f"round {turn}: {good}/{lessons} of its episodes good (share {share:.1f}),"
            f" {len(data.now)} labelled states, loss {loss:.4f}\n"
        )
        report.flush()
    assert learner is not None
    return learner, channels


def score(
    course: Course, content: bytes, name: str, episodes: int, pool: ProcessPoolExecutor
) -> dict[str, float]:
    """Successes on fresh seeds."""
    digest = hashlib.sha256(content).hexdigest()
    seeds = range(FRESH_SEEDS, FRESH_SEEDS + episodes)
    tried = partial(success, course=course, content=content, name=name, sha256=digest)
    return {"episodes": float(episodes), "successes": float(sum(pool.map(tried, seeds)))}


def card(
    course: Course,
    name: str,
    content: bytes,
    channels: list[str],
    seed: int,
    lessons: int,
    found: dict[str, float],
) -> str:
    """Text of `card.toml`."""
    [planned] = plan_of(course, 0).scenarios.values()
    scenario = planned.scenario
    joints = planned.task.joint_names(planned.parameters)  # type: ignore[attr-defined]
    return card_text(
        {
            "schema": 1,
            "name": name,
            "title": scenario.title,
            "file": "model.onnx",
            "sha256": hashlib.sha256(content).hexdigest(),
            "archetype": scenario.archetype,
            "licence": "Apache-2.0",
            "normalisation": "inside the graph",
            "limits": (
                f"Taught by imitation on {course.rig} at {scenario.loop.rate_hz:g} Hz, with the"
                f" ranges of scenario {scenario.id}. It sees what the scenario tells a policy and"
                " no camera. Outside these ranges nothing is promised."
            ),
            "inputs": [{"name": "observation", "source": {"kind": "tensor", "channels": channels}}],
            "outputs": [
                {"name": "action", "channels": [f"{joint}.change_share" for joint in joints]},
                {"name": "memory", "channels": ["progress"]},
            ],
            "provenance": {
                "script": f"models/train/imitation.py {scenario.id} --rig {course.rig}"
                f" --lessons {lessons}",
                "seed": seed,
                "data": (
                    f"{len(SHARES) * lessons} simulated episodes (DAgger), labelled by the"
                    f" script of the archetype; scores on seeds from {FRESH_SEEDS}"
                ),
                "tools": tool_versions(),
            },
            "scores": found,
        }
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Train, export, score, and write the model's folder, which names the model."""
    parser = argparse.ArgumentParser(description="Teach a network the script of a job.")
    parser.add_argument("scenario")
    parser.add_argument("--rig", required=True)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--lessons", type=int, default=80, help="episodes a round")
    parser.add_argument("--episodes", type=int, default=100, help="episodes to score")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args(arguments)
    course = Course(options.scenario, options.rig)
    plan_of(course, 0)  # refuses before anything is done
    name = options.out.name
    with ProcessPoolExecutor(options.processes, mp_context=get_context("spawn")) as pool:
        learner, channels = train(course, options.seed, options.lessons, pool, sys.stdout)
        content = export(learner)
        found = score(course, content, name, options.episodes, pool)
    sys.stdout.writelines(f"{key} {value:g}\n" for key, value in found.items())
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "model.onnx").write_bytes(content)
    text = card(course, name, content, channels, options.seed, options.lessons, found)
    (options.out / "card.toml").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
