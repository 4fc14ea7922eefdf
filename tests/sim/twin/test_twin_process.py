"""The loop of the host process, with plants that are slow, break or do not fit."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hosting import CONFIG, Shaft, bus, connect, served

from hil.clock import Deadline, WallClock
from hil.errors import BadInput, LinkLost, RigError
from sim.twin.host import StopFlag, serve
from sim.twin.process import main

Within = Callable[[float], Deadline]


def test_a_plant_slower_than_its_clock_is_reported(clock: WallClock, within: Within) -> None:
    with served(Shaft(step_takes_s=3e-3)) as (ports, _, _):
        scene = connect(ports["scene"], clock, within)
        time.sleep(0.3)
        status = scene.status(within(5))
        finding = {finding.name: finding for finding in scene.health(within(5))}["pace"]
        scene.close()
    assert status["overruns"] > 0
    assert status["skipped_steps"] > 50
    assert not finding.ok
    assert finding.remedy


def test_a_slow_arrangement_is_a_stall_and_no_overrun(clock: WallClock, within: Within) -> None:
    plant = Shaft()
    with served(plant) as (ports, _, _):
        scene = connect(ports["scene"], clock, within)
        scene.arrange({"slow": True}, within(5))
        status = scene.status(within(5))
        scene.close()
    assert plant.scene == {"slow": True}
    assert status["stalls"] >= 1
    assert status["stalled_steps"] >= 150
    assert status["skipped_steps"] < 50


def test_a_plant_that_breaks_ends_the_process_and_leaves_nothing(
    clock: WallClock, within: Within
) -> None:
    with served(Shaft(breaks_at=100)) as (ports, thread, raised):
        folder = Path(ports["scene"]).parent
        scene = connect(ports["scene"], clock, within)
        thread.join(10)
        with pytest.raises(LinkLost):
            scene.witness(within(5))
        scene.close()
    assert [str(error) for error in raised] == ["a shaft flew off"]
    assert not folder.exists()
    assert not Path(ports["bus"]).exists()


def test_arm_and_plant_must_have_the_same_joints() -> None:
    with pytest.raises(BadInput, match="the plant has wheel"):
        serve(Shaft(names=("wheel",)), CONFIG, bus(), lambda _: None, StopFlag(), None)


def test_a_folder_that_cannot_hold_a_socket_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = tmp_path / ("x" * 120)
    deep.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(deep))
    with pytest.raises(RigError, match="no socket at") as caught:
        serve(Shaft(), CONFIG, bus(), lambda _: None, StopFlag(), None)
    assert "TMPDIR" in str(caught.value)
    assert list(deep.iterdir()) == []


@pytest.mark.parametrize("arguments", [[], ["{}"], ["nonsense"], ["{}", "{}"]])
def test_the_program_refuses_what_is_no_configuration(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    assert "CONFIG" in capsys.readouterr().err
