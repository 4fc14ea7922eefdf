"""Where the files that come with the package stand, and finding one by name or path."""

from __future__ import annotations

import difflib
from importlib.resources import files
from pathlib import Path

from hil.config import load_toml
from hil.errors import BadInput
from rigs.schema import Rig
from scenarios.schema import Profile, Scenario


def _folder(package: str) -> Path:
    return Path(str(files(package)))


def rig_files() -> dict[str, Path]:
    """Rig files of the package by name."""
    return {path.stem: path for path in sorted(_folder("rigs").glob("*.toml"))}


def scenario_files() -> dict[str, Path]:
    """Scenario files of the package by id."""
    folder = _folder("scenarios")
    paths = (p for p in sorted(folder.glob("*/*.toml")) if p.parent.name != "profiles")
    return {path.stem: path for path in paths}


def profile_files() -> dict[str, Path]:
    """Certificate profiles of the package by name."""
    return {path.stem: path for path in sorted(_folder("scenarios").glob("profiles/*.toml"))}


def find(name: str, known: dict[str, Path], kind: str) -> Path:
    """Path of a file named as in the catalogue, or by a path ending in `.toml`.

    Errors: BadInput with the known names.
    """
    if name.endswith(".toml"):
        path = Path(name)
        if not path.is_file():
            raise BadInput(f"no {kind} file at {path}", f"known by name: {', '.join(known)}")
        return path
    if name not in known:
        close = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {close[0]!r}? " if close else ""
        raise BadInput(
            f"no {kind} is called {name!r}",
            f"{hint}known: {', '.join(known) or 'none'}; or give the path of a .toml file",
        )
    return known[name]


def load_rig(name: str) -> tuple[Rig, Path]:
    """Rig and its file. Errors: BadInput."""
    path = find(name, rig_files(), "rig")
    return load_toml(path, Rig), path


def load_scenario(name: str) -> tuple[Scenario, Path]:
    """Scenario and its file. Errors: BadInput."""
    path = find(name, scenario_files(), "scenario")
    scenario = load_toml(path, Scenario)
    if scenario.id != path.stem:
        raise BadInput(f"{path}: id = {scenario.id!r} differs from the file's name")
    return scenario, path


def load_profile(name: str) -> tuple[Profile, Path]:
    """Profile and its file. Errors: BadInput."""
    path = find(name, profile_files(), "profile")
    return load_toml(path, Profile), path
