"""Finding drivers, tasks, twins and emulators by name, so that `hil` imports none of them."""

from __future__ import annotations

from collections.abc import Collection
from importlib.metadata import entry_points
from typing import Any

from hil.errors import BadInput

DRIVERS = "hil.drivers"
TASKS = "hil.tasks"
PLANTS = "hil.plants"
EMULATORS = "hil.emulators"
TWINS = "hil.twins"
SERVICES = "hil.services"
BENCHES = "hil.benches"


def names(group: str) -> list[str]:
    """Names registered in an entry-point group, sorted."""
    return sorted({entry.name for entry in entry_points(group=group)})


def load(group: str, name: str, beside: Collection[str] = ()) -> Any:
    """The object registered under `name`.

    `beside` are names that the caller knows without an entry point, for the message.
    Errors: BadInput naming every known name where there is none, or where two packages
    register the same one.
    """
    found = list(entry_points(group=group, name=name))
    kind = group.removeprefix("hil.").removesuffix("s")
    if not found:
        known = ", ".join(sorted({*names(group), *beside})) or "none"
        raise BadInput(
            f"no {kind} is called {name!r}",
            f"known: {known}; a package adds one by an entry point of group {group!r}",
        )
    if len({entry.value for entry in found}) > 1:
        owners = ", ".join(f"{entry.value} ({entry.dist.name})" for entry in found if entry.dist)
        raise BadInput(f"the {kind} name {name!r} is registered twice: {owners}")
    return found[0].load()
