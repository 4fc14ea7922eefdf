"""The driver on the emulated bus over a pseudo-terminal: the path that a run takes."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pump import Pump, pumped

from drivers.dynamixel.chain import DynamixelChain, build
from drivers.servo.chain import ServoChain
from hil.clock import Deadline, WallClock
from hil.contracts import (
    NEVER,
    BenchContext,
    DeviceSpec,
    FloatArray,
    Joints,
    JointSample,
    Rescue,
    SelfWatching,
    WireTimes,
)
from hil.errors import BadInput, DeviceFault, HarnessError, LinkLost
from sim.emulated.dynamixel.bus import BusOptions
from sim.emulated.dynamixel.bus import build as build_bus

STEP = 2 * math.pi / 4096
WATCH_S = 0.1
OLD_ARM = {
    "motors": [
        {"model": "ax-12a", "id": servo, "joint": name, "zero_count": 512}
        for servo, name in enumerate(("pan", "tilt"), start=1)
    ]
}


def soon(seconds: float = 5.0) -> Deadline:
    return Deadline.after_s(WallClock(), seconds)


class Rig:
    """An emulated robot on a line, and the driver's device at its other end."""

    def __init__(self, stack: ExitStack, robot: str = "koch", **options: object) -> None:
        baud = 4_000_000 if robot == "leap" else 1_000_000
        given = {"robot": robot, "baud": baud} | options
        self.pump: Pump = pumped(build_bus(BusOptions.model_validate(given)))
        self.path = stack.enter_context(self.pump)
        self._stack, self._robot, self._baud = stack, robot, baud

    def device(self, **parameters: object) -> DynamixelChain:
        """A device that is not open yet."""
        device = self.any_device(**parameters)
        assert isinstance(device, DynamixelChain)
        return device

    def any_device(self, **parameters: object) -> ServoChain:
        given = {"model": self._robot, "baud": self._baud} | parameters
        spec = DeviceSpec("arm", "dynamixel-chain", self.path, given, Path())
        device = build(spec, BenchContext(WallClock()))
        self._stack.callback(device.close)
        return device

    def opened(self, **parameters: object) -> DynamixelChain:
        device = self.device(**parameters)
        device.open(soon())
        return device

    def fault(self, **faults: Any) -> None:
        self.pump.control({"faults": faults})


@pytest.fixture
def rig() -> Iterator[Callable[..., Rig]]:
    with ExitStack() as stack:
        yield lambda *args, **options: Rig(stack, *args, **options)


@pytest.fixture
def koch(rig: Callable[..., Rig]) -> Rig:
    return rig()


def until(reached: Callable[[], bool], seconds: float = 10.0) -> bool:
    give_up = time.monotonic() + seconds
    while not reached():
        if time.monotonic() > give_up:
            return False
        time.sleep(0.005)
    return True


def at(device: ServoChain, target: FloatArray) -> Callable[[], bool]:
    return lambda: bool(np.nanmax(np.abs(device.read(soon()).position - target)) < 2 * STEP)


def test_it_keeps_its_contracts(koch: Rig) -> None:
    device = koch.opened()
    for contract in (Joints, Rescue, SelfWatching, WireTimes):
        assert isinstance(device, contract)
    assert device.names[0] == "shoulder_pan"
    assert device.tool_point is None


@pytest.mark.parametrize("robot", ["koch", "leap"])
def test_open_enable_move_and_make_safe(rig: Callable[..., Rig], robot: str) -> None:
    device = rig(robot).opened(goal_speed=4.0)
    assert all(finding.ok for finding in device.health(soon()))
    device.enable(soon())
    assert device.arm_watchdog(2.0, soon()) == 2.0
    before = device.read(soon())
    assert before.present.all()
    assert (before.age_ns >= 0).all()
    target = np.full(len(device.names), -0.2)
    applied = device.command(target, soon())
    assert np.abs(applied - target).max() < STEP
    assert until(at(device, applied))
    proof = device.make_safe(soon())
    assert proof.safe
    assert set(proof.readings.values()) == {0}
    assert device.counters()["watchdog_trips"] == 0


def test_fast_and_plain_reads_see_the_same(rig: Callable[..., Rig]) -> None:
    bench = rig("leap")
    fast, slow = bench.opened(fast_read=True), None
    first = fast.read(soon())
    assert fast.counters()["fast_reads"] > 0
    fast.close()
    slow = bench.opened(fast_read=False)
    second = slow.read(soon())
    assert slow.counters()["fast_reads"] == 0
    np.testing.assert_array_equal(first.position, second.position)
    uses = slow.wire_uses()["read"].byte_count
    assert uses == 14 + 16 + 16 * (11 + 11)


