"""Writes a run folder: append-only, each episode at once, the ledger row by row.

Nothing is ever rewritten. An episode's folder appears by one rename after all of its files
are on disk, and its ledger row, with the digest of each file, after that: whatever happens,
the record is complete up to the last row. Once the disk has refused something, only rows of the
ledger are written any more, into room that was set aside for them (`hil.record.reserve`).
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from hil.canonical import canonical_json, readable_json, sha256_bytes
from hil.errors import BadInput, HarnessError
from hil.record.format import Channel, Episode
from hil.record.reserve import Reserve

PLAN = "plan.json"
HOST = "host.json"
LEDGER = "ledger.jsonl"
EPISODES = "episodes"
WIRE = "wire"

_BALLAST = ".reserve"


class RunWriter:
    """Owner of one run folder while it is written.

    Args:
        folder: must not exist, or be empty; two runs into one folder are refused.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._wires: dict[str, _Wire] = {}
        self._refused: OSError | None = None
        refuse_occupied(folder)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / EPISODES).mkdir()
            self._ledger = (folder / LEDGER).open("xb", buffering=0)
            self._reserve = Reserve(self._ledger.fileno(), folder / _BALLAST)
            self._reserve.keep(0)
        except OSError as error:
            self._discard()
            raise _unwritable(folder, error) from error

    def begin(self, plan: Mapping[str, Any], host: Mapping[str, Any], clock: str) -> None:
        """Freeze plan and host and write the ledger's first row.

        `clock` is "wall" or "virtual". Errors: BadInput where the disk does not take them.
        """
        try:
            plan_sha256 = self._write_new(PLAN, readable_json(plan))
            host_sha256 = self._write_new(HOST, readable_json(host))
            row = {"row": "run", "plan_sha256": plan_sha256, "clock": clock}
            # A virtual clock promises equal records for equal plans; the host is found, not
            # planned.
            if clock == "wall":
                row["host_sha256"] = host_sha256
            self.append(row)
        except OSError as error:
            self._discard()
            raise _unwritable(self.folder, error) from error

    def append(self, row: Mapping[str, Any]) -> None:
        """Add one row to the ledger and put it on disk.

        Errors: OSError; a row that did not get there whole is taken back, so that what was
        written before stays a ledger. Rows after that find the room that was set aside.
        """
        content = canonical_json(row)
        whole = self._ledger.tell()
        try:
            if self._refused is None:
                self._reserve.keep(whole + len(content))
            rest = memoryview(content)
            while rest:
                rest = rest[self._ledger.write(rest) :]
            os.fsync(self._ledger.fileno())
        except OSError as error:
            if self._ledger.tell() > whole:
                self._ledger.truncate(whole)
                self._ledger.seek(whole)
            self._note(error)
            raise

    def write_episode(
        self, episode: Episode, frames: Mapping[str, bytes], row: Mapping[str, Any]
    ) -> None:
        """Store one attempt at an episode and its ledger row (completed with file digests).

        `frames` maps file names to encoded pictures. A second attempt at the same episode goes
        beside the first under the name `NNNN.2`; none is ever hidden. Errors: OSError, which
        leaves the record as it was before; once the disk has refused something, at once.
        """
        self._require_room()
        files = _episode_files(episode, frames)
        final = self.folder / EPISODES / episode.name
        if final.exists():
            raise HarnessError(f"episode {episode.name} is already in {self.folder}")
        partial = self.folder / EPISODES / f".{episode.name}.partial"
        digests = {f"{EPISODES}/{episode.name}/{n}": sha256_bytes(c) for n, c in files.items()}
        try:
            for name, content in files.items():
                _write_through(partial / name, content)
            partial.rename(final)
            self.append({**row, "files": digests})
        except OSError as error:
            # what is not on the ledger is no part of the record, and only takes up room
            shutil.rmtree(partial, ignore_errors=True)
            shutil.rmtree(final, ignore_errors=True)
            self._note(error)
            raise

    def append_wire(self, role: str, data: bytes) -> None:
        """Add a piece to the capture of a role's link, `wire/ROLE.wire`. Errors: OSError; once
        the disk has refused something, at once."""
        self._require_room()
        try:
            if role not in self._wires:
                (self.folder / WIRE).mkdir(exist_ok=True)
                stream = (self.folder / WIRE / f"{role}.wire").open("xb", buffering=0)
                self._wires[role] = _Wire(stream)
            self._wires[role].append(data)
        except OSError as error:
            self._note(error)
            raise

    def wire_rows(self) -> list[dict[str, Any]]:
        """Ledger rows with the digest of each capture, for when nothing more is to come."""
        return [
            {"row": "wire", "role": role, "files": {f"{WIRE}/{role}.wire": one.sha256}}
            for role, one in sorted(self._wires.items())
        ]

    def end(self, outcome: str, reason: str) -> None:
        """Write the closing row; without it the record counts as cut short."""
        self.append({"row": "end", "outcome": outcome, "reason": reason})
        self.close()

    def close(self) -> None:
        """Release the ledger; may be called twice."""
        if not self._ledger.closed:
            self._reserve.give_back()
            self._ledger.close()
        for wire in self._wires.values():
            wire.stream.close()
        for leftover in (self.folder / EPISODES).glob(".*.partial"):
            shutil.rmtree(leftover)

    def _discard(self) -> None:
        """Leave no beginning of a record behind in which nothing was recorded."""
        if hasattr(self, "_ledger"):
            self._ledger.close()
        for name in (PLAN, HOST, LEDGER, _BALLAST):
            (self.folder / name).unlink(missing_ok=True)
        if (self.folder / EPISODES).is_dir():
            (self.folder / EPISODES).rmdir()

    def _note(self, error: OSError) -> None:
        """The disk refused something: what is left belongs to the ledger."""
        if self._refused is None:
            self._refused = error
            self._reserve.open_up()

    def _require_room(self) -> None:
        if self._refused is not None:
            raise OSError(self._refused.errno, self._refused.strerror)

    def _write_new(self, name: str, content: bytes) -> str:
        with (self.folder / name).open("xb") as stream:
            stream.write(content)
        return sha256_bytes(content)


