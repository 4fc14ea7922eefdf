from __future__ import annotations

import os
import signal

import pytest
from fakes import FakeArm, FakeDevice

from hil.clock import Deadline, VirtualClock
from hil.contracts import SafeProof
from hil.errors import LinkLost
from hil.safety import StopRequest, make_safe, stop_on_signals


def test_a_device_that_fails_does_not_keep_the_next_from_being_safe() -> None:
    clock = VirtualClock()

    class Broken(FakeDevice):
        def make_safe(self, deadline: Deadline) -> SafeProof:
            raise LinkLost("cable cut")

    arm = FakeArm("arm", clock)
    arm.open(Deadline.after_s(clock, 1))
    arm.enable(Deadline.after_s(clock, 1))
    first, second = make_safe([Broken("gripper", clock), arm], clock)
    assert not first.safe
    assert "cable cut" in str(first.readings["error"])
    assert second.safe
    assert not arm.energised


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_ask_for_a_stop_and_are_restored(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with stop_on_signals(StopRequest()) as stop:
        assert not stop()
        os.kill(os.getpid(), number)
        assert stop()
        assert stop.cause == number.name
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.cause == number.name, "the first cause stays"
    assert signal.getsignal(number) is before
