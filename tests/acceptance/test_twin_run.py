"""The emulated bench end to end: real bytes, two processes, the wall clock."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from hil.record.reader import open_run

Hil = Callable[..., "subprocess.CompletedProcess[str]"]

ROOT = Path(__file__).parents[2]


def test_a_slow_agent_fails_the_latency_claim_and_the_stage_is_named(
    hil: Hil, tmp_path: Path
) -> None:
    rig = tmp_path / "slow.toml"
    text = (ROOT / "rigs" / "twin-so101.toml").read_text()
    rig.write_text(text.replace("delay_ms = 0.0", "delay_ms = 30.0"))
    done = hil("run", "care-light-switch-press", "--rig", rig, "-n", 2, "--out", tmp_path / "run")
    assert done.returncode == 1, done.stderr
    scenario = json.loads((tmp_path / "run" / "verdict.json").read_text())["scenarios"][0]
    late = {claim["kind"]: claim for claim in scenario["claims"]}
    assert late["latency"]["state"] == "FAIL"
    assert late["latency"]["stage"] == "infer"
    assert late["misses"]["state"] == "FAIL"
    assert "infer" in done.stdout
    ticks = open_run(tmp_path / "run").episode("0001").ticks
    asleep_ns = ticks["device_end_ns"] - ticks["device_start_ns"]
    assert (asleep_ns >= 30_000_000).all(), "the device's own clock says so too"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interruption_leaves_a_safe_arm_and_a_complete_record(
    tmp_path: Path, environment: dict[str, str], number: signal.Signals
) -> None:
    folder = tmp_path / "run"
    command = [sys.executable, "-P", "-m", "hil.cli.main", "run", "care-light-switch-press"]
    with subprocess.Popen(
        [*command, "-n", "500", "--out", str(folder)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        _wait_for(folder / "episodes" / "0001" / "ticks.npy", process)
        process.send_signal(number)
        output, _ = process.communicate(timeout=60)
    assert process.returncode == 4, output
    assert f"interrupted by {number.name}" in output
    run = open_run(folder)
    assert run.end["outcome"] == "interrupted"
    arm = next(row for row in run.rows("safe") if row["role"] == "arm")
    assert arm["safe"], "torque off, read back"
    ends = [row["end"] for row in run.rows("attempt")]
    assert ends[0] == "completed"
    assert set(ends[:-1]) <= {"completed"}
    verdict = json.loads((folder / "verdict.json").read_text())
    assert verdict["outcome"] != "PASS"


def _wait_for(path: Path, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 90
    while not path.exists():
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline, f"{path} did not appear"
        time.sleep(0.05)


def test_twin_serves_ports_as_json_until_it_is_told_to_end(
    environment: dict[str, str],
) -> None:
    command = [sys.executable, "-P", "-m", "hil.cli.main", "twin", "twin-so101"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        ports = json.loads(process.stdout.readline())["ports"]
        assert Path(ports["servo-bus"]).is_char_device()
        assert Path(ports["terminal"]).is_char_device()
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) == 0
    assert not Path(ports["scene"]).exists()


def test_files_of_the_users_folder_are_never_taken_for_the_testbed(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    for name in ("sim", "drivers", "models", "hil", "queue"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('a decoy was imported')\n")
    check = ["check", "twin-so101", "--trips", "3", "--rate", "2"]  # a rate for any busy host
    done = subprocess.run(
        [sys.executable, "-P", "-m", "hil.cli.main", *check],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
