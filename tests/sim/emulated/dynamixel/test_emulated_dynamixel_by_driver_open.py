"""Opening the driver on the emulated bus: what is looked at, what is refused, and why."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from dynamixel_line import STEP, Rig, soon

from drivers.dynamixel.chain import build
from hil.clock import WallClock
from hil.contracts import BenchContext, DeviceSpec, Joints, Rescue, SelfWatching, WireTimes
from hil.errors import BadInput, DeviceFault, HarnessError


def test_it_keeps_its_contracts(koch: Rig) -> None:
    device = koch.opened()
    for contract in (Joints, Rescue, SelfWatching, WireTimes):
        assert isinstance(device, contract)
    assert device.names[0] == "shoulder_pan"
    assert device.tool_point is None


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
    device.enable(soon())
    assert device.limits.upper[0] == pytest.approx(52 * STEP)
    assert device.command(np.full(6, 1.0), soon())[0] == pytest.approx(52 * STEP)


def test_motors_at_another_rate_are_silent(rig: Callable[..., Rig]) -> None:
    bench = rig()
    with pytest.raises(DeviceFault, match="ids that answer on this bus: none"):
        bench.opened(baud=57_600)


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
