"""Several episodes at once on a simulated rig: the record is that of one at a time, whatever
happens to the processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from conftest import PATIENCE_S, Hil
from disks import small_disk

from hil.canonical import canonical_json, sha256_bytes
from hil.catalogue import load_rig
from hil.judge.verdict import judge
from hil.plan.freeze import Plan, freeze, single
from hil.record.reader import Run, open_run
from hil.run.campaign import Ending, Silent, run_campaign
from hil.run.episode import Attempt
from hil.safety import StopRequest

SCENARIO = "care-light-switch-press"
ROOT = Path(__file__).parents[2]

VENDOR = """
import os
import signal
import time

from hil.canonical import canonical_json, sha256_bytes
from hil.errors import RigError
from sim.devices import build_scene


def build(spec, context):
    scene = build_scene(spec, context)
    arrange = scene.arrange

    def hurt(draw, deadline):
        if sha256_bytes(canonical_json(dict(draw))) == "{draw}":
            {harm}
        arrange(draw, deadline)

    scene.arrange = hurt
    return scene
"""


def plan_for(rig_name: str = "sim-so101", episodes: int = 6) -> Plan:
    rig, path = load_rig(rig_name)
    return freeze(single(SCENARIO, episodes), "0" * 64, rig, path, 3, "expert")


@pytest.fixture
def vendor_rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[int, str], str]:
    """A simulated rig with a scene from a package of its own, which does `harm` when it is to
    be arranged for the episode of this number."""

    def make(number: int, harm: str) -> str:
        plan = plan_for()
        planned = plan.scenarios[SCENARIO]
        rng = np.random.default_rng(plan.episodes[number - 1].seed)
        draw = sha256_bytes(canonical_json(dict(planned.task.draw(planned.parameters, rng))))
        package = tmp_path / "package"
        facts = package / "vendor_scene-1.dist-info"
        facts.mkdir(parents=True)
        (facts / "METADATA").write_text("Name: vendor-scene\nVersion: 1\n")
        (facts / "entry_points.txt").write_text(
            "[hil.drivers]\nvendor-scene = vendor_scene:build\n"
        )
        (package / "vendor_scene.py").write_text(VENDOR.format(draw=draw, harm=harm))
        monkeypatch.syspath_prepend(package)
        monkeypatch.setenv("PYTHONPATH", str(package))
        monkeypatch.delitem(sys.modules, "vendor_scene", raising=False)
        rig = tmp_path / "vendor.toml"
        text = (ROOT / "rigs" / "sim-so101.toml").read_text()
        assert 'driver = "sim-scene"' in text
        rig.write_text(text.replace('driver = "sim-scene"', 'driver = "vendor-scene"'))
        return str(rig)

    return make


class Watcher(Silent):
    """Calls `harm` once, when an attempt has been written down."""

    def __init__(self, harm: Callable[[], None]) -> None:
        self._harm: Callable[[], None] | None = harm
        self.most = 0

    def attempt(self, attempt: Attempt) -> None:
        harm, self._harm = self._harm, None
        if harm is not None:
            harm()

    def at_work(self, count: int) -> None:
        self.most = max(self.most, count)


def run(
    plan: Plan,
    folder: Path,
    jobs: int,
    observer: Silent | None = None,
    stop: StopRequest | None = None,
) -> tuple[Ending, Run]:
    ending = run_campaign(plan, folder, observer or Silent(), stop or StopRequest(), jobs)
    assert not workers(), "no process is left"
    return ending, open_run(folder)


def workers(pid: int | str = "self") -> list[int]:
    """Processes of a pool among the children of a process."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    children = [int(one) for task in tasks for one in (task / "children").read_text().split()]
    return [one for one in children if b"pool_worker" in Path(f"/proc/{one}/cmdline").read_bytes()]


def ends(record: Run) -> dict[str, str]:
    return {row["episode"]: row["end"] for row in record.rows("attempt")}


def test_one_record_at_any_number_of_jobs(simulated: Path, hil: Hil, tmp_path: Path) -> None:
    """Both kinds of job, two models; with three processes on fewer cores they also overtake
    each other."""
    for jobs in (2, 3):
        done = hil("certify", "--rig", "sim-so101", "--jobs", jobs, "--out", tmp_path / str(jobs))
        assert done.returncode == 0, done.stdout + done.stderr
        assert f"{jobs} at work" in done.stderr
        names = {p.relative_to(simulated).as_posix() for p in simulated.rglob("*") if p.is_file()}
        assert names == {
            p.relative_to(tmp_path / str(jobs)).as_posix()
            for p in (tmp_path / str(jobs)).rglob("*")
            if p.is_file()
        }
    records = [open_run(folder) for folder in (simulated, tmp_path / "2", tmp_path / "3")]
    assert len({record.record_sha256 for record in records}) == 1
    assert len({(record.folder / "ledger.jsonl").read_bytes() for record in records}) == 1
    assert hil("verify", tmp_path / "3").returncode == 0


