"""Ports that pyserial opens by URL: RFC 2217 servers (ser2net, labgrid) and its echo.

Both hand over what they received byte by byte in a queue, on which is waited here: pyserial's
own `read` loses what came in before the line was lost, and its `write` may block for 5 s.
"""

from __future__ import annotations

import contextlib
import os
import queue
import select
import socket
import threading
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

from serial import serial_for_url

from drivers.transport.descriptor import CHUNK, Facts
from drivers.transport.line import Line
from drivers.transport.lost import LINK_ERRORS, REMOTE_REMEDY, lost
from drivers.transport.tcp import tune, unreachable
from drivers.transport.urls import PortUrl
from drivers.transport.within import within
from hil.clock import Deadline
from hil.errors import BadInput, DeadlineMissed, LinkLost
from hil.failure import on_failure
from rigs.link import untimed

_STEPS = 8
"""Waits for an answer that opening an RFC 2217 port consists of at most."""

_SHORTEST_STEP_S = 0.2
_IAC = b"\xff"
_PARITIES = {"none": "N", "even": "E", "odd": "O"}

Bytes = queue.Queue[bytes | None]


class Far(Protocol):
    """The way out of a queue-fed port, and whether its way in still works."""

    def alive(self) -> bool: ...

    def send(self, data: memoryview, deadline: Deadline) -> int:
        """Send what goes; returns how many bytes that is, 0 where the deadline passed."""
        ...

    def close(self) -> None: ...


class QueuePort:
    """A `drivers.transport.base.Transport` whose input arrives in a queue, byte by byte; None
    in it is the end."""

    low_latency = False

    def __init__(self, incoming: Bytes, far: Far, facts: Facts) -> None:
        self._incoming = incoming
        self._far: Far | None = far
        self._facts = facts
        self._ended = False

    @property
    def description(self) -> str:
        return self._facts.description

    @property
    def untimed(self) -> str:
        return self._facts.untimed

    def write(self, data: bytes, deadline: Deadline) -> None:
        rest = memoryview(data)
        while rest:
            try:
                sent = self._opened().send(rest, deadline)
            except LINK_ERRORS as error:
                raise lost(self._facts.place, "is gone", error, self._facts.remedy) from error
            rest = rest[sent:]
            if rest and not sent:
                raise DeadlineMissed(
                    f"{self._facts.place} took {len(data) - len(rest)} of {len(data)} bytes in time"
                )

    def read(self, deadline: Deadline) -> bytes:
        data = self._drain()
        if data:
            return data
        self._check_end()
        try:
            first = self._incoming.get(timeout=deadline.remaining_s())
        except queue.Empty:
            self._check_end()
            return b""
        self._ended = first is None
        data = b"" if first is None else first + self._drain(CHUNK - 1)
        if not data:
            self._check_end()
        return data

    def discard(self) -> int:
        dropped = len(self._drain(self._incoming.qsize()))
        if not dropped:
            self._check_end()
        return dropped

    def close(self) -> None:
        far, self._far = self._far, None
        if far is not None:
            far.close()

    def _drain(self, most: int = CHUNK) -> bytes:
        """What is there, up to `most` bytes."""
        self._opened()
        found = bytearray()
        while len(found) < most and not self._ended:
            try:
                one = self._incoming.get_nowait()
            except queue.Empty:
                break
            self._ended = one is None
            found += one or b""
        return bytes(found)

    def _check_end(self) -> None:
        if self._ended or not self._opened().alive():
            raise LinkLost(f"{self._facts.place} hung up", self._facts.remedy)

    def _opened(self) -> Far:
        if self._far is None:
            raise LinkLost(f"{self._facts.place} is closed")
        return self._far


