"""Bytes through a descriptor: a terminal or a socket, without a busy wait."""

from __future__ import annotations

import os
import select
from collections.abc import Callable
from dataclasses import dataclass

from drivers.transport.lost import LINK_ERRORS, REMEDY, lost
from hil.clock import NS_PER_S, Deadline
from hil.errors import DeadlineMissed, HarnessError, LinkLost

CHUNK = 4096
DISCARD_READS = 16
"""Bound of `discard`: a peer that floods the port must not hold us."""

_SELECT_LIMIT = 1024
"""FD_SETSIZE of select(2)."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a pipe: as `drivers.transport.base.Transport` has it, with the place
    where it leads and what to do when it is gone, for messages."""

    place: str
    description: str
    low_latency: bool = False
    untimed: str = ""
    remedy: str = REMEDY


class DescriptorPort:
    """A `drivers.transport.base.Transport` on an open, non-blocking descriptor.

    `release` closes it; it must not raise. Errors: HarnessError where select cannot take one
    more descriptor; it is then released.
    """

    def __init__(self, fd: int, facts: Facts, release: Callable[[int], None]) -> None:
        self._fd = fd
        self._facts = facts
        self._release = release
        if fd >= _SELECT_LIMIT:
            self.close()
            raise HarnessError(f"{facts.place}: {fd} open files are too many for select")

    @property
    def description(self) -> str:
        return self._facts.description

    @property
    def low_latency(self) -> bool:
        return self._facts.low_latency

    @property
    def untimed(self) -> str:
        return self._facts.untimed

    def write(self, data: bytes, deadline: Deadline) -> None:
        taken = self._write_some(data)
        while taken < len(data):
            if not self._wait(deadline, for_input=False):
                raise DeadlineMissed(
                    f"{self._facts.place} took {taken} of {len(data)} bytes in time"
                )
            taken += self._write_some(memoryview(data)[taken:])

    def read(self, deadline: Deadline) -> bytes:
        """Waits first: a device has seldom answered already, and to ask in vain costs more."""
        while self._wait(deadline, for_input=True):
            if data := self._read_some():
                return data
        return self._read_some()

    def discard(self) -> int:
        dropped = 0
        for _ in range(DISCARD_READS):
            data = self._read_some()
            if not data:
                break
            dropped += len(data)
        return dropped

    def close(self) -> None:
        if self._fd < 0:
            return
        fd, self._fd = self._fd, -1
        self._release(fd)

    def _read_some(self) -> bytes:
        """What is there, b"" for nothing; an end of file is a lost link."""
        try:
            data = os.read(self._open_fd(), CHUNK)
        except BlockingIOError:
            return b""
        except LINK_ERRORS as error:
            raise self._gone(error) from error
        if not data:
            raise LinkLost(f"{self._facts.place} hung up", self._facts.remedy)
        return data

    def _write_some(self, data: bytes | memoryview) -> int:
        try:
            return os.write(self._open_fd(), data)
        except BlockingIOError:
            return 0
        except LINK_ERRORS as error:
            raise self._gone(error) from error

    def _wait(self, deadline: Deadline, *, for_input: bool) -> bool:
        """Whether the port became ready before the deadline.

        select and not poll: Python rounds the time-out of poll up to whole milliseconds,
        which is a good part of the time a tick has for its reads.
        """
        remaining_ns = deadline.at_ns - deadline.clock.now_ns()
        if remaining_ns <= 0:
            return False
        watched = (self._open_fd(),)
        reads, writes = (watched, ()) if for_input else ((), watched)
        try:
            ready = select.select(reads, writes, (), remaining_ns / NS_PER_S)
        except LINK_ERRORS as error:
            raise self._gone(error) from error
        return bool(ready[0] or ready[1])

    def _open_fd(self) -> int:
        if self._fd < 0:
            raise LinkLost(f"{self._facts.place} is closed")
        return self._fd

    def _gone(self, error: BaseException) -> LinkLost:
        return lost(self._facts.place, "is gone", error, self._facts.remedy)
