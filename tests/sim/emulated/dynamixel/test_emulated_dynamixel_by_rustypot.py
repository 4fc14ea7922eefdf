"""The emulated bus driven by rustypot, an implementation in Rust that shares no code with it."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pytest
import rustypot
from pump import Pump, pumped

from sim.emulated.dynamixel.bus import BusOptions, build

HAND = list(range(16))
STEP = 2 * math.pi / 4096
TIMEOUT_S = 0.1
OLD = {"motors": [{"model": "ax-12a", "id": 1, "zero_count": 512}, {"model": "ax-12a", "id": 2}]}


@pytest.fixture
def hand() -> Iterator[Pump]:
    pump = pumped(build(BusOptions.model_validate({"robot": "leap", "baud": 1_000_000})))
    with pump:
        yield pump


@pytest.fixture
def motors(hand: Pump) -> Iterator[rustypot.Xl330PyController]:
    client = rustypot.Xl330PyController(hand.path, 1_000_000, TIMEOUT_S)
    yield client
    client.close()


def test_sixteen_motors_are_read_together(motors: rustypot.Xl330PyController) -> None:
    assert motors.sync_read_model_number(HAND) == [1240] * 16
    assert motors.sync_read_present_position(HAND) == pytest.approx([0.0] * 16, abs=STEP)


def test_sixteen_motors_are_written_together(motors: rustypot.Xl330PyController) -> None:
    motors.sync_write_torque_enable(HAND, [True] * 16)
    goals = [0.05 * (servo + 1) for servo in HAND]
    motors.sync_write_goal_position(HAND, goals)
    assert motors.sync_read_goal_position(HAND) == pytest.approx(goals, abs=STEP)

    def arrived() -> bool:
        found = motors.sync_read_present_position(HAND)
        return all(abs(a - b) < 2 * STEP for a, b in zip(found, goals, strict=True))

    assert any(arrived() for _ in range(5_000))


def test_pattern_of_the_header_goes_both_ways(motors: rustypot.Xl330PyController) -> None:
    """FF FF FD FF as a goal, which both sides have to stuff."""
    motors.sync_write_raw_goal_position([3, 4], [-131_073, 5])
    assert motors.sync_read_raw_goal_position([3, 4]) == [-131_073, 5]
    motors.write_raw_goal_position(5, -131_073)
    assert motors.read_raw_goal_position(5) in (-131_073, [-131_073])


def test_faults_are_errors_of_its_own(motors: rustypot.Xl330PyController, hand: Pump) -> None:
    hand.control({"faults": {"silent": [7]}})
    with pytest.raises(RuntimeError):
        motors.sync_read_present_position(HAND)
    hand.control({"faults": {"corrupt": {"7": 1}}})
    with pytest.raises(RuntimeError):
        motors.sync_read_present_position(HAND)
    assert motors.sync_read_present_position(HAND) == pytest.approx([0.0] * 16, abs=STEP)


def test_two_definitions_share_a_bus() -> None:
    with pumped(build(BusOptions.model_validate({"robot": "koch"}))) as path:
        kinds = {
            servo: (
                rustypot.Xl430PyController if servo < 3 else rustypot.Xl330PyController
            ).definition()
            for servo in range(1, 7)
        }
        with rustypot.Bus(path, 1_000_000, TIMEOUT_S, kinds) as bus:
            assert bus.sync_read_register(list(kinds), "present_position") == [2048] * 6
            assert bus.scan(kinds[1], [1, 2, 9]) == {1: 1060, 2: 1060}
            assert bus.set_torque(list(kinds), True) == {}
            value, error = bus.read_register_with_error(3, "torque_enable")
            assert (value, error) == (1, 0)


def test_protocol_1_motors_answer() -> None:
    with pumped(build(BusOptions.model_validate(OLD))) as path:
        client = rustypot.AxPyController(path, 1_000_000, TIMEOUT_S)
        definition = rustypot.AxPyController.definition()
        assert client.read_raw_present_position(1) in (512, [512])
        client.sync_write_raw_goal_position([1, 2], [530, 2040])
        client.write_raw_goal_position(1, 540)

        def arrived() -> bool:
            return client.read_raw_present_position(1) in (540, [540])

        assert any(arrived() for _ in range(5_000))
        client.close()
        with rustypot.Bus(path, 1_000_000, TIMEOUT_S, {1: definition}) as bus:
            assert bus.read_register(1, "model_number") == 12
