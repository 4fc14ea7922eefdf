"""The emulated chain as a whole: adapter, bus and motors, on stamps of the test's own."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from drivers.can.codec import FrameLine, Reply, encode_frame
from drivers.can.decoder import ReplyDecoder
from drivers.can.frames import CanFrame
from drivers.damiao.codec import MitCommand, Ranges, Special, encode_mit, encode_special
from hil.clock import NS_PER_MS, NS_PER_US
from hil.errors import BadInput
from sim.axes import Axes
from sim.emulated.damiao import EMULATOR
from sim.emulated.damiao.chain import Chain
from sim.twin.emulator import Body, JointEmulator
from sim.twin.pacing import Transmission


def chain(**options: object) -> Chain:
    made = EMULATOR.build(EMULATOR.options.model_validate({"robot": "openarm-right"} | options))
    assert isinstance(made, Chain)
    return made


def say(device: Chain, data: bytes, now_ns: int = 0) -> list[Reply]:
    return heard(device.receive(data, now_ns, 115_200))


def heard(sent: list[Transmission]) -> list[Reply]:
    decoder = ReplyDecoder()
    ordered = sorted(sent, key=lambda each: each.start_ns)
    return [reply for each in ordered for reply in decoder.feed(each.data)]


def frames(replies: list[Reply]) -> list[CanFrame]:
    return [reply.frame for reply in replies if isinstance(reply, FrameLine)]


def opened(**options: object) -> Chain:
    device = chain(**options)
    device.receive(b"S8\rO\r", 0, 115_200)
    return device


def refresh(motor: int) -> bytes:
    return encode_frame(CanFrame(0x7FF, bytes((motor, 0, 0xCC, 0, 0, 0, 0, 0))))


def test_it_drives_the_joints_of_its_robot() -> None:
    device = chain()
    assert isinstance(device, JointEmulator)
    assert device.joints[0] == "joint_1"
    assert len(device.joints) == 8


@pytest.mark.parametrize(
    ("said", "answered"),
    [
        (b"S8\rO\rC\r", b"\r\r\r"),
        (b"O\r", b"\a"),  # no rate
        (b"C\r", b"\a"),  # closed already
        (b"S8\rO\rS6\r", b"\r\r\a"),  # open
        (b"S8\rO\rO\r", b"\r\r\a"),
        (b"S0\rS8\r", b"\r\r"),
        (b"Y5\r", b"\a"),  # no FD
        (b"V\rN\r", b"V1013\rND010\r"),
        (b"F\r", b"\a"),
        (b"S8\rO\rF\r", b"\r\rF00\r"),
        (b"Z1\rZ2\r", b"\r\a"),
        (b"M00000000\r", b"\a"),
        (b"\r", b"\r"),
        (b"t0011\r", b"\a"),
        (b"t0010\r", b"\a"),  # closed
        (b"S8\rL\rt0010\r", b"\r\r\a"),  # listens only
    ],
)
def test_adapter_obeys_and_refuses(said: bytes, answered: bytes) -> None:
    sent = chain().receive(said, 0, 115_200)
    assert b"".join(each.data for each in sent) == answered


def test_answers_come_in_the_order_of_the_bus_and_not_before_their_time() -> None:
    device = opened()
    sent = device.receive(b"".join(refresh(motor) for motor in range(1, 9)), 1000, 115_200)
    states = [each for each in sent if each.data[:1] == b"t"]
    assert [frame.id for frame in frames(heard(sent))] == [0x10 + n for n in range(1, 9)]
    starts = [each.start_ns for each in states]
    assert starts == sorted(starts)
    one_frame_ns = (47 + 64) * 1000
    assert starts[0] > 1000 + 2 * one_frame_ns
    assert starts[-1] > 1000 + 16 * one_frame_ns


def test_slower_bus_takes_longer() -> None:
    quick, slow = opened(), chain()
    slow.receive(b"S6\rO\r", 0, 115_200)
    for motor in slow.motors:
        motor._memory.put("can_bit_rate", 3)
    ends = [device.receive(refresh(1), 0, 115_200)[-1].start_ns for device in (quick, slow)]
    assert ends[1] > 1.8 * ends[0]


def test_only_the_motor_meant_answers() -> None:
    device = opened()
    assert [frame.id for frame in frames(say(device, refresh(3)))] == [0x13]
    assert frames(say(device, refresh(9))) == []
    assert frames(say(device, encode_frame(CanFrame(0x123, bytes(8))))) == []
    assert frames(say(device, encode_frame(CanFrame(3, bytes(8), extended=True)))) == []
    assert frames(say(device, encode_frame(CanFrame(3, remote_length=8)))) == []
    assert frames(say(device, encode_frame(CanFrame(3, b"\0")))) == []


def test_bus_at_another_rate_is_silent_and_in_trouble() -> None:
    device = chain()
    device.receive(b"S6\rO\r", 0, 115_200)
    assert frames(say(device, refresh(1))) == []
    assert say(device, b"F\r")[0] == heard([Transmission(0, 1, b"F80\r")])[0]
    assert device.status()["unheard"] == 8


def test_fd_motors_want_fd_frames() -> None:
    device = chain(data_bit_rate=5_000_000)
    device.receive(b"S8\rY5\rO\r", 0, 115_200)
    assert frames(say(device, refresh(1))) == []
    fd = CanFrame(0x7FF, bytes((1, 0, 0xCC, 0, 0, 0, 0, 0)), fd=True, bit_rate_switch=True)
    found = frames(say(device, encode_frame(fd)))
    assert [(frame.id, frame.fd) for frame in found] == [(0x11, True)]


def test_stamps_are_the_adapters_and_wrap() -> None:
    device = chain()
    device.receive(b"S8\rZ1\rO\r", 0, 115_200)
    reply = say(device, refresh(1), 61_234 * NS_PER_MS)[-1]
    assert isinstance(reply, FrameLine)
    assert reply.stamp_ms == 1234


def test_time_out_is_due_and_trips() -> None:
    device = opened(can_timeout_ms=10)
    assert device.due_ns() is None
    say(device, encode_frame(CanFrame(1, encode_special(Special.ENABLE))))
    due_ns = device.due_ns()
    assert due_ns is not None
    assert 10 * NS_PER_MS <= due_ns < 10 * NS_PER_MS + 500 * NS_PER_US
    assert device.status()["torque_on"] == 1
    assert device.wake(due_ns) == []
    status = device.status()
    assert (status["torque_on"], status["torque_off_ns"], status["trips"]) == (0, due_ns, 1)


def test_host_that_talks_keeps_the_time_out_from_tripping() -> None:
    device = opened(can_timeout_ms=10)
    say(device, encode_frame(CanFrame(1, encode_special(Special.ENABLE))))
    for tick in range(100):
        say(device, refresh(1), tick * 9 * NS_PER_MS)
    assert device.status()["trips"] == 0


def test_flood_is_due_and_bounded_by_its_rate() -> None:
    device = opened()
    device.control({"faults": {"flood_hz": 1000}})
    device.receive(b"", 0, 115_200)
    found = frames(heard(device.wake(10 * NS_PER_MS)))
    assert len(found) == 11
    assert {frame.id for frame in found} == {0x6FF}
    assert device.due_ns() == 11 * NS_PER_MS
    device.control({"faults": {}})
    assert device.due_ns() is None


@pytest.mark.parametrize(
    ("args", "part"),
    [
        ({"fault": {}}, "fault"),
        ({"faults": {"silence": [1]}}, "silence"),
        ({"faults": {"status": {"1": 16}}}, "status"),
        ({"power_cycle": [9]}, "no motor has id 9"),
    ],
)
def test_control_that_it_does_not_know_is_named(args: dict, part: str) -> None:
    with pytest.raises(BadInput, match=part):
        chain().control(args)


@pytest.mark.parametrize(
    "options", [{"robot": ""}, {"robot": "openarm-right", "acks": "y"}, {"robot": "x", "baud": 1}]
)
def test_bad_options_are_refused(options: dict) -> None:
    with pytest.raises(ValidationError):
        EMULATOR.options.model_validate(options)


def test_unknown_robot_is_named() -> None:
    with pytest.raises(BadInput, match="nobody"):
        chain(robot="nobody")


@pytest.mark.parametrize("start", [0.0, 0.2])
def test_stiff_gains_are_steady_on_the_plant(start: float) -> None:
    """The robot's own gains, up to kp 240 and kd 5, on light joints stepped a thousand times a
    second: they arrive and stand still."""
    device = opened()
    plant = Axes(1000, device.joints)
    plant._position[:] = start
    goals = np.array([0.5, 0.6, 0.7, 0.8, 0.5, 0.4, 0.3, -0.5])
    for number, joint in enumerate(device.motors, start=1):
        ranges = joint._memory.ranges
        kp, kd = (240.0, 5.0) if number <= 4 else (25.0, 0.3)
        command = MitCommand(goals[number - 1], kp=kp, kd=kd)
        assert isinstance(ranges, Ranges)
        say(device, encode_frame(CanFrame(number, encode_special(Special.ENABLE))))
        say(device, encode_frame(CanFrame(number, encode_mit(command, ranges))))
    fastest = np.zeros(8)
    for step in range(3000):
        bodies = [Body(*each) for each in zip(*plant.joints(), strict=True)]
        drives = device.step(0.001, bodies)
        plant.drive(
            np.array([drive.target for drive in drives]),
            np.array([drive.torque_limit for drive in drives]),
            np.array([drive.enabled for drive in drives]),
        )
        plant.step()
        if step >= 2500:
            fastest = np.maximum(fastest, np.abs(plant.joints()[1]))
    assert plant.joints()[0] == pytest.approx(goals, abs=0.02)
    assert fastest.max() < 0.05
