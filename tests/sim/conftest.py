"""One running twin for the tests that need processes, and a way to reach it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hil.clock import Deadline, WallClock
from hil.contracts import BenchContext, DeviceSpec
from rigs.schema import Twin
from sim.twin.launch import ProcessTwin, start
from sim.twin.scene import PlantScene, build

TWIN = {
    "plant": "so101",
    "ports": {
        "servo-bus": {"emulator": "sts3215-bus", "joints": "so101", "baud": 1_000_000},
        "scene": {"emulator": "scene"},
    },
}


@pytest.fixture
def clock() -> WallClock:
    return WallClock()


@pytest.fixture
def within(clock: WallClock) -> Callable[[float], Deadline]:
    return lambda seconds: Deadline.after_s(clock, seconds)


@pytest.fixture(scope="module")
def running_twin() -> Iterator[ProcessTwin]:
    """Host process with servo bus and scene link, on the real physics."""
    with start(Twin.model_validate(TWIN), Path(), Deadline.after_s(WallClock(), 30)) as running:
        yield running


@pytest.fixture
def scene(
    running_twin: ProcessTwin, clock: WallClock, within: Callable[[float], Deadline]
) -> Iterator[PlantScene]:
    """Scene device of the running twin; leaves the bus without faults."""
    spec = DeviceSpec("scene", "plant-scene", running_twin.ports["scene"], {}, Path())
    device = build(spec, BenchContext(clock))
    device.open(within(5))
    yield device
    device.fault(within(5))
    device.close()
