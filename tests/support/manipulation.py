"""One episode of a manipulation scenario on a simulated rig, and what may be said of its record."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from hil.catalogue import load_rig
from hil.plan.freeze import PolicyName, freeze, single
from hil.record.format import Channel, Episode
from hil.run.trial import run_trial
from hil.task import Score, Task


@dataclass(frozen=True)
class Tried:
    """What one episode left."""

    task: Task
    parameters: Any
    episode: Episode
    score: Score

    def named(self) -> dict[str, bool | None]:
        """Conditions by name."""
        return {condition.name: condition.ok for condition in self.score.conditions}


def attempt(
    scenario: str, rig: str, policy: PolicyName, seed: int = 1, file: Path | None = None
) -> Tried:
    """Run the first episode of a plan with `seed`; `file` is the scenario's where it is not the
    catalogue's."""
    loaded, path = load_rig(rig)
    files = {} if file is None else {scenario: file}
    plan = freeze(single(scenario, 1), "0" * 64, loaded, path, seed, policy, files=files)
    trial = run_trial(plan, plan.episodes[0], lambda: None)
    assert trial.attempt is not None, trial.ending
    planned = plan.scenarios[scenario]
    episode = trial.attempt.episode
    score = planned.task.score(episode, planned.parameters)
    return Tried(planned.task, planned.parameters, episode, score)


def failures(score: Score) -> set[str]:
    """Names of the conditions that are shown not to hold."""
    return {condition.name for condition in score.conditions if condition.ok is False}


def without(episode: Episode, *labels: str) -> Episode:
    """The same record of a rig that does not observe these columns of the witness."""
    witness = episode.channels["witness"]
    kept = [place for place, label in enumerate(witness.labels) if label not in labels]
    assert len(kept) < len(witness.labels), f"{labels} are not among {witness.labels}"
    fewer = Channel(
        witness.value[:, kept],
        witness.stamp_ns,
        witness.age_ns[:, kept],
        tuple(witness.labels[place] for place in kept),
        witness.unit,
    )
    return replace(episode, channels={**episode.channels, "witness": fewer})


def changed(episode: Episode, rows: slice, **values: float) -> Episode:
    """The same record with other values in some rows of the witness; `__` stands for a dot."""
    witness = episode.channels["witness"]
    table = witness.value.copy()
    for label, value in values.items():
        table[rows, witness.labels.index(label.replace("__", "."))] = value
    new = replace(witness, value=table)
    return replace(episode, channels={**episode.channels, "witness": new})


def digest(episode: Episode) -> str:
    """Of all channels and ticks."""
    found = hashlib.sha256(episode.ticks.tobytes())
    for name in sorted(episode.channels):
        channel = episode.channels[name]
        found.update(np.ascontiguousarray(channel.value).tobytes())
        found.update(channel.stamp_ns.tobytes())
    return found.hexdigest()


def digest_elsewhere(
    scenario: str, rig: str, policy: str, seed: int = 1, file: Path | None = None
) -> str:
    """`digest` of the same attempt in a process of its own."""
    where = None if file is None else str(file)
    program = (
        "from pathlib import Path; from manipulation import attempt, digest;"
        f"file = None if {where!r} is None else Path({where!r});"
        f"print(digest(attempt({scenario!r}, {rig!r}, {policy!r}, {seed}, file).episode))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent)},
    )
    return done.stdout.strip()
