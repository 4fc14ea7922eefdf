"""Energising a chain of motors, its own time-out and its safe state, with proof."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from damiao_chains import STEP, TARGET, drive_to, motor, register, soon
from pump import Pump

from drivers.damiao.chain import DamiaoChain
from hil.errors import DeviceFault, HarnessError


def test_enable_holds_where_it_is(chain: DamiaoChain, pump: Pump) -> None:
    chain.enable(soon())
    drive_to(chain, TARGET)
    chain.make_safe(soon())
    chain.enable(soon())
    assert pump.status()["torque_on"] == 8
    for _ in range(5):
        assert chain.read(soon()).position == pytest.approx(TARGET, abs=4 * STEP)


def test_joint_outside_its_range_does_not_jump_when_it_is_energised(
    chain_with: Callable[..., DamiaoChain], pump: Pump
) -> None:
    """The motor reads 0 where the joint, by its offset, is far above its range."""
    chain = chain_with(joints={"joint_2": {"offset": -3.0}})
    chain.open(soon())
    chain.enable(soon())
    for _ in range(5):
        assert chain.read(soon()).position[1] == pytest.approx(3.0, abs=2 * STEP)
    assert chain.command(np.zeros(8), soon())[1] == pytest.approx(0.0, abs=STEP)


def test_no_command_before_enable_nor_after_make_safe(chain: DamiaoChain, pump: Pump) -> None:

    def refused() -> None:
        start = len(pump.received)
        chain.ping(soon())
        alone = pump.received[start:]
        with pytest.raises(HarnessError, match="arm: commanded without being enabled") as caught:
            chain.command(TARGET, soon())
        assert "call enable" in caught.value.remedy
        chain.ping(soon())
        assert pump.received[start:] == 2 * alone, "pings, and no command"

    refused()
    chain.enable(soon())
    assert chain.make_safe(soon()).safe
    refused()
    assert pump.status()["torque_on"] == 0
    chain.enable(soon())
    chain.command(TARGET, soon())
    chain.close()
    chain.open(soon())
    with pytest.raises(HarnessError, match="without being enabled"):
        chain.command(TARGET, soon())


def test_chain_that_failed_to_be_enabled_again_takes_no_command(
    chain: DamiaoChain, pump: Pump
) -> None:
    chain.enable(soon())
    pump.control({"faults": {"silent": [8]}})
    with pytest.raises(DeviceFault, match="no answer from gripper"):
        chain.enable(soon())
    with pytest.raises(HarnessError, match="without being enabled"):
        chain.command(TARGET, soon())


def test_enable_with_a_silent_joint_energises_nothing(chain: DamiaoChain, pump: Pump) -> None:
    pump.control({"faults": {"silent": [8]}})
    with pytest.raises(DeviceFault, match="no answer from gripper"):
        chain.enable(soon())
    assert pump.status()["torque_on"] == 0


def test_enable_does_not_clear_a_fault_but_lost_comm(chain: DamiaoChain, pump: Pump) -> None:
    pump.control({"faults": {"status": {3: 0xB}}})
    with pytest.raises(DeviceFault, match=r"joint_3 \(mos overheat\)"):
        chain.enable(soon())
    assert pump.status()["torque_on"] == 0


def test_motor_that_does_not_come_on_is_named(chain: DamiaoChain, pump: Pump) -> None:
    pump.control({"faults": {"status": {3: 0}}})
    with pytest.raises(DeviceFault, match=r"not on: joint_3 \(off\)"):
        chain.enable(soon())


def test_time_out_is_armed_and_read_back(chain: DamiaoChain, pump: Pump) -> None:
    assert chain.arm_watchdog(0.5, soon()) == pytest.approx(0.5)
    assert [register(pump, n, "can_timeout") for n in range(1, 9)] == [10_000] * 8
    assert chain.arm_watchdog(0.12344, soon()) == pytest.approx(0.12345)


@pytest.mark.parametrize("timeout_s", [0.0, 1e-6])
def test_time_out_that_would_be_none_is_refused(
    chain: DamiaoChain, pump: Pump, timeout_s: float
) -> None:
    with pytest.raises(HarnessError, match="would be none"):
        chain.arm_watchdog(timeout_s, soon())
    assert register(pump, 1, "can_timeout") == 0


def test_motor_that_does_not_take_the_time_out_is_named(
    chain: DamiaoChain, pump: Pump, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(motor(pump, 4)._memory, "write", lambda number, value: None)
    with pytest.raises(DeviceFault, match="joint_4"):
        chain.arm_watchdog(0.5, soon())


def test_make_safe_is_proved_by_reading_back(chain: DamiaoChain, pump: Pump) -> None:
    chain.enable(soon())
    for _ in range(2):
        proof = chain.make_safe(soon())
        assert proof.safe
        assert proof.state == "motors off"
        assert proof.readings == {f"status.{name}": "off" for name in chain.names}
        assert proof.proved_ns >= proof.started_ns
    assert pump.status()["torque_on"] == 0


def test_motor_that_stays_on_is_not_safe(chain: DamiaoChain, pump: Pump) -> None:
    chain.enable(soon())
    pump.control({"faults": {"status": {3: 1}}})
    proof = chain.make_safe(soon())
    assert not proof.safe
    assert proof.readings["status.joint_3"] == "on"
    assert proof.readings["status.joint_4"] == "off"


def test_status_without_a_name_proves_nothing(chain: DamiaoChain, pump: Pump) -> None:
    pump.control({"faults": {"status": {3: 5}}})
    proof = chain.make_safe(soon())
    assert not proof.safe
    assert proof.readings["status.joint_3"] == "status 5"


def test_motor_that_switched_itself_off_is_safe(chain: DamiaoChain, pump: Pump) -> None:
    pump.control({"faults": {"status": {3: 0xC}}})
    proof = chain.make_safe(soon())
    assert proof.safe
    assert proof.readings["status.joint_3"] == "rotor overheat"


def test_motor_that_cannot_be_read_is_not_safe(chain: DamiaoChain, pump: Pump) -> None:
    chain.enable(soon())
    pump.control({"faults": {"silent": [2]}})
    proof = chain.make_safe(soon(500))
    assert not proof.safe
    assert proof.readings["status.joint_2"] == "no answer"
    assert pump.status()["torque_on"] == 0, "it was told nevertheless"


def test_stop_leaves_even_after_the_deadline(chain: DamiaoChain, pump: Pump) -> None:
    chain.enable(soon())
    assert not chain.make_safe(soon(0)).safe, "nothing was read in no time"
    limit = soon()
    while pump.status()["torque_on"] and not limit.expired:
        chain.read(soon(20))  # reads energise nothing and switch nothing off
    assert pump.status()["torque_on"] == 0
