"""A hand of emulated SCS0009 driven by rustypot, which shares no code with it.

Where it and the maker's documents differ, the emulated servo keeps to the maker's: the rates of
codes 5 to 7 of the baud register. What rustypot's controller calls raw are a register's two bytes
taken with the low one first, whatever the servo's order; its registers by name and its units are
in the servo's.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import pytest
import rustypot
from pump import Pump, pumped

from drivers.feetech.registers import load_table
from sim.emulated.feetech.bus import BusOptions, build

IDS = list(range(1, 9))
STEP = math.radians(300) / 1024
TIMEOUT_S = 0.5  # for a busy host


def swapped(value: int) -> int:
    """What rustypot calls the raw value of two bytes."""
    return int.from_bytes(value.to_bytes(2, "big"), "little", signed=True)


@pytest.fixture
def line() -> Iterator[Pump]:
    pump = pumped(build(BusOptions(joints="amazing_hand")))
    with pump:
        yield pump


@pytest.fixture
def servos(line: Pump) -> Iterator[rustypot.Scs0009PyController]:
    client = rustypot.Scs0009PyController(line.path, 1_000_000, TIMEOUT_S)
    yield client
    client.close()


def test_it_finds_them_one_by_one_and_knows_no_other_way(
    servos: rustypot.Scs0009PyController,
) -> None:
    assert any(servos.scan(list(range(20))) == dict.fromkeys(IDS, 1284) for _ in range(20))
    with pytest.raises(ValueError, match="broadcast"):
        servos.broadcast_scan()


def test_a_hand_is_moved_and_read(servos: rustypot.Scs0009PyController) -> None:
    """As the hand's public software does it: speed and goal to each, torque to none."""
    goals = {servo: (0.5 if servo % 2 else -0.5) for servo in IDS}
    assert not any(servos.read_torque_enable(servo)[0] for servo in IDS)
    for servo, goal in goals.items():
        servos.write_goal_speed(servo, 7)
        servos.write_goal_position(servo, goal)

    def arrived() -> bool:
        found = [servos.read_present_position(servo)[0] for servo in IDS]
        return all(abs(at - goals[servo]) <= STEP for servo, at in zip(IDS, found, strict=True))

    assert any(arrived() for _ in range(2_000))
    assert all(servos.read_torque_enable(servo)[0] for servo in IDS)


def test_zero_and_step_are_those_of_our_table(servos: rustypot.Scs0009PyController) -> None:
    assert servos.read_register(1, "present_position") == 511
    assert servos.read_present_position(1) == pytest.approx([0.0])
    servos.write_goal_position(1, 100.5 * STEP)  # it cuts off what is less than a step
    assert servos.read_register(1, "goal_position") == 611
    assert servos.read_raw_goal_position(1) == [swapped(611)]


def test_sync_write_is_taken_and_sync_read_replaced(servos: rustypot.Scs0009PyController) -> None:
    servos.sync_write_goal_position(IDS, [(servo + 0.5) * STEP for servo in IDS])
    assert list(servos.sync_read_register(IDS, "goal_position")) == [511 + i for i in IDS]
    servos.sync_write_raw_goal_position(IDS, [swapped(500 + servo) for servo in IDS])
    assert list(servos.sync_read_register(IDS, "goal_position")) == [500 + i for i in IDS]


def test_bus_of_definitions_sees_the_same(line: Pump) -> None:
    kinds = dict.fromkeys(IDS, rustypot.Scs0009PyController.definition())
    with rustypot.Bus(line.path, 1_000_000, TIMEOUT_S, kinds) as bus:
        assert bus.sync_read_register(IDS, "present_position") == [511] * 8
        assert bus.read_register(2, "max_temperature_limit") == 70
        assert bus.read_register(2, "present_voltage") == 60
        assert bus.set_torque(IDS, True) == {}
        assert line.status()["torque_on"] == 8
        line.control({"faults": {"errors": {"3": 32}}})
        assert bus.read_register_with_error(3, "present_position")[1] == 32
        line.control({"faults": {"silent": [2]}})
        with pytest.raises(RuntimeError):
            bus.read_register(2, "present_position")


def test_the_lock_is_the_same_register(line: Pump, servos: rustypot.Scs0009PyController) -> None:
    servos.write_lock(4, False)
    servos.write_cw_dead_zone(4, 7)
    servos.write_lock(4, True)
    servos.write_ccw_dead_zone(4, 7)
    line.control({"power_cycle": [4]})
    assert servos.read_cw_dead_zone(4) == [7]
    assert servos.read_ccw_dead_zone(4) == [1]


def test_speed_and_its_sign_are_read_alike(servos: rustypot.Scs0009PyController) -> None:
    servos.write_register(5, "goal_speed", 300)
    servos.write_register(5, "goal_position", 20)
    speeds = (servos.read_present_speed(5)[0] for _ in range(2_000))
    assert any(at == pytest.approx(-300 * STEP, abs=2 * STEP) for at in speeds)


def test_its_rates_differ_from_the_makers_above_code_4() -> None:
    """The maker's memory table and SDK agree on 76800, 57600 and 38400 for 5, 6 and 7."""
    theirs = rustypot.Scs0009PyController.definition().baudrates
    ours = {rate: code for code, rate in load_table("scs0009").baud.items()}
    alike = {rate for rate, code in ours.items() if theirs.get(rate) == code}
    assert alike == {1_000_000, 500_000, 250_000, 128_000, 115_200}
    assert (theirs[57_600], ours[57_600]) == (5, 6)
