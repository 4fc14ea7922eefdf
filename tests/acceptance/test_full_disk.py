"""The disk runs full while a run is recorded, for real: safe, readable, named, never a pass."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import Hil
from disks import fill, free_bytes, small_disk
from harming import SCENARIO, Bench, assert_safe, plan_for, run_and, run_on, twin_bench

from hil.errors import HostError
from hil.judge.verdict import judge
from hil.record.reader import Run, open_run

FULL = "No space left on device"


def assert_all_readable(run: Run) -> int:
    """Every attempt on the ledger comes back whole; how many there are."""
    attempts = run.rows("attempt")
    for row in attempts:
        episode = run.episode(row["episode"])
        assert len(episode.ticks) == row["ticks"] > 0
        assert episode.channels["joints.applied"].value.shape[0] == row["ticks"]
    return len(attempts)


def test_the_command_line_says_what_happened_and_exits_with_4(hil: Hil, tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 600 * 1024) as disk:
        done = hil(
            *("run", SCENARIO, "--rig", "sim-so101", "--policy", "expert"),
            *("-n", 200, "--out", disk / "run"),
        )
        assert done.returncode == 4, done.stdout + done.stderr
        assert FULL in done.stderr
        assert "--out" in done.stderr, "the remedy is named"
        run = open_run(disk / "run")
        kept = assert_all_readable(run)
        assert 1 <= kept < 200
        assert run.end["outcome"] == "error"
        assert FULL in run.end["reason"]
        assert [row["episode"] for row in run.rows("unrecorded")] == [f"{kept + 1:04d}"]
        assert all(row["safe"] for row in run.rows("safe"))
        assert {row["role"] for row in run.rows("safe")} == {"arm", "terminal", "scene"}
        assert judge(run).outcome == "ERROR"
        again = hil("judge", disk / "run", "--json")
        assert again.returncode == 4
        assert json.loads(again.stdout)["outcome"] == "ERROR"


def test_a_disk_without_room_is_refused_before_anything_moves(hil: Hil, tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 600 * 1024) as disk:
        fill(disk)
        done = hil("run", SCENARIO, "--rig", "sim-so101", "-n", 1, "--out", disk / "run")
        assert done.returncode == 2, done.stdout + done.stderr
        assert FULL in done.stderr


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    with twin_bench("twin-so101") as found:
        yield found


def test_episodes_fill_the_disk_under_a_twin(bench: Bench, tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 400 * 1024) as disk:
        ending, run = run_on(plan_for(episodes=20), bench, disk / "run")
        assert ending.outcome == "error"
        assert isinstance(ending.error, HostError)
        assert FULL in ending.reason
        kept = assert_all_readable(run)
        assert 1 <= kept < 20
        assert run.rows("unrecorded")[0]["episode"] == f"{kept + 1:04d}"
        assert_safe(run, bench)
        assert judge(run).outcome == "ERROR"


def test_somebody_else_fills_the_disk_in_mid_motion(bench: Bench, tmp_path: Path) -> None:
    """Not one byte is free when the arm is made safe, and still its proofs are on the record."""
    with small_disk(tmp_path / "disk", 2 * 1024 * 1024) as disk:
        free: list[int] = []

        def harm(_: object) -> None:
            fill(disk)
            free.append(free_bytes(disk))

        ending, run = run_and(harm, plan_for(episodes=20), bench, disk / "run")
        assert free == [0]
        assert ending.outcome == "error"
        assert FULL in ending.reason
        assert run.end["outcome"] == "error"
        assert_all_readable(run)
        assert run.rows("unrecorded")
        assert_safe(run, bench)
        assert judge(run).outcome == "ERROR"
