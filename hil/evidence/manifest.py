"""The manifest: SHA-256 of every file of a run folder but itself and the statements."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hil.canonical import canonical_json, sha256_file
from hil.errors import DamagedRecord
from hil.evidence.names import MANIFEST, STATEMENTS

SCHEMA = 1


@dataclass(frozen=True, slots=True)
class Tree:
    """What stands in a folder: regular files by their path relative to it, and anything else
    (links, sockets, names that are not UTF-8), which evidence cannot cover."""

    files: Mapping[str, Path]
    strange: Mapping[str, str]


def read_tree(folder: Path) -> Tree:
    """List a run folder without following links or opening a file. Errors: OSError."""
    files: dict[str, Path] = {}
    strange: dict[str, str] = {}
    for parent, directories, names in os.walk(folder, onerror=_raise):
        for name in (*directories, *names):
            path = Path(parent) / name
            relative = path.relative_to(folder).as_posix()
            fault = _fault(relative, path.lstat().st_mode)
            if fault:
                strange[relative.encode(errors="backslashreplace").decode()] = fault
            elif name in names and relative not in (MANIFEST, STATEMENTS):
                files[relative] = path
    return Tree(files, strange)


def _raise(error: OSError) -> None:
    raise error


def _fault(relative: str, mode: int) -> str:
    if stat.S_ISLNK(mode):
        return "a symbolic link"
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        return "not a regular file"
    return "" if relative.isprintable() else "a name with unprintable characters"


def build_manifest(folder: Path) -> bytes:
    """Content of `manifest.json`.

    Errors: DamagedRecord where the folder holds something that a digest cannot cover.
    """
    tree = read_tree(folder)
    if tree.strange:
        name, what = next(iter(tree.strange.items()))
        raise DamagedRecord(
            f"{folder}/{name}: {what} cannot be part of evidence",
            "a run folder holds plain files only; move it out of the folder",
        )
    rows = [
        {"path": name, "bytes": path.stat().st_size, "sha256": sha256_file(path)}
        for name, path in sorted(tree.files.items())
    ]
    return canonical_json({"schema": SCHEMA, "files": rows})


def parse_manifest(content: bytes) -> dict[str, str]:
    """Digest of each listed file by its path. Errors: ValueError saying what is wrong."""
    try:
        data = json.loads(content)
        rows = {row["path"]: row["sha256"] for row in data["files"]}
        faithful = canonical_json(data) == content and len(rows) == len(data["files"])
    except (KeyError, TypeError, RecursionError) as error:
        raise ValueError(f"not of the form of a manifest ({type(error).__name__})") from error
    if not faithful or data.get("schema") != SCHEMA:
        raise ValueError("not written as a manifest is")
    if not all(isinstance(text, str) for row in rows.items() for text in row):
        raise ValueError("paths and digests must be text")
    return rows
