"""Faults on the emulated bus while the arm is at work, with the real driver in between."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from hil.catalogue import load_rig
from hil.clock import Deadline
from hil.errors import UnsafeExit
from hil.judge.verdict import judge
from hil.plan.freeze import freeze, single
from hil.record.format import TickFlag
from hil.record.reader import Run, open_run
from hil.rig import Bench, build_bench
from hil.run.campaign import run_on_bench
from sim.twin.scene import PlantScene

SCENARIO = "care-light-switch-press"
ELBOW, ELBOW_ID = 2, 3


def run_with(
    folder: Path, monkeypatch: pytest.MonkeyPatch, act: Callable[[int, PlantScene, Deadline], None]
) -> Run:
    """One episode on the twin; `act` is called after every tick with the count of ticks."""
    rig, path = load_rig("twin-so101")
    with build_bench(rig, path) as bench:
        bench.open()
        scene = bench.devices["scene"]
        assert isinstance(scene, PlantScene)
        witness, ticks = scene.witness, iter(range(-1, 10**6))  # the first call is no tick

        def spied(deadline: Deadline) -> object:
            act(next(ticks), scene, deadline)
            return witness(deadline)

        monkeypatch.setattr(scene, "witness", spied)
        _run(bench, folder)
    return open_run(folder)


def _run(bench: Bench, folder: Path) -> None:
    plan = freeze(single(SCENARIO, 1), "0" * 64, bench.rig, bench.path, seed=5)
    run_on_bench(plan, bench, folder)


def test_a_short_silence_is_bridged_and_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def act(tick: int, scene: PlantScene, deadline: Deadline) -> None:
        if tick in (10, 12):
            scene.fault(deadline, silent=[ELBOW_ID] if tick == 10 else [])

    run = run_with(tmp_path / "run", monkeypatch, act)
    episode = run.episode("0001")
    assert episode.meta["end"] == "completed"
    position = episode.channels["joints.position"]
    lost = np.isnan(position.value)
    planted = lost[11:13]
    assert planted[:, ELBOW].all()
    assert not planted.all(), "the others went on answering"
    assert (episode.ticks["flags"][lost[:, ELBOW]] & TickFlag.STALE_INPUT).all()
    # one silent servo costs its stage's deadline and no more
    assert episode.ticks["skipped"][11:13].sum() <= 1
    counted = next(event["counts"] for event in episode.events if event["event"] == "counters")
    assert counted["lost_answers.elbow_flex"] >= 2
    # a busy host may cut other reads short too: then the verdict counts those as well
    assert judge(run).scenarios[0].lost["elbow_flex"] == lost[:, ELBOW].sum()


def test_a_servo_that_stays_silent_ends_the_episode_as_the_arm_s_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def act(tick: int, scene: PlantScene, deadline: Deadline) -> None:
        if tick == 10:
            scene.fault(deadline, silent=[ELBOW_ID])

    with pytest.raises(UnsafeExit, match=r"elbow_flex.*no answer"):
        run_with(tmp_path / "run", monkeypatch, act)
    run = open_run(tmp_path / "run")
    episode = run.episode("0001")
    assert episode.meta["end"] == "device-fault"
    assert "elbow_flex silent" in str(episode.meta["reason"])
    value = episode.channels["joints.position"].value
    assert np.isnan(value[12:, ELBOW]).all()
    others = np.delete(value, ELBOW, axis=1)
    assert not np.isnan(others[12:]).all(axis=0).any(), "the others went on answering"
    held = episode.ticks["flags"] & TickFlag.REPEATED_ACTION > 0
    applied = episode.channels["joints.applied"].value
    np.testing.assert_array_equal(
        applied[held], np.broadcast_to(applied[held][0], applied[held].shape)
    )
    arm = next(row for row in run.rows("safe") if row["role"] == "arm")
    assert not arm["safe"], "a servo that does not answer cannot be proved safe"
    assert judge(run).outcome == "ERROR"


def test_spoiled_answers_are_absent_and_never_values(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def act(tick: int, scene: PlantScene, deadline: Deadline) -> None:
        if tick == 10:
            scene.fault(deadline, corrupt={ELBOW_ID: 3})

    run = run_with(tmp_path / "run", monkeypatch, act)
    episode = run.episode("0001")
    assert episode.meta["end"] == "completed"
    lost = np.isnan(episode.channels["joints.position"].value)
    assert lost[11:14, ELBOW].all()
    assert not lost[11:14].all(axis=0)[np.arange(6) != ELBOW].any()
    counted = next(event["counts"] for event in episode.events if event["event"] == "counters")
    assert counted["checksum_errors"] >= 3
