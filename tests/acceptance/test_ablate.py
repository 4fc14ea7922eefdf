"""`hil ablate` as a person runs it: a row a set of sensors, and every row a run that says so."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from hil.catalogue import load_scenario
from hil.record.reader import open_run

Hil = Callable[..., "subprocess.CompletedProcess[str]"]

SCENARIO, RIG = "haz-sample-jar-pick", "sim-panda-grip"


@pytest.fixture(scope="module")
def brief(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The scenario, over before anything has happened."""
    text = load_scenario(SCENARIO)[1].read_text(encoding="utf-8")
    assert "duration_s = 13.5" in text
    path = tmp_path_factory.mktemp("scenarios") / f"{SCENARIO}.toml"
    path.write_text(text.replace("duration_s = 13.5", "duration_s = 0.1"), encoding="utf-8")
    return path


def test_every_row_is_a_run_of_the_same_episodes_that_says_what_it_lacks(
    hil: Hil, brief: Path, tmp_path: Path
) -> None:
    out = tmp_path / "ablated"
    done = hil(
        *("ablate", brief, "--rig", RIG, "-n", "2", "--seed", "5", "--policy", "null"),
        *("--json", "--out", out),
    )
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)
    assert [row["without"] for row in rows] == [
        [],
        ["tactile"],
        ["microphone"],
        ["tactile", "microphone"],
    ]
    assert rows[3]["roles"] == ["left", "right", "ear"]
    assert {(row["n"], row["successes"]) for row in rows} == {(2, 0)}
    seeds = set()
    for row in rows:
        run = open_run(out / row["folder"])
        seeds.add(tuple(one["seed"] for one in run.plan["episodes"]))
        verdict = json.loads((out / row["folder"] / "verdict.json").read_text(encoding="utf-8"))
        said = [text for text in verdict["not_said"] if "withheld" in text]
        assert bool(said) == bool(row["roles"])
        assert all(role in said[0] for role in row["roles"])
        episode = run.episode("0002")
        for role in ("left", "right", "ear"):
            absent = bool(np.isnan(episode.channels[role].value).all())
            assert absent == (role in row["roles"]), (row["folder"], role)
        # the world went on as before
        witness = episode.channels["witness"].value
        whole = open_run(out / "all").episode("0002").channels["witness"].value
        np.testing.assert_array_equal(witness, whole)
    assert len(seeds) == 1
    assert hil("verify", out / "without-tactile").returncode == 0


def test_a_run_without_a_sensor_is_one_of_its_rows(hil: Hil, brief: Path, tmp_path: Path) -> None:
    done = hil(
        *("run", brief, "--rig", RIG, "--policy", "null", "--without", "ear,left"),
        *("--out", tmp_path / "run"),
    )
    assert done.returncode in (1, 3), done.stderr
    assert open_run(tmp_path / "run").plan["without"] == ["left", "ear"]
    refused = hil("run", brief, "--rig", RIG, "--policy", "null", "--without", "nose")
    assert refused.returncode == 2
    assert "tactile (left, right), microphone (ear)" in refused.stderr
