"""A disk small enough to be filled for real: a tmpfs of its own."""

from __future__ import annotations

import errno
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def small_disk(place: Path, size_bytes: int) -> Iterator[Path]:
    """A file system of so many bytes at `place`; where mounting is not permitted, the test is
    skipped and says why."""
    place.mkdir()
    options = f"size={size_bytes},mode=700"
    mount = ["mount", "-t", "tmpfs", "-o", options, "hil-test", str(place)]
    try:
        done = subprocess.run(mount, capture_output=True, text=True, check=False, timeout=10)
    except FileNotFoundError:
        pytest.skip("a small disk cannot be mounted: there is no `mount` command")
    if done.returncode != 0:
        pytest.skip(f"a small disk cannot be mounted (that takes root): {done.stderr.strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True, timeout=10)


def fill(disk: Path) -> None:
    """Write until the disk takes not one byte more."""
    with (disk / "filler").open("xb", buffering=0) as stream:
        for size in (64 * 1024, 4096, 1):
            block = os.urandom(size)
            try:
                while True:
                    stream.write(block)
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise


def free_bytes(disk: Path) -> int:
    facts = os.statvfs(disk)
    return facts.f_bavail * facts.f_frsize
