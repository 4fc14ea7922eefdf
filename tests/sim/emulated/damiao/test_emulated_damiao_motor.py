"""One emulated motor: what it obeys, what it tells, what it asks of the plant."""

from __future__ import annotations

import math

import pytest

from drivers.damiao.codec import (
    MitCommand,
    MotorStatus,
    Operation,
    Ranges,
    RegisterMessage,
    Special,
    decode_feedback,
    encode_mit,
)
from drivers.damiao.motors import load_motors
from drivers.damiao.registers import load_registers
from hil.clock import NS_PER_MS, NS_PER_US
from sim.emulated.damiao.memory import Memory
from sim.emulated.damiao.motor import AMBIENT, Motor, Mounting
from sim.twin.emulator import Body

RANGES = Ranges(12.5, 30.0, 10.0)
STEP = 2 * 12.5 / 65535
REGISTERS = load_registers()
DT = 0.001


def motor(sign: int = 1, offset: float = 0.0, timeout_steps: int = 0) -> Motor:
    model = load_motors()["dm4310"]
    own = {"id": 5, "master_id": 0x15, "can_timeout": timeout_steps}
    return Motor(Memory(model, own), model, Mounting(sign, offset))


def state(payload: bytes | None):  # type: ignore[no-untyped-def]
    assert payload is not None
    found = decode_feedback(payload, RANGES)
    assert found is not None
    return found


def tell(device: Motor, command: MitCommand, now_ns: int = 0) -> bytes | None:
    return device.control(encode_mit(command, RANGES), now_ns)


def ask(device: Motor, name: str, now_ns: int = 0) -> float:
    message = RegisterMessage(5, Operation.READ, REGISTERS[name].number)
    answer = device.register(message, now_ns)
    assert isinstance(answer, RegisterMessage)
    assert (answer.motor, answer.operation, answer.register) == (
        5,
        Operation.READ,
        message.register,
    )
    return REGISTERS[name].decode(answer.value)


def write(device: Motor, name: str, value: float) -> float:
    register = REGISTERS[name]
    message = RegisterMessage(5, Operation.WRITE, register.number, register.encode(value))
    answer = device.register(message, 0)
    assert isinstance(answer, RegisterMessage)
    return register.decode(answer.value)


def test_new_motor_is_off_and_says_where_it_is() -> None:
    device = motor()
    device.step(DT, Body(0.5, 1.0, 3.0))
    found = state(device.obey(Special.DISABLE, 0))
    assert (found.motor, found.status) == (5, MotorStatus.OFF)
    assert found.position == pytest.approx(0.5, abs=STEP)
    assert found.velocity == pytest.approx(1.0, abs=60 / 4095)
    assert found.torque == pytest.approx(0.0, abs=20 / 4095), "what moves it is not the motor"
    assert found.rotor_temperature == AMBIENT


def test_enabled_motor_does_nothing_before_it_is_told() -> None:
    device = motor()
    assert state(device.obey(Special.ENABLE, 0)).status == MotorStatus.ON
    drive = device.step(DT, Body(0.5, 0.0, 0.0))
    assert (drive.enabled, drive.torque_limit) == (True, 0.0)


def test_command_while_off_is_answered_and_forgotten() -> None:
    device = motor()
    assert state(tell(device, MitCommand(1.0, kp=50.0, kd=1.0))).status == MotorStatus.OFF
    device.obey(Special.ENABLE, 0)
    assert device.step(DT, Body(0.0, 0.0, 0.0)).torque_limit == 0.0


@pytest.mark.parametrize("sign", [-1, 1])
@pytest.mark.parametrize("offset", [0.0, 0.7])
def test_law_pulls_to_the_target_with_its_own_torque(sign: int, offset: float) -> None:
    device = motor(sign, offset)
    device.obey(Special.ENABLE, 0)
    tell(device, MitCommand(offset + sign * 0.2, kp=20.0, kd=0.5))
    drive = device.step(DT, Body(0.1, 0.0, 0.0))
    assert drive.enabled
    assert drive.target == pytest.approx(0.2, abs=1e-3)
    assert drive.torque_limit == pytest.approx(20.0 * 0.1, abs=0.05)


