"""`hil check` as a person runs it: what it prints, its exit codes, and how it ends."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from harming import Bench, twin_bench

from hil.catalogue import rig_files

Hil = Callable[..., "subprocess.CompletedProcess[str]"]

CALM = ("--rate", "2")
"""A rate that a busy host allows."""

PATIENCE_S = 60.0
OVERDUE = """
[[calibrations]]
role = "arm"
quantity = "joint-zero"
date = 2024-03-01
due = 2025-03-01
certificate = "LAB-17"
"""


@contextmanager
def started(environment: dict[str, str], *arguments: object) -> Iterator[subprocess.Popen[str]]:
    """`hil check` in a process of its own, ended with the block."""
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "hil.cli.main", "check", *map(str, arguments)],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        with process:
            yield process
            process.kill()
    finally:
        process.kill()


def await_true(true: Callable[[], bool]) -> bool:
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        if true():
            return True
        time.sleep(0.01)
    return False


def real_rig(folder: Path, bench: Bench) -> Path:
    """The arm of a twin that runs already, as a rig of kind "real"."""
    path = folder / "bench.toml"
    path.write_text(
        f"""
        schema = 1
        name = "bench"
        title = "An arm on a port"
        kind = "real"

        [[devices]]
        role = "arm"
        driver = "feetech-arm"
        port = {{ url = "file://{bench.ports["servo-bus"]}" }}
        parameters = {{ model = "so101" }}

        [limits]
        step_rad = 0.12
        velocity_rad_s = 1.5
        """
    )
    return path


def test_a_twin_in_order_is_told_part_by_part(hil: Hil) -> None:
    done = hil("check", "twin-so101", *CALM)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith("twin-so101 (twin): SO-101 arm and AI terminal")
    headings = [line for line in lines[2:] if line and not line.startswith(" ")]
    assert headings[:-1] == [
        "calibrations",
        "host",
        "ports",
        "devices",
        "round trips",
        "cameras and trackers",
        "safe state",
    ]
    assert headings[-1].startswith("ready: nothing bad found")
    assert "\x1b" not in done.stdout, "colours are for terminals"


def test_what_is_bad_gives_exit_code_1_and_says_what_to_do(hil: Hil, tmp_path: Path) -> None:
    path = tmp_path / "rig.toml"
    path.write_text(rig_files()["sim-so101"].read_text() + OVERDUE)
    done = hil("check", path)
    assert done.returncode == 1
    assert "BAD   arm" in done.stdout
    assert "do:  have it calibrated" in done.stdout
    assert "NOT READY" in done.stdout
    assert "bad: arm joint-zero" in done.stdout


def test_json_is_the_same_findings(hil: Hil, tmp_path: Path) -> None:
    path = tmp_path / "rig.toml"
    path.write_text(rig_files()["sim-so101"].read_text() + OVERDUE)
    done = hil("check", path, "--json", "--trips", "7")
    assert done.returncode == 1
    found = json.loads(done.stdout)
    assert (found["rig"], found["kind"], found["ok"]) == ("sim-so101", "sim", False)
    (bad,) = [one for one in found["findings"] if one["state"] == "bad"]
    assert (bad["role"], bad["name"]) == ("arm", "joint-zero")
    assert bad["figures"]["days_left"] < 0
    (read,) = [one for one in found["findings"] if one["name"] == "read"]
    assert read["figures"]["answered"] == 7
    assert sum(count for _, _, count in read["figures"]["histogram"]) == 7


def test_a_real_rig_is_not_moved_where_nobody_can_be_warned(hil: Hil, tmp_path: Path) -> None:
    done = hil("check", "so101", "--move")
    assert done.returncode == 2
    assert "nobody is at a terminal to be warned" in done.stderr
    assert "--yes" in done.stderr


def test_an_unknown_rig_is_bad_input(hil: Hil) -> None:
    assert hil("check", "no-such-rig").returncode == 2


def test_ctrl_c_leaves_the_rest_and_makes_everything_safe(environment: dict[str, str]) -> None:
    with started(environment, "twin-so101", "--trips", "100000", *CALM) as process:
        assert process.stdout is not None
        before = []
        for line in process.stdout:
            before.append(line)
            if line.startswith("round trips"):
                break
        process.send_signal(signal.SIGINT)
        rest = process.stdout.read()
        assert process.wait(PATIENCE_S) == 4, rest
    assert rest.count("made safe") == 3
    assert "the rest" in rest
    assert "interrupted by SIGINT" in rest


def test_a_check_that_is_killed_while_it_moves_the_arm_leaves_it_safe(
    environment: dict[str, str], tmp_path: Path
) -> None:
    with twin_bench("twin-so101") as bench:
        path = real_rig(tmp_path, bench)
        with started(environment, path, "--move", "--yes", "--trips", "5", *CALM) as process:
            assert await_true(lambda: bench.status()["torque_on"] == 6), "it never moved"
            process.kill()
            assert process.wait(PATIENCE_S) == -signal.SIGKILL
        assert await_true(lambda: bench.status()["torque_on"] == 0)


def test_a_person_at_a_terminal_is_warned_before_a_real_rig_moves(
    environment: dict[str, str], tmp_path: Path
) -> None:
    with twin_bench("twin-so101") as bench:
        path = real_rig(tmp_path, bench)
        said = at_a_terminal(environment, "check", path, "--move", "--trips", "5", *CALM)
        assert bench.status()["torque_on"] == 0
    assert "ABOUT TO MOVE arm" in said
    assert "in 3 s; Ctrl-C to leave it" in said
    assert said.index("in 1 s") < said.index("out of range")
    assert "ready: nothing bad found" in said


def at_a_terminal(environment: dict[str, str], *arguments: object) -> str:
    """What `hil` shows on a terminal of its own."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-P", "-m", "hil.cli.main", *map(str, arguments)]
    with subprocess.Popen(
        command, env=environment, stdin=theirs, stdout=theirs, stderr=theirs
    ) as process:
        os.close(theirs)
        shown = b""
        try:
            while data := os.read(ours, 65536):
                shown += data
        except OSError:
            pass  # how a terminal ends on Linux
        finally:
            os.close(ours)
        assert process.wait(PATIENCE_S) == 0, shown.decode()
    return shown.decode()
