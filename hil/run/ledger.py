"""Keeps what happens on disk and shows it: the only writer of a run folder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

from hil.errors import HostError
from hil.plan.freeze import PlannedEpisode
from hil.record.writer import RunWriter
from hil.run.conduct import Ending, attempt_row
from hil.run.episode import Attempt


class Observer(Protocol):
    """Sees the run from outside; called between episodes only, never in a tick."""

    def phase(self, text: str) -> None: ...

    def attempt(self, attempt: Attempt) -> None: ...

    def at_work(self, count: int) -> None:
        """So many episodes run now, where that may be more than one."""
        ...


class Silent:
    """Observer that shows nothing."""

    def phase(self, text: str) -> None:
        """Nobody is watching."""

    def attempt(self, attempt: Attempt) -> None:
        """Nobody is watching."""

    def at_work(self, count: int) -> None:
        """Nobody is watching."""


class LedgerKeeper:
    """`hil.run.conduct.Keeper` on a run folder. Errors of every call: HostError (disk)."""

    def __init__(self, writer: RunWriter, observer: Observer) -> None:
        self._writer = writer
        self._observer = observer
        self.phase_now = "starting"
        self.running: str | None = None

    def phase(self, text: str) -> None:
        self.phase_now = text
        self._observer.phase(text)

    def row(self, row: Mapping[str, Any]) -> None:
        with _disk(self._writer):
            self._writer.append(row)

    def begin(self, episode: PlannedEpisode) -> None:
        self.running = episode.name

    def attempt(self, attempt: Attempt) -> None:
        self.running = None
        row = attempt_row(attempt)
        with _disk(self._writer):
            try:
                self._writer.write_episode(attempt.episode, attempt.frames, row)
            except OSError:
                # that it was made is said at least
                self._writer.append({**row, "row": "unrecorded"})
                raise
        self._observer.attempt(attempt)

    def wire(self, role: str, data: bytes) -> None:
        with _disk(self._writer):
            self._writer.append_wire(role, data)

    def end(self, ending: Ending) -> None:
        """Write the digests of the captures, and the closing row."""
        with _disk(self._writer):
            for row in self._writer.wire_rows():
                self._writer.append(row)
            self._writer.end(ending.outcome, ending.reason)


@contextmanager
def _disk(writer: RunWriter) -> Iterator[None]:
    """Say of a write that failed whose fault it is and what to do."""
    try:
        yield
    except OSError as error:
        raise HostError(
            f"the record in {writer.folder} cannot be written: {error.strerror or error}",
            "free space on that disk, or name a folder on another one with --out, and run again",
        ) from error