def test_law_brakes_where_the_joint_is() -> None:
    """Close to the target and fast: the damping is more than the pull."""
    device = motor()
    device.obey(Special.ENABLE, 0)
    tell(device, MitCommand(0.2, kp=20.0, kd=2.0))
    drive = device.step(DT, Body(0.19, 3.0, 0.0))
    assert drive.target == 0.19
    assert drive.torque_limit == pytest.approx(2.0 * 3.0 - 20.0 * 0.01, abs=0.05)


def test_torque_alone_is_a_target_far_away() -> None:
    device = motor()
    device.obey(Special.ENABLE, 0)
    tell(device, MitCommand(0.0, torque=-1.5))
    drive = device.step(DT, Body(0.3, 0.0, 0.0))
    assert drive.target == pytest.approx(0.3 - 2 * math.pi)
    assert drive.torque_limit == pytest.approx(1.5, abs=0.01)


def test_torque_ends_at_the_motors_peak() -> None:
    device = motor()
    device.obey(Special.ENABLE, 0)
    tell(device, MitCommand(5.0, kp=500.0, kd=1.0))
    assert device.step(DT, Body(0.0, 0.0, 0.0)).torque_limit == 7.0


@pytest.mark.parametrize("end", [Special.DISABLE, "power"])
def test_motor_that_is_off_is_not_driven(end: Special | str) -> None:
    device = motor()
    device.obey(Special.ENABLE, 0)
    tell(device, MitCommand(1.0, kp=20.0, kd=1.0))
    if isinstance(end, Special):
        device.obey(end, 0)
    else:
        device.power_cycle()
    drive = device.step(DT, Body(0.4, 0.0, 0.0))
    assert (drive.enabled, drive.torque_limit, drive.target) == (False, 0.0, 0.4)


def test_time_out_trips_when_nothing_is_heard() -> None:
    device = motor(timeout_steps=200)  # 10 ms
    device.obey(Special.ENABLE, 0)
    tell(device, MitCommand(1.0, kp=20.0, kd=1.0), now_ns=5 * NS_PER_MS)
    assert device.trips_ns() == 15 * NS_PER_MS
    device.watch(15 * NS_PER_MS - 1)
    assert device.on
    device.watch(15 * NS_PER_MS)
    assert not device.on
    assert state(device.state()).status == MotorStatus.LOST_COMM
    assert not device.step(DT, Body(0.0, 0.0, 0.0)).enabled


@pytest.mark.parametrize("speak", ["command", "refresh", "register", "enable"])
def test_every_frame_starts_the_time_out_anew(speak: str) -> None:
    device = motor(timeout_steps=200)
    device.obey(Special.ENABLE, 0)
    for now_ns in range(0, 100 * NS_PER_MS, 9 * NS_PER_MS):
        device.watch(now_ns)
        if speak == "command":
            tell(device, MitCommand(0.0), now_ns)
        elif speak == "refresh":
            device.register(RegisterMessage(5, Operation.REFRESH), now_ns)
        elif speak == "register":
            ask(device, "id", now_ns)
        else:
            device.obey(Special.ENABLE, now_ns)
    assert device.on


def test_time_out_of_nought_is_none() -> None:
    device = motor()
    device.obey(Special.ENABLE, 0)
    assert device.trips_ns() is None
    device.watch(10**18)
    assert device.on


def test_time_out_does_not_run_while_the_motor_is_off() -> None:
    device = motor(timeout_steps=1)
    assert device.trips_ns() is None
    device.watch(10**18)
    assert state(device.state()).status == MotorStatus.OFF


def test_time_out_is_counted_in_steps_of_50_us() -> None:
    device = motor(timeout_steps=3)
    device.obey(Special.ENABLE, 1000)
    assert device.trips_ns() == 1000 + 150 * NS_PER_US


def test_fault_stays_until_it_is_cleared() -> None:
    device = motor(timeout_steps=1)
    device.obey(Special.ENABLE, 0)
    device.watch(NS_PER_MS)
    for special in (Special.ENABLE, Special.DISABLE):
        assert state(device.obey(special, NS_PER_MS)).status == MotorStatus.LOST_COMM
    assert state(device.obey(Special.CLEAR_ERROR, NS_PER_MS)).status == MotorStatus.OFF
    assert state(device.obey(Special.ENABLE, NS_PER_MS)).status == MotorStatus.ON


