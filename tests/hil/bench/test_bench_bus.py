"""`hil bench bus` end to end, briefly; what it prints is judged for shape, not for speed."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import CliRunner

from drivers.dynamixel.bench import BENCH, BusBench, this_bus
from hil.bench import bus as bench
from hil.bench.bus import responding
from hil.cli.bench import command as cli
from hil.errors import HarnessError

READS = 100


@pytest.fixture
def offered(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], None]:
    return lambda service: monkeypatch.setattr(bench, "load", lambda group, name: service)


def figures(*words: str) -> tuple[dict[str, dict[str, Any]], dict[str, Any]]:
    said = CliRunner().invoke(
        cli, ["bus", "--reads", str(READS), "--rounds", "1", "--json", *words]
    )
    assert said.exit_code == 0, said.output
    printed = json.loads(said.output)
    assert printed["bench"] == "bus"
    return {figure["name"]: figure for figure in printed["figures"]}, printed["conditions"]


def test_figures_stand_beside_the_vendors(offered: Callable[[Any], None]) -> None:
    offered(BENCH)
    found, conditions = figures()
    assert "SDK in the same run" in conditions["baseline"]
    cpu = found["sync read of six motors, CPU"]
    assert cpu["target"] == "<= 0.25 x"
    assert cpu["ratio"] == pytest.approx(cpu["value"] / cpu["baseline"])
    throughput = found["sync read of six motors, throughput"]
    assert throughput["met"] is (throughput["ratio"] >= 1.5)
    assert found["fast read of six motors, CPU"]["target"] is None
    waiting = found["CPU while a device thinks for 1 ms"]
    assert 0 < waiting["value"] < waiting["baseline"] <= 101
    values = found["one silent motor of six, values that arrive"]
    assert (values["baseline"], values["target"]) == (0.0, ">= 5 ")
    assert 4 < values["value"] <= 5
    assert found["one silent motor of six, time of a read, p99"]["baseline"] > 30


class _WithoutVendor(BusBench):
    """As where the SDK is not installed."""

    def missing(self, contestant: str) -> str:
        return "no SDK" if contestant.startswith("vendor") else ""


def test_without_the_sdk_there_are_figures_and_a_note(offered: Callable[[Any], None]) -> None:
    offered(_WithoutVendor())
    found, conditions = figures()
    assert conditions["baseline"] == "none: no SDK"
    assert len(found) == 8
    for figure in found.values():
        assert figure["baseline"] is None
        assert figure["ratio"] is None
    assert found["sync read of six motors, CPU"]["met"] is None
    assert found["one silent motor of six, values that arrive"]["met"] in (True, False)


def test_contestant_that_fails_is_named(offered: Callable[[Any], None]) -> None:
    class Broken(_WithoutVendor):
        def command(self, contestant: str, port: str, reads: int, deadline_ms: float) -> list[str]:
            return super().command("nobody", port, reads, deadline_ms)

    offered(Broken())
    with pytest.raises(HarnessError, match="nobody failed: KeyError"):
        bench.run(READS, 1)


def test_peer_answers_as_the_scene_says() -> None:
    for silent, values in ((False, 6), (True, 5)):
        with responding(BENCH.scene("this-bus", silent), 0.0) as port:
            read = this_bus(port, 500.0, fast=False)
            assert [read(), read(), read()] == [values] * 3
    with responding(BENCH.scene("this-bus-fast", False), 100.0) as port:
        assert this_bus(port, 500.0, fast=True)() == 6
