"""A chain made safe by somebody who never opened it."""

from __future__ import annotations

import pytest
from damiao_chains import soon, spec
from pump import Pump

from drivers.can.codec import encode_frame
from drivers.can.frames import CanFrame
from drivers.damiao.chain import DamiaoChain, build
from hil.clock import WallClock
from hil.contracts import BenchContext
from hil.errors import DeviceNotFound

OFF = [encode_frame(CanFrame(motor, b"\xff" * 7 + b"\xfd")) for motor in range(1, 9)]


def chain_on(path: str) -> DamiaoChain:
    return build(spec(path), BenchContext(WallClock()))


@pytest.fixture
def running(pump: Pump) -> Pump:
    """A chain that runs, and whose owner died in the middle of a line."""
    owner = chain_on(pump.path)
    owner.open(soon())
    owner.enable(soon())
    can = owner._session.bus._can  # type: ignore[union-attr]
    can._transport.write(b"t0018FFFF", soon())
    can._transport.close()
    return pump


def test_motors_go_off_before_anything_is_asked(running: Pump) -> None:
    before = len(running.received)
    proof = chain_on(running.path).rescue(soon())
    assert proof.safe
    assert set(proof.readings.values()) == {"off"}
    assert running.status()["torque_on"] == 0
    heard = bytes(running.received[before:])
    assert heard[: heard.index(OFF[0])] in (b"\r", b"t0018FFFF\r"), "then the ones that matter"
    assert b"".join(OFF) in heard
    assert b"V\r" not in heard, "nobody asked the adapter who it is"


def test_channel_that_is_closed_is_opened(running: Pump) -> None:
    running.control({"close_channel": True})
    proof = chain_on(running.path).rescue(soon())
    assert proof.safe
    assert running.status()["torque_on"] == 0


def test_silent_motor_is_not_proved_safe(running: Pump) -> None:
    running.control({"faults": {"silent": [3]}})
    proof = chain_on(running.path).rescue(soon(500))
    assert not proof.safe
    assert proof.readings["status.joint_3"] == "no answer"
    assert running.status()["torque_on"] == 0, "it was told nevertheless"


def test_lost_answers_are_asked_for_again(running: Pump) -> None:
    running.control({"faults": {"lose": {2: 3, 5: 1}}})
    assert chain_on(running.path).rescue(soon()).safe


def test_port_is_free_again_afterwards(running: Pump) -> None:
    chain = chain_on(running.path)
    assert chain.rescue(soon()).safe
    assert chain.rescue(soon()).safe


def test_port_that_is_gone_is_an_error() -> None:
    with pytest.raises(DeviceNotFound):
        chain_on("/dev/no-such-port").rescue(soon())
