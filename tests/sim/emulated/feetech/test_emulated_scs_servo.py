"""An emulated servo of the SCS series: a potentiometer, no mode, no offset, no current."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
from feetech_desk import DT, Desk

from drivers.feetech.codec import READ, WRITE, Packet
from drivers.feetech.codec import ServoError as E
from sim.emulated.feetech.servo import Servo
from sim.twin.emulator import Body

Make = Callable[..., Servo]
COUNT = math.radians(300) / 1024
STALL_TORQUE = 0.226  # N m, 2.3 kg cm


@pytest.fixture
def desk(make_servo: Make) -> Desk:
    return Desk(make_servo(model="scs0009", zero_count=511))


def test_two_bytes_have_the_high_one_first(desk: Desk) -> None:
    assert desk.servo.handle(Packet(1, READ, bytes((3, 2)))) == Packet(1, 0, b"\x05\x04")
    assert desk.servo.handle(Packet(1, READ, bytes((56, 2)))) == Packet(1, 0, b"\x01\xff")
    desk.servo.handle(Packet(1, WRITE, b"\x2a\x02\x00"))
    desk.run(0.5)
    assert desk.servo.handle(Packet(1, READ, bytes((56, 2)))) == Packet(1, 0, b"\x02\x00")
    assert desk.body.position == pytest.approx(COUNT)


def test_it_tells_its_byte_order(desk: Desk) -> None:
    assert desk.get("endianness") == 1


def test_the_lock_is_where_others_have_the_torque_limit(desk: Desk) -> None:
    assert desk.table["lock"].address == 48
    desk.servo.handle(Packet(1, WRITE, bytes((48, 0))))
    desk.set("position_p", 17)
    desk.servo.power_cycle()
    assert desk.get("position_p") == 17
    desk.servo.handle(Packet(1, WRITE, bytes((55, 0))))
    desk.set("position_p", 18)
    desk.servo.power_cycle()
    assert desk.get("position_p") == 17, "what unlocks an STS is no register here"


@pytest.mark.parametrize(("position", "count"), [(-3.0, 0), (3.0, 1023), (1.0, 511 + 196)])
def test_the_potentiometer_ends_where_an_encoder_would_go_on(
    desk: Desk, position: float, count: int
) -> None:
    desk.body = Body(position, 0.0, 0.0)
    desk.run(DT)
    assert desk.get("present_position") == count


def test_goals_stay_within_the_angle_limits(desk: Desk) -> None:
    desk.set("goal_position", 1023)
    desk.run(2.0)
    assert desk.get("present_position") == 1003


def test_without_an_angle_range_it_is_a_wheel_and_goes_nowhere(desk: Desk) -> None:
    desk.set("min_angle_limit", 0)
    desk.set("max_angle_limit", 0)
    desk.set("torque_enable", 1)
    desk.set("goal_position", 700)
    assert not desk.run(0.1).enabled


def test_a_goal_switches_the_torque_on(desk: Desk) -> None:
    assert not desk.servo.torque_on
    desk.set("goal_position", 600)
    assert desk.servo.torque_on
    assert desk.get("torque_enable") == 1
    desk.set("torque_enable", 0)
    assert not desk.run(0.01).enabled


@pytest.mark.parametrize("value", [2, 128])
def test_damping_is_no_torque_and_there_is_no_calibration(desk: Desk, value: int) -> None:
    before = desk.get("present_position")
    desk.set("torque_enable", value)
    assert desk.get("torque_enable") == 2
    assert not desk.run(0.01).enabled
    assert desk.get("present_position") == before


def test_goal_time_is_how_long_a_move_takes_where_no_speed_is_given(desk: Desk) -> None:
    desk.set("goal_time", 800)
    desk.set("goal_position", 711)
    desk.run(0.4)
    assert desk.get("present_position") == pytest.approx(611, abs=2)
    desk.run(0.35)
    assert desk.get("moving") == 1
    desk.run(0.1)
    assert (desk.get("present_position"), desk.get("moving")) == (711, 0)


def test_goal_speed_comes_before_goal_time(desk: Desk) -> None:
    desk.set("goal_speed", 1000)
    desk.set("goal_time", 5000)
    desk.set("goal_position", 711)
    desk.run(0.25)
    assert desk.get("present_position") == 711


def test_position_time_and_speed_can_be_written_at_once(desk: Desk) -> None:
    desk.servo.handle(Packet(1, WRITE, b"\x2a\x02\xc7\x00\x00\x00\x64"))  # 711 at 100 counts/s
    desk.run(1.0)
    assert desk.get("present_position") == pytest.approx(611, abs=2)


def test_acceleration_has_no_effect(desk: Desk) -> None:
    desk.set("acceleration", 1)
    desk.set("goal_speed", 1000)
    desk.set("goal_position", 900)
    desk.run(0.01)
    assert desk.get("present_speed") == pytest.approx(1000, abs=5)


def test_negative_speed_and_load_have_their_sign_bits(desk: Desk) -> None:
    desk.set("goal_speed", 1000)
    desk.set("goal_position", 100)
    desk.run(0.1, torque=-0.5 * STALL_TORQUE)
    answer = desk.servo.handle(Packet(1, READ, bytes((58, 4))))
    assert answer is not None
    assert answer.params == (0x8000 | 1000).to_bytes(2, "big") + (0x400 | 500).to_bytes(2, "big")


@pytest.mark.parametrize("goal", [600, 100])
def test_any_new_goal_ends_an_overload(desk: Desk, goal: int) -> None:
    desk.set("protection_time", 1)
    desk.set("goal_position", 700)
    desk.run(0.05, torque=STALL_TORQUE, follow=False)
    assert desk.errors() == E.OVERLOAD
    desk.set("goal_speed", 500)
    assert desk.errors() == E.OVERLOAD
    desk.set("goal_position", goal)
    assert desk.errors() == 0


def test_current_is_neither_measured_nor_watched(desk: Desk) -> None:
    desk.set("torque_enable", 1)
    desk.set("unloading_condition", 0)
    desk.run(10.0, torque=0.7 * STALL_TORQUE, follow=False)
    assert desk.errors() == 0
    assert desk.servo.handle(Packet(1, READ, bytes((69, 2)))) == Packet(1, 0, b"\0\0")