def test_firmware_decides_about_fast_reads(rig: Callable[..., Rig]) -> None:
    bench = rig(firmware=44)
    device = bench.opened()
    device.read(soon())
    assert device.counters()["fast_reads"] == 0
    details = {f.name: f.detail for f in device.health(soon())}
    assert "gripper (firmware 44)" in details["fast reads"]
    device.close()
    with pytest.raises(DeviceFault, match="no fast reads with shoulder_pan"):
        bench.opened(fast_read=True)


def test_units_and_signs(rig: Callable[..., Rig]) -> None:
    bench = rig()
    device = bench.opened(calibration={"elbow_flex": {"zero_count": 2000, "sign": -1}})
    position = device.read(soon()).position
    assert position[2] == pytest.approx(-48 * STEP)
    assert position[[0, 1, 3]] == pytest.approx(0)
    device.enable(soon())
    target = position + np.array([0.0, 0.0, 0.3, 0.0, 0.0, 0.0])
    device.command(target, soon())
    assert until(at(device, target))


def test_one_silent_motor_is_absent_and_the_others_come(koch: Rig) -> None:
    device = koch.opened(answer_timeout_ms=20)
    koch.fault(silent=[3])
    broken = device.read(soon())
    assert list(broken.present) == [True, True, False, False, False, False], "the chain breaks"
    sample = device.read(soon())
    assert list(sample.present) == [True, True, False, True, True, True]
    assert sample.age_ns[2] == NEVER
    koch.fault()
    assert device.read(soon()).present.all()
    koch.fault(silent=[3])
    device.read(soon())
    sample = device.read(soon())
    assert sample.age_ns[2] > sample.age_ns[0] >= 0
    counted = device.counters()
    assert counted["lost_answers.elbow_flex"] == 4
    assert counted["lost_answers.gripper"] == 2
    assert counted["plain_instead"] >= 2
    assert counted["broken_fast_reads"] >= 2


def test_after_the_gap_reads_are_fast_again(koch: Rig) -> None:
    device = koch.opened(answer_timeout_ms=20)
    koch.fault(silent=[3])
    device.read(soon())
    koch.fault()
    device.read(soon())
    before = device.counters()["fast_reads"]
    device.read(soon())
    assert device.counters()["fast_reads"] == before + 1


@pytest.mark.parametrize(
    ("faults", "counter", "lost"),
    [
        ({"corrupt": {"3": 1}}, "crc_errors", True),
        ({"impostor": {"3": 9}}, "wrong_id", True),
        ({"hardware_error": {"3": 32}}, "alerts", False),
    ],
)
@pytest.mark.parametrize("fast", [True, False])
def test_faults_are_counted_by_name(
    koch: Rig, faults: dict[str, Any], counter: str, lost: bool, fast: bool
) -> None:
    device = koch.opened(fast_read=fast, answer_timeout_ms=20)
    before = device.counters()
    koch.fault(**faults)
    sample = device.read(soon())
    assert sample.present[2] != lost
    changed = {name for name, count in device.counters().items() if count > before[name]}
    usual = {"requests", "fast_reads", "broken_fast_reads", "resync_bytes"}
    usual |= {name for name in before if name.startswith("lost_answers")}
    assert changed - usual == {counter}


def test_late_answer_is_not_taken_for_a_fresh_one(koch: Rig) -> None:
    device = koch.opened(fast_read=False, answer_timeout_ms=5)
    koch.fault(delay_us={"6": 30_000})
    assert not device.read(soon()).present[5]
    late = device.counters
    assert until(lambda: not device.read(soon()).present[5] and late()["stale_bytes"] > 0)


def test_flood_keeps_nobody_for_ever(koch: Rig) -> None:
    """Somebody talks all the time: every read ends, and what is taken has a right CRC."""
    device = koch.opened(answer_timeout_ms=20)
    koch.fault(flood=1_000_000)
    for _ in range(20):
        sample = device.read(soon())
        assert np.abs(sample.position[sample.present]).max(initial=0) == 0
    assert device.counters()["resync_bytes"] + device.counters()["stale_bytes"] > 0
    koch.fault()
    assert until(lambda: bool(device.read(soon()).present.all()))


def test_hardware_errors_are_named(koch: Rig) -> None:
    device = koch.opened()
    koch.fault(hardware_error={"2": 32, "6": 5}, voltage={"4": 9.0})
    found = {finding.name: finding for finding in device.health(soon())}
    errors = found["hardware errors"]
    assert not errors.ok
    assert "shoulder_lift overload" in errors.detail
    assert "gripper input voltage + overheating" in errors.detail
    assert "wrist_flex input voltage" in errors.detail
    assert "reboot" in errors.remedy
    assert not found["voltage"].ok
    with pytest.raises(DeviceFault, match="shoulder_lift"):
        device.enable(soon())


