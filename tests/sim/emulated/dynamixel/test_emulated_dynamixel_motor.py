"""One motor of the X series at its registers."""

from __future__ import annotations

import math

import pytest
from dynamixel_desk import Desk, register

from drivers.dynamixel import instructions as ins
from drivers.dynamixel.codec2 import (
    ALERT,
    BROADCAST,
    STATUS,
    ErrorCode,
    HardwareError,
    Instruction,
    Packet,
)
from drivers.dynamixel.registers import load_motor

MODEL = "xl330-m288"
COUNT = 2 * math.pi / 4096


class Motor:
    """One motor with id 1, spoken to by register names."""

    def __init__(self, **options: object) -> None:
        self.table = load_motor(str(options.pop("model", MODEL)))
        motors = [{"model": self.table.model, "id": 1}]
        self.desk = Desk(motors=motors, **options)

    def get(self, name: str) -> int:
        address, size = register(self.table.model, name)
        (answer,) = self.desk.ask(ins.read(1, address, size))
        assert len(answer.params) == size, answer
        return self.table.decode(name, answer.params, address)

    def set(self, name: str, value: int) -> int:
        """Write one register; the error byte of the answer."""
        entry = self.table[name]
        data = (value & (1 << 8 * entry.size) - 1).to_bytes(entry.size, "little")
        (answer,) = self.desk.ask(ins.write(1, entry.address, data))
        return answer.error

    @property
    def position(self) -> float:
        return self.desk.bodies[0].position


@pytest.fixture
def motor() -> Motor:
    return Motor()


def test_ping_tells_model_and_firmware(motor: Motor) -> None:
    assert motor.desk.ask(ins.ping(1)) == [Packet(1, STATUS, b"\xb0\x04\x2e")]
    assert motor.desk.ask(ins.ping(2)) == []
    assert [packet.id for packet in motor.desk.ask(ins.ping(BROADCAST))] == [1]


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("torque_enable", 2, ErrorCode.DATA_RANGE),
        ("operating_mode", 2, ErrorCode.DATA_RANGE),
        ("present_position", 5, ErrorCode.ACCESS),
        ("goal_current", 1751, ErrorCode.DATA_RANGE),
        ("goal_position", 4096, ErrorCode.DATA_LIMIT),
        ("goal_position", 4095, ErrorCode.NONE),
        ("led", 1, ErrorCode.NONE),
    ],
)
def test_writes_are_judged(motor: Motor, name: str, value: int, error: ErrorCode) -> None:
    assert motor.set(name, value) == error


def test_goals_are_bounded_by_the_limit_registers(motor: Motor) -> None:
    assert motor.set("current_limit", 300) == 0
    assert motor.set("goal_current", 301) == ErrorCode.DATA_LIMIT
    assert motor.set("goal_current", -300) == 0
    assert motor.get("goal_current") == -300


def test_eeprom_is_locked_while_torque_is_on(motor: Motor) -> None:
    motor.set("torque_enable", 1)
    assert motor.set("return_delay_time", 0) == ErrorCode.ACCESS
    motor.set("torque_enable", 0)
    assert motor.set("return_delay_time", 10) == 0
    motor.desk.bus.control({"power_cycle": [1]})
    assert motor.get("return_delay_time") == 10


def test_part_of_a_register_and_gaps_are_refused(motor: Motor) -> None:
    address, _ = register(MODEL, "goal_position")
    (answer,) = motor.desk.ask(ins.write(1, address, b"\0\0"))
    assert answer.error == ErrorCode.DATA_LENGTH
    (answer,) = motor.desk.ask(ins.write(1, 66, b"\0"))
    assert answer.error == ErrorCode.ACCESS
    (answer,) = motor.desk.ask(ins.read(1, 140, 100))
    assert (answer.error, answer.params) == (ErrorCode.ACCESS, b"")


def test_ram_is_lost_with_the_power(motor: Motor) -> None:
    motor.set("led", 1)
    motor.set("torque_enable", 1)
    (answer,) = motor.desk.ask(ins.reboot(1))
    assert answer.error == 0
    assert (motor.get("led"), motor.get("torque_enable")) == (0, 0)


def test_registered_write_waits_for_action(motor: Motor) -> None:
    address, _ = register(MODEL, "led")
    assert motor.desk.ask(ins.action(1))[0].error == ErrorCode.INSTRUCTION
    assert motor.desk.ask(ins.reg_write(1, address, b"\x01"))[0].error == 0
    assert (motor.get("led"), motor.get("registered_instruction")) == (0, 1)
    assert motor.desk.ask(ins.action()) == []
    assert (motor.get("led"), motor.get("registered_instruction")) == (1, 0)


