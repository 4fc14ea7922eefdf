"""A stop that waits for no one, and safe state with proof."""

from __future__ import annotations

import signal
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

from hil.clock import Clock, Deadline
from hil.contracts import Device, SafeProof, Scalar
from hil.errors import HilError

SAFE_WITHIN_S = 2.0
"""Time one device has to prove its safe state."""


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
