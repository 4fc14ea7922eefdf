"""What a device may say of its time: its own clock, its line of known rate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from hil.clock import Deadline


@dataclass(frozen=True, slots=True)
class ClockExchange:
    """Four stamps of one round trip: host sent, device received, device sent, host received.

    The middle two are on the device's clock, the outer two on the run's.
    """

    sent_ns: int
    device_received_ns: int
    device_sent_ns: int
    received_ns: int


@runtime_checkable
class ClockSource(Protocol):
    """A device with a clock of its own that it can be asked for."""

    def exchange(self, deadline: Deadline) -> ClockExchange:
        """One round trip that says the time on both sides. Errors: DeadlineMissed, LinkLost."""
        ...


@dataclass(frozen=True, slots=True)
class WireUse:
    """What one call puts on a serial line, both ways together: bytes, and bits a second.

    `bits_per_byte` counts start and stop bits: 10 for 8N1.
    """

    byte_count: int
    baud: int
    bits_per_byte: int = 10


@runtime_checkable
class WireTimes(Protocol):
    """A device on a line of a known rate, so that time on the wire can be computed.

    One behind plain USB or a network, where there is no such rate, does not keep this contract.
    """

    def wire_uses(self) -> Mapping[str, WireUse]:
        """By name of the call ("read", "command"), as the calls of a tick make them; no I/O."""
        ...
