"""A run's processes hurt while the emulated arm moves: it is safe, and the record says why."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from hil.catalogue import load_rig
from hil.clock import NS_PER_MS, Deadline, WallClock
from hil.contracts import BenchContext, DeviceSpec
from hil.errors import HostError
from hil.judge.verdict import judge
from hil.loop.loop import Timing
from hil.plan.freeze import Plan, freeze, single
from hil.record.reader import Run, open_run
from hil.record.writer import RunWriter
from hil.rig import start_twin
from hil.run.apart import run_apart
from hil.run.conduct import Ending
from hil.run.crew import Crew
from hil.run.episode import longest_tick_ns
from hil.run.ledger import Silent
from hil.safety import StopRequest
from hil.watchdog.watch import state_of
from sim.twin.launch import ProcessTwin
from sim.twin.scene import PlantScene, build

SCENARIO = "care-light-switch-press"
ROOT = Path(__file__).parents[2]
PATIENCE_S = 30.0


@dataclass
class Bench:
    """A twin that outlives the runs on it, and a second link to its plant."""

    twin: ProcessTwin
    scene: PlantScene

    def status(self) -> Any:
        return self.scene.status(Deadline.after_s(WallClock(), 2))

    def stop(self) -> None:
        """Called at the end of each run; the next one wants it."""

    @property
    def ports(self) -> Any:
        return self.twin.ports


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    twin = start_twin(*load_rig("twin-so101"))
    assert isinstance(twin, ProcessTwin)
    with twin:
        spec = DeviceSpec("scene", "plant-scene", twin.ports["scene"], {}, ROOT)
        scene = build(spec, BenchContext(WallClock()))
        scene.open(Deadline.after_s(WallClock(), 5))
        yield Bench(twin, scene)
        scene.close()


def plan_for(rig_name: str = "twin-so101", episodes: int = 1) -> Plan:
    rig, path = load_rig(rig_name)
    return freeze(single(SCENARIO, episodes), "0" * 64, rig, path, 3, "expert")


def run_and(
    harm: Callable[[Crew], None], plan: Plan, bench: Bench, folder: Path
) -> tuple[Ending, Run]:
    """One run; `harm` is called once, in the middle of the first episode's motion."""
    timing = Timing.of(plan.scenarios[SCENARIO].scenario.loop)
    ticking_ns = longest_tick_ns(timing) + round(plan.rig.watchdog.tick_timeout_ms * NS_PER_MS)
    done: list[bool] = []

    def wait_and_harm(crew: Crew) -> None:
        end = time.monotonic() + PATIENCE_S
        while crew.heart.pulse().allowance_ns != ticking_ns and time.monotonic() < end:
            time.sleep(0.005)
        time.sleep(0.2)
        harm(crew)
        done.append(True)

    def begun(crew: Crew) -> None:
        threads.append(threading.Thread(target=wait_and_harm, args=(crew,)))
        threads[0].start()

    threads: list[threading.Thread] = []
    lent: Any = lambda _rig, _path: bench  # noqa: E731
    ending = run_apart(plan, folder, Silent(), StopRequest(), lent, begun)
    threads[0].join(PATIENCE_S)
    assert done
    return ending, open_run(folder)


def send(number: signal.Signals, resume_s: float | None = None) -> Callable[[Crew], None]:
    def harm(crew: Crew) -> None:
        os.kill(crew.worker.pid, number)
        if resume_s is not None:
            time.sleep(resume_s)
            with contextlib.suppress(ProcessLookupError):  # the watchdog may have ended it
                os.kill(crew.worker.pid, signal.SIGCONT)

    return harm


def assert_safe(run: Run, bench: Bench) -> None:
    proofs = {row["role"]: row for row in run.rows("safe")}
    assert set(proofs) == {"arm", "terminal", "scene"}
    assert all(row["safe"] for row in proofs.values())
    assert all(row["from_cause_us"] >= row["took_us"] for row in proofs.values())
    assert bench.status()["torque_on"] == 0


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
    assert run.episode("0001").meta["end"] == "interrupted"
    assert_safe(run, bench)
    assert judge(run).outcome == "VOID"


HANGING = """
import time
from drivers.feetech import arm

class HangingArm(arm.FeetechArm):
    reads = 0

    def read(self, deadline):
        self.reads += 1
        if self.reads > 60:
            time.sleep(3600)  # a driver that forgets its deadline
        return super().read(deadline)

def build(spec, context):
    arm.FeetechArm, kept = HangingArm, arm.FeetechArm
    try:
        return arm.build(spec, context)
    finally:
        arm.FeetechArm = kept
"""


def test_hanging_in_a_driver(bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The driver comes from a package of its own, as a vendor's would."""
    package = tmp_path / "package"
    (package / "hanging_arm-1.dist-info").mkdir(parents=True)
    (package / "hanging_arm-1.dist-info" / "METADATA").write_text("Name: hanging-arm\nVersion: 1\n")
    (package / "hanging_arm-1.dist-info" / "entry_points.txt").write_text(
        "[hil.drivers]\nhanging-arm = hanging_arm:build\n"
    )
    (package / "hanging_arm.py").write_text(HANGING)
    monkeypatch.setenv("PYTHONPATH", str(package))
    rig = tmp_path / "hanging.toml"
    text = (ROOT / "rigs" / "twin-so101.toml").read_text()
    rig.write_text(text.replace('driver = "feetech-arm"', 'driver = "hanging-arm"'))
    ending, run = run_and(lambda _: None, plan_for(str(rig)), bench, tmp_path / "run")
    assert ending.outcome == "error"
    assert "hangs" in ending.reason
    assert run.rows("watchdog")[-1]["cause"] == "hung"
    assert_safe(run, bench)
    assert judge(run).outcome == "ERROR"


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
