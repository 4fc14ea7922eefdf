"""A driver with one flaw fails the check that is about it, and no flaw passes unseen."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner

from hil.cli.conformance import command
from hil.clock import Deadline, WallClock
from hil.conformance.model import Result, State
from hil.conformance.subject import Opened, Subject
from hil.conformance.suite import CHECKS, run_checks, subject_of
from hil.contracts import Capability, DeviceSpec, Finding, Identity, Reading, SafeProof
from hil.errors import BadInput, DeadlineMissed, LinkLost, RigError
from hil.evidence.bundle import open_statements
from rigs.schema import Device as DeviceTable
from rigs.schema import Rig

CLOCK = WallClock()


@dataclass
class Line:
    """A line to the one thermometer there is, and what is wrong with it."""

    silent: bool = False
    gone: bool = False
    late: bool = False
    owner: object | None = None

    def plant_faults(
        self, faults: Sequence[Mapping[str, object]], seed: int, origin_ns: int
    ) -> None:
        kinds = {fault["kind"] for fault in faults}
        self.silent = self.silent or "drop" in kinds
        self.gone = self.gone or "unplug" in kinds
        self.late = self.late or "delay" in kinds

    def lift_faults(self) -> Mapping[str, int]:
        self.silent = self.gone = self.late = False
        return {}

    def fault_counts(self) -> Mapping[str, int]:
        return {}

    def calm(self) -> None:
        self.lift_faults()

    def take_wire(self) -> bytes:
        return b""


@dataclass
class Thermometer:
    """Keeps every promise but the one named by `flaw`."""

    role: str
    line: Line
    flaw: str = ""
    capabilities: frozenset[Capability] = frozenset({Capability.METER})
    is_open: bool = False
    asked: int = 0
    faults: dict[str, int] = field(default_factory=lambda: {"asked": 100})

    def open(self, deadline: Deadline) -> None:
        if self.line.owner not in (None, self) and self.flaw != "two owners":
            raise RigError("the line is in use by the other one")
        self.line.owner, self.is_open = self, True
        self.line.lift_faults()

    def identity(self, deadline: Deadline) -> Identity:
        self.reach(deadline)
        self.asked += 1
        return Identity("" if self.flaw == "nameless" else "T1", serial=self.number())

    def number(self) -> str:
        return str(self.asked) if self.flaw == "changing" else "7"

    def health(self, deadline: Deadline) -> Sequence[Finding]:
        if self.flaw == "health raises" and self.line.silent:
            raise DeadlineMissed("no answer")
        if self.flaw == "always well":
            return [Finding("link", True, "as it should be")]
        remedy = "" if self.flaw in ("no remedy", "helpless") else "plug it in"
        if self.flaw == "helpless" and not (self.line.silent or self.line.gone):
            return [Finding("link", True, "as it should be")]
        return [Finding("link", False, "as it is", remedy)]

    def ping(self, deadline: Deadline) -> None:
        self.faults["asked"] += -1 if self.flaw == "falling counter" else 1
        self.reach(deadline)

    def counters(self) -> Mapping[str, int]:
        return dict(self.faults)

    def read(self, deadline: Deadline) -> Reading:
        if self.flaw == "foreign error" and self.line.gone:
            raise OSError("errno 5")
        if self.flaw == "zero" and (self.line.silent or self.line.gone):
            return Reading(CLOCK.now_ns(), 0.0, "degC")
        if self.flaw == "slow" and self.line.silent:
            CLOCK.sleep_until(deadline.at_ns + 40_000_000)
        self.reach(deadline)
        stamp_ns = 17 if self.flaw == "odd stamp" else CLOCK.now_ns()
        return Reading(stamp_ns, 21.5, "degC")

    def reach(self, deadline: Deadline) -> None:
        if self.line.gone or not self.is_open:
            raise LinkLost("unplugged")
        if self.line.silent or self.line.late or deadline.expired:
            raise DeadlineMissed("no answer")

    def make_safe(self, deadline: Deadline) -> SafeProof:
        now_ns = CLOCK.now_ns()
        here = self.is_open and not self.line.gone
        safe = here or self.flaw == "guesses"
        readings: dict[str, Any] = {} if self.flaw == "no proof" else {"degC": 21.5}
        return SafeProof(
            self.role, safe, "passive" if safe else "unknown", readings, now_ns, now_ns
        )

    def close(self) -> None:
        self.is_open = False
        if self.line.owner is self:
            self.line.owner = None


class Pretended(Subject):
    """The thermometer in place of what a rig's driver would build."""

    def build(self) -> Opened:
        line, flaw = self.table.parameters["line"], self.table.parameters["flaw"]
        spec = DeviceSpec(self.role, "thermometer", "", {}, self.base)
        spec.control.link = line
        return Opened(Thermometer(self.role, line, flaw), spec)


