"""An arm made safe by somebody who never opened it."""

from __future__ import annotations

from pathlib import Path

import pytest
from servo_chain import EVERYBODY, SYNC_WRITE, ServoChain

from drivers.feetech.arm import build
from hil.clock import Deadline, WallClock
from hil.contracts import BenchContext, DeviceSpec, Rescue
from hil.errors import DeviceNotFound

TORQUE = 40


def arm_on(path: str) -> Rescue:
    spec = DeviceSpec("arm", "feetech-arm", path, {"model": "so101"}, Path())
    arm = build(spec, BenchContext(WallClock()))
    assert isinstance(arm, Rescue)
    return arm


def soon() -> Deadline:
    return Deadline.after_s(WallClock(), 1.0)


def test_torque_goes_off_before_anything_is_asked(chain: ServoChain) -> None:
    for memory in chain.memories.values():
        memory[TORQUE] = 1
    proof = arm_on(chain.path).rescue(soon())
    assert proof.safe
    assert {chain.register(servo, TORQUE) for servo in chain.memories} == {0}
    assert chain.requests[0][2] == EVERYBODY
    assert chain.requests[0][4] == SYNC_WRITE, "the very first packet is the one that matters"
    assert len(chain.requests) == 2, "then the read-back, and nothing else"


def test_a_deaf_servo_is_not_proved_safe(chain: ServoChain) -> None:
    chain.memories[3][TORQUE] = 1
    chain.deaf = {3}
    proof = arm_on(chain.path).rescue(soon())
    assert not proof.safe
    assert proof.readings["torque_enable.elbow_flex"] == "no answer"


def test_the_port_is_free_again_afterwards(chain: ServoChain) -> None:
    arm = arm_on(chain.path)
    assert arm.rescue(soon()).safe
    assert arm.rescue(soon()).safe


def test_a_port_that_is_gone_is_an_error(chain: ServoChain) -> None:
    with pytest.raises(DeviceNotFound):
        arm_on("/dev/no-such-port").rescue(soon())
