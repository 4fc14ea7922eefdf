"""The driver on the emulated bus over a pseudo-terminal: the path that a run takes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from dynamixel_line import STEP, Rig, at, soon, until

from hil.contracts import SelfWatching
from hil.errors import DeviceFault

OLD_ARM = {
    "motors": [
        {"model": "ax-12a", "id": servo, "joint": name, "zero_count": 512}
        for servo, name in enumerate(("pan", "tilt"), start=1)
    ]
}


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
