"""Ticks of the attempt under way, in memory that the harness sees too.

The loop logs its ticks there as it would anywhere else. When its process is killed, the
harness still has the ticks up to that moment for the record.
"""

from __future__ import annotations

import mmap
import os

import numpy as np
from numpy.typing import NDArray

from hil.record.format import TICK


class TickBoard:
    """One end of the shared memory, known by an inherited descriptor."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    @classmethod
    def create(cls) -> TickBoard:
        """An empty board, in memory without a name."""
        return cls(os.memfd_create("hil-ticks"))

    def fileno(self) -> int:
        return self._fd

    def rows(self, capacity: int) -> NDArray[np.void]:
        """Room for the ticks of a new attempt, dtype `TICK`, all zero.

        The memory only ever grows: what an earlier attempt was given stays mapped.
        """
        size = max(capacity, 1) * TICK.itemsize
        if os.fstat(self._fd).st_size < size:
            os.ftruncate(self._fd, size)
        rows: NDArray[np.void] = np.frombuffer(mmap.mmap(self._fd, size), TICK, capacity)
        rows[:] = np.zeros((), TICK)
        return rows

    def clear(self) -> None:
        """Another attempt is under way, and none of its ticks is there yet."""
        self.rows(1)

    def logged(self) -> NDArray[np.void]:
        """Copy of the ticks of the attempt under way, for when its process is gone.

        The last one may have been cut in half by the end of its writer, and is left out.
        """
        size = os.fstat(self._fd).st_size
        if size == 0:
            return np.zeros(0, TICK)
        with mmap.mmap(self._fd, size, prot=mmap.PROT_READ) as memory:
            rows = np.frombuffer(bytes(memory), TICK, size // TICK.itemsize)
        begun = int(np.argmin(np.append(rows["scheduled_ns"] != 0, False)))
        return rows[: max(0, begun - 1)].copy()

    def close(self) -> None:
        """Release the descriptor; may be called twice."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
