from __future__ import annotations

import os
import signal

import numpy as np
import pytest
from fakes import FakeArm, FakeDevice
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from hil.clock import Deadline, VirtualClock
from hil.contracts import JointLimits, SafeProof
from hil.errors import LinkLost
from hil.safety import Envelope, StopRequest, make_safe, stop_on_signals

LIMITS = JointLimits(np.array([-1.0, -2.0]), np.array([1.0, 2.0]), np.array([3.0, 1.0]))
ENVELOPE = Envelope(LIMITS, step_rad=0.12, velocity_rad_s=2.0)

angles = arrays(float, 2, elements=st.floats(-10, 10))
inside = st.tuples(st.floats(-1, 1), st.floats(-2, 2)).map(np.array)


@given(desired=angles, last=inside, measured=inside)
def test_envelope_bounds_hold_for_any_wish(
    desired: np.ndarray, last: np.ndarray, measured: np.ndarray
) -> None:
    target = ENVELOPE.apply(desired, last, measured, period_s=0.02)
    assert (target >= LIMITS.lower).all()
    assert (target <= LIMITS.upper).all()
    assert (np.abs(target - measured) <= 0.12 + 1e-12).all()


@given(desired=angles, last=inside)
def test_a_silent_joint_keeps_the_speed_limit(desired: np.ndarray, last: np.ndarray) -> None:
    target = ENVELOPE.apply(desired, last, np.full(2, np.nan), period_s=0.02)
    assert (np.abs(target - last) <= np.array([0.04, 0.02]) + 1e-12).all()


def test_a_modest_wish_passes_unchanged() -> None:
    last = np.array([0.1, -0.3])
    desired = last + np.array([0.01, -0.01])
    np.testing.assert_array_equal(ENVELOPE.apply(desired, last, last, 0.02), desired)


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
