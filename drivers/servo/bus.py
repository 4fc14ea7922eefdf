"""What a bus of servos does for the chain of joints on it, whatever its protocol."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from drivers.servo.answers import SyncRead
from hil.clock import Deadline


class ServoBus(Protocol):
    """Master of one half-duplex bus. Owns the transport; not for use from two threads."""

    @property
    def description(self) -> str:
        """Where the bus is connected."""
        ...

    def ping(self, servo: int, deadline: Deadline) -> int:
        """The error byte of one servo. Errors: DeadlineMissed, LinkLost."""
        ...

    def present(self, deadline: Deadline) -> list[int]:
        """Ids of all servos that answer before the deadline, sorted. Errors: LinkLost."""
        ...

    def read(self, servo: int, address: int, length: int, deadline: Deadline) -> bytes:
        """`length` bytes of one servo's memory. Errors: DeadlineMissed, LinkLost."""
        ...

    def write(self, servo: int, address: int, data: bytes, deadline: Deadline) -> int:
        """Write to one servo; the error byte of its acknowledgement.

        Errors: DeadlineMissed, LinkLost.
        """
        ...

    def read_all(
        self, servos: Sequence[int], address: int, length: int, deadline: Deadline
    ) -> SyncRead:
        """The same bytes of several servos, by the best way that they have in common.

        Returns as soon as all have answered, or at the deadline with those that have.
        Errors: LinkLost.
        """
        ...

    def sync_write(self, address: int, values: Mapping[int, bytes], deadline: Deadline) -> None:
        """Write values of one length to several servos in one packet; nobody acknowledges.

        Errors: HarnessError for values of different lengths, DeadlineMissed, LinkLost.
        """
        ...

    def read_bytes(self, servos: int, length: int) -> int:
        """Bytes on the wire of `read_all`, both ways, when every one of so many answers."""
        ...

    def write_bytes(self, servos: int, length: int) -> int:
        """Bytes on the wire of `sync_write` to so many servos."""
        ...

    def faults(self) -> Mapping[str, int]:
        """Counters by name since the bus was made; no input or output."""
        ...

    def lost(self, servo: int) -> int:
        """How many requests this servo has not answered."""
        ...

    def close(self) -> None:
        """Release the transport; never raises."""
        ...
