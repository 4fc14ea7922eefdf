"""Writes run folders with known contents, through the product's own writer."""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
from pydantic import BaseModel, ConfigDict

from hil.clock import NS_PER_S, NS_PER_US
from hil.contracts import NEVER
from hil.judge.scoring import Scorer
from hil.record.format import TICK, Channel, Episode, EpisodeEnd, TickFlag
from hil.record.reader import Run, open_run
from hil.record.writer import RunWriter
from hil.task import Condition, Score

RATE_HZ = 50.0
PERIOD_NS = 20_000_000
BUDGET_US = {"wake": 500, "sense": 4000, "infer": 9000, "act": 1500, "reaction": 18_000}
USUAL_US = {"wake": 120, "sense": 2600, "infer": 5200, "act": 600}


class LampParameters(BaseModel):
    model_config = ConfigDict(extra="forbid")
    limit_n: float


class LampTask:
    """Scores what the channel `witness` says of a lamp and of a force."""

    Parameters: type[BaseModel] = LampParameters
    kind = "embodied"

    def score(self, episode: Episode, parameters: BaseModel) -> Score:
        assert isinstance(parameters, LampParameters)
        witness = episode.channels["witness"]
        lit, force = witness.column("lamp_on"), witness.column("force_n")
        peak = None if force is None else float(np.nanmax(force))
        return Score(
            (
                Condition("lamp on at the end", *_end(lit), "= 1", _lit(lit)),
                Condition(
                    "peak force",
                    peak,
                    "N",
                    f"<= {parameters.limit_n:g} N",
                    None if peak is None else peak <= parameters.limit_n,
                ),
            ),
            {"peak_force_n": float("nan") if peak is None else peak},
        )


def _end(lit: np.ndarray[Any, Any] | None) -> tuple[float | None, str]:
    return (None if lit is None else float(lit[-1])), ""


def _lit(lit: np.ndarray[Any, Any] | None) -> bool | None:
    return None if lit is None else bool(lit[-1] == 1.0)


@dataclass
class Knobs:
    """What is special about a run; the default is a good one."""

    episodes: int = 14
    ticks: int = 40
    failures: Sequence[int] = ()
    faults: Sequence[int] = ()
    errors: Sequence[int] = ()
    unobserved: Sequence[int] = ()
    slow_us: Mapping[str, int] = field(default_factory=dict)
    silent: Sequence[int] = ()
    skipped_every: int = 0
    virtual: bool = False
    interrupted_after: int | None = None
    outcome: str = "complete"
    unsafe: bool = False
    kind: str = "twin"
    policy: str = "model"
    claims: Sequence[Mapping[str, Any]] | None = None
    brackets: bool = True
    retried: Mapping[int, EpisodeEnd] = field(default_factory=dict)
    title: str = "Press a light switch"
    frames: bool = True
    not_said: Sequence[str] = ("Only one lamp was tried.",)


CLAIMS: list[dict[str, Any]] = [
    {"kind": "success", "p": 0.8, "confidence": 0.95},
    {
        "kind": "latency",
        "metric": "reaction",
        "quantile": 0.95,
        "bound_us": 20_000,
        "confidence": 0.95,
        "sample": "tick",
    },
    {"kind": "misses", "max_fraction": 0.05, "confidence": 0.95},
]

TASKS: Mapping[str, Scorer] = {"lamp": LampTask()}


def build_run(folder: Path, knobs: Knobs | None = None) -> Run:
    """Write a run folder and open it as the product does."""
    chosen = knobs or Knobs()
    writer = RunWriter(folder)
    try:
        # Nobody pulls the plug on a test; waiting for the disk is most of the writer's time.
        with mock.patch.object(os, "fsync"):
            _fill(writer, chosen)
    finally:
        writer.close()
    return open_run(folder)


def _fill(writer: RunWriter, chosen: Knobs) -> None:
    writer.begin(plan(chosen), host(), "virtual" if chosen.virtual else "wall")
    writer.append({"row": "device", "role": "arm", "model": "STS3215", "serial": "A1"})
    last = chosen.interrupted_after or chosen.episodes
    for number in range(1, last + 1):
        _write(writer, chosen, number)
    writer.append(
        {
            "row": "safe",
            "role": "arm",
            "safe": not chosen.unsafe,
            "state": "torque still on" if chosen.unsafe else "torque off",
            "readings": {"torque": 1 if chosen.unsafe else 0},
            "took_us": 5100,
            "cause": "the end",
        }
    )
    stopped = chosen.interrupted_after is not None
    outcome = "interrupted" if stopped else chosen.outcome
    writer.end(outcome, "SIGINT" if stopped else "every planned episode was run")


def _write(writer: RunWriter, knobs: Knobs, number: int) -> None:
    ends = [knobs.retried[number]] if number in knobs.retried else []
    final = EpisodeEnd.COMPLETED
    if number in knobs.faults:
        final = EpisodeEnd.DEVICE_FAULT
    elif number in knobs.errors:
        final = EpisodeEnd.ERROR
    for attempt, end in enumerate([*ends, final], start=1):
        name = f"{number:04d}" + (f".{attempt}" if attempt > 1 else "")
        row = {
            "row": "attempt",
            "episode": f"{number:04d}",
            "attempt": attempt,
            "scenario": "lamp-press",
            "end": str(end),
            "reason": "" if end is EpisodeEnd.COMPLETED else f"it broke ({end})",
            "ticks": knobs.ticks,
        }
        pictures = {"00-start.png": png(number), "01-end.png": png(number + 100)}
        record = episode(knobs, number, name)
        writer.write_episode(record, pictures if knobs.frames else {}, row)


