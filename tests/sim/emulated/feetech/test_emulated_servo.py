"""One emulated servo: control table, EEPROM and lock, motion, protections."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import pytest
from feetech_desk import DT, Desk

from drivers.feetech.codec import ACTION, BROADCAST, PING, READ, REG_WRITE, WRITE, Packet
from drivers.feetech.codec import ServoError as E
from drivers.feetech.registers import load_table
from sim.emulated.feetech.motor import MotorModel
from sim.emulated.feetech.servo import Mounting, Servo
from sim.twin.emulator import Body

Make = Callable[..., Servo]
COUNT = 2 * math.pi / 4096
STALL_TORQUE = 2.94  # N m, 30 kg cm


@pytest.fixture
def desk(make_servo: Make) -> Desk:
    return Desk(make_servo())


def test_a_read_beyond_the_table_gives_zeros(desk: Desk) -> None:
    answer = desk.servo.handle(Packet(1, READ, bytes((200, 4))))
    assert answer == Packet(1, 0, bytes(4))


@pytest.mark.parametrize(
    ("name", "written", "kept"),
    [
        ("baud_rate", 9, 7),
        ("status_return_level", 5, 1),
        ("torque_limit", 4000, 1000),
        ("max_temperature", 200, 100),
        ("acceleration", 255, 254),
        ("position_offset", 0x0FFF, -2047),
        ("goal_speed", 0x8064, -100),
    ],
)
def test_values_are_moved_into_their_range(desk: Desk, name: str, written: int, kept: int) -> None:
    desk.set(name, written)
    assert desk.get(name) == kept


def test_ram_is_lost_with_the_power(desk: Desk) -> None:
    desk.set("acceleration", 9)
    desk.set("torque_enable", 1)
    desk.servo.power_cycle()
    assert (desk.get("acceleration"), desk.get("torque_enable")) == (0, 0)


def test_torque_limit_starts_at_the_kept_maximum(desk: Desk) -> None:
    desk.set("lock", 0)
    desk.set("max_torque", 300)
    assert desk.get("torque_limit") == 1000
    desk.servo.power_cycle()
    assert desk.get("torque_limit") == 300


def test_a_new_id_holds_from_the_next_instruction_on(desk: Desk) -> None:
    answer = desk.set("id", 7)
    assert answer == Packet(1, 0)
    assert desk.servo.id == 7
    assert desk.servo.handle(Packet(7, PING)) == Packet(7, 0)


def test_status_level_0_answers_only_ping_and_read(desk: Desk) -> None:
    desk.set("status_return_level", 0)
    assert desk.set("acceleration", 5) is None
    assert desk.get("acceleration") == 5
    assert desk.servo.handle(Packet(1, PING)) == Packet(1, 0)
    assert desk.servo.handle(Packet(1, ACTION)) is None


@pytest.mark.parametrize(
    ("code", "params"),
    [(READ, b"\x38"), (READ, b""), (WRITE, b"\x28"), (REG_WRITE, b""), (0x55, b"\x01\x02")],
)
def test_what_cannot_be_parsed_is_not_answered(desk: Desk, code: int, params: bytes) -> None:
    assert desk.servo.handle(Packet(1, code, params)) is None


def test_a_broadcast_write_acts_and_keeps_silent(desk: Desk) -> None:
    assert desk.servo.handle(Packet(BROADCAST, WRITE, b"\x29\x07")) is None
    assert desk.get("acceleration") == 7
    assert desk.servo.handle(Packet(BROADCAST, READ, b"\x29\x01")) is None


def test_without_torque_the_motor_is_off(desk: Desk) -> None:
    desk.set("acceleration", 10)
    drive = desk.run(0.05)
    assert not drive.enabled
    assert drive.torque_limit == 0


def test_a_goal_switches_the_torque_on_as_users_of_the_series_find(desk: Desk) -> None:
    desk.set("goal_position", 2500)
    assert desk.get("torque_enable") == 1
    assert desk.run(0.5).enabled
    assert desk.get("present_position") == 2500


def test_a_model_that_does_not_do_that_keeps_its_goal_until_torque_is_on() -> None:
    table = replace(load_table("sts3215"), goal_switches_torque_on=False)
    desk = Desk(Servo(table, Mounting(1, 2048, 1), 1_000_000, MotorModel()))
    desk.set("goal_position", 2500)
    assert not desk.run(0.05).enabled
    desk.set("torque_enable", 1)
    assert desk.run(0.5).enabled
    assert desk.get("present_position") == 2500


def test_torque_without_a_goal_holds_the_present_position(desk: Desk) -> None:
    desk.body = Body(0.7, 0.0, 0.0)
    desk.run(DT)
    desk.set("torque_enable", 1)
    drive = desk.run(0.1)
    assert drive.enabled
    assert drive.target == pytest.approx(0.7)


def test_goal_speed_and_acceleration_bound_the_set_point(desk: Desk) -> None:
    desk.set("torque_enable", 1)
    desk.set("goal_speed", 1000)
    desk.set("acceleration", 20)  # 2000 counts/s^2: half a second to full speed
    desk.set("goal_position", 4000)
    desk.run(0.25)
    assert desk.get("present_speed") == pytest.approx(500, abs=5)
    desk.run(0.5)
    assert desk.get("present_speed") == pytest.approx(1000, abs=5)
    assert desk.get("moving") == 1


def test_angle_limits_bound_the_goal(desk: Desk) -> None:
    desk.set("max_angle_limit", 2200)
    desk.set("torque_enable", 1)
    desk.set("goal_position", 3000)
    desk.run(1.0)
    assert desk.get("present_position") == 2200


def test_offset_shifts_what_is_reported_and_where_a_goal_lies(desk: Desk) -> None:
    desk.set("position_offset", 100)
    desk.run(DT)
    assert desk.get("present_position") == 1948
    desk.set("torque_enable", 1)
    desk.set("goal_position", 2048)
    desk.run(0.5)
    assert desk.body.position == pytest.approx(100 * COUNT)


def test_torque_128_makes_the_present_position_the_middle(desk: Desk) -> None:
    desk.body = Body(-300 * COUNT, 0.0, 0.0)
    desk.run(DT)
    desk.set("torque_enable", 128)
    assert desk.get("present_position") == 2048
    assert desk.get("position_offset") == -300
    assert desk.get("torque_enable") == 0


def test_other_modes_leave_the_motor_unpowered(desk: Desk) -> None:
    desk.set("mode", 1)
    desk.set("torque_enable", 1)
    assert not desk.run(0.01).enabled


def test_torque_limit_reaches_the_plant(desk: Desk) -> None:
    desk.set("torque_enable", 1)
    desk.set("torque_limit", 250)
    assert desk.run(0.01).torque_limit == pytest.approx(0.25 * STALL_TORQUE)


@pytest.mark.parametrize(("torque", "load"), [(1.47, 500), (-0.294, -100)])
def test_load_and_current_follow_the_torque(desk: Desk, torque: float, load: int) -> None:
    desk.run(0.01, torque=torque)
    assert desk.get("present_load") == 0  # that is the gearbox: torque is off
    desk.set("torque_enable", 1)
    desk.run(0.01, torque=torque)
    assert desk.get("present_load") == pytest.approx(load, abs=1)
    assert desk.get("present_current") * 6.5e-3 == pytest.approx(2.7 * load / 1000, abs=0.01)


def test_overload_weakens_the_servo_after_its_time(desk: Desk) -> None:
    desk.set("protection_time", 20)  # 0.2 s
    desk.set("torque_enable", 1)
    desk.run(0.15, torque=0.9 * STALL_TORQUE, follow=False)
    assert desk.errors() == 0
    drive = desk.run(0.1, torque=0.9 * STALL_TORQUE, follow=False)
    assert desk.errors() == E.OVERLOAD
    assert desk.get("status") == E.OVERLOAD
    assert drive.enabled
    assert drive.torque_limit == pytest.approx(0.2 * STALL_TORQUE)
    desk.run(0.5)
    assert desk.errors() == E.OVERLOAD  # it stays


def overloaded(desk: Desk) -> Desk:
    desk.set("protection_time", 1)
    desk.set("torque_enable", 1)
    desk.set("goal_position", 3000)
    desk.run(0.05, torque=STALL_TORQUE, follow=False)
    assert desk.errors() == E.OVERLOAD
    return desk


def test_overload_ends_with_a_goal_away_from_the_load(desk: Desk) -> None:
    overloaded(desk).set("goal_position", 3100)
    assert desk.errors() == E.OVERLOAD
    desk.set("goal_position", 1000)
    assert desk.errors() == 0


def test_overload_ends_when_torque_is_switched_on_again(desk: Desk) -> None:
    overloaded(desk).set("torque_enable", 1)
    assert desk.errors() == 0
    assert desk.run(DT).torque_limit == pytest.approx(STALL_TORQUE)


def test_a_short_peak_is_no_overload(desk: Desk) -> None:
    desk.set("torque_enable", 1)
    for _ in range(3):
        desk.run(1.5, torque=0.9 * STALL_TORQUE, follow=False)
        desk.run(0.01, torque=0.1, follow=False)
    assert desk.errors() == 0


def test_over_current_cuts_the_motor(desk: Desk) -> None:
    desk.set("protection_current", 100)  # 0.65 A
    desk.set("overcurrent_time", 5)
    desk.set("torque_enable", 1)
    drive = desk.run(0.1, torque=0.5 * STALL_TORQUE, follow=False)
    assert desk.errors() == E.CURRENT
    assert not drive.enabled


def test_heat_cuts_the_motor_only_where_register_19_says_so(desk: Desk) -> None:
    desk.set("max_temperature", 20)  # below the ambient temperature
    desk.set("torque_enable", 1)
    assert not desk.run(0.01).enabled
    assert desk.errors() == E.OVERHEAT
    desk.set("unloading_condition", 0)
    assert desk.run(0.01).enabled
    assert desk.errors() == E.OVERHEAT


def test_voltage_out_of_bounds_is_reported_and_passes(desk: Desk) -> None:
    desk.set("max_voltage", 80)
    desk.run(0.01)
    assert desk.errors() == E.VOLTAGE
    desk.set("max_voltage", 140)
    desk.run(0.01)
    assert desk.errors() == 0


def test_injected_errors_show_in_every_answer(desk: Desk) -> None:
    desk.servo.inject(E.ANGLE | E.VOLTAGE)
    assert desk.errors() == E.ANGLE | E.VOLTAGE
    desk.servo.inject(E.NONE)
    assert desk.errors() == 0
