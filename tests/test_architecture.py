"""Which way arrows may point (docs/design.md), read from the imports themselves."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# rooms from the ground up; a module may import from its own floor and from those below
FLOORS = [
    ["hil.errors", "hil.failure", "hil.canonical"],
    ["hil.clock", "hil.plugins", "hil.statistics"],
    ["hil.contracts", "hil.record.format"],
    ["hil.task", "hil.config", "hil.kinematics", "hil.metrology"],
    ["rigs", "scenarios", "models.card"],
    ["models.zoo", "models.runtime"],
    ["drivers"],
    ["sim"],
    ["hil.catalogue", "hil.safety"],
    ["hil.loop", "hil.rig"],
    ["hil.watchdog"],
    ["hil.record"],
    ["hil.plan"],
    ["hil.run"],
    ["hil.judge"],
    ["hil.evidence"],
    ["hil.report"],
    ["hil.workflow"],
    ["hil.bench", "hil.check", "hil.conformance", "sim.bench", "models.train"],
    ["hil.cli", "hil.pytest_plugin"],
]
FORBIDDEN = {"hil": {"drivers", "sim"}, "drivers": {"sim"}}


def floor(module: str) -> int:
    found = [
        (len(room), level)
        for level, rooms in enumerate(FLOORS)
        for room in rooms
        if module == room or module.startswith(room + ".")
    ]
    return max(found)[1] if found else -1


def modules() -> list[tuple[str, Path]]:
    packages = ("hil", "drivers", "sim", "models", "scenarios", "rigs")
    paths = [path for package in packages for path in (ROOT / package).rglob("*.py")]
    return [(".".join(path.relative_to(ROOT).with_suffix("").parts), path) for path in paths]


def imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {name for name in found if name.split(".")[0] in ("hil", *FORBIDDEN, "models", "rigs")}


@pytest.mark.parametrize(("module", "path"), modules(), ids=[name for name, _ in modules()])
def test_arrows_point_down(module: str, path: Path) -> None:
    here = floor(module)
    for name in imports(path):
        assert name.split(".")[0] not in FORBIDDEN.get(module.split(".")[0], set()), name
        if floor(name) >= 0 and here >= 0:
            assert floor(name) <= here, f"{module} imports {name}, which is above it"


def test_every_module_has_a_floor() -> None:
    exempt = {"__init__"}
    lost = [name for name, _ in modules() if floor(name) < 0 and name.split(".")[-1] not in exempt]
    assert not lost
