"""Links of a whole run on the twin: faults of a scenario, a capture in the run folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from harming import ROOT, SCENARIO, Bench, assert_safe, run_on, twin_bench
from wire_ends import PtyPort, Rfc2217Server

from drivers.feetech.arm import build
from drivers.transport.link import Link
from drivers.transport.replay import Replay
from drivers.transport.wire import Kind, read_capture
from hil.catalogue import load_rig, load_scenario
from hil.clock import Deadline, WallClock
from hil.config import validate
from hil.contracts import BenchContext, DeviceSpec
from hil.judge.model import Outcome
from hil.judge.verdict import judge
from hil.plan import freeze as freezing
from hil.plan.freeze import Plan, freeze, single
from hil.record.reader import Run
from scenarios.schema import Scenario


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    with twin_bench("twin-so101") as found:
        yield found


def plan_with(
    monkeypatch: pytest.MonkeyPatch, faults: list[dict[str, Any]], rig_name: str = "twin-so101"
) -> Plan:
    """A plan of one episode of the scenario, with faults in its links."""
    scenario, path = load_scenario(SCENARIO)
    data = scenario.model_dump(by_alias=True) | {"faults": faults}
    made = validate(data, Scenario, str(path))
    monkeypatch.setattr(freezing, "load_scenario", lambda _: (made, path))
    rig, rig_path = load_rig(rig_name)
    return freeze(single(SCENARIO, 1), "0" * 64, rig, rig_path, 3, "expert")


def injected(run: Run) -> dict[str, Any]:
    (event,) = [one for one in run.episode("0001").events if one["event"] == "faults"]
    return dict(event)


def test_dropped_answers_are_counted_bridged_and_told(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    faults = [{"role": "arm", "kind": "drop", "every": 10, "at_s": 0.2, "for_s": 1.0}]
    ending, run = run_on(plan_with(monkeypatch, faults), bench, tmp_path / "run")
    assert ending.outcome == "complete"
    assert_safe(run, bench)
    event = injected(run)
    assert (event["of"], event["role"]) == ("scenario", "arm")
    assert event["counts"]["drop"] >= 1
    assert run.episode("0001").ticks["lost"].sum() >= 1, "what was dropped is absent"
    verdict = judge(run)
    assert any("link of arm (drop) on purpose" in sentence for sentence in verdict.not_said)


def test_an_unplugged_link_ends_the_run_and_the_arm_is_safe_all_the_same(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    faults = [{"role": "arm", "kind": "unplug", "at_s": 0.3}]
    ending, run = run_on(plan_with(monkeypatch, faults), bench, tmp_path / "run")
    assert ending.outcome == "error"
    assert "LinkLost" in ending.reason
    assert "unplugged by an injected fault" in ending.reason
    episode = run.episode("0001")
    assert episode.meta["end"] == "error"
    assert len(episode.ticks) >= 5, "the ticks up to then are on the record"
    assert injected(run)["counts"] == {"unplug": 1}
    assert_safe(run, bench)  # the faults are out before anybody makes it safe
    assert judge(run).outcome == "ERROR"


def test_a_capture_of_the_run_is_in_its_folder_and_replays(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (ROOT / "rigs" / "twin-so101.toml").read_text()
    rig = tmp_path / "captured.toml"
    rig.write_text(text.replace('role = "arm"\n', 'role = "arm"\nlink = { capture = true }\n'))
    ending, run = run_on(plan_with(monkeypatch, [], str(rig)), bench, tmp_path / "run")
    assert ending.outcome == "complete"
    wire = tmp_path / "run" / "wire" / "arm.wire"
    assert [row["role"] for row in run.rows("wire")] == ["arm"]
    capture = read_capture(wire)
    assert capture.complete
    ticks = run.episode("0001").ticks
    during = [
        r for r in capture.records if ticks["woke_ns"][0] <= r.stamp_ns <= ticks["act_ns"][-1]
    ]
    writes = [record for record in during if record.kind is Kind.WRITTEN]
    assert len(writes) >= 2 * len(ticks), "a read and a command in every tick"
    _open_again(wire, rig)


def _open_again(wire: Path, rig: Path) -> None:
    """The same driver opens the captured arm, and writes what it wrote then."""
    device = next(one for one in load_rig(str(rig))[0].devices if one.role == "arm")
    spec = DeviceSpec("arm", device.driver, f"replay://{wire}", device.parameters, rig.parent)
    clock = WallClock()
    arm = build(spec, BenchContext(clock))
    arm.open(Deadline.after_s(clock, 10))
    link = spec.control.link
    assert isinstance(link, Link)
    assert isinstance(link.port, Replay)
    assert link.port.divergence is None
    assert arm.identity(Deadline.after_s(clock, 5)).model == "so101"
    arm.close()


def test_a_functional_run_over_rfc2217(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The arm behind pyserial's server: the job is scored, and nothing is said of its time."""
    server = Rfc2217Server(PtyPort(bench.ports["servo-bus"], timeout=0))
    text = (ROOT / "rigs" / "twin-so101.toml").read_text()
    rig = tmp_path / "remote.toml"
    remote = text.replace('{ twin = "servo-bus" }', f'{{ url = "{server.url}" }}')
    # a network, and a server in this very process, take longer than the bus
    rig.write_text(remote.replace("baud = 1_000_000\n\n[[", "answer_timeout_ms = 100\n\n[[", 1))
    try:
        ending, run = run_on(plan_with(monkeypatch, [], str(rig)), bench, tmp_path / "run")
    finally:
        server.close()
    assert ending.outcome == "complete", ending.reason
    (attempt,) = run.rows("attempt")
    assert (attempt["end"], attempt["ticks"] > 0) == ("completed", True), attempt["reason"]
    assert_safe(run, bench)
    verdict = judge(run)
    states = {claim.kind: claim.state for claim in verdict.scenarios[0].claims}
    assert states.pop("success") is not Outcome.SKIPPED
    assert set(states.values()) == {Outcome.SKIPPED}
    assert any("leads over a network" in sentence for sentence in verdict.not_said)
