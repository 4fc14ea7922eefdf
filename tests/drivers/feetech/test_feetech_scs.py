"""Servos of the SCS series as a chain: high byte first, and read one by one."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from servo_chain import READ, SYNC_READ, ServoChain

from drivers.feetech.arm import FeetechArm, load_arm
from drivers.feetech.arm_table import arm_names
from drivers.feetech.parameters import ArmParameters
from drivers.feetech.registers import load_table
from drivers.servo.joints import JointSpec, JointTable
from hil.clock import NS_PER_MS, Deadline, WallClock
from hil.contracts import NEVER, DeviceSpec
from hil.errors import BadInput, DeviceFault

SCS = load_table("scs0009")
STEP = math.radians(300) / 1024
IDS = (1, 2, 3)
SILENT_MS = 60


def soon(ms: int = 3000) -> Deadline:
    return Deadline.after(WallClock(), ms * NS_PER_MS)


def put(memory: bytearray, name: str, value: int) -> None:
    register = SCS[name]
    memory[register.address : register.end] = SCS.encode(name, value)


@pytest.fixture
def fingers() -> Iterator[ServoChain]:
    """Three servos standing at 500 + 10 * id."""
    memories = {}
    for servo in IDS:
        memory = SCS.image()
        for name, value in (
            ("id", servo),
            ("present_position", 500 + 10 * servo),
            ("present_speed", -7 * servo),
            ("present_load", -250),
            ("present_voltage", 60),
        ):
            put(memory, name, value)
        memories[servo] = memory
    chain = ServoChain(memories)
    yield chain
    chain.unplug()


def joints() -> JointTable:
    rows = tuple(
        JointSpec(
            name=f"finger-{servo}",
            id=servo,
            lower=-1.0,
            upper=1.0,
            velocity=5.0,
            zero_count=512,
            sign=1,
        )
        for servo in IDS
    )
    return JointTable("hand", rows, (SCS,) * len(IDS))


@pytest.fixture
def hand(fingers: ServoChain) -> Iterator[FeetechArm]:
    spec = DeviceSpec("hand", "feetech-arm", fingers.path, {}, Path())
    parameters = ArmParameters(model="hand", answer_timeout_ms=SILENT_MS)
    device = FeetechArm(spec, joints(), parameters, WallClock())
    device.open(soon())
    yield device
    device.close()


def test_state_is_read_with_the_high_byte_first(hand: FeetechArm) -> None:
    sample = hand.read(soon())
    assert sample.position == pytest.approx([(10 * servo - 12) * STEP for servo in IDS])
    assert sample.velocity == pytest.approx([-7 * servo * STEP for servo in IDS])
    assert sample.effort == pytest.approx([-0.25] * 3)


def test_nobody_is_asked_to_sync_read(hand: FeetechArm, fingers: ServoChain) -> None:
    hand.enable(soon())
    hand.read(soon())
    assert hand.make_safe(soon()).safe
    assert SYNC_READ not in {packet[4] for packet in fingers.requests}
    asked = [packet[2] for packet in fingers.requests if packet[4] == READ]
    assert set(asked) == set(IDS)


def test_goal_is_sent_with_the_high_byte_first(hand: FeetechArm, fingers: ServoChain) -> None:
    hand.enable(soon())
    applied = hand.command(np.full(3, 0.5), soon())
    hand.ping(soon())
    counts = 512 + round(0.5 / STEP)
    assert applied == pytest.approx([(counts - 512) * STEP] * 3)
    assert fingers.memories[2][42:44] == counts.to_bytes(2, "big")


def test_silent_servo_costs_its_share_and_the_others_come(
    hand: FeetechArm, fingers: ServoChain
) -> None:
    fingers.silent = {2}
    deadline = soon()
    sample = hand.read(deadline)
    assert not deadline.expired
    assert list(sample.present) == [True, False, True]
    assert sample.age_ns[1] == NEVER
    assert hand.counters()["lost_answers.finger-2"] == 1
    assert hand.counters()["lost_answers.finger-3"] == 0


def test_goal_speed_is_set_and_no_acceleration(hand: FeetechArm, fingers: ServoChain) -> None:
    assert fingers.memories[1][46:48] == math.floor(5.0 / STEP).to_bytes(2, "big")
    assert fingers.memories[1][41] == 0


def test_wire_use_counts_every_request(hand: FeetechArm) -> None:
    assert hand.wire_uses()["read"].byte_count == 3 * (8 + 6 + 7)


def test_servo_set_up_as_a_wheel_is_refused(fingers: ServoChain) -> None:
    put(fingers.memories[3], "min_angle_limit", 0)
    put(fingers.memories[3], "max_angle_limit", 0)
    spec = DeviceSpec("hand", "feetech-arm", fingers.path, {}, Path())
    device = FeetechArm(spec, joints(), ArmParameters(model="hand"), WallClock())
    with pytest.raises(DeviceFault, match=r"finger-3.*wheel"):
        device.open(soon())


def test_both_series_do_not_fit_into_one_chain() -> None:
    table = JointTable("mixed", joints().joints[:2], (SCS, load_table("sts3215")))
    spec = DeviceSpec("hand", "feetech-arm", "/dev/null", {}, Path())
    with pytest.raises(BadInput, match="different places"):
        FeetechArm(spec, table, ArmParameters(model="hand"), WallClock())


def test_who_is_there_is_asked_one_by_one(hand: FeetechArm, fingers: ServoChain) -> None:
    fingers.silent = {2}
    asked = len(fingers.requests)
    looks = (hand.bus.present(soon(100)) for _ in range(20))
    assert any(look == [1, 3] for look in looks), "a busy host may miss one in its 5 ms"
    targets = [packet[2] for packet in fingers.requests[asked:]]
    assert targets[:4] == [0, 1, 2, 3]
    assert 254 not in targets


@pytest.mark.parametrize(
    ("asked", "told"), [(0.0001, 1), (2.0, math.floor(2.0 / STEP)), (None, math.floor(5.0 / STEP))]
)
def test_goal_speed_is_never_0_which_would_be_the_fastest(
    fingers: ServoChain, asked: float | None, told: int
) -> None:
    spec = DeviceSpec("hand", "feetech-arm", fingers.path, {}, Path())
    parameters = ArmParameters(model="hand", goal_speed=asked)
    device = FeetechArm(spec, joints(), parameters, WallClock())
    device.open(soon())
    device.close()
    assert fingers.memories[3][46:48] == told.to_bytes(2, "big")


def test_goal_speed_keeps_to_what_the_register_takes(fingers: ServoChain) -> None:
    slow = replace(SCS["goal_speed"], highest=300)
    table = replace(SCS, registers={**SCS.registers, "goal_speed": slow})
    spec = DeviceSpec("hand", "feetech-arm", fingers.path, {}, Path())
    robot = JointTable("hand", joints().joints, (table,) * len(IDS))
    device = FeetechArm(spec, robot, ArmParameters(model="hand"), WallClock())
    device.open(soon())
    device.close()
    assert fingers.memories[1][46:48] == (300).to_bytes(2, "big")


@pytest.mark.parametrize("model", arm_names())
def test_arms_of_the_folder_are_within_their_servos(model: str) -> None:
    arm = load_arm(model)
    low, high = arm.scale.counts_within(arm.limits.lower, arm.limits.upper)
    for joint, table, least, most in zip(arm.joints, arm.tables, low, high, strict=True):
        assert table["min_angle_limit"].default <= least < most
        assert most <= table["max_angle_limit"].default
        assert table.motor is not None
        assert joint.velocity <= table.motor.no_load_speed


@pytest.mark.parametrize(
    ("model", "servos"),
    [("so100", "6 sts3215"), ("so101", "6 sts3215"), ("amazing_hand", "8 scs0009")],
)
def test_arms_have_the_servos_that_they_are_built_of(model: str, servos: str) -> None:
    arm = load_arm(model)
    kinds = {table.model for table in arm.tables}
    assert f"{len(arm.ids)} {kinds.pop()}" == servos
    assert not kinds
    assert arm.ids == tuple(range(1, len(arm.ids) + 1))
