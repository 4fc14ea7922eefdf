"""Judges a run folder in a process of its own and says what that took.

`python -m hil.bench.judging product|naive FOLDER` prints one JSON object.
"""

from __future__ import annotations

import json
import sys
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel

from hil.bench.synthetic import ARCHETYPE, PERIOD_NS
from hil.judge.verdict import judge
from hil.record.format import Episode
from hil.record.reader import open_run
from hil.task import Condition, Score

QUANTILES = (50.0, 95.0, 99.0, 99.9)
_STAGES = ("scheduled_ns", "woke_ns", "sense_ns", "infer_ns", "act_ns")


class _NoParameters(BaseModel):
    """The synthetic job has none."""


class _Served:
    """Scores an episode by having any tick at all; the time of judging is the ticks' alone."""

    Parameters: type[BaseModel] = _NoParameters

    def score(self, episode: Episode, parameters: BaseModel) -> Score:
        count = len(episode.ticks)
        return Score((Condition("ticks served", float(count), "1", "> 0", count > 0),))


def product(folder: Path) -> dict[str, Any]:
    """Seconds of opening (which checks every digest) and of judging a run."""
    started = time.monotonic()
    run = open_run(folder)
    opened = time.monotonic()
    verdict = judge(run, {ARCHETYPE: _Served()})
    judged = time.monotonic()
    timing = verdict.scenarios[0].timing
    reaction = next(stage for stage in timing.stages if stage.stage == "reaction")
    return {
        "open_s": opened - started,
        "judge_s": judged - opened,
        "ticks": sum(episode.ticks for episode in verdict.scenarios[0].episodes),
        "outcome": verdict.outcome.value,
        "p99_us": reaction.p99_us,
        "misses": timing.misses,
    }


def naive(folder: Path) -> dict[str, Any]:
    """The same distributions as one would write them down first: every file loaded, all
    durations as float64, `np.percentile` of each. No digests, claims, streaks or bounds, and
    points that the loop skipped are not counted: coordinated omission."""
    started = time.monotonic()
    paths = sorted(folder.glob("episodes/*/ticks.npy"))
    ticks = np.concatenate([np.load(path) for path in paths])
    reaction = (ticks["act_ns"] - ticks["scheduled_ns"]) / 1e3
    columns = [(ticks[b] - ticks[a]) / 1e3 for a, b in pairwise(_STAGES)]
    figures = [np.percentile(column, QUANTILES) for column in (*columns, reaction)]
    late = int(np.count_nonzero(reaction > PERIOD_NS / 1e3))
    spent = time.monotonic() - started
    return {"judge_s": spent, "p99_us": float(figures[-1][2]), "misses": late}


def memory_mb(field: str) -> float:
    """`VmRSS` (now) or `VmHWM` (the most so far) of this process, MB of 10**6 bytes."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise LookupError(f"/proc/self/status has no {field}")


def main(how: str, folder: Path) -> None:
    """Print what judging `folder` took, memory beyond this process before it began included."""
    base = memory_mb("VmRSS")
    took = {"product": product, "naive": naive}[how](folder)
    peak = memory_mb("VmHWM")
    print(json.dumps({**took, "base_mb": base, "peak_mb": peak, "beyond_mb": peak - base}))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