def test_return_delay_and_status_level_are_findings(rig: Callable[..., Rig]) -> None:
    bench = rig(return_delay_us=500)
    device = bench.opened()
    device.bus.write(3, 68, b"\x01", soon())
    found = {finding.name: finding for finding in device.health(soon()) if not finding.ok}
    assert set(found) == {"return delay", "status return level"}
    assert "shoulder_pan 500 us" in found["return delay"].detail
    assert found["status return level"].detail == "elbow_flex 1"


def test_open_names_everything_that_is_wrong_at_once(koch: Rig) -> None:
    koch.fault(silent=[1], model_number={"4": 1030})
    with pytest.raises(DeviceFault) as caught:
        koch.opened()
    message = str(caught.value)
    for part in (
        "no answer from servo 1 (shoulder_pan)",
        "servo 4 (wrist_flex) is model 1030 and not 1200 (xl330-m288)",
        "ids that answer on this bus: 2, 3, 4, 5, 6",
    ):
        assert part in message


def test_wrong_mode_is_named_and_changed_where_the_rig_allows_it(rig: Callable[..., Rig]) -> None:
    bench = rig(mode=3)
    with pytest.raises(DeviceFault, match=r"\(gripper\) is in operating mode 3 and not in 5"):
        bench.opened()
    device = bench.opened(set_mode=True)
    assert device.identity(soon()).detail["operating_mode.gripper"] == 5
    assert device.identity(soon()).detail["operating_mode.elbow_flex"] == 3


def test_torque_that_comes_on_by_itself_is_refused(koch: Rig) -> None:
    device = koch.opened()
    device.bus.write(2, 10, b"\x08", soon())
    device.bus.write(3, 10, b"\x04", soon())
    device.close()
    with pytest.raises(DeviceFault) as caught:
        koch.opened()
    assert "servo 2 (shoulder_lift) switches its torque on with a goal" in str(caught.value)
    assert "servo 3 (elbow_flex) makes its profiles by time" in str(caught.value)


def test_current_is_limited_where_the_robot_says_so(koch: Rig) -> None:
    device = koch.opened()
    assert device.bus.read(6, 102, 2, soon()) == (500).to_bytes(2, "little")
    device.close()
    device = koch.opened(current_limit=0.2)
    assert device.bus.read(6, 102, 2, soon()) == (200).to_bytes(2, "little")
    assert device.bus.read(5, 102, 2, soon()) == (1750).to_bytes(2, "little"), "not in mode 5"


def test_position_limits_of_a_motor_bound_its_joint(koch: Rig) -> None:
    device = koch.opened()
    device.bus.write(1, 48, (2100).to_bytes(4, "little"), soon())
    device.close()
    device = koch.opened()
    assert device.limits.upper[0] == pytest.approx(52 * STEP)
    assert device.command(np.full(6, 1.0), soon())[0] == pytest.approx(52 * STEP)


def test_watchdog_stops_the_motors_and_the_next_command_revives_them(koch: Rig) -> None:
    device = koch.opened(goal_speed=0.5)
    device.enable(soon())
    assert device.arm_watchdog(WATCH_S, soon()) == pytest.approx(WATCH_S)
    goal = np.array([1.0, 0.5, 1.0, 1.0, 1.0, 0.0])
    device.command(goal, soon())
    assert until(lambda: koch.pump.status()["watchdog_trips"] == 6)
    found = {finding.name: finding for finding in device.health(soon())}
    assert not found["bus watchdog"].ok
    stopped = device.read(soon()).position
    assert (np.abs(stopped[:5]) < 0.5).all(), "far from the goal"
    assert device.bus.read(1, 112, 4, soon()) == bytes(4), "the profile is gone"
    target = stopped + 0.05
    time.sleep(1.5 * WATCH_S)
    applied = device.command(target, soon())
    assert device.counters()["watchdog_trips"] == 6
    assert device.bus.read(1, 112, 4, soon()) != bytes(4)
    assert until(at(device, applied))


def test_watchdog_is_disarmed_in_the_pauses(koch: Rig) -> None:
    device = koch.opened()
    device.enable(soon())
    device.arm_watchdog(WATCH_S, soon())
    device.disarm_watchdog(soon())
    time.sleep(2 * WATCH_S)
    assert koch.pump.status()["watchdog_trips"] == 0
    device.arm_watchdog(WATCH_S, soon())
    assert until(lambda: koch.pump.status()["watchdog_trips"] == 6)
    device.disarm_watchdog(soon())
    assert device.counters()["watchdog_trips"] == 6
    assert device.bus.read(1, 98, 1, soon()) == b"\0"
    assert device.bus.read(1, 112, 4, soon()) != bytes(4), "the profile is back"


def test_watchdog_is_fed_by_reads(koch: Rig) -> None:
    device = koch.opened()
    device.enable(soon())
    device.arm_watchdog(2.0, soon())
    for _ in range(5):
        device.read(soon())
    assert device.bus.read(1, 98, 1, soon()) == b"\x64"


