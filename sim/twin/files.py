"""Files that an emulator's options name: relative ones lie beside the rig file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, ValidationInfo

BASE = "base"
"""Key of the rig file's folder in the context of validation."""


def _beside_the_rig(path: Path, info: ValidationInfo) -> Path:
    base = (info.context or {}).get(BASE)
    return path if base is None else Path(base) / path


def _own_beside_the_rig(name: str, info: ValidationInfo) -> str:
    return str(_beside_the_rig(Path(name), info)) if name.endswith(".toml") else name


RigFile = Annotated[Path, AfterValidator(_beside_the_rig)]
"""Type of an option that names a file; absolute ones stay as they are."""

RigModel = Annotated[str, AfterValidator(_own_beside_the_rig)]
"""Type of an option that names a known model, or a .toml file of the user's own."""
