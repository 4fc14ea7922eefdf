"""The arm as a device, over a real pseudo-terminal."""

import math
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from servo_chain import ServoChain

from drivers.feetech.arm import FeetechArm, build, load_arm
from drivers.feetech.bus import FeetechBus
from drivers.servo.safe import torque_off
from hil.clock import NS_PER_MS, Deadline, WallClock
from hil.contracts import NEVER, BenchContext, DeviceSpec, Joints
from hil.errors import BadInput, DeadlineMissed, DeviceFault, HarnessError, LinkLost

STEP = 2 * math.pi / 4096
IDS = (1, 2, 3, 4, 5, 6)
SILENT_MS = 20


def soon(ms: int = 3000) -> Deadline:
    return Deadline.after(WallClock(), ms * NS_PER_MS)


def spec(address: str, **parameters: object) -> DeviceSpec:
    given = {"model": "so101", "answer_timeout_ms": SILENT_MS} | parameters
    return DeviceSpec("arm", "feetech-arm", address, given, Path("rigs"))


@pytest.fixture
def arm_with(chain: ServoChain) -> Iterator[Callable[..., FeetechArm]]:
    made: list[FeetechArm] = []

    def make(**parameters: object) -> FeetechArm:
        made.append(build(spec(chain.path, **parameters), BenchContext(WallClock())))
        return made[-1]

    yield make
    for arm in made:
        arm.close()


@pytest.fixture
def arm(arm_with: Callable[..., FeetechArm]) -> FeetechArm:
    device = arm_with()
    device.open(soon())
    return device


def test_it_is_joints(arm: FeetechArm) -> None:
    assert isinstance(arm, Joints)
    assert arm.names == (
        "shoulder_pan",
        "shoulder_lift",
        "elbow_flex",
        "wrist_flex",
        "wrist_roll",
        "gripper",
    )


def test_read_gives_si_units_and_ages(arm: FeetechArm, chain: ServoChain) -> None:
    chain.memories[2][58:62] = (0x8000 | 100).to_bytes(2, "little") + (0x400 | 250).to_bytes(
        2, "little"
    )
    sample = arm.read(soon())
    assert sample.position == pytest.approx([10 * servo * STEP for servo in IDS])
    assert sample.velocity == pytest.approx([0, -100 * STEP, 0, 0, 0, 0])
    assert sample.effort == pytest.approx([0, -0.25, 0, 0, 0, 0])
    assert sample.present.all()
    assert (sample.age_ns >= 0).all()


def test_calibration_moves_zero_and_turns_the_sign(
    arm_with: Callable[..., FeetechArm], chain: ServoChain
) -> None:
    arm = arm_with(calibration={"elbow_flex": {"zero_count": 2000, "sign": -1}})
    arm.open(soon())
    arm.enable(soon())
    chain.memories[3][60:62] = (300).to_bytes(2, "little")
    sample = arm.read(soon())
    assert sample.position[2] == pytest.approx(-78 * STEP)
    assert sample.effort[2] == pytest.approx(-0.3)
    target = sample.position.copy()
    target[2] = 0.25
    applied = arm.command(target, soon())
    arm.ping(soon())
    assert applied[2] == pytest.approx(0.25, abs=STEP / 2)
    assert chain.register(3, 42, 2) == 2000 - round(0.25 / STEP)


def test_silent_joint_is_absent_with_the_age_of_its_last_answer(
    arm: FeetechArm, chain: ServoChain
) -> None:
    chain.silent = {5}
    never = arm.read(soon())
    assert never.age_ns[4] == NEVER
    chain.silent = set()
    arm.read(soon())
    chain.silent = {5}
    sample = arm.read(soon())
    assert list(sample.present) == [True, True, True, True, False, True]
    assert np.isnan([sample.position[4], sample.velocity[4], sample.effort[4]]).all()
    assert sample.age_ns[4] >= SILENT_MS * NS_PER_MS
    assert (sample.age_ns[[0, 1, 2, 3, 5]] < sample.age_ns[4]).all()
    counters = arm.counters()
    assert counters["lost_answers.wrist_roll"] == 2
    assert counters["lost_answers.gripper"] == 0


def test_servo_always_one_read_behind_is_absent_and_never_old(
    arm: FeetechArm, chain: ServoChain
) -> None:
    chain.hold_back.add(4)
    for _ in range(4):
        assert list(arm.read(soon()).present) == [True, True, True, False, True, True]
    assert arm.counters()["wrong_length"] == 3