@pytest.mark.parametrize(("asked", "has"), [(0.001, 0.02), (0.05, 0.04), (60.0, 2.54)])
def test_watchdog_has_the_time_that_fits(koch: Rig, asked: float, has: float) -> None:
    device = koch.opened()
    assert device.arm_watchdog(asked, soon()) == pytest.approx(has)


def test_old_firmware_has_no_watchdog(rig: Callable[..., Rig]) -> None:
    bench = rig(firmware=30)
    device = bench.opened()
    with pytest.raises(DeviceFault, match="shoulder_pan"):
        device.arm_watchdog(0.5, soon())
    device.close()
    assert not isinstance(bench.any_device(bus_watchdog=False), SelfWatching)


def test_rescue_switches_off_before_anything_is_asked(koch: Rig) -> None:
    device = koch.opened()
    device.enable(soon())
    device.close()
    koch.pump.received.clear()
    assert koch.device().rescue(soon()).safe
    assert bytes(koch.pump.received[:8]) == b"\xff\xff\xfd\x00\xfe\x13\x00\x83"
    assert koch.pump.status()["torque_on"] == 0


def test_motor_that_does_not_answer_is_not_safe(koch: Rig) -> None:
    device = koch.opened()
    device.enable(soon())
    koch.fault(silent=[5])
    proof = device.make_safe(soon(0.5))
    assert not proof.safe
    assert proof.readings["torque_enable.wrist_roll"] == "no answer"
    assert koch.pump.status()["torque_on"] == 0, "it was told nevertheless"


@pytest.mark.parametrize("after", [1, 8, 15, 40])
def test_unplugged_in_the_middle_of_an_answer(koch: Rig, after: int) -> None:
    device = koch.opened()
    device.enable(soon())
    koch.pump.unplug(after)

    def read_until_lost() -> JointSample:
        while True:
            device.read(soon(1.0))

    with pytest.raises(LinkLost):
        read_until_lost()
    assert not device.make_safe(soon(1.0)).safe
    assert [finding.name for finding in device.health(soon(1.0))] == ["link"]


def test_motors_at_another_rate_are_silent(rig: Callable[..., Rig]) -> None:
    bench = rig()
    with pytest.raises(DeviceFault, match="ids that answer on this bus: none"):
        bench.opened(baud=57_600)


def test_motors_of_protocol_1_are_read_one_by_one(
    rig: Callable[..., Rig], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    robot = tmp_path / "old_arm.toml"
    rows = "\n".join(
        f'{{ name = "{m["joint"]}", id = {m["id"]}, lower = -1.0, upper = 1.0, velocity = 6.18,'
        " zero_count = 512, sign = 1 },"
        for m in OLD_ARM["motors"]
    )
    robot.write_text(f'model = "old_arm"\nservo = "ax-12a"\njoints = [\n{rows}\n]\n')
    monkeypatch.setattr(
        "drivers.servo.joints.resources.files",
        lambda package: (
            tmp_path if package.endswith("robots") else Path("drivers/dynamixel/motors").resolve()
        ),
    )
    bench = rig("old_arm")
    device = bench.any_device(answer_timeout_ms=20)
    device.open(soon())
    assert not isinstance(device, SelfWatching)
    assert all(finding.ok for finding in device.health(soon()))
    device.enable(soon())
    applied = device.command(np.array([0.3, -0.3]), soon())
    assert until(at(device, applied))
    bench.fault(silent=[1])
    assert list(device.read(soon()).present) == [False, True]
    assert device.make_safe(soon(0.5)).readings["torque_enable.tilt"] == 0


@pytest.mark.parametrize(
    ("parameters", "part"),
    [
        ({"model": "kotch"}, "koch"),
        ({"model": "koch", "boud": 1}, "parameters.boud"),
        ({"model": "koch", "current_limit": -1}, "parameters.current_limit"),
        ({"model": "koch", "calibration": {"elbow": {"sign": 1}}}, "elbow_flex"),
    ],
)
def test_bad_parameters_are_named(parameters: dict[str, object], part: str) -> None:
    spec = DeviceSpec("arm", "dynamixel-chain", "/dev/null", parameters, Path())
    with pytest.raises(BadInput) as caught:
        build(spec, BenchContext(WallClock()))
    assert part in str(caught.value)


def test_device_that_is_not_open(koch: Rig) -> None:
    device = koch.device()
    assert device.counters() == {}
    assert not device.make_safe(soon()).safe
    with pytest.raises(HarnessError, match="not open"):
        device.read(soon())
    spec = DeviceSpec("arm", "dynamixel-chain", "", {"model": "koch"}, Path())
    with pytest.raises(BadInput, match="port"):
        build(spec, BenchContext(WallClock()))
