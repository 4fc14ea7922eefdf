"""damiao-motor against ours: the same payloads over the whole range, and its own controller on
our emulated motors.

What is known to differ in damiao-motor 1.0.6 is listed and asserted, so that a fixed release is
noticed.
"""

from __future__ import annotations

import contextlib
import random
import struct
import time
from collections.abc import Iterator
from typing import Any

import pytest
from damiao_chains import emulated, soon, spec

from drivers.damiao.chain import build
from drivers.damiao.codec import (
    MitCommand,
    Operation,
    Ranges,
    RegisterMessage,
    Special,
    decode_feedback,
    encode_mit,
    encode_register,
    encode_special,
)
from drivers.damiao.motors import load_motors
from drivers.damiao.registers import load_registers
from hil.clock import WallClock
from hil.contracts import BenchContext

can = pytest.importorskip("can")
damiao_motor = pytest.importorskip("damiao_motor")

SAMPLES = 3000
OURS = {
    "3507": "dm3507",
    "4310": "dm4310",
    "4310P": "dm4310-48v",
    "4340": "dm4340",
    "4340P": "dm4340-48v",
    "6006": "dm6006",
    "8006": "dm8006",
    "8009": "dm8009",
    "10010L": "dm10010l",
    "10010": "dm10010",
    "H3510": "dmh3510",
    "G6215": "dm6215",
    "H6220": "dm6220",
    "JH11": "dmjh11",
    "6248P": "dm6248p",
}
"""Their names for motors, and ours."""

DEFAULT_DIFFERS = {"4340"}
"""Models whose table of theirs is not the data sheet's default: 10 rad/s instead of 8."""


class Recorder:
    """Stands where their bus stands and keeps what is sent."""

    def __init__(self) -> None:
        self.sent: list[tuple[int, bytes]] = []

    def send(self, message: Any) -> None:
        self.sent.append((message.arbitration_id, bytes(message.data)))


def theirs(kind: str, bus: Any = None) -> Any:
    return damiao_motor.DaMiaoMotor(1, 0x11, bus, motor_type=kind)


def ranges_of(kind: str) -> Ranges:
    preset = damiao_motor.MOTOR_TYPE_PRESETS[kind]
    return Ranges(preset["p_max"], preset["v_max"], preset["t_max"])


@pytest.mark.parametrize("kind", sorted(OURS))
def test_commands_are_the_same_over_the_whole_range(kind: str) -> None:
    motor, ranges = theirs(kind), ranges_of(kind)
    dice = random.Random(kind)
    for _ in range(SAMPLES):
        # a tenth beyond the ends, where both hold the value at the end
        position, velocity, torque = (
            dice.uniform(-1.1, 1.1) * most
            for most in (ranges.position, ranges.velocity, ranges.torque)
        )
        kp, kd = dice.uniform(-10, 510), dice.uniform(-0.1, 5.1)
        given = MitCommand(position, velocity, kp, kd, torque)
        assert encode_mit(given, ranges) == motor.encode_cmd_msg(position, velocity, torque, kp, kd)


@pytest.mark.parametrize("kind", sorted(OURS))
def test_states_are_read_the_same_over_the_whole_range(kind: str) -> None:
    motor, ranges = theirs(kind), ranges_of(kind)
    dice = random.Random(kind)
    for _ in range(SAMPLES):
        payload = dice.randbytes(8)
        ours, seen = decode_feedback(payload, ranges), motor.decode_sensor_feedback(payload)
        assert ours is not None
        assert (ours.motor, ours.status) == (seen["can_id"], seen["status_code"])
        assert (ours.mos_temperature, ours.rotor_temperature) == (seen["t_mos"], seen["t_rotor"])
        assert ours.position == pytest.approx(seen["pos"])
        assert ours.velocity == pytest.approx(seen["vel"])
        assert ours.torque == pytest.approx(seen["torq"])


