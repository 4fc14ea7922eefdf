"""The host's loop in a thread of the test's own process, with a plant that does as it is told."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from drivers.feetech.arm_table import load_arm
from hil.clock import Deadline, WallClock
from hil.contracts import BenchContext, DeviceSpec, FloatArray
from hil.errors import HarnessError
from sim.emulated.feetech.bus import BusOptions
from sim.emulated.feetech.bus import build as build_bus
from sim.twin.config import HostConfig, HostedPort
from sim.twin.emulator import Emulator
from sim.twin.host import StopFlag, serve
from sim.twin.scene import PlantScene, build

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


CONFIG = HostConfig(
    plant="shaft",
    ports=(HostedPort(name="bus", emulator="sts3215-bus"),),
    scene_port="scene",
)


def bus() -> dict[str, Emulator]:
    """The emulators of `CONFIG`."""
    return {"bus": build_bus(BusOptions(joints="so101"))}


@contextmanager
def served(
    plant: Shaft | None,
    config: HostConfig = CONFIG,
    emulators: Mapping[str, Emulator] | None = None,
) -> Iterator[tuple[dict[str, str], threading.Thread, list[Exception]]]:
    """Run the loop in a thread of its own; what it raised is in the list at the end."""
    ports: dict[str, str] = {}
    ready = threading.Event()
    raised: list[Exception] = []
    stop = StopFlag()
    hosted = bus() if emulators is None else emulators

    def announce(found: Mapping[str, str]) -> None:
        ports.update(found)
        ready.set()

    def run() -> None:
        try:
            serve(plant, config, hosted, announce, stop, None)
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


def connect(address: str, clock: WallClock, within: Callable[[float], Deadline]) -> PlantScene:
    """A scene link that is open."""
    scene = build(DeviceSpec("scene", "plant-scene", address, {}, Path()), BenchContext(clock))
    scene.open(within(5))
    return scene
