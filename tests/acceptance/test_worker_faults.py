"""A run's processes hurt while the emulated arm moves: it is safe, and the record says why."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from harming import PATIENCE_S, ROOT, SCENARIO, Bench, assert_safe, plan_for, run_and, twin_bench

from hil.errors import HostError
from hil.judge.verdict import judge
from hil.record.writer import RunWriter
from hil.run.crew import Crew
from hil.watchdog.watch import state_of


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    with twin_bench("twin-so101") as found:
        yield found


def send(number: signal.Signals, resume_s: float | None = None) -> Callable[[Crew], None]:
    def harm(crew: Crew) -> None:
        os.kill(crew.worker.pid, number)
        if resume_s is not None:
            time.sleep(resume_s)
            with contextlib.suppress(ProcessLookupError):  # the watchdog may have ended it
                os.kill(crew.worker.pid, signal.SIGCONT)

    return harm


def test_killed_in_motion(bench: Bench, tmp_path: Path) -> None:
    ending, run = run_and(send(signal.SIGKILL), plan_for(), bench, tmp_path / "run")
    assert (ending.outcome, run.end["outcome"]) == ("error", "error")
    assert "killed by SIGKILL" in ending.reason
    assert "episode 0001" in ending.reason
    assert_safe(run, bench)
    on_duty, stepped_in = run.rows("watchdog")
    assert on_duty["rescues"] == ["arm"]
    assert stepped_in["cause"] == "died"
    assert 0 < stepped_in["silent_us"] < stepped_in["proved_us"]
    episode = run.episode("0001")
    assert episode.meta["end"] == "error"
    assert len(episode.ticks) >= 5, "the ticks up to the kill are on the record"
    assert (episode.ticks["done_ns"] > episode.ticks["woke_ns"]).all()
    assert judge(run).outcome == "ERROR"


@pytest.mark.parametrize("resume_s", [0.3, 0.05], ids=["300 ms", "50 ms"])
def test_suspended_in_motion(bench: Bench, tmp_path: Path, resume_s: float) -> None:
    """Longer than the watchdog's patience, and so short that the worker goes on and notices."""
    harm = send(signal.SIGSTOP, resume_s)
    ending, run = run_and(harm, plan_for(), bench, tmp_path / "run")
    assert (ending.outcome, run.end["outcome"]) == ("void", "void")
    assert "stopped" in ending.reason or "suspended" in ending.reason
    episode = run.episode("0001")
    assert episode.meta["end"] == "interrupted"
    assert len(episode.ticks) >= 5, "the ticks up to then are on the record"
    assert_safe(run, bench)
    assert judge(run).outcome == "VOID"


VENDOR = """
import ctypes
import time
from drivers.feetech import arm

class VendorArm(arm.FeetechArm):
    reads = 0

    def read(self, deadline):
        self.reads += 1
        if self.reads == 60:
            {harm}
        return super().read(deadline)

def build(spec, context):
    arm.FeetechArm, kept = VendorArm, arm.FeetechArm
    try:
        return arm.build(spec, context)
    finally:
        arm.FeetechArm = kept
"""


def vendor_rig(folder: Path, monkeypatch: pytest.MonkeyPatch, harm: str) -> str:
    """A rig whose arm has a driver from a package of its own, as a vendor's would; `harm` is
    what the worker does within a read in mid-motion."""
    package = folder / "package"
    (package / "vendor_arm-1.dist-info").mkdir(parents=True)
    (package / "vendor_arm-1.dist-info" / "METADATA").write_text("Name: vendor-arm\nVersion: 1\n")
    (package / "vendor_arm-1.dist-info" / "entry_points.txt").write_text(
        "[hil.drivers]\nvendor-arm = vendor_arm:build\n"
    )
    (package / "vendor_arm.py").write_text(VENDOR.format(harm=harm))
    monkeypatch.setenv("PYTHONPATH", str(package))
    rig = folder / "vendor.toml"
    text = (ROOT / "rigs" / "twin-so101.toml").read_text()
    rig.write_text(text.replace('driver = "feetech-arm"', 'driver = "vendor-arm"'))
    return str(rig)