def results(flaw: str = "") -> dict[str, Result]:
    table = DeviceTable(role="t", driver="thermometer", parameters={"line": Line(), "flaw": flaw})
    subject = Pretended(table, "", Path(), CLOCK, 20.0)
    told: list[Result] = []
    found = run_checks(subject, told.append)
    assert found == told
    return {result.name: result for result in found}


def test_a_driver_without_a_flaw_conforms() -> None:
    found = results()
    assert len(found) == len(CHECKS), "every check has a name of its own"
    failed = [result for result in found.values() if result.state is State.FAIL]
    assert not failed
    skipped = {name for name, result in found.items() if result.state is State.SKIPPED}
    assert skipped == {"units", "stays", "enabled first", "damaged answers"}, "no joints"


@pytest.mark.parametrize(
    ("flaw", "check", "says"),
    [
        ("nameless", "identity", "no model"),
        ("changing", "identity", "changed its identity"),
        ("no remedy", "health", "no remedy"),
        ("falling counter", "counters", "fell: asked"),
        ("odd stamp", "samples", "not of the run's clock"),
        ("guesses", "untouched", "never opened"),
        ("no proof", "safe state", "nothing that was read back"),
        ("two owners", "one owner", "two owners"),
        ("zero", "silence", "nothing was received, and it reads"),
        ("health raises", "silence", "raised DeadlineMissed"),
        ("always well", "silence", "no bad finding"),
        ("helpless", "silence", "has no remedy"),
        ("always well", "unplug", "no bad finding"),
        ("helpless", "unplug", "has no remedy"),
        ("slow", "silence", "after its deadline"),
        ("foreign error", "unplug", "not of the error tree"),
    ],
)
def test_each_flaw_is_found_by_its_check(flaw: str, check: str, says: str) -> None:
    found = results(flaw)[check]
    assert found.state is State.FAIL
    assert says in found.detail


def rig(kind: str, drivers: Sequence[str]) -> Rig:
    tables: dict[str, Any] = {"sim": {"plant": "so101"}} if kind == "sim" else {}
    devices = [{"role": f"r{n}", "driver": driver} for n, driver in enumerate(drivers)]
    base = {"schema": 1, "name": "it", "title": "It", "kind": kind, "devices": devices}
    return Rig.model_validate(base | tables)


@pytest.mark.parametrize(
    ("kind", "drivers", "wanted", "says"),
    [
        ("real", ["a", "b"], "c", "it has: r0 \\(a\\), r1 \\(b\\)"),
        ("real", ["a", "a"], "a", "more than one device"),
        ("sim", ["a"], "a", "no line to be spoilt"),
    ],
)
def test_a_rig_that_cannot_be_used(kind: str, drivers: list[str], wanted: str, says: str) -> None:
    with (
        pytest.raises(BadInput, match=says),
        subject_of(rig(kind, drivers), Path("it.toml"), wanted, 50.0),
    ):
        pass


def test_the_arm_s_own_driver_conforms_and_says_so_under_signature(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    out = tmp_path / "result"
    arguments = ["feetech-arm", "--rig", "twin-so101", "--out", str(out), "--grace-ms", "500"]
    ended = CliRunner().invoke(command, arguments, standalone_mode=False)
    assert ended.return_value == 0, ended.output
    assert "feetech-arm conforms" in ended.output
    (signed,) = open_statements((out / "statements.intoto.jsonl").read_bytes())
    predicate = signed.statement["predicate"]
    assert predicate["failedTests"] == []
    assert {"silence", "unplug", "one owner"} <= set(predicate["passedTests"])
    assert predicate["hilTestbed"]["conformance"]["package"].startswith("hil-testbed ")
    suite = ElementTree.parse(out / "junit.xml").getroot().find("testsuite")
    assert suite is not None
    assert suite.get("failures") == "0"
    checks = json.loads((out / "conformance.json").read_bytes())["checks"]
    assert len(checks) == int(suite.get("tests", "0")) == len(CHECKS)
    again = CliRunner().invoke(command, arguments)
    assert isinstance(again.exception, BadInput)