def test_an_episode_alone_is_that_of_a_long_run(tmp_path: Path) -> None:
    """Seeds hang on scenario and number, so that a longer run begins as a shorter one."""
    runs = [run(plan_for(episodes=n), tmp_path / str(n), jobs=1)[1] for n in (1, 4)]
    files = [record.rows("attempt")[0]["files"] for record in runs]
    assert files[0] == files[1]
    clocks = [runs[1].episode(f"{n:04d}").ticks["scheduled_ns"][0] for n in (1, 2, 3, 4)]
    assert max(clocks) < 10**10, "each episode's clock begins with it"


def test_an_error_of_the_simulated_rig_ends_the_record_alike_at_any_number_of_jobs(
    vendor_rig: Callable[[int, str], str], tmp_path: Path
) -> None:
    """Others may have run episodes beyond it: they are no part of a run in order."""
    rig = vendor_rig(3, 'raise RigError("the fixture is stuck")')
    found = [run(plan_for(rig), tmp_path / str(jobs), jobs) for jobs in (1, 2, 3)]
    for ending, record in found:
        assert (ending.outcome, record.end["outcome"]) == ("error", "error")
        assert "the fixture is stuck" in ending.reason
        assert ends(record) == {"0001": "completed", "0002": "completed", "0003": "error"}
        assert all(row["safe"] for row in record.rows("safe"))
        assert judge(record).outcome == "ERROR"
    assert len({record.record_sha256 for _, record in found}) == 1