@dataclass
class _Wire:
    """A capture that grows, and the digest of what is on disk of it."""

    stream: BinaryIO
    digest: Any = field(default_factory=hashlib.sha256)

    def append(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            written = self.stream.write(rest)
            self.digest.update(rest[:written])
            rest = rest[written:]

    @property
    def sha256(self) -> str:
        return str(self.digest.hexdigest())


def _write_through(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("xb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())


def _unwritable(folder: Path, error: OSError) -> BadInput:
    return BadInput(
        f"cannot make the run folder {folder}: {error.strerror}",
        "name a folder that can be written with --out, on a disk with some room",
    )


def refuse_occupied(folder: Path) -> None:
    """Errors: BadInput where something is at `folder` that is not an empty folder."""
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise BadInput(
            f"the run folder {folder} is not empty",
            "one run, one folder: name a new one with --out; a record is never overwritten",
        )


def _episode_files(episode: Episode, frames: Mapping[str, bytes]) -> dict[str, bytes]:
    channels = {
        name: {"labels": list(channel.labels), "unit": channel.unit}
        for name, channel in episode.channels.items()
    }
    head = {"draw": episode.draw, "meta": episode.meta, "channels": channels}
    files = {
        "episode.json": readable_json(head),
        "ticks.npy": _npy(episode.ticks),
        "events.jsonl": b"".join(canonical_json(event) for event in episode.events),
    }
    for name, channel in episode.channels.items():
        files[f"channels/{name}.npy"] = _npy(_channel_rows(channel))
    for name, content in frames.items():
        files[f"frames/{name}"] = content
    return files


def channel_dtype(width: int) -> np.dtype[np.void]:
    """Row of a channel file: host stamp, age of each value, values."""
    return np.dtype([("stamp_ns", "<i8"), ("age_ns", "<i8", (width,)), ("value", "<f8", (width,))])


def _channel_rows(channel: Channel) -> np.ndarray[Any, np.dtype[np.void]]:
    rows = np.zeros(len(channel.stamp_ns), dtype=channel_dtype(len(channel.labels)))
    rows["stamp_ns"] = channel.stamp_ns
    rows["age_ns"] = channel.age_ns
    rows["value"] = channel.value
    return rows


def _npy(array: np.ndarray[Any, Any]) -> bytes:
    buffer = BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()


def episode_names(count: int) -> Sequence[str]:
    """Names of `count` episodes in order: "0001", "0002", ..."""
    return [f"{number:04d}" for number in range(1, count + 1)]
