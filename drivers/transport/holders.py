"""Who else has a device file open, as far as /proc lets us see."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Holder:
    """A process with the file open."""

    pid: int
    command: str

    def __str__(self) -> str:
        return f"pid {self.pid} ({self.command})"


def holders(path: str, proc: Path = Path("/proc")) -> list[Holder]:
    """Other processes that have `path` open, and this one if it has.

    Processes of other users show only to root, so an empty list proves nothing.
    """
    target = os.path.realpath(path)
    found = (entry for entry in _entries(proc) if entry.name.isdecimal() and _holds(entry, target))
    return [Holder(int(entry.name), _command(entry)) for entry in found]


def _entries(folder: Path) -> Iterator[Path]:
    try:
        yield from folder.iterdir()
    except OSError:  # the process ended, or is another user's
        return


def _holds(process: Path, target: str) -> bool:
    return any(_target(link) == target for link in _entries(process / "fd"))


def _target(link: Path) -> str:
    try:
        return str(link.readlink())
    except OSError:  # closed between listing and reading
        return ""


def _command(process: Path) -> str:
    try:
        line = (process / "cmdline").read_bytes()
    except OSError:  # ended meanwhile
        return "command not readable"
    return line.replace(b"\0", b" ").decode(errors="replace").strip()[:120] or "no command line"
