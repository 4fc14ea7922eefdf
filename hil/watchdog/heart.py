"""Sign of life of one process, in memory that another one sees.

Two integers of 8 bytes in one page, each written by a single store: the stamp of the last
beat, and how long the next one may take. An allowance of 0 says that nothing is at stake.
"""

from __future__ import annotations

import mmap
import os
import time
from dataclasses import dataclass

_PAGE = 4096
_BEAT, _ALLOWANCE = 0, 1


@dataclass(frozen=True, slots=True)
class Pulse:
    """What the heart shows at one moment; stamps are CLOCK_MONOTONIC in ns."""

    beat_ns: int
    allowance_ns: int

    @property
    def armed(self) -> bool:
        return self.allowance_ns > 0

    @property
    def due_ns(self) -> int:
        """When the next beat should have come."""
        return self.beat_ns + self.allowance_ns


class Heart:
    """One end of the shared page; `fd` is inherited by, or made in, the process that beats.

    The descriptor is the caller's to hand on and is closed by `close`.
    """

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._map = mmap.mmap(fd, _PAGE)
        self._bytes = memoryview(self._map)
        self._cells = self._bytes.cast("q")

    @classmethod
    def create(cls) -> Heart:
        """A heart that has not beaten yet, disarmed, in memory without a name."""
        fd = os.memfd_create("hil-heart")
        os.ftruncate(fd, _PAGE)
        return cls(fd)

    def fileno(self) -> int:
        return self._fd

    def beat(self) -> None:
        """Say that this process is alive: one clock read and one store."""
        self._cells[_BEAT] = time.monotonic_ns()

    def expect(self, allowance_ns: int) -> None:
        """Beat, and say how long the next one may take from now on; 0 disarms."""
        self.beat()
        self._cells[_ALLOWANCE] = allowance_ns
        self.beat()

    def pulse(self) -> Pulse:
        """What the other side shows now."""
        return Pulse(self._cells[_BEAT], self._cells[_ALLOWANCE])

    def close(self) -> None:
        """Release memory and descriptor; may be called twice."""
        if self._fd < 0:
            return
        self._cells.release()
        self._bytes.release()
        self._map.close()
        os.close(self._fd)
        self._fd = -1
