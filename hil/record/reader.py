"""Opens a run folder and refuses one that is incomplete or was changed."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from hil.canonical import canonical_json, sha256_bytes, sha256_file
from hil.errors import DamagedRecord
from hil.record.format import TICK, Channel, Episode
from hil.record.mapped import open_array
from hil.record.writer import EPISODES, HOST, LEDGER, PLAN, WIRE, channel_dtype

_READERS = 4


@dataclass(frozen=True)
class Run:
    """A whole record, checked against its own ledger; episodes are read when asked for."""

    folder: Path
    plan: Mapping[str, Any]
    host: Mapping[str, Any]
    ledger: Sequence[Mapping[str, Any]]

    @property
    def plan_sha256(self) -> str:
        return str(self.ledger[0]["plan_sha256"])

    @property
    def clock(self) -> str:
        """ "wall" or "virtual"."""
        return str(self.ledger[0]["clock"])

    def rows(self, kind: str) -> list[Mapping[str, Any]]:
        """Ledger rows of one kind: "attempt", "safe", ..."""
        return [row for row in self.ledger if row["row"] == kind]

    @property
    def end(self) -> Mapping[str, Any]:
        """The closing row."""
        return self.ledger[-1]

    @cached_property
    def record_sha256(self) -> str:
        """Digest of what the run promised and what happened: plan, ledger and episodes.

        Equal for two simulated runs of one plan. The host's facts are not part of it.
        """
        files = {PLAN: self.plan_sha256, LEDGER: sha256_file(self.folder / LEDGER)}
        for row in self.rows("attempt"):
            files.update(row["files"])
        return sha256_bytes(canonical_json(files))

    def episode(self, name: str) -> Episode:
        """One attempt by the name of its folder."""
        folder = self.folder / EPISODES / name
        head = _json(folder / "episode.json")
        channels = {
            channel: _channel(folder / "channels" / f"{channel}.npy", facts)
            for channel, facts in head["channels"].items()
        }
        events = tuple(_json_lines(folder / "events.jsonl"))
        ticks = _array(folder / "ticks.npy", TICK)
        return Episode(name, head["draw"], head["meta"], ticks, channels, events)

    def frames(self, name: str) -> list[Path]:
        """Pictures of one attempt, in order of their names."""
        return sorted((self.folder / EPISODES / name / "frames").glob("*"))


def open_run(folder: Path) -> Run:
    """Read and check a run folder.

    Errors: DamagedRecord naming the file that is missing, cut short or changed.
    """
    if not (folder / LEDGER).is_file():
        raise DamagedRecord(
            f"{folder} is not a run folder: it has no {LEDGER}",
            "name the folder that a run wrote with --out",
        )
    ledger = list(_json_lines(folder / LEDGER))
    _check_ledger(folder, ledger)
    _check_digest(folder / PLAN, ledger[0]["plan_sha256"])
    if "host_sha256" in ledger[0]:
        _check_digest(folder / HOST, ledger[0]["host_sha256"])
    _check_episodes(folder, ledger)
    _check_wire(folder, ledger)
    return Run(folder, _json(folder / PLAN), _json(folder / HOST), ledger)


def _check_ledger(folder: Path, ledger: Sequence[Mapping[str, Any]]) -> None:
    place = folder / LEDGER
    kinds = [row.get("row") for row in ledger]
    if not kinds or kinds[0] != "run" or "plan_sha256" not in ledger[0]:
        raise DamagedRecord(f"{place}: the first row is not that of a run")
    if kinds[-1] != "end":
        raise DamagedRecord(
            f"{place}: cut short, it has no closing row",
            "the run was killed while it wrote; what it proves nobody can say: run again",
        )
    if "clock" not in ledger[0] or kinds.count("end") != 1 or kinds.count("run") != 1:
        raise DamagedRecord(f"{place}: rows are doubled or incomplete")
    for row in ledger:
        if row["row"] == "attempt" and not {"episode", "end", "files"} <= set(row):
            raise DamagedRecord(f"{place}: an attempt's row is incomplete")


def _check_episodes(folder: Path, ledger: Sequence[Mapping[str, Any]]) -> None:
    known = _listed(ledger, "attempt")
    # hashing lets go of the interpreter, so that the files share the cores; `map` keeps their
    # order, so that of several damaged files the first one is named, always
    with ThreadPoolExecutor(min(_READERS, os.cpu_count() or 1)) as pool:
        paths = [folder / relative for relative in known]
        for _ in pool.map(_check_digest, paths, known.values()):
            pass
    there = (folder / EPISODES).rglob("*")
    _refuse_unlisted(folder, (path for path in there if path.is_file()), known)


def _check_wire(folder: Path, ledger: Sequence[Mapping[str, Any]]) -> None:
    known = _listed(ledger, "wire")
    for relative, digest in known.items():
        _check_digest(folder / relative, digest)
    _refuse_unlisted(folder, (folder / WIRE).glob("*"), known)


def _listed(ledger: Sequence[Mapping[str, Any]], kind: str) -> dict[str, str]:
    """Digests of the files that the rows of one kind list, by path within the folder."""
    rows = (row.get("files", {}) for row in ledger if row["row"] == kind)
    return {path: digest for files in rows for path, digest in files.items()}


def _refuse_unlisted(folder: Path, there: Iterable[Path], known: Mapping[str, str]) -> None:
    for path in sorted(there):
        if path.relative_to(folder).as_posix() not in known:
            raise DamagedRecord(f"{path}: not in the ledger; it was added after the run")


def _check_digest(path: Path, digest: str) -> None:
    if not path.is_file():
        raise DamagedRecord(f"{path}: missing, though the ledger lists it")
    if sha256_file(path) != digest:
        raise DamagedRecord(f"{path}: changed since it was recorded (its SHA-256 differs)")


def _json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise DamagedRecord(f"{path}: cannot be read as JSON: {error}") from error
    if not isinstance(value, dict):
        raise DamagedRecord(f"{path}: not a JSON object")
    return value


def _json_lines(path: Path) -> list[dict[str, Any]]:
    rows = []
    try:
        content = path.read_bytes()
        for line in content.splitlines():
            rows.append(json.loads(line))
    except (OSError, ValueError) as error:
        raise DamagedRecord(f"{path}: row {len(rows) + 1} cannot be read: {error}") from error
    if content and not content.endswith(b"\n"):
        raise DamagedRecord(f"{path}: cut short in row {len(rows)}")
    if not all(isinstance(row, dict) for row in rows):
        raise DamagedRecord(f"{path}: holds a row that is not an object")
    return rows


def _array(path: Path, dtype: np.dtype[np.void]) -> np.ndarray[Any, Any]:
    try:
        array = open_array(path)
    except (OSError, ValueError) as error:
        raise DamagedRecord(f"{path}: cannot be read: {error}") from error
    if array.dtype != dtype or array.ndim != 1:
        raise DamagedRecord(f"{path}: rows are {array.dtype}, expected {dtype}")
    return array


def _channel(path: Path, facts: Mapping[str, Any]) -> Channel:
    labels = tuple(facts["labels"])
    rows = _array(path, channel_dtype(len(labels)))
    return Channel(rows["value"], rows["stamp_ns"], rows["age_ns"], labels, facts["unit"])
