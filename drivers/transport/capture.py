"""Keeping every byte of a link, both ways, without a wait in the calls that move them."""

from __future__ import annotations

import struct
from typing import Protocol

from drivers.transport.base import Transport
from drivers.transport.descriptor import DISCARD_READS
from drivers.transport.wire import HEAD, Kind
from hil.clock import Clock, Deadline
from hil.errors import DeadlineMissed, LinkLost

_GAP = struct.Struct("<QQ")


class WireBuffer:
    """Memory for records, taken once; what does not fit is counted and never waited for.

    `take` hands over what is there and makes room again.
    """

    def __init__(self, size: int) -> None:
        self._memory = bytearray(size)
        self._room = size - HEAD.size - _GAP.size
        self._used = 0
        self._missed = 0
        self._missed_bytes = 0
        self._gap_ns = 0

    def put(self, kind: Kind, stamp_ns: int, data: bytes = b"") -> None:
        """Keep one record. After one that did not fit none is kept until `take`, so that a
        gap has one place."""
        length = len(data)
        begin = self._used + HEAD.size
        if self._missed or begin + length > self._room:
            self._gap_ns = self._gap_ns if self._missed else stamp_ns
            self._missed += 1
            self._missed_bytes += length
            return
        HEAD.pack_into(self._memory, self._used, stamp_ns, length, kind)
        self._memory[begin : begin + length] = data
        self._used = begin + length

    def take(self) -> bytes:
        """The records since the last call, and a gap where some did not fit."""
        if self._missed:
            HEAD.pack_into(self._memory, self._used, self._gap_ns, _GAP.size, Kind.GAP)
            _GAP.pack_into(self._memory, self._used + HEAD.size, self._missed, self._missed_bytes)
            self._used += HEAD.size + _GAP.size
        taken = bytes(memoryview(self._memory)[: self._used])
        self._used = self._missed = self._missed_bytes = 0
        return taken


class Tap(Protocol):
    """Where records go; `WireBuffer` is one."""

    def put(self, kind: Kind, stamp_ns: int, data: bytes = b"") -> None: ...


class CapturedTransport:
    """`inner`, with all that passes put into `tap` (`drivers.transport.base.Transport`).

    It sees what the driver sees: bytes that an injected fault spoilt are captured spoilt, so
    that the driver does on a replay what it did then. A write is stamped before it, a read
    when its bytes are handed to the driver.
    """

    def __init__(self, inner: Transport, tap: Tap, clock: Clock) -> None:
        self._inner = inner
        self._tap = tap
        self._clock = clock
        self._closed = False

    @property
    def description(self) -> str:
        return self._inner.description

    @property
    def low_latency(self) -> bool:
        return self._inner.low_latency

    @property
    def untimed(self) -> str:
        return self._inner.untimed

    def write(self, data: bytes, deadline: Deadline) -> None:
        if data:
            self._put(Kind.WRITTEN, data)
        try:
            self._inner.write(data, deadline)
        except DeadlineMissed as error:
            self._put(Kind.WRITE_LATE, error.message.encode())
            raise
        except LinkLost as error:
            self._put(Kind.WRITE_LOST, error.message.encode())
            raise

    def read(self, deadline: Deadline) -> bytes:
        try:
            data = self._inner.read(deadline)
        except LinkLost as error:
            self._put(Kind.READ_LOST, error.message.encode())
            raise
        self._put(Kind.READ if data else Kind.SILENCE, data)
        return data

    def discard(self) -> int:
        """As the contract says; by reads, so that what is dropped is captured."""
        dropped = b""
        now = Deadline(self._clock, self._clock.now_ns())
        try:
            for _ in range(DISCARD_READS):
                data = self._inner.read(now)
                dropped += data
                if not data:
                    break
        except LinkLost as error:
            self._put(Kind.DISCARDED, dropped)
            self._put(Kind.DISCARD_LOST, error.message.encode())
            raise
        self._put(Kind.DISCARDED, dropped)
        return len(dropped)

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._put(Kind.END)
        self._inner.close()

    def _put(self, kind: Kind, data: bytes = b"") -> None:
        self._tap.put(kind, self._clock.now_ns(), data)
