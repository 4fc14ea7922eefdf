"""A recorded run of any length, made up: for measuring what it costs to judge one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hil.clock import NS_PER_S
from hil.record.format import TICK, Episode
from hil.record.writer import RunWriter, episode_names

RATE_HZ = 1000
PERIOD_NS = NS_PER_S // RATE_HZ
EPISODE_TICKS = 600_000  # ten minutes, the longest that a scenario may ask for
ARCHETYPE = "synthetic"
_USUAL_NS = {"woke_ns": 8_000, "sense_ns": 90_000, "infer_ns": 260_000, "act_ns": 40_000}
_BUDGET_US = {"wake": 200, "sense": 250, "infer": 400, "act": 100, "reaction": 950}
_CLAIMS = [
    {"kind": "success", "p": 0.5, "confidence": 0.95},
    {"kind": "latency", "metric": "reaction", "quantile": 0.999, "bound_us": 1_000_000},
    {"kind": "latency", "quantile": 0.99, "bound_us": 1_000_000, "sample": "block"},
    {"kind": "misses", "max_fraction": 0.05},
]


def write_run(folder: Path, ticks: int) -> None:
    """Write a run of `ticks` ticks at 1 kHz with the product's own writer.

    Stage times are log-normal, with spells of lateness in which points are skipped; every tick
    carries a device's stamps. There are no channels and no frames.
    """
    lengths = list(_lengths(ticks))
    names = episode_names(len(lengths))
    writer = RunWriter(folder)
    try:
        writer.begin(_plan(names), {"system": "none: a synthetic run"}, "wall")
        for number, (name, length) in enumerate(zip(names, lengths, strict=True)):
            rows = make_ticks(length, np.random.default_rng(number))
            row = {"row": "attempt", "episode": name, "end": "completed", "reason": ""}
            writer.write_episode(Episode(name, {}, {}, rows), {}, row)
        writer.end("complete", "")
    finally:
        writer.close()


def make_ticks(count: int, rng: np.random.Generator) -> NDArray[np.void]:
    """Rows of one episode, dtype `TICK`, shape (count,)."""
    rows = np.zeros(count, dtype=TICK)
    spell = np.repeat(rng.random(count // 100 + 1) < 0.002, 100)[:count]
    rows["skipped"] = np.where(spell & (rng.random(count) < 0.2), 1, 0)
    rows["tick"] = np.cumsum(rows["skipped"] + 1) - 1
    edge = NS_PER_S + rows["tick"] * PERIOD_NS
    rows["scheduled_ns"] = edge
    for column, usual_ns in _USUAL_NS.items():
        spread = rng.lognormal(0.0, 0.25, count) * np.where(spell, 2.5, 1.0)
        edge = edge + (usual_ns * spread).astype(np.int64)
        rows[column] = edge
    rows["done_ns"] = edge + 50_000
    span = rows["infer_ns"] - rows["sense_ns"]
    for column, share in (("received", 0.2), ("start", 0.25), ("end", 0.8), ("sent", 0.85)):
        rows[f"device_{column}_ns"] = 77 * NS_PER_S + (span * share).astype(np.int64)
    rows["asked_ns"], rows["answered_ns"] = rows["sense_ns"], rows["infer_ns"]
    return rows


def _lengths(ticks: int) -> Iterator[int]:
    for start in range(0, ticks, EPISODE_TICKS):
        yield min(EPISODE_TICKS, ticks - start)


def _plan(names: Sequence[str]) -> dict[str, Any]:
    scenario = {
        "id": "synthetic",
        "title": "Synthetic run",
        "track": "embodied",
        "sector": "none",
        "archetype": ARCHETYPE,
        "description": "Made up to be judged",
        "basis": "none",
        "basis_status": "engineering",
        "sha256": "0" * 64,
        "task": {},
        "policy_model": None,
        "loop": {"rate_hz": RATE_HZ, "budget_us": _BUDGET_US},
        "claims": _CLAIMS,
    }
    return {
        "profile": {"title": "Synthetic", "decision": "none"},
        "rig": {"title": "None", "kind": "twin"},
        "policy": "null",
        "scenarios": [scenario],
        "episodes": [{"name": name, "scenario": "synthetic", "seed": 0} for name in names],
    }