def test_commands_without_arguments_and_registers_are_the_same() -> None:
    recorder = Recorder()
    motor = theirs("4310", recorder)
    motor.enable()
    motor.disable()
    motor.clear_error()
    motor.set_zero_position()
    motor.request_register_reading(21)
    motor.set_can_timeout(500)
    motor.store_parameters()
    motor.request_motor_feedback()
    steps = load_registers()["can_timeout"].encode(10_000)
    assert recorder.sent == [
        (1, encode_special(Special.ENABLE)),
        (1, encode_special(Special.DISABLE)),
        (1, encode_special(Special.CLEAR_ERROR)),
        (1, encode_special(Special.SET_ZERO)),
        (0x7FF, encode_register(RegisterMessage(1, Operation.READ, 21))),
        (0x7FF, encode_register(RegisterMessage(1, Operation.WRITE, 9, steps))),
        (0x7FF, encode_register(RegisterMessage(1, Operation.STORE, 1))),
        (0x7FF, encode_register(RegisterMessage(1, Operation.REFRESH))),
    ]


def test_registers_have_the_same_numbers_types_and_rights() -> None:
    table = damiao_motor.REGISTER_TABLE
    for register in load_registers().values():
        info = table[register.number]
        assert {"float": "f32", "uint32": "u32"}[info.data_type] == register.type
        assert {"RO": "r", "RW": "rw"}[info.access] == register.access


def test_tables_of_ranges_differ_where_it_is_known() -> None:
    models = load_motors()
    assert set(OURS) == set(damiao_motor.MOTOR_TYPE_PRESETS)
    differs = {kind for kind, ours in OURS.items() if models[ours].ranges[0] != ranges_of(kind)}
    assert differs == DEFAULT_DIFFERS
    for kind, ours in OURS.items():
        assert models[ours].knows(ranges_of(kind)), kind


def test_they_take_a_state_at_the_end_of_the_scale_for_a_register() -> None:
    """Known difference: any payload that could be an answer about a register is one to them,
    asked or not; the position 33 hex then stands still in their state."""
    motor = theirs("4310")
    motor.process_feedback_frame(bytes.fromhex("1100330A08001E1C"))
    assert motor.get_states() == {}


def test_they_send_a_command_that_is_an_enable() -> None:
    """Known difference: everything at its upper end, and the torque a hair below, is not a
    command in MIT mode but the one that switches a motor on. Ours refuses to send it."""
    assert theirs("4310").encode_cmd_msg(12.5, 30.0, 9.986, 500.0, 5.0)[-1] == Special.ENABLE


@pytest.fixture
def controller() -> Iterator[Any]:
    line = emulated()
    with line as path:
        made = damiao_motor.DaMiaoController.__new__(damiao_motor.DaMiaoController)
        # its constructor takes a channel and a kind of bus only; the adapter needs its bit rate,
        # and not the two seconds that python-can waits for it
        with slcan_at(path):
            made.__init__(channel=path, bustype="slcan")
        made.line = line
        yield made
        with contextlib.suppress(can.CanError):
            made.shutdown()


@contextlib.contextmanager
def slcan_at(path: str) -> Iterator[None]:
    original = can.interface.Bus

    def bus(channel: str, bustype: str) -> Any:
        assert (channel, bustype) == (path, "slcan")
        return original(
            interface="slcan",
            channel=path,
            bitrate=1_000_000,
            sleep_after_open=0,
            ignore_config=True,
        )

    can.interface.Bus = bus
    try:
        yield
    finally:
        can.interface.Bus = original


def wait_for(condition: Any) -> None:
    limit = soon(10_000)
    while not condition():
        assert not limit.expired, "it did not come about"
        time.sleep(0.005)


def test_their_controller_drives_our_emulated_motors(controller: Any) -> None:
    motor = controller.add_motor(5, 0x15, "4310")
    assert motor.get_register(21, timeout=5) == pytest.approx(12.5)
    assert motor.get_register(10, timeout=5) == 1
    motor.set_can_timeout(5000)
    motor.enable()
    wait_for(lambda: motor.get_states().get("status") == "ENABLED")

    def arrived() -> bool:
        motor.send_cmd_mit(target_position=0.4, stiffness=24.0, damping=0.3)
        return abs(motor.get_states()["pos"] - 0.4) < 0.002

    wait_for(arrived)
    motor.disable()
    wait_for(lambda: motor.get_states()["status"] == "DISABLED")


