"""pytest plugin: a rig as a fixture, scenarios as calls, health asserted after every test.

    pytest --rig rigs/NAME.toml

Fixtures: `rig` (the open bench), `run_scenario`, and one for each role of the rig file. Tests
marked `needs(role="capability")` skip with the reason on a rig that lacks it. Without `--rig`
everything that needs a rig skips; collection touches no hardware.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from hil.contracts import Device
    from hil.judge.model import Verdict
    from hil.rig import Bench

    RunScenario = Callable[..., Verdict]

_RIG = pytest.StashKey[Any]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--rig`."""
    group = parser.getgroup("hil", "hardware in the loop")
    group.addoption("--rig", metavar="RIG", help="name or .toml path of the rig to test on")


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker, and read the rig file so that a bad one stops the session early."""
    config.addinivalue_line(
        "markers", 'needs(role="capability"): skip on rigs without it, e.g. needs(arm="joints")'
    )
    config.stash[_RIG] = None
    if config.getoption("--rig"):
        config.stash[_RIG] = _load(config.getoption("--rig"))
        _register_roles(config)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip tests whose needs the rig file's roles cannot meet; opens nothing."""
    loaded = config.stash[_RIG]
    for item in items:
        marks = list(item.iter_markers("needs"))
        if marks and loaded is None:
            item.add_marker(pytest.mark.skip(reason="no rig: give one with --rig"))
            continue
        for mark in marks:
            lacking = [role for role in mark.kwargs if role not in _roles(loaded)]
            if lacking:
                reason = f"rig {loaded[0].name!r} has no role {', '.join(lacking)}"
                item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="session")
def hil_bench(pytestconfig: pytest.Config) -> Iterator[Bench]:
    """The bench, opened once a session; safe, closed and proved so at its end."""
    from hil.rig import build_bench

    loaded = pytestconfig.stash[_RIG]
    if loaded is None:
        pytest.skip("no rig: give one with --rig")
    with build_bench(*loaded) as bench:
        bench.open()
        yield bench


@pytest.fixture
def rig(hil_bench: Bench, request: pytest.FixtureRequest) -> Iterator[Bench]:
    """The open bench. After the test every device must be healthy, or the test fails."""
    for mark in request.node.iter_markers("needs"):
        gaps = hil_bench.missing(mark.kwargs)
        if gaps:
            pytest.skip(f"rig {hil_bench.rig.name!r} lacks {', '.join(gaps)}")
    yield hil_bench
    bad = [
        f"{role}: {finding.name}: {finding.detail} ({finding.remedy})"
        for role, findings in hil_bench.health().items()
        for finding in findings
        if not finding.ok
    ]
    assert not bad, "devices are not healthy after the test:\n" + "\n".join(bad)


@pytest.fixture
def run_scenario(rig: Bench, tmp_path: Path) -> RunScenario:
    """Call it with a scenario's id, and `episodes` and `seed`: runs on the open bench and
    returns the verdict. Each call writes its own run folder below `tmp_path`."""
    from hil.canonical import canonical_json, sha256_bytes
    from hil.plan.freeze import freeze, single
    from hil.run.campaign import run_on_bench
    from hil.workflow import judge_folder

    calls = iter(range(1, 1_000_000))

    def run(scenario: str, episodes: int = 1, seed: int = 1) -> Verdict:
        profile = single(scenario, episodes)
        digest = sha256_bytes(canonical_json(profile.model_dump(mode="json", by_alias=True)))
        plan = freeze(profile, digest, rig.rig, rig.path, seed)
        folder = tmp_path / f"run-{next(calls)}"
        ending = run_on_bench(plan, rig, folder)
        if ending.error is not None:
            raise ending.error
        return judge_folder(folder)

    return run


def _register_roles(config: pytest.Config) -> None:
    """Make a fixture of every role; pytest looks for fixtures on a plugin's class."""
    fixtures = {role: _role_fixture(role) for role in _roles(config.stash[_RIG])}
    config.pluginmanager.register(type("HilRoles", (), fixtures)(), "hil-roles")


def _role_fixture(role: str) -> Any:
    @pytest.fixture(name=role)
    def device(_plugin: Any, rig: Bench) -> Device:
        return rig.devices[role]

    return device


def _roles(loaded: Any) -> list[str]:
    return [device.role for device in loaded[0].devices]


def _load(name: str) -> Any:
    from hil.catalogue import load_rig
    from hil.errors import HilError

    try:
        return load_rig(name)
    except HilError as error:
        raise pytest.UsageError(str(error)) from error
