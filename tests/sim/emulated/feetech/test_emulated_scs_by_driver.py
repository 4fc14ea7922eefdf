"""The driver on a hand of SCS servos over a pseudo-terminal: the path that a run takes."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scs_hand import SCS, STEP, Bench, at, findings, soon, until

from hil.contracts import Joints, Rescue, WireTimes
from hil.errors import HarnessError

IDS = range(1, 9)
SYNC_READ = 0x82


def test_it_keeps_its_contracts_and_is_well(bench: Bench) -> None:
    device = bench.opened()
    for contract in (Joints, Rescue, WireTimes):
        assert isinstance(device, contract)
    who = device.identity(soon())
    assert (who.model, who.firmware, who.detail["servo"]) == ("amazing_hand", "3.6", "scs0009")
    assert [finding for finding in device.health(soon()) if not finding.ok] == []
    assert findings(device)["voltage"].detail == "6.0..6.0 V"


def test_open_enable_move_and_make_safe(bench: Bench) -> None:
    device = bench.opened()
    before = device.read(soon())
    assert before.present.all()
    device.enable(soon())
    assert bench.pump.status()["torque_on"] == 8
    assert at(device, before.position)(), "nothing jumps"
    target = np.array([0.4, -0.4, 0.2, -0.2, -0.3, 0.3, 0.1, -1.2])
    applied = device.command(target, soon())
    assert np.abs(applied - target).max() <= STEP / 2
    assert until(at(device, applied))
    proof = device.make_safe(soon())
    assert (proof.safe, proof.state) == (True, "torque off")
    assert proof.readings == {f"torque_enable.{name}": 0 for name in device.names}
    assert bench.pump.status()["torque_on"] == 0


def test_nobody_is_asked_to_sync_read(bench: Bench) -> None:
    device = bench.opened()
    device.enable(soon())
    device.read(soon())
    device.make_safe(soon())
    codes = set()
    stream = bytes(bench.pump.received)
    while stream:
        size = stream[3] + 4
        codes.add(stream[4])
        stream = stream[size:]
    assert SYNC_READ not in codes
    assert device.wire_uses()["read"].byte_count == 8 * (8 + 6 + 7)


def test_angles_speeds_and_limits_are_those_of_a_potentiometer(bench: Bench) -> None:
    device = bench.opened(calibration={"index_1": {"zero_count": 521, "sign": -1}})
    assert device.read(soon()).position[0] == pytest.approx(10 * STEP)
    assert device.limits.upper[1:] == pytest.approx(307 * STEP), "90 degrees, in whole counts"
    device.enable(soon())
    applied = device.command(np.full(8, 9.0), soon())
    assert applied == pytest.approx(device.limits.upper)
    assert until(lambda: bool((device.read(soon()).velocity > 1.0).all()))
    assert until(at(device, applied))


def test_angle_limits_of_a_servo_bound_its_joint(bench: Bench) -> None:
    bus = bench.bus()
    bus.write(3, SCS["max_angle_limit"].address, (600).to_bytes(2, "big"), soon())
    bus.close()
    device = bench.opened()
    assert device.limits.upper[2] == pytest.approx(89 * STEP)


@pytest.mark.parametrize(("lock", "kept"), [(0, 2), (1, 8)])
def test_eeprom_is_kept_where_the_lock_is_open(bench: Bench, lock: int, kept: int) -> None:
    bus = bench.bus()
    bus.write(8, SCS["lock"].address, bytes((lock,)), soon())
    bus.write(8, SCS["return_delay"].address, b"\x02", soon())
    assert bus.read(8, SCS["return_delay"].address, 1, soon()) == b"\x02"
    bench.pump.control({"power_cycle": [8]})
    found = bus.read(8, SCS["return_delay"].address, 1, soon())
    assert found == (b"\x02" if lock == 0 else b"\0")
    assert bus.read(8, SCS["lock"].address, 1, soon()) == b"\x01"
    bus.close()
    assert findings(bench.opened())["return delay"].ok == (kept == 8)


def test_open_and_use_write_no_eeprom(bench: Bench) -> None:
    bus = bench.bus()
    before = [bus.read(servo, 0, SCS.eeprom_size, soon()) for servo in IDS]
    bus.close()
    device = bench.opened(goal_speed=2.0)
    device.enable(soon())
    device.command(np.full(8, 0.1), soon())
    device.make_safe(soon())
    device.close()
    bus = bench.bus()
    assert [bus.read(servo, 0, SCS.eeprom_size, soon()) for servo in IDS] == before
    speed = bus.read(1, SCS["goal_speed"].address, 2, soon())
    assert int.from_bytes(speed, "big") == math.floor(2.0 / STEP)


def test_a_goal_energises_again_so_that_the_driver_sends_none_after_safe(bench: Bench) -> None:
    """As with the real ones: whoever writes goals past the driver has to make it safe once more."""
    device = bench.opened()
    device.enable(soon())
    assert device.make_safe(soon()).safe
    with pytest.raises(HarnessError, match="without being enabled"):
        device.command(np.zeros(8), soon())
    device.ping(soon())
    assert bench.pump.status()["torque_on"] == 0
    centre = (512).to_bytes(2, "big")
    device.bus.sync_write(SCS["goal_position"].address, dict.fromkeys(IDS, centre), soon())
    device.ping(soon())
    assert bench.pump.status()["torque_on"] == 8
    assert findings(device)["torque"].detail.startswith("on: index_1")
    assert device.make_safe(soon()).safe
    assert bench.pump.status()["torque_on"] == 0


def test_rescue_switches_off_before_anything_is_asked(bench: Bench) -> None:
    device = bench.opened()
    device.enable(soon())
    device.close()
    bench.pump.received.clear()
    assert bench.device().rescue(soon()).safe
    address = SCS["torque_enable"].address
    assert bytes(bench.pump.received[2:7]) == bytes((0xFE, 4 + 2 * 8, 0x83, address, 1))
    assert bench.pump.status()["torque_on"] == 0