def test_a_worker_that_raises_ends_the_run_as_one_at_a_time_does(
    vendor_rig: Callable[[int, str], str], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    rig = vendor_rig(2, "1 / 0")
    found = [run(plan_for(rig), tmp_path / str(jobs), jobs) for jobs in (1, 2)]
    for ending, record in found:
        assert ending.error is not None
        assert ending.error.exit_code == 4
        assert "ZeroDivisionError: division by zero" in record.end["reason"]
        assert ends(record) == {"0001": "completed"}
    assert found[0][1].record_sha256 == found[1][1].record_sha256
    assert capfd.readouterr().err.count("ZeroDivisionError: division by zero") == 2


def test_a_worker_that_is_killed_leaves_everything_else_on_the_record(tmp_path: Path) -> None:
    def harm() -> None:
        os.kill(workers()[0], signal.SIGKILL)

    watcher = Watcher(harm)
    ending, record = run(plan_for(episodes=200), tmp_path / "run", 2, watcher)
    assert (ending.outcome, record.end["outcome"]) == ("error", "error")
    assert "was killed by SIGKILL" in ending.reason
    assert ending.error is not None
    assert ending.error.exit_code == 4
    found = ends(record)
    assert 2 <= len(found) < 200
    assert list(found) == [f"{n:04d}" for n in range(1, len(found) + 1)], "in order, without a gap"
    (cut,) = [name for name, end in found.items() if end == "error"]
    assert cut in ending.reason
    assert record.episode(cut).draw, "what it was to be is known"
    assert set(found.values()) <= {"completed", "error", "interrupted"}
    assert judge(record).outcome == "ERROR"
    assert watcher.most == 2


def test_the_ticks_of_a_killed_worker_are_on_the_record(
    vendor_rig: Callable[[int, str], str], tmp_path: Path
) -> None:
    """It kills itself in the middle of an episode's loop."""
    end = "os.kill(os.getpid(), signal.SIGKILL)"
    harm = (
        "witness, looks = scene.witness, iter(range(11)); "
        f"scene.witness = lambda soon: witness(soon) if next(looks) < 10 else {end}"
    )
    rig = vendor_rig(2, harm)
    ending, record = run(plan_for(rig), tmp_path / "run", 2)
    assert "episode 0002 was killed by SIGKILL" in ending.reason
    ticks = record.episode("0002").ticks
    assert len(ticks) == 8, "of nine, the last may have been cut in half"
    assert (ticks["done_ns"] > ticks["woke_ns"]).all()


def test_a_worker_killed_before_its_first_tick_leaves_no_tick_of_another_episode(
    vendor_rig: Callable[[int, str], str], tmp_path: Path
) -> None:
    rig = vendor_rig(3, "os.kill(os.getpid(), signal.SIGKILL)")
    ending, record = run(plan_for(rig), tmp_path / "run", 2)
    assert "episode 0003 was killed by SIGKILL" in ending.reason
    assert len(record.episode("0003").ticks) == 0


def test_a_worker_that_hangs_is_killed_once_the_run_is_to_end(
    vendor_rig: Callable[[int, str], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hil.run.pool._STOP_WITHIN_S", 1.0)
    rig, stop = vendor_rig(2, "time.sleep(3600)"), StopRequest()
    watcher = Watcher(lambda: stop.request("SIGINT"))
    ending, record = run(plan_for(rig), tmp_path / "run", 2, watcher, stop)
    assert ending.outcome == "error"
    assert "episode 0002 did not end within 1 s and was killed" in ending.reason
    assert ends(record)["0001"] == "completed"
    assert ends(record)["0002"] == "error"
    assert "error" not in list(ends(record).values())[2:]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_run_between_two_ticks(
    environment: dict[str, str], tmp_path: Path, number: signal.Signals
) -> None:
    """Sent to the whole group, as a terminal's Ctrl-C and the end of a session are."""
    folder = tmp_path / "run"
    command = [sys.executable, "-P", "-m", "hil.cli.main", "run", SCENARIO, "--rig", "sim-so101"]
    with subprocess.Popen(
        [*command, "-n", "2000", "--jobs", "2", "--out", str(folder)],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as harness:
        ledger = folder / "ledger.jsonl"
        _wait(lambda: ledger.exists() and ledger.read_bytes().count(b'"row":"attempt"') >= 3)
        at_work = workers(harness.pid)
        assert len(at_work) == 2
        os.killpg(harness.pid, number)
        for one in at_work if number == signal.SIGTERM else []:
            os.kill(one, number)
        _, said = harness.communicate(timeout=PATIENCE_S)
    assert harness.returncode == 4, said
    assert f"interrupted by {number.name}" in said
    assert "Traceback" not in said
    record = open_run(folder)
    assert (record.end["outcome"], record.end["reason"]) == ("interrupted", number.name)
    found = ends(record)
    assert list(found) == [f"{n:04d}" for n in range(1, len(found) + 1)]
    whole = [end for end in found.values() if end == "completed"]
    assert len(whole) >= 3
    assert set(found.values()) <= {"completed", "interrupted"}
    assert list(found.values()).count("interrupted") <= 2, "those that were under way"
    assert all(row["safe"] for row in record.rows("safe"))


def test_workers_end_when_the_harness_is_killed(
    environment: dict[str, str], tmp_path: Path
) -> None:
    command = [sys.executable, "-P", "-m", "hil.cli.main", "run", SCENARIO, "--rig", "sim-so101"]
    with subprocess.Popen(
        [*command, "-n", "2000", "--jobs", "2", "--out", str(tmp_path / "run")],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as harness:
        _wait(lambda: len(workers(harness.pid)) == 2)
        at_work = workers(harness.pid)
        harness.kill()
    _wait(lambda: all(_gone(one) for one in at_work))


def test_a_full_disk(hil: Hil, tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 600 * 1024) as disk:
        done = hil(
            *("run", SCENARIO, "--rig", "sim-so101", "--policy", "expert", "--jobs", 2),
            *("-n", 200, "--out", disk / "run"),
        )
        assert done.returncode == 4, done.stdout + done.stderr
        assert "No space left on device" in done.stderr
        record = open_run(disk / "run")
        kept = len(record.rows("attempt"))
        assert 1 <= kept < 200
        assert [row["episode"] for row in record.rows("unrecorded")] == [f"{kept + 1:04d}"]
        assert record.end["outcome"] == "error"
        assert {row["role"] for row in record.rows("safe")} == {"arm", "terminal", "scene"}


@pytest.mark.parametrize("verb", [("run", SCENARIO), ("certify",)])
def test_devices_that_are_there_once_are_refused_before_anything_moves(
    hil: Hil, tmp_path: Path, verb: tuple[str, ...]
) -> None:
    done = hil(*verb, "--rig", "twin-so101", "--jobs", 2, "--out", tmp_path / "run")
    assert done.returncode == 2
    assert "kind 'twin'" in done.stderr
    assert "leave --jobs out" in done.stderr
    assert not (tmp_path / "run").exists()


def test_a_rig_that_lacks_something_is_refused_before_the_record_is_begun(
    hil: Hil, tmp_path: Path
) -> None:
    text = (ROOT / "rigs" / "sim-so101.toml").read_text()
    rig = tmp_path / "lacking.toml"
    rig.write_text(text.replace('role = "scene"', 'role = "stage"'))
    for jobs in (1, 2):
        done = hil("run", SCENARIO, "--rig", rig, "--jobs", jobs, "--out", tmp_path / "run")
        assert done.returncode == 2, done.stderr
        assert "scene: scene" in done.stderr
        assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("scenario", [SCENARIO, "mfg-gauge-reading-glasses"])
def test_chance_is_a_policy_of_its_own_on_the_record(
    hil: Hil, tmp_path: Path, scenario: str
) -> None:
    for jobs in (1, 2):
        hil(
            *("run", scenario, "--rig", "sim-so101", "--policy", "random", "-n", 4),
            *("--jobs", jobs, "--out", tmp_path / str(jobs)),
        )
    first, second = (open_run(tmp_path / name) for name in ("1", "2"))
    assert first.record_sha256 == second.record_sha256
    assert first.plan["policy"] == "random"
    assert not first.rows("model"), "no network was asked for"
    verdict = json.loads((first.folder / "verdict.json").read_text())
    assert verdict["policy"] == "random"
    assert any("the random policy" in text for text in verdict["not_said"])
    assert verdict["scenarios"][0]["successes"] == 0
    assert "the random policy" in (first.folder / "report.html").read_text()


def _wait(until: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not until():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def _gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True
