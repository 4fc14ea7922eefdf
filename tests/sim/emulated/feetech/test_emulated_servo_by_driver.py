"""The real arm driver on the twin's bus: the path that a run takes, byte for byte."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from drivers.feetech.arm import FeetechArm, build
from hil.clock import Deadline, WallClock
from hil.contracts import BenchContext, DeviceSpec
from hil.errors import HilError
from sim.twin.launch import ProcessTwin
from sim.twin.scene import PlantScene

Within = Callable[[float], Deadline]


@pytest.fixture
def make_arm(running_twin: ProcessTwin, clock: WallClock) -> Callable[[], FeetechArm]:
    spec = DeviceSpec(
        "arm",
        "feetech-arm",
        running_twin.ports["servo-bus"],
        {"model": "so101", "baud": 1_000_000},
        Path(),
    )

    def make() -> FeetechArm:
        device = build(spec, BenchContext(clock))
        assert isinstance(device, FeetechArm)
        return device

    return make


@pytest.fixture
def arm(make_arm: Callable[[], FeetechArm], within: Within) -> Iterator[FeetechArm]:
    device = make_arm()
    device.open(within(5))
    yield device
    proof = device.make_safe(within(5))
    device.close()
    assert proof.safe


def reached(arm: FeetechArm, target: np.ndarray, within: Within, tolerance: float) -> bool:
    give_up = time.monotonic() + 10
    while time.monotonic() < give_up:
        position = arm.read(within(1)).position
        if np.nanmax(np.abs(position - target)) < tolerance:
            return True
        time.sleep(0.02)
    return False


def test_open_enable_move_and_make_safe(arm: FeetechArm, within: Within) -> None:
    assert arm.identity(within(5)).detail
    before = arm.read(within(1))
    assert before.present.all()
    arm.enable(within(5))
    held = arm.read(within(1))
    np.testing.assert_allclose(held.position, before.position, atol=0.02)
    target = held.position + np.array([0.3, 0.0, 0.0, -0.2, 0.4, 0.3])
    applied = arm.command(target, within(1))
    assert np.max(np.abs(applied - target)) < 0.002
    assert reached(arm, applied, within, 0.06)
    proof = arm.make_safe(within(5))
    assert proof.safe


def test_a_silent_servo_is_absent_and_the_others_are_not(
    arm: FeetechArm, scene: PlantScene, within: Within
) -> None:
    scene.fault(within(5), silent=[3])
    sample = arm.read(within(0.2))
    assert sample.present.tolist() == [True, True, False, True, True, True]
    scene.fault(within(5))
    assert arm.read(within(1)).present.all()


def test_a_corrupted_answer_is_absent_once(
    arm: FeetechArm, scene: PlantScene, within: Within
) -> None:
    scene.fault(within(5), corrupt={5: 1})
    assert arm.read(within(0.2)).present.tolist() == [True, True, True, True, False, True]
    assert arm.read(within(1)).present.all()


def test_a_late_answer_is_not_taken_for_the_next_one(
    arm: FeetechArm, scene: PlantScene, within: Within
) -> None:
    scene.fault(within(5), delay_us={6: 500_000})
    assert arm.read(within(0.2)).present.tolist() == [True] * 5 + [False]
    scene.fault(within(5))
    time.sleep(0.5)
    assert arm.read(within(1)).present.all()


def test_a_servo_that_cannot_be_read_back_is_not_safe(
    arm: FeetechArm, scene: PlantScene, within: Within
) -> None:
    scene.fault(within(5), silent=[2])
    assert not arm.make_safe(within(1)).safe
    scene.fault(within(5))
    assert arm.make_safe(within(5)).safe


def test_a_missing_servo_refuses_the_arm(
    make_arm: Callable[[], FeetechArm], scene: PlantScene, within: Within
) -> None:
    scene.fault(within(5), silent=[1, 4])
    device = make_arm()
    with pytest.raises(HilError) as caught:
        device.open(within(5))
    device.close()
    assert "1" in caught.value.message
    assert "4" in caught.value.message


def test_overload_shows_in_the_health_of_the_arm(
    arm: FeetechArm, scene: PlantScene, within: Within
) -> None:
    assert all(finding.ok for finding in arm.health(within(5)))
    scene.fault(within(5), errors={4: 32})
    assert not all(finding.ok for finding in arm.health(within(5)))
