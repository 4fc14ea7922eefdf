"""Finding packets in a stream of bytes: the part that all frame formats share.

A format says how long the packet behind a header is and whether it is intact; the search, the
resynchronisation and the bound on memory are here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

P = TypeVar("P")

MORE: Final = -1
"""Answer of `measure`: the length is not there yet."""

NOISE: Final = 0
"""Answer of `measure`: what looks like a header cannot be one."""

Measure = Callable[[bytearray, int], int]
"""Size in bytes of the packet whose header stands at an index of the buffer, or MORE or NOISE."""

Parse = Callable[[bytearray, int, int], P | None]
"""The packet between two indices of the buffer; None where its checksum does not fit."""


@dataclass(slots=True)
class FrameCounters:
    """What a decoder met since it was made.

    `resync_bytes` are bytes that belong to no packet with a right checksum (or CRC).
    """

    packets: int = 0
    checksum_errors: int = 0
    resync_bytes: int = 0


class FrameDecoder(Generic[P]):
    """Incremental decoder: bytes in as they come, packets out, never an exception.

    The result does not depend on how the stream is split. At most one unfinished packet is
    kept. A header whose packet turns out wrong costs one byte, and the search goes on inside
    it, so a good packet behind or within noise is found.
    """

    def __init__(self, header: bytes, measure: Measure, parse: Parse[P]) -> None:
        self.counters = FrameCounters()
        self._buffer = bytearray()
        self._header = header
        self._starts = [header[:size] for size in range(len(header) - 1, 0, -1)]
        self._measure = measure
        self._parse = parse

    @property
    def pending(self) -> int:
        """Bytes kept of an unfinished packet; less than the longest packet."""
        return len(self._buffer)

    def feed(self, data: bytes) -> list[P]:
        """Packets completed by `data`, in order."""
        buffer, counters = self._buffer, self.counters
        buffer += data
        packets: list[P] = []
        at = 0
        while True:
            start = buffer.find(self._header, at)
            if start < 0:
                start = len(buffer) - self._tail(at)
                counters.resync_bytes += start - at
                at = start
                break
            counters.resync_bytes += start - at
            at = start
            size = self._measure(buffer, at)
            if size == MORE or size > len(buffer) - at:
                break
            packet = None if size == NOISE else self._parse(buffer, at, at + size)
            if packet is None:
                counters.checksum_errors += size != NOISE
                counters.resync_bytes += 1
                at += 1
            else:
                packets.append(packet)
                at += size
        del buffer[:at]
        counters.packets += len(packets)
        return packets

    def finish(self) -> list[P]:
        """Say that the sender has gone quiet: whatever is unfinished is noise.

        Returns the packets that stood behind a false header, and leaves nothing pending.
        """
        packets: list[P] = []
        while self._buffer:
            del self._buffer[:1]
            self.counters.resync_bytes += 1
            packets += self.feed(b"")
        return packets

    def _tail(self, at: int) -> int:
        """How many bytes at the end may be the beginning of a header."""
        for start in self._starts:
            if self._buffer.endswith(start, at):
                return len(start)
        return 0
