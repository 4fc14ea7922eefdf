"""Activating an emulated gripper, and what takes no command without it."""

from __future__ import annotations

import pytest
from modbus_bench import FAST, HALF, Rigged, soon

from hil.contracts import Gripper
from hil.errors import DeadlineMissed, DeviceFault, HarnessError


def test_activation_waits_until_it_is_complete(rigged: Rigged) -> None:
    gripper = rigged.gripper({"activated": False, "activation_s": 0.3})
    assert isinstance(gripper, Gripper)
    with pytest.raises(HarnessError, match="without being enabled"):
        gripper.command(HALF, soon())
    gripper.enable(soon(10_000))
    status = rigged.pump.status()
    assert (status["activation"], status["going"], status["fault"]) == (3, False, 0)
    requests = rigged.pump.status()["requests"]
    gripper.enable(soon())
    assert rigged.pump.status()["requests"] == int(requests) + 1  # active: left as it is


@pytest.mark.parametrize("read_with_command", [False, True])
def test_no_command_before_enable_nor_after_make_safe(
    rigged: Rigged, read_with_command: bool
) -> None:
    """The gripper is active all the time, and would move at once."""
    gripper = rigged.gripper(read_with_command=read_with_command)

    def refused() -> None:
        start = len(rigged.pump.received)
        gripper.ping(soon())
        alone = rigged.pump.received[start:]
        with pytest.raises(HarnessError, match="tool: commanded without being enabled") as caught:
            gripper.command(FAST, soon())
        assert "call enable" in caught.value.remedy
        gripper.ping(soon())
        assert rigged.pump.received[start:] == 2 * alone, "pings, and no command"

    refused()
    gripper.enable(soon())
    assert gripper.make_safe(soon()).safe
    refused()
    proof = gripper.make_safe(soon())
    assert (proof.safe, proof.readings["gGTO"]) == (True, 0)
    gripper.enable(soon())
    gripper.command(FAST, soon())
    gripper.close()
    gripper.open(soon())
    with pytest.raises(HarnessError, match="without being enabled"):
        gripper.command(FAST, soon())


def test_gripper_whose_activation_failed_takes_no_command(rigged: Rigged) -> None:
    gripper = rigged.gripper()
    gripper.enable(soon())
    rigged.pump.control({"faults": {"silent": True}})
    with pytest.raises(DeadlineMissed):
        gripper.enable(soon(100))
    rigged.pump.control({"faults": {}})
    with pytest.raises(HarnessError, match="without being enabled"):
        gripper.command(FAST, soon())


def test_activation_that_is_under_way_is_waited_for(rigged: Rigged) -> None:
    gripper = rigged.gripper({"activated": False, "activation_s": 0.4})
    with pytest.raises(DeadlineMissed):
        gripper.enable(soon(150))
    began = rigged.pump.received.count(b"\x01\x00\x00\x00\x00\x00")
    gripper.enable(soon(10_000))
    assert rigged.pump.received.count(b"\x01\x00\x00\x00\x00\x00") == began == 1


def test_failed_activation_is_named(rigged: Rigged) -> None:
    gripper = rigged.gripper({"activated": False, "activation_s": 0.1})
    rigged.pump.control({"activation_fails": True})
    deadline = soon(10_000)
    with pytest.raises(DeviceFault, match="activation failed"):
        gripper.enable(deadline)
    assert not deadline.expired
    rigged.pump.control({"activation_fails": False})
    gripper.enable(soon(10_000))  # resets it first


def test_activation_keeps_its_deadline(rigged: Rigged) -> None:
    gripper = rigged.gripper({"activated": False, "activation_s": 20})
    deadline = soon(120)
    with pytest.raises(DeadlineMissed, match="become active"):
        gripper.enable(deadline)
    assert deadline.expired


def test_a_lost_answer_does_not_end_activation(rigged: Rigged) -> None:
    gripper = rigged.gripper({"activated": False, "activation_s": 1.0})
    with pytest.raises(DeadlineMissed):
        gripper.enable(soon(300))
    rigged.pump.control({"faults": {"corrupt": 3}})
    with pytest.raises(DeadlineMissed, match="damaged"):
        gripper.enable(soon())  # the first question is one, and not one of many
    gripper._poll(gripper._active, "become active", soon(10_000))
    assert rigged.pump.status()["activation"] == 3
    assert gripper.counters()["damaged_answers"] >= 2


def test_major_fault_stops_commands_until_a_reset(rigged: Rigged) -> None:
    gripper = rigged.gripper({"activation_s": 0.1})
    gripper.enable(soon())
    rigged.pump.control({"fault": 14})
    with pytest.raises(DeviceFault, match="overcurrent"):
        gripper.command(HALF, soon())
    found = {finding.name: finding for finding in gripper.health(soon())}
    assert not found["gripper fault"].ok
    gripper.enable(soon(10_000))
    gripper.command(HALF, soon())


def test_gripper_that_lost_its_power_is_not_activated_by_a_command(rigged: Rigged) -> None:
    gripper = rigged.gripper()
    gripper.enable(soon())
    rigged.pump.control({"power_cycle": True})
    sample = gripper.read(soon())
    assert (sample.moving, sample.holding) == (False, None)
    with pytest.raises(DeviceFault, match="not activated"):
        gripper.command(HALF, soon())
    assert rigged.pump.status()["activation"] == 0