def test_their_controller_sees_the_time_out_trip_and_clears_it(controller: Any) -> None:
    motor = controller.add_motor(1, 0x11, "8009")
    motor.set_can_timeout(50)
    motor.enable()
    wait_for(lambda: controller.line.status()["trips"] == 1)
    motor.request_motor_feedback()
    wait_for(lambda: motor.get_states().get("status") == "LOST_COMM")
    motor.clear_error()
    wait_for(lambda: motor.get_states().get("status") == "DISABLED")


def test_our_chain_drives_a_motor_that_answers_through_python_can() -> None:
    """A motor made of their codec, on python-can's virtual bus."""
    robot = spec("can:virtual:damiao")
    with can.Bus(interface="virtual", channel="damiao", ignore_config=True) as bus:
        motors = {n: _Responder(n, kind, bus) for n, kind in enumerate(_KINDS, start=1)}
        notifier = can.Notifier(bus, [lambda message: _dispatch(motors, message)], timeout=0.05)
        chain = build(robot, BenchContext(WallClock()))
        try:
            chain.open(soon())
            assert chain.read(soon()).present.all()
            chain.enable(soon())
            applied = chain.command(chain.read(soon()).position + 0.1, soon())
            sample = chain.read(soon())
            assert sample.position == pytest.approx(applied, abs=0.001)
            assert chain.arm_watchdog(0.5, soon()) == pytest.approx(0.5)
            assert chain.make_safe(soon()).safe
            counted = chain.counters()
            assert counted["wrong_id"] == counted["unowed_answers"] == 0
        finally:
            chain.close()
            notifier.stop()


_KINDS = ("8009", "8009", "4340", "4340", "4310", "4310", "4310", "4310")


class _Responder:
    """A motor without a body: it is at once where it is told to be."""

    def __init__(self, number: int, kind: str, bus: Any) -> None:
        self._number, self._bus = number, bus
        self._codec = theirs(kind)
        preset = damiao_motor.MOTOR_TYPE_PRESETS[kind]
        self._registers = {
            2: 100.0,
            7: 0x10 + number,
            8: number,
            9: 0,
            10: 1,
            14: 1,
            21: preset["p_max"],
            22: preset["v_max"],
            23: preset["t_max"],
            36: 1,
        }
        self._position = (0x7F, 0xFF)
        self._on = False

    def take(self, message: Any) -> None:
        data = bytes(message.data)
        if message.arbitration_id == 0x7FF and data[2] in (0x33, 0x55):
            self._say(self._register(data))
            return
        if message.arbitration_id == self._number:
            if data == self._codec.encode_enable_msg():
                self._on = True
            elif data == self._codec.encode_disable_msg():
                self._on = False
            elif self._on:
                self._position = (data[0], data[1])
        self._say(bytes((self._on << 4 | self._number, *self._position, 0x80, 8, 0, 30, 28)))

    def _register(self, data: bytes) -> bytes:
        kind = "<f" if damiao_motor.REGISTER_TABLE[data[3]].data_type == "float" else "<I"
        if data[2] == 0x55:
            self._registers[data[3]] = struct.unpack(kind, data[4:])[0]
        return data[:4] + struct.pack(kind, self._registers.get(data[3], 0))

    def _say(self, data: bytes) -> None:
        self._bus.send(
            can.Message(arbitration_id=0x10 + self._number, is_extended_id=False, data=data)
        )


def _dispatch(motors: dict[int, _Responder], message: Any) -> None:
    named = message.arbitration_id
    number = message.data[0] | message.data[1] << 8 if named == 0x7FF else named
    if number in motors:
        motors[number].take(message)
