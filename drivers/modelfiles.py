"""Models of devices as data: TOML files in a folder of the package, or one of the user's own."""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel

from hil.config import load_toml, validate
from hil.errors import BadInput

_ENDING = ".toml"
Schema = TypeVar("Schema", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """The models of one kind: `folder` of `package` with a NAME.toml each, the package's own
    where it is empty; `kind` is what people call them."""

    package: str
    folder: str
    kind: str

    def names(self) -> list[str]:
        """Models with a file, sorted."""
        found = (entry.name for entry in self._place().iterdir())
        return sorted(name.removesuffix(_ENDING) for name in found if name.endswith(_ENDING))

    def load(self, name: str, schema: type[Schema], base: Path | None = None) -> Schema:
        """The model of that name. With `base`, the folder of the rig file, a name that ends with
        ".toml" is a file of the user's own beside it.

        Errors: BadInput naming the known models, or every fault of the file by its keys.
        """
        if base is not None and name.endswith(_ENDING):
            return load_toml(base / name, schema)
        known = self.names()
        if name not in known:
            own = "" if base is None else "; or write a NAME.toml of your own beside the rig file"
            raise BadInput(f"no {self.kind} is called {name!r}", f"known: {', '.join(known)}{own}")
        text = (self._place() / f"{name}{_ENDING}").read_text(encoding="utf-8")
        return validate(tomllib.loads(text), schema, f"{self.kind} {name}")

    def _place(self) -> Traversable:
        found = resources.files(self.package)
        return found / self.folder if self.folder else found


def refuse_unknown(
    key: str, given: Iterable[str], owner: str, parts: str, known: Collection[str]
) -> None:
    """Errors: BadInput where the rig file's table `key` names `parts` (joints, fingers, ...) that
    `owner` does not have."""
    unknown = sorted(set(given) - set(known))
    if unknown:
        has = ", ".join(known) or "none"
        raise BadInput(f"{key} names unknown {parts}: {', '.join(unknown)}", f"{owner} has: {has}")
