"""The emulated STS3215 bus driven by rustypot, which shares no code with it."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pytest
import rustypot
from pump import Pump, pumped

from sim.emulated.feetech.bus import BusOptions, build

IDS = [1, 2, 3, 4, 5, 6]
STEP = 2 * math.pi / 4096


@pytest.fixture
def line() -> Iterator[Pump]:
    pump = pumped(build(BusOptions(joints="so101")))
    with pump:
        yield pump


@pytest.fixture
def servos(line: Pump) -> Iterator[rustypot.Sts3215PyController]:
    client = rustypot.Sts3215PyController(line.path, 1_000_000, 0.1)
    yield client
    client.close()


def test_six_servos_are_read_and_written_together(servos: rustypot.Sts3215PyController) -> None:
    assert servos.sync_read_model_number(IDS) == [777] * 6
    servos.sync_write_torque_enable(IDS, [True] * 6)
    servos.sync_write_raw_goal_position(IDS, [2100 + servo for servo in IDS])
    assert servos.sync_read_raw_goal_position(IDS) == [2100 + servo for servo in IDS]

    def arrived() -> bool:
        found = servos.sync_read_raw_present_position(IDS)
        return all(abs(at - 2100 - servo) < 3 for servo, at in zip(IDS, found, strict=True))

    assert any(arrived() for _ in range(5_000))


def test_signs_are_read_alike(line: Pump) -> None:
    kinds = {1: rustypot.Sts3215PyController.definition()}
    with rustypot.Bus(line.path, 1_000_000, 0.1, kinds) as bus:
        bus.write_register(1, "homing_offset", -200)
        assert bus.read_register(1, "homing_offset") == -200
        assert bus.read_register(1, "present_position") == 2248
        bus.write_register(1, "goal_position", -100)
        assert bus.read_register(1, "goal_position") == -100


def test_bus_of_definitions_sees_the_same(line: Pump) -> None:
    kinds = dict.fromkeys(IDS, rustypot.Sts3215PyController.definition())
    with rustypot.Bus(line.path, 1_000_000, 0.1, kinds) as bus:
        assert bus.sync_read_register(IDS, "present_position") == [2048] * 6
        assert bus.set_torque(IDS, True) == {}
        line.control({"faults": {"errors": {"3": 32}}})
        assert bus.read_register_with_error(3, "present_position")[1] == 32
        line.control({"faults": {"silent": [2]}})
        with pytest.raises(RuntimeError):
            bus.sync_read_register(IDS, "present_position")