def open_rfc2217(url: PortUrl, line: Line, deadline: Deadline) -> QueuePort:
    """Connect and have the server set its line.

    Errors: LinkLost, DeadlineMissed, BadInput where the server refuses the settings.
    """
    port = _unopened(url, line, max(_SHORTEST_STEP_S, deadline.remaining_s() / _STEPS))

    def connect() -> None:
        with warnings.catch_warnings():
            # pyserial 3.5 names its thread's daemon flag in a way that Python wants to drop
            warnings.simplefilter("ignore", DeprecationWarning)
            port.open()

    try:
        within(deadline, f"opening {url.text}", connect, lambda _: port.close())
        with on_failure(port.close):
            tune(port._socket)
    except (*LINK_ERRORS, ValueError) as error:
        if isinstance(error, ValueError) or "parameter change" in str(error):
            raise BadInput(f"{url.text} does not accept {line}", "check server and rig") from error
        raise unreachable(url, error) from error
    said = f"{url.text} at {line} (RFC 2217)"
    facts = Facts(url.text, said, untimed=untimed(url.text), remedy=REMOTE_REMEDY)
    return QueuePort(port._read_buffer, _Rfc2217(port), facts)


def open_loop(url: PortUrl, line: Line) -> QueuePort:
    """An echo: what is written can be read. For trying out, without any device."""
    port = serial_for_url(url.text, baudrate=line.baud)
    facts = Facts(url.text, f"{url.text} (echo)", untimed=untimed(url.text))
    return QueuePort(port.queue, _Loop(port), facts)


def _unopened(url: PortUrl, line: Line, step_s: float) -> Any:
    address = f"rfc2217://{_bracketed(url.host)}:{url.port}?timeout={step_s:.3f}"
    if "ign_set_control" in url.options:
        address += "&ign_set_control"
    port = serial_for_url(
        address,
        do_not_open=True,
        baudrate=line.baud,
        parity=_PARITIES[line.parity],
        stopbits=line.stop_bits,
    )
    port.close = partial(_close, port, port.close)
    return port


def _close(port: Any, close: Callable[[], None]) -> None:
    """pyserial leaves its socket open where the peer was the first to go."""
    link: socket.socket | None = port._socket
    try:
        close()
    finally:
        if link is not None:
            link.close()


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


class _Rfc2217:
    """Sends through pyserial's socket, escaped as Telnet wants it, within a deadline."""

    def __init__(self, port: Any) -> None:
        self._port = port
        self._socket: socket.socket = port._socket
        self._lock: threading.Lock = port._write_lock
        self._reader: threading.Thread = port._thread
        self._owed = b""

    def alive(self) -> bool:
        return self._reader.is_alive()

    def send(self, data: memoryview, deadline: Deadline) -> int:
        """The reader answers options through the same socket, hence the lock. Of an escaped
        byte that was cut in two, the second half is owed to the next call."""
        if not self._lock.acquire(timeout=deadline.remaining_s()):
            return 0
        try:
            if self._owed and not self._send_some(self._owed, deadline):
                return 0
            escaped = bytes(data[:CHUNK]).replace(_IAC, _IAC * 2)
            through, self._owed = _unescaped(escaped[: self._send_some(escaped, deadline)])
            return through
        finally:
            self._lock.release()

    def _send_some(self, data: bytes, deadline: Deadline) -> int:
        while True:
            with contextlib.suppress(BlockingIOError):
                # not through the socket object, which would wait for up to its own 5 s
                return os.write(self._socket.fileno(), data)
            remaining_s = deadline.remaining_s()
            if remaining_s <= 0 or not select.select([], [self._socket], [], remaining_s)[1]:
                return 0

    def close(self) -> None:
        with contextlib.suppress(*LINK_ERRORS):
            self._port.close()


def _unescaped(sent: bytes) -> tuple[int, bytes]:
    """How many bytes of plain data were sent with these escaped ones, and what is owed of the
    last of them."""
    marks = sent.count(_IAC)
    return len(sent) - marks // 2, _IAC if marks % 2 else b""


class _Loop:
    """pyserial's echo, which blocks for ever when it is full."""

    def __init__(self, port: Any) -> None:
        self._port = port

    def alive(self) -> bool:
        return bool(self._port.is_open)

    def send(self, data: memoryview, deadline: Deadline) -> int:
        room = self._port.buffer_size - self._port.in_waiting
        if room <= 0:
            deadline.clock.sleep_until(deadline.at_ns)  # nobody but us could make room
            return 0
        return int(self._port.write(bytes(data[:room])))

    def close(self) -> None:
        with contextlib.suppress(*LINK_ERRORS):
            self._port.close()
