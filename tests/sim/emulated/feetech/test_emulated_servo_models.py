"""What emulated servos of every model have in common: their control table in action."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from feetech_desk import DT, Desk

from drivers.feetech.codec import ACTION, BROADCAST, REG_WRITE, RESET, Packet
from drivers.feetech.codec import ServoError as E
from drivers.feetech.registers import load_table
from drivers.servo.registers import table_names
from hil.errors import BadInput, HarnessError
from sim.emulated.feetech.motor import MotorModel
from sim.emulated.feetech.servo import Mounting, Servo
from sim.twin.emulator import Body

Make = Callable[..., Servo]
WITHOUT_FIGURES = {"sm8512bl"}
MODELS = sorted(set(table_names("drivers.feetech")) - WITHOUT_FIGURES)


@pytest.fixture(params=MODELS)
def desk(request: pytest.FixtureRequest, make_servo: Make) -> Desk:
    return Desk(make_servo(model=request.param))


def test_every_register_reads_its_default_where_nothing_else_is_said(desk: Desk) -> None:
    motor = desk.table.motor
    assert motor is not None
    feedback = {
        "present_position": desk.table.counts_per_turn // 2,
        "present_voltage": round(motor.supply * 10),
        "present_temperature": 25,
    }
    for name, register in desk.table.registers.items():
        assert desk.get(name) == feedback.get(name, register.default), name


def test_a_new_servo_finds_nothing_wrong_with_itself(desk: Desk) -> None:
    desk.run(0.1)
    assert desk.errors() == 0


@pytest.mark.parametrize("name", ["firmware_major", "model_number", "present_load", "moving"])
def test_read_only_registers_take_no_write(desk: Desk, name: str) -> None:
    before = desk.get(name)
    assert desk.set(name, before ^ 1) is not None
    assert desk.get(name) == before


def test_values_are_moved_into_their_range(desk: Desk) -> None:
    desk.set("max_torque", 4000)
    desk.set("baud_rate", 9)
    assert (desk.get("max_torque"), desk.get("baud_rate")) == (1000, 7)


@pytest.mark.parametrize(("lock", "kept"), [(0, True), (1, False)])
def test_eeprom_is_kept_over_a_power_cycle_only_when_unlocked(
    desk: Desk, lock: int, kept: bool
) -> None:
    before = desk.get("max_angle_limit")
    desk.set("lock", lock)
    desk.set("max_angle_limit", 700)
    assert desk.get("max_angle_limit") == 700
    desk.servo.power_cycle()
    assert desk.get("max_angle_limit") == (700 if kept else before)
    assert desk.get("lock") == 1


def test_half_a_register_can_be_written_and_counts_in_the_models_own_order(desk: Desk) -> None:
    register = desk.table["goal_time"]
    desk.servo.write(register.address, b"\x01")
    assert desk.get("goal_time") == (1 if desk.table.byte_order == "little" else 256)


def test_registered_write_waits_for_action_and_acts_once(desk: Desk) -> None:
    goal = desk.table["goal_time"]
    packet = Packet(1, REG_WRITE, bytes((goal.address,)) + desk.table.encode("goal_time", 300))
    assert desk.servo.handle(packet) == Packet(1, 0)
    assert (desk.get("goal_time"), desk.get("async_write_flag")) == (0, 1)
    desk.servo.handle(Packet(BROADCAST, ACTION))
    assert (desk.get("goal_time"), desk.get("async_write_flag")) == (300, 0)
    desk.set("goal_time", 3)
    desk.servo.handle(Packet(BROADCAST, ACTION))
    assert desk.get("goal_time") == 3, "it acts once"


def test_reset_restores_eeprom_but_the_servo_stays_reachable(desk: Desk) -> None:
    limit = desk.get("max_voltage")
    for name, value in (("lock", 0), ("id", 9), ("baud_rate", 4), ("max_voltage", limit - 1)):
        desk.set(name, value)
    assert desk.servo.handle(Packet(9, RESET)) == Packet(9, 0)
    desk.servo.power_cycle()
    assert (desk.get("max_voltage"), desk.servo.id, desk.servo.baud) == (limit, 9, 115_200)


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("model", MODELS)
def test_a_goal_is_reached_and_reported_in_counts(make_servo: Make, model: str, sign: int) -> None:
    table = load_table(model)
    zero = table.counts_per_turn // 2 - 40
    desk = Desk(make_servo(model=model, sign=sign, zero_count=zero))
    desk.set("torque_enable", 1)
    desk.set("goal_position", zero + 120)
    desk.run(1.0)
    assert desk.body.position == pytest.approx(sign * 120 * table.radians_per_count)
    assert desk.get("present_position") == zero + 120
    assert desk.get("moving") == 0


def test_goal_speed_bounds_the_move_and_is_reported(desk: Desk) -> None:
    desk.set("goal_speed", 200)
    desk.set("goal_position", desk.get("present_position") + 400)
    desk.run(0.5)
    assert desk.get("present_speed") == pytest.approx(200, abs=1)
    assert desk.get("moving") == 1


def test_nobody_moves_faster_than_the_motor_can(desk: Desk) -> None:
    motor = desk.table.motor
    assert motor is not None
    desk.set("goal_position", desk.get("max_angle_limit"))
    desk.run(0.1)
    assert desk.body.velocity == pytest.approx(motor.no_load_speed, rel=1e-3)


def test_max_torque_reaches_the_plant_after_the_next_power_up(desk: Desk) -> None:
    motor = desk.table.motor
    assert motor is not None
    desk.set("lock", 0)
    desk.set("max_torque", 250)
    desk.servo.power_cycle()
    desk.set("torque_enable", 1)
    assert desk.run(0.01).torque_limit == pytest.approx(0.25 * motor.stall_torque)


def test_overload_weakens_the_servo_after_its_time(desk: Desk) -> None:
    motor = desk.table.motor
    assert motor is not None
    desk.set("protection_time", 20)
    desk.set("torque_enable", 1)
    desk.run(0.15, torque=0.9 * motor.stall_torque, follow=False)
    assert desk.errors() == 0
    drive = desk.run(0.1, torque=0.9 * motor.stall_torque, follow=False)
    assert desk.errors() == desk.get("status") == E.OVERLOAD
    assert drive.enabled
    assert drive.torque_limit == pytest.approx(0.2 * motor.stall_torque)


def test_voltage_and_heat_are_watched(desk: Desk) -> None:
    desk.set("max_voltage", 50)
    desk.set("max_temperature", 20)  # below the ambient temperature
    desk.set("torque_enable", 1)
    drive = desk.run(0.01)
    assert desk.errors() == E.VOLTAGE | E.OVERHEAT
    assert not drive.enabled, "all models unload for heat as they come"


def test_a_stalled_motor_heats_up_and_pulls_the_supply_down(desk: Desk) -> None:
    motor = desk.table.motor
    assert motor is not None
    desk.set("torque_enable", 1)
    cold, idle = desk.get("present_temperature"), desk.get("present_voltage")
    desk.run(1.8, torque=motor.stall_torque, follow=False)  # before any protection cuts in
    assert desk.get("present_load") == 1000
    assert desk.get("present_temperature") > cold
    assert desk.get("present_voltage") < idle


def test_load_has_the_sign_of_the_counts(make_servo: Make) -> None:
    for model in MODELS:
        desk = Desk(make_servo(model=model, sign=-1))
        desk.set("torque_enable", 1)
        desk.run(2 * DT, torque=0.1)
        assert desk.get("present_load") < 0


@pytest.mark.parametrize("model", sorted(WITHOUT_FIGURES))
def test_a_model_without_figures_is_refused_and_what_is_missing_is_named(model: str) -> None:
    with pytest.raises(BadInput, match=f"{model}.*figures of its motor") as caught:
        Servo(load_table(model), Mounting(1, 2048, 1), 1_000_000, MotorModel())
    assert f"drivers/feetech/{model}.toml" in caught.value.remedy


def test_a_rate_or_an_id_that_the_table_does_not_have_is_refused() -> None:
    table = load_table("scs0009")
    with pytest.raises(BadInput, match="cannot be set to 9600 baud"):
        Servo(table, Mounting(1, 511, 1), 9600, MotorModel())
    with pytest.raises(HarnessError, match="id = 254"):
        Servo(table, Mounting(254, 511, 1), 1_000_000, MotorModel())


def test_the_supply_can_be_another_than_that_of_the_data_sheet() -> None:
    servo = Servo(load_table("scs0009"), Mounting(1, 511, 1), 1_000_000, MotorModel(5.0))
    servo.step(DT, Body(0.0, 0.0, 0.0))
    assert Desk(servo).get("present_voltage") == 50
