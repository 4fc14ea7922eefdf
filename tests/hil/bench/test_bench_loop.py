"""`hil bench loop` end to end, briefly; what it prints is judged for shape, not for speed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from hil.bench import cyclictest
from hil.bench import loop as bench
from hil.bench.contestants import Options, command
from hil.bench.load import busy
from hil.cli.bench import command as cli

PROGRAM = """#!{python}
import json, sys
(path,) = [word.split("=", 1)[1] for word in sys.argv if word.startswith("--json=")]
bins = {{"3": 800, "4": 200}}
thread = {{"histogram": bins, "cycles": 1001, "min": 3, "max": 20000}}
open(path, "w").write(json.dumps({{"thread": {{"0": thread}}}}))
"""


def test_figures_have_baselines_of_the_same_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a stand-in for cyclictest, since it is not everywhere."""
    program = tmp_path / "cyclictest"
    program.write_text(PROGRAM.format(python=sys.executable))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    said = CliRunner().invoke(cli, ["loop", "--rate", "500", "--seconds", "0.5", "--json"])
    assert said.exit_code == 0, said.output
    printed = json.loads(said.output)
    figures = {figure["name"]: figure for figure in printed["figures"]}
    for quantile in ("p50", "p99", "p99.9"):
        ours = figures[f"wake-up error {quantile}"]
        assert ours["ratio"] == pytest.approx(ours["value"] / ours["baseline"])
    assert figures["wake-up error p50"]["baseline"] == 3.0
    assert figures["wake-up error p99.9"]["baseline"] == 4.0
    assert figures["wake-up error max"]["baseline"] == 20_000.0
    assert figures["achieved rate, error"]["baseline"] > 0, "a naive loop is always late"
    assert figures["drift of the grid"]["baseline"] > 0
    assert 0 < figures["CPU"]["value"] <= 100
    assert figures["loop's own time per tick p99"]["value"] > 0
    assert printed["conditions"]["rounds"] == 2
    assert "over 10 ms: 2" in printed["conditions"]["cyclictest"]
    assert printed["conditions"]["episode of the tick"].startswith("completed")
    assert {row["name"] for row in printed["conditions"]["settings of this loop"]} >= {"scheduler"}


def as_if_run(words: Sequence[str], **_: object) -> subprocess.CompletedProcess[bytes]:
    """Samples of a contestant that is known: 100 wake-ups at 1 kHz, naive ones 10 % longer."""
    name, path = words[words.index("-m") + 2], words[-1]
    period = 1_100_000 if name == "naive" else 1_000_000
    rows = np.arange(100)
    late = 1000 * (rows + 1)
    samples = {"late_ns": late, "own_ns": late, "woke_ns": rows * period, "tick": rows}
    with Path(path).open("wb") as file:
        np.savez(file, allow_pickle=False, **samples)
    wait = {"spun_ns": 9_900_000}
    account = {"cpu_ns": 19_800_000, "passed": 0, "wait": wait, "settings": [], "end": "completed"}
    return subprocess.CompletedProcess(words, 0, json.dumps(account).encode(), b"")


def test_figures_follow_from_the_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cyclictest, "installed", lambda: None)
    monkeypatch.setattr(subprocess, "run", as_if_run)
    found, conditions = bench.run(1000.0, 2.0, load=False)
    figures = {figure.name: figure for figure in found}
    ours = figures["wake-up error p50"]
    assert (ours.value, ours.baseline, ours.ratio, ours.met) == (51.0, None, None, None)
    assert "not installed" in conditions["cyclictest"]
    assert figures["wake-up error p99.9"].value == 100.0
    assert figures["CPU"].value == pytest.approx(20.0)
    assert figures["of the time spun"].value == pytest.approx(10.0)
    rate = figures["achieved rate, error"]
    assert rate.value == pytest.approx(0, abs=1e-9)
    assert rate.baseline == pytest.approx(100 / 11)
    assert rate.met is True
    assert figures["drift of the grid"].baseline == pytest.approx(10.0)
    assert figures["loop's own time per tick p99"].met is False
    assert figures["recorder's share p99"].met is False


def test_a_cyclictest_that_fails_is_told_and_not_used(tmp_path: Path) -> None:
    program = tmp_path / "cyclictest"
    program.write_text("#!/bin/sh\necho FATAL: no >&2\nexit 1\n")
    program.chmod(0o755)
    said = cyclictest.run(str(program), Options(1000.0, 0.1, 0), 0, tmp_path)
    assert said == "cyclictest ended with code 1: FATAL: no"


def test_errors_beyond_the_histogram_are_kept_by_number_and_maximum() -> None:
    text = json.dumps({"thread": {"0": {"histogram": {"5": 8}, "cycles": 10, "max": 12345}}})
    found = cyclictest.parse(text)
    assert (found.beyond, found.most_ns) == (2, 12_345_000)
    assert found.samples().tolist() == [5000] * 8 + [10_000_000] * 2


@pytest.mark.parametrize("name", ["this-loop", "whole-tick", "recorder"])
def test_each_contestant_leaves_its_samples(name: str, tmp_path: Path) -> None:
    options = Options(200.0, 0.25, max(os.sched_getaffinity(0)))
    path = tmp_path / "samples.npz"
    ended = subprocess.run(
        command(name, options, path), capture_output=True, timeout=30, check=False
    )
    assert ended.returncode == 0, ended.stderr.decode()
    assert json.loads(ended.stdout)["settings"]
    with np.load(path) as samples:
        for key in samples.files:
            if key != "woke_ns":
                assert (samples[key] >= 0).all()
                assert 0 < len(samples[key]) <= options.points


def test_the_load_ends_with_its_context() -> None:
    cpu = max(os.sched_getaffinity(0))
    with busy([cpu], longest_s=20.0) as stated:
        assert f"CPU {cpu}" in stated
        running = children()
        assert len(running) == 1
    assert children() == []


def test_no_load_is_called_none() -> None:
    with busy([], longest_s=1.0) as stated:
        assert stated == "none"


def children() -> list[int]:
    """Load processes of this process."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
            parent = int((folder / "stat").read_text().rsplit(")", 1)[1].split()[1])
        except OSError:
            continue
        if parent == os.getpid() and b"hil.bench.load" in words:
            found.append(int(folder.name))
    return found
