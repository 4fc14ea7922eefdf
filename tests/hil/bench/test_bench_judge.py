"""The bench judges what it says, at any size; figures of time are asserted nowhere."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from click.testing import CliRunner

from hil.bench import judging
from hil.bench.judge import TARGET_TICKS, check_room, figures, room_for
from hil.bench.synthetic import EPISODE_TICKS, make_ticks, write_run
from hil.cli.bench import command
from hil.errors import BadInput
from hil.judge.samples import episode_timing
from hil.record.reader import open_run

TICKS = 5000


def test_it_prints_one_object_with_figures_and_what_they_rest_on() -> None:
    done = CliRunner().invoke(command, ["judge", "--ticks", str(TICKS), "--json"])
    assert done.exit_code == 0, done.output
    said = json.loads(done.stdout)
    named = {figure["name"]: figure for figure in said["figures"]}
    assert set(next(iter(named.values()))) == set(
        ["name", "value", "unit", "baseline", "ratio", "target", "met"]
    )
    whole, memory = named["judge, digests and all"], named["peak memory"]
    assert whole["value"] > 0
    assert whole["ratio"] == pytest.approx(whole["value"] / whole["baseline"])
    assert memory["unit"] == "MB"
    assert (whole["target"], whole["met"]) == (None, None), "the target is of a larger run"
    assert said["conditions"]["ticks"] == TICKS
    assert (
        said["conditions"]["late_points"]
        >= said["conditions"]["late_points_that_the_baseline_sees"]
    )


def test_both_ways_of_judging_agree_on_what_both_can_see(tmp_path: Path) -> None:
    write_run(tmp_path / "run", 20 * TICKS)
    product, naive = judging.product(tmp_path / "run"), judging.naive(tmp_path / "run")
    assert product["ticks"] == 20 * TICKS
    rows = open_run(tmp_path / "run").episode("0001").ticks
    served = np.sort(rows["act_ns"] - rows["scheduled_ns"])
    assert naive["p99_us"] == pytest.approx(float(np.percentile(served, 99)) / 1e3)
    skipped = int(rows["skipped"].sum())
    assert skipped > 0
    assert product["misses"] >= naive["misses"] + skipped


def test_targets_are_held_against_runs_of_their_size() -> None:
    product = {"open_s": 1.0, "judge_s": 9.5, "beyond_mb": 599.0, "peak_mb": 650.0}
    naive = {"judge_s": 21.0, "beyond_mb": 2000.0, "peak_mb": 2060.0}
    found = {figure.name: figure for figure in figures(TARGET_TICKS, product, naive)}
    assert (found["judge, digests and all"].met, found["peak memory"].met) == (False, True)
    assert found["judge, digests and all"].ratio == 0.5
    assert not any(figure.target for figure in figures(TARGET_TICKS - 1, product, naive))


def test_a_disk_without_room_is_refused_with_what_would_fit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = room_for(1_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: SimpleNamespace(free=free))
    check_room(tmp_path, room_for(1_000_000))
    with pytest.raises(BadInput, match="MB") as caught:
        check_room(tmp_path, room_for(1_000_001))
    assert "--ticks 1000000" in caught.value.remedy


def test_synthetic_rows_stand_on_a_grid_and_have_spells() -> None:
    rows = make_ticks(EPISODE_TICKS // 20, np.random.default_rng(3))
    one = episode_timing(rows, 1_000_000)  # refuses rows that leave their grid
    assert one.points > one.ticks == len(rows)
    assert len(one.device["compute"]) == len(rows)
