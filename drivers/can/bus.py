"""What a CAN bus promises to the drivers above it, whatever leads to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from drivers.can.frames import CanFrame, Received
from hil.clock import Deadline
from hil.contracts import Finding


@dataclass(frozen=True, slots=True)
class BusSettings:
    """Rates of the bus in bit/s. `data_bit_rate` is that of the data part of FD frames; None
    on a classic bus. A socketcan interface has its rates from `ip link`, not from here."""

    bit_rate: int
    data_bit_rate: int | None = None


class CanBus(Protocol):
    """A way onto one CAN bus, with one owner; not for use from two threads.

    CAN numbers nothing and says to nobody who heard a frame: that is for the protocol above.
    """

    @property
    def description(self) -> str:
        """For messages and records: where the bus is and how it is reached."""
        ...

    @property
    def adapter(self) -> str:
        """What the adapter says of itself; empty where it says nothing."""
        ...

    def send(self, frames: Sequence[CanFrame], deadline: Deadline) -> None:
        """Hand frames to the adapter, in order.

        What fits at once goes out even where the deadline has passed, so that a stop command
        is never held back. Errors: DeadlineMissed, LinkLost.
        """
        ...

    def receive(self, deadline: Deadline) -> list[Received]:
        """Frames that are there, as soon as that is at least one; [] once the deadline passed.

        With a deadline that has passed it takes what is there and does not wait.
        Errors: LinkLost.
        """
        ...

    def restart(self, deadline: Deadline) -> None:
        """Bring a channel up again that the adapter closed by itself; what is under way is
        forgotten. Does nothing where there is no such channel.

        Errors: RigError, DeadlineMissed, LinkLost.
        """
        ...

    def findings(self, deadline: Deadline) -> Sequence[Finding]:
        """What the adapter says of the bus; frames that come meanwhile are kept.

        Errors: LinkLost, DeadlineMissed.
        """
        ...

    def counters(self) -> Mapping[str, int]:
        """Faults by name since the bus was opened; no I/O."""
        ...

    def close(self) -> None:
        """Release the bus; never raises, may be called twice."""
        ...