def test_registers_are_written_only_while_off_but_for_the_time_out() -> None:
    device = motor()
    assert write(device, "velocity_range", 25.0) == 25.0
    device.obey(Special.ENABLE, 0)
    assert write(device, "velocity_range", 10.0) == 25.0
    assert write(device, "can_timeout", 100) == 100


def test_read_only_register_and_impossible_range_keep_their_value() -> None:
    device = motor()
    assert write(device, "gear_ratio", 3.0) == 10.0
    assert write(device, "position_range", 0.0) == 12.5
    assert write(device, "torque_range", math.nan) == 10.0


def test_register_that_there_is_not_is_not_answered() -> None:
    assert motor().register(RegisterMessage(5, Operation.READ, 200), 0) is None


def test_what_is_not_stored_is_lost_without_power() -> None:
    device = motor()
    write(device, "can_timeout", 100)
    device.power_cycle()
    assert ask(device, "can_timeout") == 0
    write(device, "can_timeout", 100)
    answer = device.register(RegisterMessage(5, Operation.STORE, 1), 0)
    assert isinstance(answer, RegisterMessage)
    assert answer.operation is Operation.STORE
    device.power_cycle()
    assert ask(device, "can_timeout") == 100
    assert device.stores == 1


def test_store_obeys_only_while_off() -> None:
    device = motor()
    device.obey(Special.ENABLE, 0)
    write(device, "can_timeout", 100)
    device.register(RegisterMessage(5, Operation.STORE, 1), 0)
    device.power_cycle()
    assert ask(device, "can_timeout") == 0
    assert device.stores == 0


def test_zero_is_where_the_motor_is_and_outlives_the_power() -> None:
    device = motor()
    device.step(DT, Body(0.8, 0.0, 0.0))
    assert state(device.obey(Special.SET_ZERO, 0)).position == pytest.approx(0.0, abs=STEP)
    device.power_cycle()
    device.step(DT, Body(1.0, 0.0, 0.0))
    assert state(device.state()).position == pytest.approx(0.2, abs=2 * STEP)
    device.obey(Special.ENABLE, 0)
    tell(device, MitCommand(0.3, kp=10.0, kd=1.0))
    # a speed and a torque of nought are a little less on the wire
    assert device.step(DT, Body(1.0, 0.0, 0.0)).target == pytest.approx(1.1, abs=2e-3)


def test_new_id_and_master_id_hold_at_once() -> None:
    device = motor()
    register = REGISTERS["id"]
    device.register(RegisterMessage(5, Operation.WRITE, register.number, register.encode(7)), 0)
    assert device.id == 7
    assert state(device.state()).motor == 7


def test_another_mode_is_neither_answered_nor_driven() -> None:
    device = motor()
    write(device, "control_mode", 2)
    device.obey(Special.ENABLE, 0)
    assert tell(device, MitCommand(1.0, kp=10.0, kd=1.0)) is None
    assert not device.step(DT, Body(0.0, 0.0, 0.0)).enabled


@pytest.mark.parametrize(
    ("volts", "status"),
    [(10.0, MotorStatus.UNDER_VOLTAGE), (24.0, MotorStatus.ON), (60.0, MotorStatus.OVER_VOLTAGE)],
)
def test_supply(volts: float, status: MotorStatus) -> None:
    device = motor()
    device.power(volts)
    assert state(device.obey(Special.ENABLE, 0)).status == status


def test_load_warms_the_rotor_until_it_trips() -> None:
    device = motor()
    write(device, "over_temperature", 60.0)
    device.obey(Special.ENABLE, 0)
    tell(device, MitCommand(1.0, kp=10.0, kd=1.0))
    warm = []
    for _ in range(10_000):
        device.step(0.1, Body(0.0, 0.0, 7.0))
        if not device.on:
            break
        warm.append(state(device.state()).rotor_temperature)
    assert warm == sorted(warm)
    assert warm[0] == AMBIENT < warm[-1] <= 60
    assert state(device.state()).status == MotorStatus.ROTOR_OVERHEAT
