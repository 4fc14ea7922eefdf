"""Faults of a scenario on a bench of fakes: planted with the loop, lifted with it, on record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from benches import fake_bench, fake_plan

from hil.contracts import LinkControl
from hil.errors import CapabilityMissing, LinkLost
from hil.record.format import EpisodeEnd
from hil.record.reader import open_run
from hil.rig import Bench
from hil.run.campaign import run_on_bench
from hil.run.episode import run_episode
from hil.safety import StopRequest


class FakeLink:
    """Keeps what is asked of it, in order."""

    def __init__(self) -> None:
        self.calls: list[Any] = []
        self.rig_drops = 0
        self.captured = b""

    def plant_faults(
        self, faults: Sequence[Mapping[str, object]], seed: int, origin_ns: int
    ) -> None:
        self.calls.append(("plant", [dict(fault) for fault in faults], seed, origin_ns))

    def lift_faults(self) -> Mapping[str, int]:
        self.calls.append("lift")
        return {"drop": 2}

    def fault_counts(self) -> Mapping[str, int]:
        self.rig_drops += 3
        return {"drop": self.rig_drops}

    def calm(self) -> None:
        self.calls.append("calm")

    def take_wire(self) -> bytes:
        taken, self.captured = self.captured, b""
        return taken

    def begin_wire(self) -> None:
        self.captured = b""


FAULTS = [
    {"role": "arm", "kind": "drop", "at_s": 0.5, "for_s": 0.2},
    {"role": "arm", "kind": "delay", "delay_ms": 2},
]


def bench_with_link() -> tuple[Bench, FakeLink]:
    bench, link = fake_bench(), FakeLink()
    bench.links = {"arm": LinkControl(link), "terminal": LinkControl()}
    bench.open()
    return bench, link


def run_one(bench: Bench, **changes: Any):
    bench.joints("arm").enable(bench.deadline(1))
    plan = fake_plan(bench, 1, **changes)
    (episode,) = plan.episodes
    return run_episode(
        bench, plan.scenarios["reach"], episode, "expert", StopRequest()
    ), episode.seed


def test_planted_at_the_start_of_the_loop_and_lifted_at_its_end() -> None:
    bench, link = bench_with_link()
    attempt, _ = run_one(bench, faults=FAULTS)
    planted, lifted = link.calls
    name, faults, seed, origin_ns = planted
    assert (name, lifted) == ("plant", "lift")
    assert [fault["kind"] for fault in faults] == ["drop", "delay"]
    assert all("role" in fault for fault in faults)
    first = attempt.episode.ticks["scheduled_ns"][0]
    period_ns = 20_000_000
    assert first - period_ns <= origin_ns <= first
    (event,) = [one for one in attempt.episode.events if one.get("of") == "scenario"]
    assert event == {
        "event": "faults",
        "of": "scenario",
        "role": "arm",
        "faults": faults,
        "seed": seed,
        "origin_ns": origin_ns,
        "counts": {"drop": 2},
    }


def test_seed_of_the_faults_follows_from_the_episode_s() -> None:
    seeds = []
    for _ in range(2):
        bench, link = bench_with_link()
        run_one(bench, faults=FAULTS)
        seeds.append(link.calls[0][2])
    assert seeds[0] == seeds[1]
    assert 0 <= seeds[0] < 2**64


def test_lifted_and_on_record_also_when_the_link_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    bench, link = bench_with_link()

    def lost(_deadline: object) -> None:
        raise LinkLost("unplugged by an injected fault")

    original = FakeLink.plant_faults

    def plant(self: FakeLink, *args: Any) -> None:
        original(self, *args)
        monkeypatch.setattr(bench.devices["arm"], "read", lost)

    monkeypatch.setattr(FakeLink, "plant_faults", plant)
    attempt, _ = run_one(bench, faults=FAULTS)
    assert attempt.end is EpisodeEnd.ERROR
    assert "injected fault" in attempt.reason
    assert link.calls[-1] == "lift"
    assert any(one["event"] == "faults" for one in attempt.episode.events)


def test_faults_of_the_rig_file_are_counted_episode_by_episode() -> None:
    bench, link = bench_with_link()
    attempt, _ = run_one(bench)
    (event,) = [one for one in attempt.episode.events if one["event"] == "faults"]
    assert event == {"event": "faults", "of": "rig", "role": "arm", "counts": {"drop": 3}}
    assert link.calls == []


def test_a_driver_without_such_a_link_is_refused_before_anything_moves(tmp_path: Path) -> None:
    bench, _ = bench_with_link()
    plan = fake_plan(bench, 1, faults=[{"role": "terminal", "kind": "drop"}])
    ending = run_on_bench(plan, bench, tmp_path / "run")
    assert isinstance(ending.error, CapabilityMissing)
    assert "'terminal': its driver on rig 'fakes' does not open one" in ending.reason
    assert not bench.devices["arm"].energised  # type: ignore[attr-defined]


def test_making_safe_calms_every_link_first(monkeypatch: pytest.MonkeyPatch) -> None:
    bench, link = bench_with_link()
    arm = bench.devices["arm"]
    original = arm.make_safe
    monkeypatch.setattr(
        arm, "make_safe", lambda deadline: (link.calls.append("safe"), original(deadline))[1]
    )
    bench.make_safe()
    assert link.calls == ["calm", "safe"]


def test_captures_go_into_the_run_folder_and_are_held_by_the_ledger(tmp_path: Path) -> None:
    bench, link = bench_with_link()
    link.captured = b"left over from before"
    pieces = iter([b"head and episode 1, ", b"episode 2, ", b"safe"])
    original = FakeLink.take_wire

    def take(self: FakeLink) -> bytes:
        return original(self) or next(pieces, b"")

    link.take_wire = take.__get__(link)  # type: ignore[method-assign]
    run_on_bench(fake_plan(bench, 2), bench, tmp_path / "run")
    content = (tmp_path / "run" / "wire" / "arm.wire").read_bytes()
    assert content == b"head and episode 1, episode 2, safe"
    run = open_run(tmp_path / "run")
    (row,) = run.rows("wire")
    assert (row["role"], list(row["files"])) == ("arm", ["wire/arm.wire"])
    assert run.ledger[-2] == row, "before the closing row"
