"""What a byte transport promises to the buses above it."""

from __future__ import annotations

from typing import Protocol

from hil.clock import Deadline


class Transport(Protocol):
    """A byte pipe with one owner. Every error of the link is LinkLost, whatever its cause."""

    @property
    def description(self) -> str:
        """For messages and records: where the pipe leads and how it is set."""
        ...

    @property
    def low_latency(self) -> bool:
        """Whether the kernel's driver confirmed that it hands on bytes without delay. False
        where there is no such setting, which says nothing about the real latency."""
        ...

    @property
    def untimed(self) -> str:
        """Why no claim on time can be certified over this pipe; empty where one can."""
        ...

    def write(self, data: bytes, deadline: Deadline) -> None:
        """Hand all of `data` to the operating system.

        What fits at once is written even where the deadline has passed, so that a stop
        command is never held back. Errors: DeadlineMissed, LinkLost.
        """
        ...

    def read(self, deadline: Deadline) -> bytes:
        """What is there, as soon as that is at least one byte; b"" once the deadline passed.

        Errors: LinkLost.
        """
        ...

    def discard(self) -> int:
        """Drop pending input without waiting; returns the number of bytes dropped.

        Errors: LinkLost.
        """
        ...

    def close(self) -> None:
        """Release the port; never raises, may be called twice."""
        ...
