"""What a run leaves behind when all goes well, and when it does not."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import numpy as np
import pytest
from benches import fake_bench, fake_plan
from fakes import FakeArm, FakeScene, FakeTerminal

from hil.clock import Deadline
from hil.errors import CapabilityMissing, UnsafeExit
from hil.record.format import TickFlag
from hil.record.reader import Run, open_run
from hil.rig import Bench
from hil.run.campaign import Ending, Silent, run_campaign, run_on_bench
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
    monkeypatch.setattr("hil.run.campaign.build_bench", lambda *_: bench)
    parts(bench)[0].refuses_safety = True
    ending = run_campaign(fake_plan(bench), tmp_path / "run", Silent(), StopRequest())
    assert ending.outcome == "error"
    assert isinstance(ending.error, UnsafeExit)
    assert [row["safe"] for row in open_run(tmp_path / "run").rows("safe")] == [False, True, True]


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