@pytest.mark.parametrize("side", [-1, 1])
def test_command_is_clipped_and_rounded_inwards(
    arm: FeetechArm, chain: ServoChain, side: int
) -> None:
    arm.enable(soon())
    applied = arm.command(np.full(6, 10.0 * side), soon())
    arm.ping(soon())
    joints = load_arm("so101").joints
    end = np.array([joint.upper if side > 0 else joint.lower for joint in joints])
    inside = side * (end - applied)
    assert (inside >= 0).all()
    assert (inside < STEP).all()
    sent = np.array([chain.register(servo, 42, 2) for servo in IDS])
    assert (sent - 2048) * STEP == pytest.approx(applied)


def test_angle_limits_of_a_servo_bound_its_joint(
    arm_with: Callable[..., FeetechArm], chain: ServoChain
) -> None:
    chain.memories[1][9:13] = (1900).to_bytes(2, "little") + (2200).to_bytes(2, "little")
    arm = arm_with()
    arm.open(soon())
    arm.enable(soon())
    assert arm.limits.lower[0] == pytest.approx(-148 * STEP)
    applied = arm.command(np.full(6, 1.5), soon())
    assert applied[0] == pytest.approx(152 * STEP)


@pytest.mark.parametrize("target", [np.zeros(5), np.array([0, 0, np.nan, 0, 0, 0])])
def test_target_that_is_none_is_refused(
    arm: FeetechArm, chain: ServoChain, target: np.ndarray
) -> None:
    arm.enable(soon())
    before = len(chain.requests)
    with pytest.raises(HarnessError, match="targets"):
        arm.command(target, soon())
    assert len(chain.requests) == before


def test_open_sets_speed_and_acceleration_only_in_ram(
    arm_with: Callable[..., FeetechArm], chain: ServoChain
) -> None:
    eeprom = {servo: bytes(memory[:40]) for servo, memory in chain.memories.items()}
    arm_with(goal_speed=2.0, acceleration=10.0).open(soon())
    assert {servo: bytes(memory[:40]) for servo, memory in chain.memories.items()} == eeprom
    assert chain.register(1, 46, 2) == math.floor(2.0 / STEP)
    assert chain.register(1, 41) == round(10.0 / STEP / 100)
    assert chain.register(1, 40) == 0


def test_speed_unit_follows_the_phase(
    arm_with: Callable[..., FeetechArm], chain: ServoChain
) -> None:
    chain.memories[1][18] &= ~4
    chain.memories[1][58] = 3
    arm = arm_with(goal_speed=2.0)
    arm.open(soon())
    assert chain.register(1, 46, 2) == math.floor(2.0 / STEP / 50)
    assert arm.read(soon()).velocity[0] == pytest.approx(150 * STEP)


def test_open_names_everything_that_is_wrong_at_once(
    arm_with: Callable[..., FeetechArm], chain: ServoChain
) -> None:
    chain.deaf = {2, 5}
    chain.memories[3][3:5] = (1284).to_bytes(2, "little")
    chain.memories[4][1] = 9
    chain.memories[6][33] = 1
    with pytest.raises(DeviceFault) as caught:
        arm_with().open(soon())
    message = str(caught.value)
    for part in (
        "no answer from servo 2 (shoulder_lift)",
        "no answer from servo 5 (wrist_roll)",
        "servo 3 (elbow_flex) is model 1284 and not 777",
        "servo 6 (gripper) is in mode 1",
        "firmware differs",
        "3.9 on servo 4",
        "ids that answer on this bus: 1, 3, 4, 6",
    ):
        assert part in message
    arm_with().close()  # the port was released and can be taken again
    chain.deaf = set()


def test_port_is_free_again_after_a_failed_open(
    arm_with: Callable[..., FeetechArm], chain: ServoChain
) -> None:
    chain.deaf = {2}
    arm = arm_with()
    with pytest.raises(DeviceFault):
        arm.open(soon())
    chain.deaf = set()
    arm.open(soon())
    assert arm.read(soon()).present.all()