def test_unknown_instruction_is_answered_with_an_error(motor: Motor) -> None:
    assert motor.desk.ask(Packet(1, 0x77))[0].error == ErrorCode.INSTRUCTION
    assert motor.desk.ask(Packet(1, Instruction.READ, b"\0"))[0].error == ErrorCode.INSTRUCTION
    assert motor.desk.ask(Packet(1, Instruction.CLEAR, b"\x01"))[0].error == ErrorCode.INSTRUCTION


@pytest.mark.parametrize(
    ("level", "answers"), [(0, (True, False, False)), (1, (True, True, False))]
)
def test_status_return_level(motor: Motor, level: int, answers: tuple[bool, ...]) -> None:
    address, _ = register(MODEL, "status_return_level")
    motor.desk.ask(ins.write(1, address, bytes((level,))))
    found = (
        bool(motor.desk.ask(ins.ping(1))),
        bool(motor.desk.ask(ins.read(1, 132, 4))),
        bool(motor.desk.ask(ins.write(1, 65, b"\x01"))),
    )
    assert found == answers


def test_id_and_baud_rate_change_with_the_next_instruction(motor: Motor) -> None:
    (answer,) = motor.desk.ask(ins.write(1, 7, b"\x09"))
    assert answer.id == 1
    assert motor.desk.ask(ins.ping(9))[0].id == 9
    motor.desk.ask(ins.write(9, 8, b"\x06"))
    assert motor.desk.ask(ins.ping(9)) == []
    assert motor.desk.bus.status()["unheard_bytes"] == 10
    motor.desk.line_baud = 4_000_000
    assert motor.desk.ask(ins.ping(9))[0].id == 9


def test_secondary_id_obeys_and_keeps_silent(motor: Motor) -> None:
    motor.set("secondary_id", 5)
    assert motor.desk.ask(ins.write(5, 65, b"\x01")) == []
    assert motor.get("led") == 1


def test_factory_reset_spares_what_is_asked(motor: Motor) -> None:
    motor.set("return_delay_time", 5)
    motor.desk.ask(ins.write(1, 7, b"\x03"))
    assert motor.desk.ask(ins.factory_reset(3))[0].error == 0
    (answer,) = motor.desk.ask(ins.read(3, 9, 1))
    assert answer.params == b"\xfa"
    assert motor.desk.ask(ins.factory_reset(3, 7))[0].error == ErrorCode.DATA_RANGE


def test_torque_on_holds_and_a_goal_is_reached_within_the_profile(motor: Motor) -> None:
    motor.desk.bodies[0] = type(motor.desk.bodies[0])(0.5, 0.0, 0.0)
    motor.desk.steps(1)
    motor.set("torque_enable", 1)
    motor.desk.steps(50)
    assert motor.position == pytest.approx(0.5)
    assert motor.get("goal_position") == 2048 + round(0.5 / COUNT)
    motor.set("profile_velocity", 42)  # 1.007 rad/s
    motor.set("goal_position", 2048 + 1000)
    motor.desk.steps(100)
    assert motor.position == pytest.approx(0.5 + 0.1007, abs=0.002)
    assert motor.get("present_velocity") == 42
    assert motor.get("moving") == 1
    motor.desk.steps(1500)
    assert motor.get("present_position") == 3048
    assert (motor.get("moving"), motor.get("moving_status")) == (0, 1)


def test_without_torque_it_is_not_driven(motor: Motor) -> None:
    motor.set("goal_position", 3000)
    motor.desk.steps(100)
    assert not motor.desk.drives[0].enabled
    assert motor.position == 0


def test_current_limits_the_torque_in_mode_5(motor: Motor) -> None:
    motor.set("operating_mode", 5)
    motor.set("torque_enable", 1)
    motor.set("goal_current", 147)  # a tenth of the stall current
    motor.desk.steps(1)
    stall = load_motor(MODEL).motor
    assert stall is not None
    assert motor.desk.drives[0].torque_limit == pytest.approx(stall.stall_torque / 10)
    assert motor.set("goal_position", -5000) == 0, "mode 5 has no position limits"


def test_mode_that_does_not_move_leaves_it_unpowered(motor: Motor) -> None:
    motor.set("operating_mode", 1)
    motor.set("torque_enable", 1)
    motor.desk.steps(1)
    assert not motor.desk.drives[0].enabled


