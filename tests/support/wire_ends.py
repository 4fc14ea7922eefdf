"""Far ends of links: a pseudo-terminal, a TCP peer, pyserial's RFC 2217 server, a script."""

from __future__ import annotations

import contextlib
import os
import pty
import select
import socket
import threading
import tty
from collections import deque
from collections.abc import Callable
from typing import Any

import serial
from serial.rfc2217 import PortManager

from hil.clock import NS_PER_MS, Clock, Deadline, WallClock
from hil.errors import LinkLost

CLOCK = WallClock()
WITHIN_S = 10.0


def soon(ms: int = 3000) -> Deadline:
    return Deadline.after(CLOCK, ms * NS_PER_MS)


def read_exactly(read: Callable[[Deadline], bytes], count: int) -> bytes:
    """`count` bytes from a transport, which has them within 3 s."""
    deadline, found = soon(), b""
    while len(found) < count:
        data = read(deadline)
        assert data, f"{len(found)} of {count} bytes came in time"
        found += data
    return found


class Peer:
    """The far end of a pseudo-terminal."""

    def __init__(self) -> None:
        self.fd, slave = pty.openpty()
        tty.setraw(slave)
        self.path = os.ttyname(slave)
        self._slave = slave

    def unplug(self) -> None:
        for name in ("fd", "_slave"):
            fd = getattr(self, name)
            if fd >= 0:
                os.close(fd)
                setattr(self, name, -1)


class TcpPeer:
    """A TCP server with one client."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(WITHIN_S)
        self.url = f"socket://127.0.0.1:{self._listener.getsockname()[1]}"
        self._link: socket.socket | None = None

    @property
    def link(self) -> socket.socket:
        if self._link is None:
            self._link, _ = self._listener.accept()
            self._link.settimeout(WITHIN_S)
        return self._link

    def reset(self) -> None:
        """End the connection by a reset, as a crashed server does."""
        self.link.setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, (1).to_bytes(4, "little") + bytes(4)
        )
        self.link.close()

    def close(self) -> None:
        if self._link is not None:
            self._link.close()
        self._listener.close()


class _Connection:
    """What pyserial's PortManager writes through."""

    def __init__(self, link: socket.socket) -> None:
        self._link = link
        self._lock = threading.Lock()

    def write(self, data: bytes) -> None:
        with self._lock, contextlib.suppress(OSError):
            self._link.sendall(data)


class PtyPort(serial.Serial):
    """pyserial's port on a pseudo-terminal, which has no modem lines to ask or set."""

    cts = dsr = ri = cd = False

    def _update_dtr_state(self) -> None:
        """There is no such line."""

    def _update_rts_state(self) -> None:
        """There is no such line."""


class Rfc2217Server:
    """pyserial's own server code in front of a serial port; one client."""

    def __init__(self, port: Any) -> None:
        self.port = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(WITHIN_S)
        self.url = f"rfc2217://127.0.0.1:{self._listener.getsockname()[1]}"
        self._wake, self._asleep = socket.socketpair()
        self.link: socket.socket | None = None
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        try:
            self.link, _ = self._listener.accept()
        except OSError:
            return
        # as servers do: an answer in pieces would wait 40 ms for each to be acknowledged
        self.link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection = _Connection(self.link)
        manager = PortManager(self.port, connection)
        with contextlib.suppress(OSError, ValueError):
            while self._turn(manager, connection):
                pass

    def _turn(self, manager: Any, connection: _Connection) -> bool:
        assert self.link is not None
        watched = [self.link, self._asleep]
        watched += [self.port] if isinstance(self.port, PtyPort) else []
        ready = select.select(watched, [], [], WITHIN_S)[0]
        if self._asleep in ready:
            return False
        if self.link in ready:
            data = self.link.recv(4096)
            if not data:
                return False
            self.port.write(b"".join(manager.filter(data)))
        received = self.port.read(4096)
        if received:
            connection.write(b"".join(manager.escape(received)))
        return True

    def hang_up(self) -> None:
        assert self.link is not None
        with contextlib.suppress(OSError):
            self.link.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._wake.close()
        self._listener.close()
        self._thread.join(WITHIN_S)
        assert not self._thread.is_alive()
        if self.link is not None:
            self.link.close()
        self._asleep.close()
        self.port.close()


class Script:
    """A transport that brings prepared chunks at prepared times and keeps what was written."""

    low_latency = False
    untimed = ""
    description = "script"

    def __init__(self, clock: Clock, chunks: list[tuple[int, bytes]] | None = None) -> None:
        self.clock = clock
        self.chunks = deque(chunks or [])
        self.written: list[bytes] = []
        self.lost = False
        self.closed = False

    def write(self, data: bytes, deadline: Deadline) -> None:
        self._check()
        self.written.append(bytes(data))

    def read(self, deadline: Deadline) -> bytes:
        self._check()
        if self.chunks and self.chunks[0][0] <= max(deadline.at_ns, self.clock.now_ns()):
            at_ns, data = self.chunks.popleft()
            self.clock.sleep_until(at_ns)
            return data
        self.clock.sleep_until(deadline.at_ns)
        return b""

    def discard(self) -> int:
        dropped = 0
        while data := self.read(Deadline(self.clock, self.clock.now_ns())):
            dropped += len(data)
        return dropped

    def close(self) -> None:
        self.closed = True

    def _check(self) -> None:
        if self.lost:
            raise LinkLost("script is gone")
