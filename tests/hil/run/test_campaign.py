"""What a run leaves behind when all goes well, and when it does not."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import cast

import numpy as np
import pytest
from benches import fake_bench, fake_plan
from fakes import FakeArm, FakeDevice, FakeScene, FakeTerminal

from hil.clock import NS_PER_S, Clock, Deadline
from hil.contracts import Capability, EmergencyStop, JointSample, SafeProof
from hil.errors import CapabilityMissing, HostError, LinkLost, UnsafeExit
from hil.record.format import TickFlag
from hil.record.reader import Run, open_run
from hil.record.writer import RunWriter
from hil.rig import Bench
from hil.run.campaign import Ending, Silent, run_campaign, run_on_bench
from hil.run.conditions import Clocks, Conditions
from hil.run.episode import run_episode
from hil.safety import StopRequest


def run(bench: Bench, folder: Path, **changes: object) -> tuple[Ending, Run]:
    bench.open()
    ending = run_on_bench(fake_plan(bench, **changes), bench, folder)  # type: ignore[arg-type]
    return ending, open_run(folder)


def ends(record: Run) -> list[str]:
    return [str(row["end"]) for row in record.rows("attempt")]


def parts(bench: Bench) -> tuple[FakeArm, FakeTerminal, FakeScene]:
    devices = bench.devices
    return (
        cast(FakeArm, devices["arm"]),
        cast(FakeTerminal, devices["terminal"]),
        cast(FakeScene, devices["scene"]),
    )


def test_every_planned_episode_is_run_once_and_the_rig_left_safe(tmp_path: Path) -> None:
    bench = fake_bench()
    ending, record = run(bench, tmp_path / "run")
    assert ending.outcome == "complete"
    assert ends(record) == ["completed"] * 3
    assert [row["row"] for row in record.ledger[-4:]] == ["safe", "safe", "safe", "end"]
    assert all(row["safe"] for row in record.rows("safe"))
    assert not parts(bench)[0].energised
    episode = record.episode("0002")
    assert episode.meta["reason"] == "finished"
    assert episode.channels["witness"].column("passed") is not None
    assert episode.channels["witness"].value[-1, 0] == 1


def test_desired_and_applied_are_both_on_the_record(tmp_path: Path) -> None:
    bench = fake_bench()
    parts(bench)[1].answer = np.array([[5.0, -5.0]], dtype=np.float32)
    _, record = run(bench, tmp_path / "run")
    episode = record.episode("0001")
    desired, applied = (episode.channels[f"joints.{n}"].value for n in ("desired", "applied"))
    assert (np.abs(desired - applied)[0] > 4).all()
    assert (episode.ticks["flags"] & TickFlag.LIMITED_ACTION).all()
    steps = np.abs(np.diff(applied, axis=0))
    assert steps.max() <= 5.0 * 0.02 + 1e-9, "the envelope's speed limit"


def test_equal_runs_have_equal_records(tmp_path: Path) -> None:
    digests = {run(fake_bench(), tmp_path / name)[1].record_sha256 for name in ("a", "b")}
    assert len(digests) == 1


def test_silent_joint_is_absent_then_replaced_then_ends_the_episode(tmp_path: Path) -> None:
    """Absent in the record; last known value while young enough; then the device's failure."""
    bench = fake_bench()
    arm, _, scene = parts(bench)
    original = scene.witness
    ticks = 0

    def witness(deadline: Deadline) -> object:
        nonlocal ticks
        ticks += 1
        if ticks == 4:
            arm.silent = {1}
        return original(deadline)

    scene.witness = witness  # type: ignore[method-assign, assignment]
    ending, record = run(bench, tmp_path / "run", episodes=1)
    assert ending.outcome == "complete", "a fault of the device does not end the run"
    assert ends(record) == ["device-fault"]
    episode = record.episode("0001")
    assert "elbow silent" in str(episode.meta["reason"])
    assert "base" not in str(episode.meta["reason"]).split("silent")[0]
    position = episode.channels["joints.position"]
    lost = np.isnan(position.value[:, 1])
    assert lost.any()
    assert not np.isnan(position.value[:, 0]).any(), "the other joint goes on"
    assert (position.value[lost, 0] != 0).any()
    assert (position.age_ns[lost, 1] > 0).all(), "the age says since when"
    flags = episode.ticks["flags"]
    stale = (flags & TickFlag.STALE_INPUT) > 0
    repeated = (flags & TickFlag.REPEATED_ACTION) > 0
    assert stale.any()
    assert repeated.any()
    assert not (stale & repeated).any()
    limit_ns = 45_000_000
    assert (position.age_ns[stale & lost, 1] <= limit_ns).all()
    assert (position.age_ns[repeated & lost, 1] > limit_ns).all()