def test_enable_holds_where_it_is(arm: FeetechArm, chain: ServoChain) -> None:
    arm.enable(soon())
    for servo in IDS:
        assert chain.register(servo, 40) == 1
        assert chain.register(servo, 42, 2) == chain.register(servo, 56, 2)
    goal_first = [packet[5] for packet in chain.requests if packet[4] == 0x83][-2:]
    assert goal_first == [42, 40]


def test_enable_with_a_silent_joint_energises_nothing(arm: FeetechArm, chain: ServoChain) -> None:
    chain.deaf = {6}
    with pytest.raises(DeviceFault, match="gripper"):
        arm.enable(soon())
    assert [chain.register(servo, 40) for servo in IDS] == [0] * 6


def test_no_command_before_enable_nor_after_make_safe(arm: FeetechArm, chain: ServoChain) -> None:
    """A servo of the STS series switches its torque on with a goal."""

    def refused() -> None:
        start = len(chain.requests)
        arm.ping(soon())
        alone = chain.requests[start:]
        with pytest.raises(HarnessError, match="arm: commanded without being enabled") as caught:
            arm.command(np.zeros(6), soon())
        assert "call enable" in caught.value.remedy
        arm.ping(soon())
        assert chain.requests[start:] == 2 * alone, "pings, and no command"

    refused()
    arm.enable(soon())
    assert arm.make_safe(soon()).safe
    refused()
    arm.enable(soon())
    arm.command(np.zeros(6), soon())
    arm.close()
    arm.open(soon())
    with pytest.raises(HarnessError, match="without being enabled"):
        arm.command(np.zeros(6), soon())


def test_arm_that_is_not_proved_safe_takes_no_command_either(
    arm: FeetechArm, chain: ServoChain
) -> None:
    arm.enable(soon())
    chain.silent = {2}
    assert not arm.make_safe(soon(300)).safe
    with pytest.raises(HarnessError, match="without being enabled"):
        arm.command(np.zeros(6), soon())


def test_arm_that_failed_to_be_enabled_again_takes_no_command(
    arm: FeetechArm, chain: ServoChain
) -> None:
    arm.enable(soon())
    chain.deaf = {6}
    with pytest.raises(DeviceFault, match="gripper"):
        arm.enable(soon())
    with pytest.raises(HarnessError, match="without being enabled"):
        arm.command(np.zeros(6), soon())


def test_make_safe_is_proved_by_reading_back(arm: FeetechArm, chain: ServoChain) -> None:
    arm.enable(soon())
    for _ in range(2):
        proof = arm.make_safe(soon())
        assert proof.safe
        assert proof.state == "torque off"
        assert proof.readings == {f"torque_enable.{name}": 0 for name in arm.names}
        assert proof.proved_ns >= proof.started_ns
    assert [chain.register(servo, 40) for servo in IDS] == [0] * 6


def test_servo_that_does_not_obey_is_not_safe(arm: FeetechArm, chain: ServoChain) -> None:
    arm.enable(soon())

    def keep_torque(servo: int, address: int, data: bytes) -> None:
        if not (servo == 3 and address == 40):
            ServoChain._store(chain, servo, address, data)

    chain._store = keep_torque  # type: ignore[method-assign]
    proof = arm.make_safe(soon())
    assert not proof.safe
    assert proof.readings["torque_enable.elbow_flex"] == 1
    assert proof.readings["torque_enable.gripper"] == 0


def test_servo_that_cannot_be_read_is_not_safe(arm: FeetechArm, chain: ServoChain) -> None:
    arm.enable(soon())
    chain.silent = {2}
    proof = arm.make_safe(soon(300))
    assert not proof.safe
    assert proof.readings["torque_enable.shoulder_lift"] == "no answer"
    assert chain.register(2, 40) == 0  # it was told nevertheless


def test_torque_off_leaves_even_after_the_deadline(arm: FeetechArm, chain: ServoChain) -> None:
    arm.enable(soon())
    arm.make_safe(soon(0))
    arm.ping(soon())  # by now the chain has obeyed
    assert [chain.register(servo, 40) for servo in IDS] == [0] * 6


class JammedPort:
    """A link that is there and takes no byte."""

    description = "jammed"

    def write(self, data: bytes, deadline: Deadline) -> None:
        raise DeadlineMissed("took 0 bytes")

    def read(self, deadline: Deadline) -> bytes:
        return b""

    def discard(self) -> int:
        return 0

    def close(self) -> None:
        return None


