"""An emulated line as a pseudo-terminal: bytes in, the line's baud rate, paced bytes out."""

from __future__ import annotations

import fcntl
import os
import struct
import tty
from dataclasses import dataclass

from hil.errors import RigError
from hil.failure import on_failure
from sim.twin.pacing import PacedOutput, Transmission

_READ_CHUNK = 4096

# linux/asm-generic (x86, ARM, RISC-V): struct termios2 has the rate as a number, also where
# termios has no constant for it, which is so for three rates of the servos
_TCGETS2 = 0x802C542A
_TCSETS2 = 0x402C542B
_TERMIOS2 = struct.Struct("4IB19s2I")
_CFLAG = 2
_CBAUD = 0o010017
_BOTHER = 0o010000


@dataclass(slots=True)
class LineCounters:
    """What crossed the pseudo-terminal. `unread_bytes`: dropped since nobody read them."""

    received_bytes: int = 0
    sent_bytes: int = 0
    unread_bytes: int = 0
    worst_late_ns: int = 0


class PtyPort:
    """Master side of a pseudo-terminal; a client opens `path` like any serial port.

    Output is paced by due times: no byte leaves before it, and bytes leave in chunks, at the
    instants at which the owner calls `flush`. The slave stays open here, raw, so that a
    client may come and go without a hang-up. A client that took the port exclusively
    (TIOCEXCL) and was killed leaves that mark for the lifetime of the twin.

    `baud` is the rate until a client sets its own.

    Errors: RigError where the system has no pseudo-terminal left.
    """

    def __init__(self, baud: int) -> None:
        try:
            self._master, self._slave = os.openpty()
        except OSError as error:
            raise RigError(
                f"no pseudo-terminal for an emulated device: {error.strerror}",
                "check that /dev/pts is mounted and has free entries",
            ) from error
        with on_failure(self.close):
            tty.setraw(self._slave)
            self._set_baud(baud)
            os.set_blocking(self._master, False)
            self.path = os.ttyname(self._slave)
        self._output = PacedOutput()
        self._counters = LineCounters()

    def fileno(self) -> int:
        """Descriptor to wait on for input."""
        return self._master

    def read(self) -> bytes:
        """What the client has written; b"" for nothing. Errors: RigError."""
        try:
            data = os.read(self._master, _READ_CHUNK)
        except BlockingIOError:
            return b""
        except OSError as error:
            raise RigError(f"{self.path}: reading failed: {error.strerror}") from error
        self._counters.received_bytes += len(data)
        return data

    def line_baud(self) -> int:
        """Rate, in bit/s, that the client has set on its side. Errors: RigError."""
        try:
            state = fcntl.ioctl(self._master, _TCGETS2, bytes(_TERMIOS2.size))
        except OSError as error:
            raise RigError(f"{self.path}: no line settings: {error.strerror}") from error
        return int(_TERMIOS2.unpack(state)[-1])

    def send(self, transmissions: list[Transmission]) -> None:
        """Queue answers for their due times."""
        for transmission in transmissions:
            self._output.add(transmission)

    def next_wake_ns(self) -> int | None:
        """When `flush` has the next packet complete; None with nothing queued."""
        return self._output.next_wake_ns()

    def flush(self, now_ns: int) -> None:
        """Write the bytes whose time has come. Errors: RigError.

        What does not fit is dropped and counted: a wire does not wait for a reader.
        """
        wake_ns = self._output.next_wake_ns()
        data = self._output.take_due(now_ns)
        if not data:
            return
        if wake_ns is not None:
            late_ns = now_ns - wake_ns
            self._counters.worst_late_ns = max(self._counters.worst_late_ns, late_ns)
        written = self._write(data)
        self._counters.sent_bytes += written
        self._counters.unread_bytes += len(data) - written

    def counters(self) -> dict[str, int]:
        """Counters of the line by name."""
        line = self._counters
        return {
            "received_bytes": line.received_bytes,
            "sent_bytes": line.sent_bytes,
            "unread_bytes": line.unread_bytes,
            "output_worst_late_ns": line.worst_late_ns,
            "output_overlaps": self._output.overlaps,
        }

    def close(self) -> None:
        """Hang up; may be called twice."""
        for fd in (self._master, self._slave):
            if fd >= 0:
                os.close(fd)
        self._master = self._slave = -1

    def _set_baud(self, baud: int) -> None:
        state = list(_TERMIOS2.unpack(fcntl.ioctl(self._slave, _TCGETS2, bytes(_TERMIOS2.size))))
        state[_CFLAG] = state[_CFLAG] & ~_CBAUD | _BOTHER
        state[-2:] = [baud, baud]
        fcntl.ioctl(self._slave, _TCSETS2, _TERMIOS2.pack(*state))

    def _write(self, data: bytes) -> int:
        try:
            return os.write(self._master, data)
        except BlockingIOError:
            return 0
        except OSError as error:
            raise RigError(f"{self.path}: writing failed: {error.strerror}") from error