def test_change_of_mode_resets_profile_and_goals(motor: Motor) -> None:
    motor.set("profile_velocity", 100)
    motor.set("goal_current", 10)
    motor.set("operating_mode", 5)
    assert (motor.get("profile_velocity"), motor.get("goal_current")) == (0, 1750)


def test_load_and_current_follow_the_torque() -> None:
    motor = Motor(model="xl430-w250")
    motor.set("torque_enable", 1)
    motor.desk.steps(3, torque=0.7)
    assert motor.get("present_load") == 500
    assert motor.get("present_input_voltage") < 111
    current = Motor()
    current.set("torque_enable", 1)
    current.desk.steps(3, torque=0.26)
    assert current.get("present_current") == 735


def test_overload_shuts_down_until_a_reboot(motor: Motor) -> None:
    motor.set("torque_enable", 1)
    motor.desk.steps(1200, torque=0.51)
    assert motor.get("hardware_error_status") == HardwareError.OVERLOAD
    (answer,) = motor.desk.ask(ins.read(1, 64, 1))
    assert (answer.error, answer.params) == (ALERT, b"\0")
    assert motor.set("torque_enable", 1) == ALERT | ErrorCode.RESULT
    motor.desk.steps(1)
    motor.desk.ask(ins.reboot(1))
    assert motor.set("torque_enable", 1) == 0


def test_heat_and_supply_are_watched(motor: Motor) -> None:
    motor.desk.bus.control({"faults": {"voltage": {"1": 8.0}}})
    assert motor.get("hardware_error_status") == HardwareError.INPUT_VOLTAGE
    assert motor.get("present_input_voltage") == 80
    motor.desk.bus.control({"faults": {}})
    motor.desk.ask(ins.reboot(1))
    assert motor.get("hardware_error_status") == 0
    motor.set("temperature_limit", 20)
    motor.desk.steps(1)
    assert motor.get("hardware_error_status") == HardwareError.OVERHEATING


def test_watchdog_trips_when_nothing_is_heard(motor: Motor) -> None:
    motor.set("torque_enable", 1)
    motor.set("profile_velocity", 42)
    assert motor.set("bus_watchdog", 5) == 0  # 100 ms
    motor.set("goal_position", 3000)
    motor.desk.steps(100)
    for _ in range(5):
        motor.desk.wait(60)
        motor.get("led")  # any instruction feeds it, reads too
    assert motor.get("bus_watchdog") == 5
    before = motor.position
    motor.desk.wait(120)
    assert motor.desk.bus.status()["watchdog_trips"] == 1
    motor.desk.steps(100)
    assert motor.position == pytest.approx(before, abs=2 * COUNT)
    assert motor.desk.drives[0].enabled, "it holds"
    assert motor.get("bus_watchdog") == -1
    assert (motor.get("profile_velocity"), motor.get("torque_enable")) == (0, 1)
    assert motor.set("goal_position", 2500) == ErrorCode.DATA_RANGE
    assert motor.set("bus_watchdog", 0) == 0
    assert motor.set("goal_position", 2500) == 0
    motor.desk.steps(1000)
    assert motor.get("present_position") == 2500


def test_watchdog_sleeps_without_torque(motor: Motor) -> None:
    motor.set("bus_watchdog", 1)
    motor.desk.wait(500)
    assert motor.desk.bus.due_ns() is None
    assert motor.get("bus_watchdog") == 1


def test_position_counts_over_turns_until_it_is_cleared(motor: Motor) -> None:
    motor.set("operating_mode", 4)
    motor.set("torque_enable", 1)
    motor.set("goal_position", 10_000)
    motor.desk.steps(4000)
    assert motor.get("present_position") == 10_000
    motor.set("goal_position", 9_000)
    assert motor.desk.ask(ins.clear_multi_turn(1))[0].error == ErrorCode.RESULT
    motor.desk.steps(2000)
    assert motor.desk.ask(ins.clear_multi_turn(1))[0].error == 0
    assert motor.get("present_position") == 9_000 % 4096


def test_homing_offset_moves_the_position_and_the_goal(motor: Motor) -> None:
    motor.set("homing_offset", 100)
    assert motor.get("present_position") == 2148
    motor.set("torque_enable", 1)
    motor.set("goal_position", 2148)
    motor.desk.steps(100)
    assert motor.position == pytest.approx(0, abs=COUNT)
