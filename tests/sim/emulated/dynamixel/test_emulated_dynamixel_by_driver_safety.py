"""The motors' own watchdog and the safe state, by the driver on the emulated bus."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import pytest
from dynamixel_line import Rig, at, soon, until

from hil.clock import Deadline
from hil.contracts import SelfWatching
from hil.errors import DeviceFault, HarnessError

WATCH_S = 0.1


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


def test_no_command_before_enable_nor_after_make_safe(koch: Rig) -> None:
    """Not even what would revive motors that their watchdog has stopped."""
    device = koch.opened()
    device.arm_watchdog(WATCH_S, soon())

    def refused() -> None:
        start = len(koch.pump.received)
        device.ping(soon())
        alone = koch.pump.received[start:]
        time.sleep(1.5 * WATCH_S)
        with pytest.raises(HarnessError, match="arm: commanded without being enabled") as caught:
            device.command(np.zeros(6), soon())
        assert "call enable" in caught.value.remedy
        device.ping(soon())
        assert koch.pump.received[start:] == 2 * alone, "pings, and no command"

    refused()
    device.enable(soon())
    assert device.make_safe(soon()).safe
    refused()
    assert koch.pump.status()["torque_on"] == 0


def test_motors_whose_watchdog_does_not_come_on_take_no_command(
    koch: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = koch.opened()
    device.arm_watchdog(2.0, soon())

    def lost(deadline: Deadline) -> None:
        raise DeviceFault("not taken")

    monkeypatch.setattr(device, "_arm", lost)
    with pytest.raises(DeviceFault, match="not taken"):
        device.enable(soon())
    with pytest.raises(HarnessError, match="without being enabled"):
        device.command(np.zeros(6), soon())


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