def test_late_inference_repeats_the_last_target_within_the_tick(tmp_path: Path) -> None:
    bench = fake_bench()
    parts(bench)[1].infer_ns = 50_000_000
    _, record = run(bench, tmp_path / "run", episodes=1)
    assert ends(record) == ["device-fault"]
    episode = record.episode("0001")
    assert "no inference in time" in str(episode.meta["reason"])
    assert (episode.ticks["flags"] & TickFlag.NO_ANSWER).all()
    applied = episode.channels["joints.applied"].value
    np.testing.assert_array_equal(applied, np.zeros_like(applied))
    spent = episode.ticks["infer_ns"] - episode.ticks["sense_ns"]
    assert (spent <= 15_000_000).all(), "waited for no longer than the scenario's timeout"


def test_nan_from_the_network_is_no_action_and_stays_on_the_record(tmp_path: Path) -> None:
    bench = fake_bench()
    parts(bench)[1].answer = np.array([[np.nan, 0.0]], dtype=np.float32)
    _, record = run(bench, tmp_path / "run", episodes=1)
    episode = record.episode("0001")
    assert np.isnan(episode.channels["joints.desired"].value[:, 0]).all()
    assert not np.isnan(episode.channels["joints.applied"].value).any()


def test_lost_link_ends_the_run_as_error_with_everything_recorded(tmp_path: Path) -> None:
    bench = fake_bench()
    arm, _, scene = parts(bench)
    original = scene.arrange
    arranged = 0

    def arrange(draw: object, deadline: Deadline) -> None:
        nonlocal arranged
        arranged += 1
        arm.unplugged = arranged == 2
        original(draw, deadline)  # type: ignore[arg-type]

    scene.arrange = arrange  # type: ignore[method-assign, assignment]
    ending, record = run(bench, tmp_path / "run")
    assert ending.outcome == "error"
    assert "arm is gone" in ending.reason
    assert ends(record) == ["completed", "error"]
    proof = {row["role"]: row["safe"] for row in record.rows("safe")}
    assert proof == {"arm": False, "terminal": True, "scene": True}


def test_a_defect_of_the_harness_still_leaves_a_safe_rig_and_a_closed_record(
    tmp_path: Path,
) -> None:
    bench = fake_bench()

    def broken(deadline: Deadline) -> object:
        raise ZeroDivisionError("defect")

    parts(bench)[2].track = broken  # type: ignore[method-assign, assignment]
    with pytest.raises(ZeroDivisionError):
        run(bench, tmp_path / "run")
    record = open_run(tmp_path / "run")
    assert record.end["outcome"] == "error"
    assert not parts(bench)[0].energised


def test_a_rig_that_is_not_proved_safe_is_an_error_with_a_closed_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = fake_bench()
    monkeypatch.setattr("hil.run.trial.build_bench", lambda *_: bench)
    parts(bench)[0].refuses_safety = True
    ending = run_campaign(fake_plan(bench), tmp_path / "run", Silent(), StopRequest())
    assert ending.outcome == "error"
    assert isinstance(ending.error, UnsafeExit)
    assert [row["safe"] for row in open_run(tmp_path / "run").rows("safe")] == [False, True, True]


class FakeButton(FakeDevice):
    """An emergency stop that is pressed, or lost, at its n-th look."""

    capabilities = frozenset({Capability.EMERGENCY_STOP})

    def __init__(self, clock: Clock, at_look: int, lost: bool) -> None:
        super().__init__("button", clock)
        self.looks, self.at_look, self.lost = 0, at_look, lost

    def pressed(self, deadline: Deadline) -> bool:
        self.looks += 1
        if self.looks == self.at_look and self.lost:
            raise LinkLost("cable cut")
        return self.looks >= self.at_look


@pytest.mark.parametrize(("lost", "said"), [(False, "pressed"), (True, "cannot be read")])
def test_an_emergency_stop_ends_the_run_between_two_ticks(
    tmp_path: Path, lost: bool, said: str
) -> None:
    bench = fake_bench()
    button = FakeButton(bench.clock, at_look=8, lost=lost)
    assert isinstance(button, EmergencyStop)
    bench.devices = {**bench.devices, "button": button}
    ending, record = run(bench, tmp_path / "run")
    assert (ending.outcome, record.end["outcome"]) == ("interrupted", "interrupted")
    assert f"emergency stop button {said}" in ending.reason
    assert ends(record) == ["interrupted"]
    assert button.looks == 8, "one look a tick, and none after the answer"
    assert not parts(bench)[0].energised
    assert all(row["cause"] == ending.reason for row in record.rows("safe"))


