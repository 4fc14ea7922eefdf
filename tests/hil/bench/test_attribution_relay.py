"""The wire that can be made longer: nothing lost, nothing out of order, nothing too early."""

from __future__ import annotations

import os
import select
import time
import tty
from collections.abc import Iterator

import pytest

from hil.bench.injection import Wire
from hil.clock import NS_PER_MS
from hil.errors import RigError

PATIENCE_S = 10.0


class Ends:
    """Both ends of a relayed line; `far` is what would be the terminal."""

    def __init__(self) -> None:
        self.far, self._slave = os.openpty()
        tty.setraw(self._slave)
        self.wire = Wire(os.ttyname(self._slave))
        self.near = os.open(self.wire.port, os.O_RDWR | os.O_NOCTTY)
        tty.setraw(self.near)

    def close(self) -> None:
        for fd in (self.near, self.far, self._slave):
            os.close(fd)


@pytest.fixture
def ends() -> Iterator[Ends]:
    made = Ends()
    try:
        with made.wire:
            yield made
    finally:
        made.close()


def receive(fd: int, count: int) -> bytes:
    data = b""
    while len(data) < count and select.select([fd], [], [], PATIENCE_S)[0]:
        data += os.read(fd, count - len(data))
    return data


def took_ns(source: int, sink: int) -> int:
    began_ns = time.monotonic_ns()
    os.write(source, b"x")
    assert receive(sink, 1) == b"x"
    return time.monotonic_ns() - began_ns


def settled(ends: Ends, there_us: int, back_us: int) -> None:
    """Set delays, and wait until they are in force: the relay reads orders before bytes."""
    ends.wire.delay(there_us, back_us)
    for _ in range(3):
        took_ns(ends.near, ends.far)
        took_ns(ends.far, ends.near)


def test_each_way_has_its_own_delay(ends: Ends) -> None:
    settled(ends, 60_000, 0)
    assert took_ns(ends.near, ends.far) >= 60 * NS_PER_MS
    there = min(took_ns(ends.near, ends.far) for _ in range(3))
    back = min(took_ns(ends.far, ends.near) for _ in range(3))
    assert back < there / 2
    settled(ends, 0, 60_000)
    assert took_ns(ends.far, ends.near) >= 60 * NS_PER_MS


def test_bytes_keep_their_order_when_the_delay_shrinks(ends: Ends) -> None:
    settled(ends, 100_000, 0)
    os.write(ends.near, b"late")
    time.sleep(0.02)
    ends.wire.delay(0, 0)
    time.sleep(0.02)
    os.write(ends.near, b"soon")
    assert receive(ends.far, 8) == b"latesoon"


def test_more_than_a_buffer_waits_for_a_reader_that_is_slow(ends: Ends) -> None:
    sent = os.urandom(40_000)
    for start in range(0, len(sent), 2_000):
        os.write(ends.near, sent[start : start + 2_000])
        if start == 4_000:
            time.sleep(0.05)  # the far end's buffer is full by now, or nearly
        if start >= 4_000:
            assert receive(ends.far, 2_000) == sent[start - 4_000 : start - 2_000]
    assert receive(ends.far, 4_000) == sent[-4_000:]


def test_a_line_that_is_not_there_is_refused() -> None:
    with pytest.raises(RigError, match="ended at once"):
        Wire("/dev/pts/999999")