@pytest.mark.parametrize(
    "harm",
    ["time.sleep(3600)", "ctypes.PyDLL(None).sleep(3600)"],
    ids=["forgets its deadline", "and lets nobody else run"],
)
def test_hanging_in_a_driver(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, harm: str
) -> None:
    """The second one keeps the interpreter to itself: no thread and no signal handler of the
    worker could help."""
    rig = vendor_rig(tmp_path, monkeypatch, harm)
    ending, run = run_and(lambda _: None, plan_for(rig), bench, tmp_path / "run")
    assert (ending.outcome, run.end["outcome"]) == ("error", "error")
    assert "hangs" in ending.reason
    assert "episode 0001" in ending.reason
    assert run.rows("watchdog")[-1]["cause"] == "hung"
    episode = run.episode("0001")
    assert episode.meta["end"] == "error"
    assert len(episode.ticks) >= 5, "the ticks up to the hang are on the record"
    assert_safe(run, bench)
    assert judge(run).outcome == "ERROR"


def test_the_host_s_date_is_set_during_a_run(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the worker reads as the date jumps by two seconds: to set the host's own would harm
    everything else on it. The monotonic clock, which all stamps are of, cannot be set."""
    harm = "real = time.time_ns; time.time_ns = lambda: real() + 2_000_000_000"
    rig = vendor_rig(tmp_path, monkeypatch, harm)
    ending, run = run_and(lambda _: None, plan_for(rig, episodes=3), bench, tmp_path / "run")
    assert (ending.outcome, run.end["outcome"]) == ("void", "void")
    assert "the host's clock was set by +2 s" in ending.reason
    (attempt,) = run.rows("attempt")
    assert attempt["end"] == "completed", "what was recorded up to then is whole"
    episode = run.episode("0001")
    assert len(episode.ticks) == attempt["ticks"]
    assert (np.diff(episode.ticks["scheduled_ns"]) > 0).all()
    assert_safe(run, bench)
    assert judge(run).outcome == "VOID"


def test_a_full_disk_ends_the_run_with_a_safe_arm(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(RunWriter, "write_episode", full)
    ending, run = run_and(lambda _: None, plan_for(episodes=20), bench, tmp_path / "run")
    assert ending.outcome == "error"
    assert isinstance(ending.error, HostError)
    assert "No space left" in ending.reason
    assert run.end["outcome"] == "error"
    assert_safe(run, bench)
    assert judge(run).outcome == "ERROR"


def test_without_its_watchdog_a_run_ends_safely_and_proves_nothing(
    bench: Bench, tmp_path: Path
) -> None:
    def harm(crew: Crew) -> None:
        os.kill(crew.watchdog.pid, signal.SIGKILL)

    ending, run = run_and(harm, plan_for(episodes=20), bench, tmp_path / "run")
    assert ending.outcome == "error"
    assert "watchdog" in ending.reason
    assert run.rows("attempt")[-1]["end"] == "interrupted"
    assert_safe(run, bench)


def test_the_arm_is_safe_when_the_harness_itself_is_killed(
    bench: Bench, tmp_path: Path, environment: dict[str, str]
) -> None:
    """A rig of kind "real" on the twin's ports, so that these outlive the harness."""
    text = (ROOT / "rigs" / "twin-so101.toml").read_text()
    head, devices = text.split("[[devices]]", 1)
    head = head.split("[twin]")[0].replace('kind = "twin"', 'kind = "real"')
    devices = "[[devices]]" + devices
    for name, address in bench.ports.items():
        devices = devices.replace(
            f'port = {{ twin = "{name}" }}', f'port = {{ url = "file://{address}" }}'
        )
    rig = tmp_path / "rig.toml"
    rig.write_text(head + devices)
    command = [sys.executable, "-P", "-m", "hil.cli.main", "run", SCENARIO, "--rig", str(rig)]
    with subprocess.Popen(
        [*command, "-n", "500", "--out", str(tmp_path / "run")],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as harness:
        _wait(lambda: bench.status()["torque_on"] == 6)
        children = _children(harness.pid)
        assert len(children) == 2
        harness.kill()
    _wait(lambda: bench.status()["torque_on"] == 0)
    _wait(lambda: all(state_of(child) in "?Z" for child in children))


def _wait(until: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not until():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def _children(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return [int(one) for task in tasks for one in (task / "children").read_text().split()]