def test_the_record_says_how_long_the_rig_took_to_be_safe_from_the_cause_on(
    tmp_path: Path,
) -> None:
    bench = fake_bench()
    arm, terminal, _ = parts(bench)
    safe = terminal.make_safe

    def slow(deadline: Deadline) -> SafeProof:
        bench.clock.sleep_until(bench.clock.now_ns() + 7_000_000)
        return safe(deadline)

    terminal.make_safe = slow  # type: ignore[method-assign]
    _, record = run(bench, tmp_path / "run", episodes=1)
    assert [row["from_cause_us"] for row in record.rows("safe")] == [0, 7000, 7000]
    row = record.rows("self-watch")[0]
    assert row["own_watchdog"] is False, "a device without a watchdog of its own says so"
    assert arm.calls.count("make_safe") == 1


def test_a_disk_that_is_full_ends_the_run_safely_with_what_was_kept_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = fake_bench()
    written: list[str] = []
    whole = RunWriter.append

    def full(self: RunWriter, row: dict[str, object]) -> None:
        if row["row"] == "attempt" and len(written) == 1:
            raise OSError(errno.ENOSPC, "No space left on device")
        written.extend([str(row["row"])] if row["row"] == "attempt" else [])
        whole(self, row)

    monkeypatch.setattr(RunWriter, "append", full)
    ending, record = run(bench, tmp_path / "run")
    assert ending.outcome == "error"
    assert isinstance(ending.error, HostError)
    assert "No space left" in ending.error.message
    assert ending.error.remedy
    assert ends(record) == ["completed"], "the attempt that did not get on disk is no part of it"
    assert [row["episode"] for row in record.rows("unrecorded")] == ["0002"]
    assert [path.name for path in (tmp_path / "run" / "episodes").iterdir()] == ["0001"]
    assert all(row["safe"] for row in record.rows("safe"))
    assert not parts(bench)[0].energised


def test_a_stop_on_the_way_to_the_start_pose_arranges_no_scene(tmp_path: Path) -> None:
    bench, stop = fake_bench(), StopRequest()
    bench.open()
    arm, terminal, scene = parts(bench)
    arm.enable(bench.deadline(1))
    arm.position = np.full(2, 1.5)
    read = arm.read

    def reading(deadline: Deadline) -> JointSample:
        if len(arm.calls) > 10:
            stop.request("SIGINT")
        return read(deadline)

    arm.read = reading  # type: ignore[method-assign]
    plan = fake_plan(bench)
    planned = plan.scenarios["reach"]
    terminal.load(planned.model, bench.deadline(1))
    attempt = run_episode(bench, planned, plan.episodes[0], "model", stop)
    assert (attempt.end, attempt.reason) == ("interrupted", "SIGINT")
    assert np.abs(arm.position).max() > 0.1, "it was on its way"
    assert "arrange" not in scene.calls


def test_a_row_cut_short_by_a_full_disk_is_taken_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = RunWriter(tmp_path / "run")
    writer.append({"row": "run"})

    def fails(_fd: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("os.fsync", fails)
        with pytest.raises(OSError, match="No space"):
            writer.append({"row": "lost"})
    writer.append({"row": "kept"})
    writer.close()
    assert (tmp_path / "run" / "ledger.jsonl").read_text() == '{"row":"run"}\n{"row":"kept"}\n'


def test_a_stepped_clock_voids_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    readings = iter([Clocks(0, 0, 0), Clocks(0, 0, 0), Clocks(0, 0, 3 * NS_PER_S)])
    conditions = Conditions(next(readings), lambda: next(readings))
    monkeypatch.setattr("hil.run.conduct.Conditions.of", lambda _clock: conditions)
    bench = fake_bench()
    ending, record = run(bench, tmp_path / "run")
    assert (ending.outcome, record.end["outcome"]) == ("void", "void")
    assert "the host's clock was set by +3 s" in ending.reason
    assert ends(record) == ["completed"] * 2
    assert not parts(bench)[0].energised


def test_missing_capability_is_refused_before_anything_moves(tmp_path: Path) -> None:
    bench = fake_bench()
    needs = {"arm": "joints", "hand": "joints", "scene": "inference"}
    with pytest.raises(CapabilityMissing, match="hand: joints, scene: inference"):
        run(bench, tmp_path / "run", needs=needs)
    assert "enable" not in parts(bench)[0].calls
    assert not (tmp_path / "run").exists()


def test_leaving_the_bench_closes_everything(tmp_path: Path) -> None:
    with fake_bench() as bench:
        bench.open()
        bench.joints("arm").enable(bench.deadline(1))
    arm = parts(bench)[0]
    assert (arm.is_open, arm.energised) == (False, False)
    assert arm.calls.count("make_safe") == 1
