"""The loop of the plant process, with plants that are slow, break or do not fit."""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from drivers.feetech.arm_table import load_arm
from hil.clock import Deadline, WallClock
from hil.contracts import BenchContext, DeviceSpec, FloatArray
from hil.errors import BadInput, HarnessError, LinkLost, RigError
from sim.twin.config import BusOptions, PlantConfig
from sim.twin.process import StopFlag, main, serve
from sim.twin.scene import PlantScene, build

Within = Callable[[float], Deadline]
NAMES = load_arm("so101").names


class Shaft:
    """A plant of free shafts that turn to their set-points at once; keeps what it was told."""

    step_s = 1e-3

    def __init__(
        self, names: tuple[str, ...] = NAMES, step_takes_s: float = 0.0, breaks_at: int = -1
    ) -> None:
        self.joint_names = names
        self.steps = 0
        self.scene: Mapping[str, object] = {}
        self._position = np.zeros(len(names))
        self._step_takes_s = step_takes_s
        self._breaks_at = breaks_at

    def joints(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        still = np.zeros(len(self.joint_names))
        return self._position, still, still

    def drive(
        self, target: FloatArray, torque_limit: FloatArray, enabled: NDArray[np.bool_]
    ) -> None:
        self._position = np.where(enabled, target, self._position)

    def step(self) -> None:
        self.steps += 1
        if self.steps == self._breaks_at:
            raise HarnessError("a shaft flew off")
        if self._step_takes_s:
            time.sleep(self._step_takes_s)

    def arrange(self, scene: Mapping[str, object], joint_position: FloatArray | None) -> None:
        assert joint_position is None
        if "slow" in scene:
            time.sleep(0.2)
        self.scene = scene

    def track(self) -> dict[str, FloatArray]:
        return {"knob": np.array([0.1, 0.2])}

    def witness(self) -> dict[str, float]:
        return {"steps": float(self.steps)}

    def picture(self) -> NDArray[np.uint8]:
        return np.zeros((2, 2, 3), np.uint8)

    def close(self) -> None:
        """Nothing is held."""


CONFIG = PlantConfig(
    plant="shaft",
    step_hz=1000,
    bus_port="bus",
    bus=BusOptions(joints="so101"),
    scene_port="scene",
)


@contextmanager
def served(plant: Shaft) -> Iterator[tuple[dict[str, str], threading.Thread, list[Exception]]]:
    """Run the loop in a thread of its own; what it raised is in the list at the end."""
    ports: dict[str, str] = {}
    ready = threading.Event()
    raised: list[Exception] = []
    stop = StopFlag()

    def announce(found: Mapping[str, str]) -> None:
        ports.update(found)
        ready.set()

    def run() -> None:
        try:
            serve(plant, CONFIG, announce, stop, None)
        except HarnessError as error:
            raised.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        assert ready.wait(10)
        yield ports, thread, raised
    finally:
        stop.set()
        thread.join(10)
        assert not thread.is_alive()


def connect(address: str, clock: WallClock, within: Within) -> PlantScene:
    scene = build(DeviceSpec("scene", "plant-scene", address, {}, Path()), BenchContext(clock))
    scene.open(within(5))
    return scene


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
        serve(Shaft(names=("wheel",)), CONFIG, lambda _: None, StopFlag(), None)


def test_a_folder_that_cannot_hold_a_socket_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = tmp_path / ("x" * 120)
    deep.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(deep))
    with pytest.raises(RigError, match="no socket at") as caught:
        serve(Shaft(), CONFIG, lambda _: None, StopFlag(), None)
    assert "TMPDIR" in str(caught.value)
    assert list(deep.iterdir()) == []


@pytest.mark.parametrize("arguments", [[], ["{}"], ["nonsense"], ["{}", "{}"]])
def test_the_program_refuses_what_is_no_configuration(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    assert "CONFIG" in capsys.readouterr().err