def episode(knobs: Knobs, number: int, name: str) -> Episode:
    """One recorded episode."""
    rng = np.random.default_rng(number)
    rows = ticks(knobs, rng)
    lit = 0.0 if number in knobs.failures else 1.0
    value = np.column_stack([np.full(len(rows), lit), rng.uniform(1, 9, len(rows))])
    labels: tuple[str, ...] = ("lamp_on", "force_n")
    if number in knobs.unobserved:
        value, labels = value[:, 1:], ("force_n",)
    witness = Channel(
        value, rows["done_ns"].astype(np.int64), np.zeros(value.shape, np.int64), labels, "1"
    )
    return Episode(name, {"pose": [0.1, 0.2]}, {"seed": number}, rows, {"witness": witness})


def ticks(knobs: Knobs, rng: np.random.Generator) -> np.ndarray[Any, np.dtype[np.void]]:
    """Rows of one episode on the grid."""
    rows = np.zeros(knobs.ticks, TICK)
    point = 0
    seen = NEVER
    for i in range(knobs.ticks):
        skipped = 2 if knobs.skipped_every and i % knobs.skipped_every == 1 else 0
        point += skipped
        rows[i]["tick"], rows[i]["skipped"] = point, skipped
        edge = 1_000_000_000 + point * PERIOD_NS
        rows[i]["scheduled_ns"] = edge
        for stage, column in zip(USUAL_US, ("woke", "sense", "infer", "act"), strict=True):
            usual = knobs.slow_us.get(stage, USUAL_US[stage])
            spread = 1.0 if knobs.virtual else float(rng.lognormal(0, 0.08))
            edge += round(usual * spread * NS_PER_US)
            rows[i][f"{column}_ns"] = edge
        rows[i]["done_ns"] = edge + 200_000
        _device(rows[i], i in knobs.silent)
        seen = seen if i in knobs.silent else int(rows[i]["sense_ns"])
        rows[i]["data_age_ns"] = NEVER if seen == NEVER else int(rows[i]["act_ns"]) - seen
        point += 1
    return rows


def _device(row: np.void, silent: bool) -> None:
    if silent:
        row["flags"] = TickFlag.NO_ANSWER | TickFlag.REPEATED_ACTION
        for column in ("received", "start", "end", "sent"):
            row[f"device_{column}_ns"] = -1
        return
    span = int(row["infer_ns"] - row["sense_ns"])
    for column, share in (("received", 0.2), ("start", 0.25), ("end", 0.8), ("sent", 0.85)):
        row[f"device_{column}_ns"] = 77 * NS_PER_S + int(span * share)


def plan(knobs: Knobs) -> dict[str, Any]:
    """Plain data of `plan.json`."""
    rate = {"floor": {"k": 0, "n": 100}, "ceiling": {"k": 100, "n": 100}, "note": "in sim"}
    return {
        "schema": 1,
        "harness": {"name": "hil-testbed", "version": "0.1.0"},
        "profile": {
            "name": "demo",
            "title": "Demonstration",
            "decision": "every claim of every scenario is shown",
            "sha256": "1" * 64,
        },
        "rig": {
            "name": f"{knobs.kind}-lamp",
            "title": "A lamp and a finger",
            "kind": knobs.kind,
            "sha256": "2" * 64,
            "content": {"name": f"{knobs.kind}-lamp", "devices": [{"role": "arm"}]},
        },
        "seed": 1,
        "policy": knobs.policy,
        "stopping_rule": "every planned episode is run once",
        "scenarios": [
            {
                "id": "lamp-press",
                "title": knobs.title,
                "sector": "elderly-care",
                "track": "embodied",
                "archetype": "lamp",
                "description": "The finger switches the lamp on.",
                "basis": "B-ARCH",
                "basis_status": "engineering",
                "sha256": "3" * 64,
                "not_said": list(knobs.not_said),
                "task": {"limit_n": 20.0},
                "policy_model": "press-switch",
                "loop": {
                    "rate_hz": RATE_HZ,
                    "duration_s": 15.0,
                    "infer_timeout_ms": 40.0,
                    "budget_us": BUDGET_US,
                },
                "rules": {"max_age_ms": 100, "max_consecutive": 5},
                "claims": list(CLAIMS if knobs.claims is None else knobs.claims),
                "brackets": rate if knobs.brackets else None,
            }
        ],
        "models": [
            {
                "name": "press-switch",
                "title": "Presses switches",
                "sha256": "4" * 64,
                "licence": "Apache-2.0",
            }
        ],
        "episodes": [
            {"name": f"{n:04d}", "scenario": "lamp-press", "seed": 1000 + n}
            for n in range(1, knobs.episodes + 1)
        ],
    }


def host() -> dict[str, Any]:
    """Plain data of `host.json`."""
    return {
        "started_utc": "2026-11-02T09:30:00+00:00",
        "system": "Linux-6.1 <x86>",
        "cores": 2,
        "packages": {"numpy": "2.3.5"},
        "clock": {"name": "CLOCK_MONOTONIC", "resolution_ns": 1},
    }


def png(number: int) -> bytes:
    """A small valid picture, its colour given by `number`."""
    row = b"\0" + bytes([(40 * number) % 256, 90, 160]) * 16
    parts = [
        (b"IHDR", struct.pack(">IIBBBBB", 16, 12, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(row * 12)),
        (b"IEND", b""),
    ]
    chunks = (
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in parts
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)
