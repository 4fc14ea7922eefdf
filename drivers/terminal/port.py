"""The agent's end of a byte line: a serial device, or a pseudo-terminal made for a host."""

from __future__ import annotations

import os
import select
import termios
import time
import tty
from dataclasses import dataclass
from functools import partial

from hil.errors import BadInput, LinkLost
from hil.failure import on_failure

_READ_BYTES = 65_536
_MS_PER_S = 1000


@dataclass(slots=True)
class LineCounters:
    """`writes_abandoned`: answers that the host did not take in time."""

    bytes_read: int = 0
    bytes_written: int = 0
    writes_abandoned: int = 0


class Line:
    """Non-blocking raw byte line. `path` is what a host opens (pty) or what was opened."""

    def __init__(self, fd: int, path: str, keep_open: int | None = None) -> None:
        self.fd = fd
        self.path = path
        self.counters = LineCounters()
        self._keep_open = keep_open
        os.set_blocking(fd, False)

    def read(self) -> bytes:
        """What is there, at most 64 KiB; b"" for nothing. Errors: LinkLost."""
        try:
            data = os.read(self.fd, _READ_BYTES)
        except BlockingIOError:
            return b""
        except OSError as error:
            raise LinkLost(f"{self.path}: {error.strerror}") from error
        if not data:
            raise LinkLost(f"{self.path}: hung up")
        self.counters.bytes_read += len(data)
        return data

    def write(self, data: bytes, timeout_s: float) -> bool:
        """Write all of `data`; False when the host did not take it in time.

        Errors: LinkLost.
        """
        rest = memoryview(data)
        give_up_s = time.monotonic() + timeout_s
        poller = select.poll()
        poller.register(self.fd, select.POLLOUT)
        while rest:
            try:
                written = os.write(self.fd, rest)
            except BlockingIOError:
                written = 0
            except OSError as error:
                raise LinkLost(f"{self.path}: {error.strerror}") from error
            self.counters.bytes_written += written
            rest = rest[written:]
            remaining_s = give_up_s - time.monotonic()
            if rest and (remaining_s <= 0 or not poller.poll(remaining_s * _MS_PER_S)):
                self.counters.writes_abandoned += 1
                return False
        return True

    def close(self) -> None:
        """Release the line; may be called twice."""
        for fd in (self.fd, self._keep_open):
            if fd is not None and fd >= 0:
                os.close(fd)
        self.fd, self._keep_open = -1, None


def open_pty() -> Line:
    """A new pseudo-terminal; the agent holds both ends, so that a host may come and go."""
    master, slave = os.openpty()
    line = Line(master, os.ttyname(slave), keep_open=slave)
    with on_failure(line.close):
        tty.setraw(slave)
    return line


def open_device(path: str) -> Line:
    """A serial device, raw 8N1 at 115200 baud (USB gadget ports ignore the rate).

    Errors: BadInput when it cannot be opened or is no terminal device.
    """
    try:
        fd = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    except OSError as error:
        raise BadInput(
            f"{path}: {error.strerror}", "name a serial device this user may open, or use --pty"
        ) from error
    try:
        with on_failure(partial(os.close, fd)):
            _make_raw(fd)
    except termios.error as error:
        raise BadInput(f"{path}: not a serial device ({error.args[-1]})") from error
    return Line(fd, path)


def _make_raw(fd: int) -> None:
    tty.setraw(fd)
    attributes = termios.tcgetattr(fd)
    attributes[2] |= termios.CLOCAL | termios.CREAD
    attributes[4] = attributes[5] = termios.B115200
    termios.tcsetattr(fd, termios.TCSANOW, attributes)
    termios.tcflush(fd, termios.TCIOFLUSH)