def test_torque_off_on_a_jammed_port_ends_unproved() -> None:
    arm = load_arm("so101")
    bus = FeetechBus(JammedPort(), WallClock())
    assert torque_off(bus, arm, soon()) == dict.fromkeys(IDS)


def test_unplugged_arm(arm: FeetechArm, chain: ServoChain) -> None:
    arm.enable(soon())
    chain.unplug()
    with pytest.raises(LinkLost):
        arm.read(soon())
    with pytest.raises(LinkLost):
        arm.command(np.zeros(6), soon())
    proof = arm.make_safe(soon())
    assert not proof.safe
    assert proof.state.startswith("link lost")
    assert [finding.ok for finding in arm.health(soon())] == [False]
    arm.close()
    arm.close()


def test_arm_that_is_not_open(arm_with: Callable[..., FeetechArm]) -> None:
    arm = arm_with()
    assert arm.counters() == {}
    assert not arm.make_safe(soon()).safe
    with pytest.raises(HarnessError, match="not open"):
        arm.read(soon())


def test_health_of_a_good_arm(arm: FeetechArm) -> None:
    found = {finding.name: finding for finding in arm.health(soon())}
    assert all(finding.ok for finding in found.values())
    assert found["voltage"].detail == "7.4..7.4 V"
    assert found["firmware"].detail == "3.6"
    assert found["torque"].detail == "off"


@pytest.mark.parametrize(
    ("name", "address", "value", "part"),
    [
        ("voltage", 62, 121, "elbow_flex 12.1 V"),
        ("temperature", 63, 70, "elbow_flex 70 degC"),
        ("errors", 65, 0x24, "elbow_flex overheat+overload"),
        ("return delay", 7, 250, "elbow_flex 500 us"),
        ("position range", 18, 28, "elbow_flex"),
        ("firmware", 1, 7, "elbow_flex 3.7"),
    ],
)
def test_health_finds(
    arm: FeetechArm, chain: ServoChain, name: str, address: int, value: int, part: str
) -> None:
    chain.memories[3][address] = value
    found = {finding.name: finding for finding in arm.health(soon())}
    assert [each.name for each in found.values() if not each.ok] == [name]
    assert part in found[name].detail
    assert found[name].remedy


def test_health_names_silent_servos(arm: FeetechArm, chain: ServoChain) -> None:
    chain.silent = {1}
    answers = arm.health(soon())[0]
    assert (answers.name, answers.ok) == ("answers", False)
    assert "shoulder_pan" in answers.detail
    chain.silent = set(IDS)
    assert [finding.ok for finding in arm.health(soon())] == [False]


@pytest.mark.parametrize(("timer_ms", "ok"), [(16, False), (1, True)])
def test_health_tells_of_a_slow_adapter(
    arm: FeetechArm, monkeypatch: pytest.MonkeyPatch, timer_ms: int, ok: bool
) -> None:
    monkeypatch.setattr("drivers.transport.latency.latency_timer_ms", lambda *_: timer_ms)
    found = {finding.name: finding for finding in arm.health(soon())}
    assert found["usb latency"].ok is ok
    assert bool(found["usb latency"].remedy) is not ok


def test_identity(arm: FeetechArm, chain: ServoChain) -> None:
    found = arm.identity(soon())
    assert (found.model, found.firmware) == ("so101", "3.6")
    assert found.detail["servos"] == 6
    assert found.detail["return_delay.gripper"] == 0
    chain.silent = {6}
    with pytest.raises(DeviceFault, match="gripper"):
        arm.identity(soon())


@pytest.mark.parametrize(
    ("parameters", "part"),
    [
        ({"model": "so102"}, "so101"),
        ({"boud": 1}, "parameters.boud"),
        ({"goal_speed": -1}, "parameters.goal_speed"),
        ({"calibration": {"elbow": {"sign": 1}}}, "elbow_flex"),
        ({"calibration": {"elbow_flex": {"sign": 2}}}, "parameters.calibration.elbow_flex.sign"),
    ],
)
def test_bad_parameters_are_named(parameters: dict, part: str) -> None:
    with pytest.raises(BadInput) as caught:
        build(spec("/dev/null", **parameters), BenchContext(WallClock()))
    assert part in str(caught.value)


def test_arm_without_a_port_is_refused() -> None:
    with pytest.raises(BadInput, match="port"):
        build(spec(""), BenchContext(WallClock()))
