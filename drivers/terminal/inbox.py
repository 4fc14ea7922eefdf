"""What comes in on the agent's line, read by a thread of its own.

So a request is stamped when it has come and not when its turn has, the line is emptied while
the network runs (a UART without flow control would lose what its small buffer does not hold),
and a `cancel` is seen in time.
"""

from __future__ import annotations

import os
import select
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from drivers.terminal.codec import Decoder
from drivers.terminal.port import Line

_JOIN_S = 5.0
_MESSAGES = 1024
"""Requests that may wait; a host that keeps to its credit has far fewer on their way."""


@dataclass(frozen=True, slots=True)
class Received:
    """One decoded request, and when its last byte had been read on the agent's clock."""

    message: Mapping[str, object]
    at_ns: int


class Inbox:
    """Bounded: with `limit` bytes or `_MESSAGES` requests waiting, nothing more is read, and the
    host has to wait.

    Args:
        line: read by this object alone; whoever made it may go on writing.
        decoder: of the same line.
        limit: bytes of requests not taken yet, one read more at most.
        overhear: called in the thread for every request, before it is put into the queue.
    """

    def __init__(
        self,
        line: Line,
        decoder: Decoder,
        limit: int,
        overhear: Callable[[Mapping[str, object]], None],
    ) -> None:
        self._line = line
        self._decoder = decoder
        self._limit = limit
        self._overhear = overhear
        self._lock = threading.Lock()
        self._waiting: list[Received] = []
        self._bytes = 0
        self._ended: BaseException | None = None
        self._closing = False
        self._news, self._tell_news = _pipe()
        self._wake, self._tell_wake = _pipe()
        self._reading = _poller(self._wake, line.fd)
        self._paused = _poller(self._wake)
        self._thread = threading.Thread(target=self._run, name="line", daemon=True)
        self._thread.start()

    def fileno(self) -> int:
        """Readable when there is something to take, or nothing will come any more."""
        return self._news

    def take(self) -> list[Received]:
        """Everything that waits, in order. Errors: LinkLost once the line has ended and
        everything has been taken."""
        _drain(self._news)
        with self._lock:
            was_full = self._full
            taken, self._waiting = self._waiting, []
            self._bytes = 0
            ended = self._ended
        if was_full:
            _poke(self._tell_wake)
        if ended is not None:
            if not taken:
                raise ended
            _poke(self._tell_news)
        return taken

    def close(self) -> None:
        """End the thread; the line stays open."""
        self._closing = True
        _poke(self._tell_wake)
        self._thread.join(_JOIN_S)
        for fd in (self._news, self._tell_news, self._wake, self._tell_wake):
            os.close(fd)

    @property
    def _full(self) -> bool:
        return self._bytes >= self._limit or len(self._waiting) >= _MESSAGES

    def _run(self) -> None:
        try:
            while not self._closing:
                self._wait()
                if not self._closing and not self._full:
                    self._read()
        except BaseException as error:  # noqa: BLE001 - raised again by `take`
            self._ended = error
            _poke(self._tell_news)

    def _wait(self) -> None:
        (self._paused if self._full else self._reading).poll()
        _drain(self._wake)

    def _read(self) -> None:
        data = self._line.read()
        at_ns = time.monotonic_ns()
        messages = self._decoder.feed(data)
        for message in messages:
            self._overhear(message)
        with self._lock:
            self._waiting += [Received(message, at_ns) for message in messages]
            if (
                self._waiting
            ):  # what belongs to no whole frame yet is the decoder's, which is bounded
                self._bytes += len(data)
        if messages:
            _poke(self._tell_news)


def _poller(*descriptors: int) -> select.poll:
    poller = select.poll()
    for descriptor in descriptors:
        poller.register(descriptor, select.POLLIN)
    return poller


def _pipe() -> tuple[int, int]:
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    os.set_blocking(writer, False)
    return reader, writer


def _poke(writer: int) -> None:
    try:
        os.write(writer, b"x")
    except BlockingIOError:  # it is full of earlier ones
        return


def _drain(reader: int) -> None:
    try:
        os.read(reader, 4096)
    except BlockingIOError:  # there was none
        return
