"""Limits before anything is sent, a stop that waits for no one, and safe state with proof."""

from __future__ import annotations

import signal
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

import numpy as np

from hil.clock import Clock, Deadline
from hil.contracts import Device, FloatArray, JointLimits, SafeProof, Scalar
from hil.errors import HilError
from rigs.schema import Limits

SAFE_WITHIN_S = 2.0
"""Time one device has to prove its safe state."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """What a joint target may be; applied to every target before it is sent.

    Position stays within the joints' own range, the target moves at most `velocity_rad_s`,
    and it lies at most `step_rad` from where the joint was measured, which bounds the torque
    that a position servo can build up against an obstacle.
    """

    joints: JointLimits
    step_rad: float
    velocity_rad_s: float

    @classmethod
    def of(cls, joints: JointLimits, limits: Limits) -> Envelope:
        return cls(joints, limits.step_rad, limits.velocity_rad_s)

    def apply(
        self, desired: FloatArray, last: FloatArray, measured: FloatArray, period_s: float
    ) -> FloatArray:
        """The target that may be sent; all arrays of shape (n,), rad.

        NaN in `measured` (a silent joint) leaves only the limits that do not need it.
        """
        stride = np.minimum(self.velocity_rad_s, self.joints.velocity) * period_s
        target = np.clip(desired, last - stride, last + stride)
        near = np.where(np.isnan(measured), target, measured)
        target = np.clip(target, near - self.step_rad, near + self.step_rad)
        return np.clip(target, self.joints.lower, self.joints.upper)


@dataclass
class StopRequest:
    """Set by a signal, looked at between ticks; remembers the first cause."""

    cause: str = ""

    def request(self, cause: str) -> None:
        """Ask the run to end at the next tick."""
        self.cause = self.cause or cause

    def __call__(self) -> bool:
        return bool(self.cause)


@contextmanager
def stop_on_signals(stop: StopRequest) -> Iterator[StopRequest]:
    """While inside, SIGINT and SIGTERM ask for a stop instead of breaking into a packet.

    A second signal changes nothing: making the rig safe is under way and bounded in time.
    """

    def handler(number: int, _frame: FrameType | None) -> None:
        stop.request(signal.Signals(number).name)

    before = {number: signal.signal(number, handler) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, previous in before.items():
            signal.signal(number, previous)


def make_safe(devices: Iterable[Device], clock: Clock) -> list[SafeProof]:
    """Bring every device to its safe state, one after another, whatever one of them does.

    A device that fails gives a proof that says so (`safe` is false); none stops the next.
    """
    return [_prove(device, clock) for device in devices]


def _prove(device: Device, clock: Clock) -> SafeProof:
    started_ns = clock.now_ns()
    try:
        return device.make_safe(Deadline.after_s(clock, SAFE_WITHIN_S))
    except (HilError, OSError, ValueError) as error:
        readings: Mapping[str, Scalar] = {"error": f"{type(error).__name__}: {error}"}
        return SafeProof(device.role, False, "unknown", readings, started_ns, clock.now_ns())
