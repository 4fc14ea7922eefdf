"""Serial ports of a POSIX host: one owner, no busy wait, one error for a lost link."""

from __future__ import annotations

import array
import contextlib
import errno
import fcntl
import os
import select
import termios

from drivers.transport.holders import holders
from hil.clock import Clock, Deadline
from hil.errors import BadInput, DeadlineMissed, DeviceNotFound, HarnessError, LinkLost, RigError

_CHUNK = 4096
_DISCARD_READS = 16
"""Bound of `discard`: a peer that floods the port must not hold us."""

_SELECT_LIMIT = 1024
"""FD_SETSIZE of select(2)."""

_FLAGS_AT = 4
_ASYNC_LOW_LATENCY = 0x2000
"""Place of `flags` in struct serial_struct, and its bit: linux/serial.h, tty_flags.h."""

_NO_SERIAL_STRUCT = frozenset({errno.ENOTTY, errno.EINVAL, errno.EOPNOTSUPP, errno.EPERM})
"""What drivers without the ioctl (a pseudo-terminal, USB CDC) answer to it."""

_PORT_RIGHTS = (
    "add your user to the group that owns the port (usually dialout or uucp) and log in again,"
    ' or install a udev rule: SUBSYSTEM=="tty", ATTRS{idVendor}=="...", GROUP="dialout"'
)


class SerialPort:
    """An open serial port (`drivers.transport.base.Transport`); made by `open_serial`.

    Attributes:
        low_latency: whether the kernel driver confirmed ASYNC_LOW_LATENCY. False where the
            driver has no such setting, which says nothing about its real latency.
    """

    def __init__(self, fd: int, path: str, baud: int, low_latency: bool) -> None:
        self._fd = fd
        self.path = path
        self.baud = baud
        self.low_latency = low_latency

    @property
    def description(self) -> str:
        latency = ", low latency" if self.low_latency else ""
        return f"{self.path} at {self.baud} baud{latency}"

    def write(self, data: bytes, deadline: Deadline) -> None:
        rest = memoryview(data)
        while rest:
            written = self._write_some(rest)
            rest = rest[written:]
            if rest and not written and not self._wait(deadline, for_input=False):
                raise DeadlineMissed(
                    f"{self.path} took {len(data) - len(rest)} of {len(data)} bytes in time"
                )

    def read(self, deadline: Deadline) -> bytes:
        while True:
            data = self._read_some()
            if data or not self._wait(deadline, for_input=True):
                return data

    def discard(self) -> int:
        dropped = 0
        for _ in range(_DISCARD_READS):
            data = self._read_some()
            if not data:
                break
            dropped += len(data)
        return dropped

    def close(self) -> None:
        if self._fd < 0:
            return
        fd, self._fd = self._fd, -1
        _release(fd)

    def _read_some(self) -> bytes:
        """What is there, b"" for nothing; an end of file is a lost link."""
        try:
            data = os.read(self._open_fd(), _CHUNK)
        except BlockingIOError:
            return b""
        except OSError as error:
            raise self._lost(error) from error
        if not data:
            raise LinkLost(
                f"{self.path} hung up",
                "check cable and power; `ls /dev/serial/by-id` shows what is plugged in",
            )
        return data

    def _write_some(self, data: memoryview) -> int:
        try:
            return os.write(self._open_fd(), data)
        except BlockingIOError:
            return 0
        except OSError as error:
            raise self._lost(error) from error

    def _wait(self, deadline: Deadline, *, for_input: bool) -> bool:
        """Whether the port became ready before the deadline.

        select and not poll: Python rounds the time-out of poll up to whole milliseconds,
        which is a good part of the time a tick has for its reads.
        """
        remaining_s = deadline.remaining_s()
        if remaining_s <= 0:
            return False
        watched = [self._open_fd()]
        try:
            ready = select.select(
                watched if for_input else [], [] if for_input else watched, [], remaining_s
            )
        except OSError as error:
            raise self._lost(error) from error
        return bool(ready[0] or ready[1])

    def _open_fd(self) -> int:
        if self._fd < 0:
            raise LinkLost(f"{self.path} is closed")
        return self._fd

    def _lost(self, error: OSError) -> LinkLost:
        return LinkLost(
            f"{self.path} is gone: {error.strerror or error}",
            "check cable and power; `ls /dev/serial/by-id` shows what is plugged in",
        )


def open_serial(path: str, baud: int, clock: Clock) -> SerialPort:
    """Open a serial port raw, 8N1, without flow control, for this process alone.

    Args:
        path: device path, already resolved from an identity (`drivers.discovery`).
        baud: a rate that the host's termios knows.
        clock: the clock of the deadlines to come; must be a wall clock.

    Errors: BadInput (rate not supported, no permission, not a serial port, virtual clock),
    DeviceNotFound (no such path), RigError (in use by somebody else), LinkLost.
    """
    if clock.virtual:
        raise BadInput(f"{path} needs a wall clock", "use a twin or real rig for serial ports")
    speed = _speed(path, baud)
    fd = _open(path)
    try:
        if fd >= _SELECT_LIMIT:
            raise HarnessError(f"{path}: {fd} open files are too many for select")
        _claim(fd, path)
        _configure(fd, path, baud, speed)
        low_latency = _ask_low_latency(fd)
        termios.tcflush(fd, termios.TCIOFLUSH)
    except (OSError, termios.error) as error:  # termios.error is no OSError
        _release(fd)
        raise LinkLost(f"{path} cannot be set up: {error}") from error
    except BaseException:
        _release(fd)
        raise
    return SerialPort(fd, path, baud, low_latency)


def _speed(path: str, baud: int) -> int:
    speed = getattr(termios, f"B{baud}", None)
    if not isinstance(speed, int) or baud <= 0:
        known = (name[1:] for name in dir(termios) if name[0] == "B" and name[1:].isdecimal())
        rates = ", ".join(str(rate) for rate in sorted(map(int, known)) if rate >= 9600)
        raise BadInput(f"{path}: {baud} baud is not supported by this host", f"one of {rates}")
    return speed


def _open(path: str) -> int:
    flags = os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        return os.open(path, flags)
    except PermissionError as error:
        raise BadInput(f"no permission to open {path}", _PORT_RIGHTS) from error
    except FileNotFoundError as error:
        raise DeviceNotFound(
            f"there is no port {path}", "`ls /dev/serial/by-id` shows what is plugged in"
        ) from error
    except OSError as error:
        if error.errno == errno.EBUSY:
            raise _in_use(path) from error
        raise LinkLost(f"{path} cannot be opened: {error.strerror}") from error


def _claim(fd: int, path: str) -> None:
    """Refuse a second owner: flock among those who ask, TIOCEXCL for those who do not.

    Neither alone is enough: flock is advisory, and TIOCEXCL does not stop root.
    """
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise _in_use(path) from error
    if not os.isatty(fd):
        raise BadInput(f"{path} is not a serial port")
    fcntl.ioctl(fd, termios.TIOCEXCL)


def _in_use(path: str) -> RigError:
    others = [str(holder) for holder in holders(path) if holder.pid != os.getpid()]
    if not others and holders(path):
        others = ["this process"]
    who = ", ".join(others) or "a process that this user may not see"
    return RigError(f"{path} is in use by {who}", "end it, or give each program its own port")


def _configure(fd: int, path: str, baud: int, speed: int) -> None:
    settings = termios.tcgetattr(fd)
    settings[:6] = [0, 0, termios.CS8 | termios.CREAD | termios.CLOCAL, 0, speed, speed]
    # with VMIN 1 an empty port reads as EAGAIN, and b"" can only be a hang-up
    settings[6][termios.VMIN], settings[6][termios.VTIME] = 1, 0
    termios.tcsetattr(fd, termios.TCSANOW, settings)
    applied = termios.tcgetattr(fd)
    if applied[4:6] != [speed, speed]:
        raise BadInput(f"{path} does not accept {baud} baud", "check adapter and rig file")


def _ask_low_latency(fd: int) -> bool:
    """Ask for ASYNC_LOW_LATENCY (an FTDI adapter then drops its 16 ms timer), and read back."""
    state = array.array("i", bytes(4 * 32))
    try:
        fcntl.ioctl(fd, termios.TIOCGSERIAL, state)
        state[_FLAGS_AT] |= _ASYNC_LOW_LATENCY
        fcntl.ioctl(fd, termios.TIOCSSERIAL, state)
        fcntl.ioctl(fd, termios.TIOCGSERIAL, state)
    except OSError as error:
        if error.errno in _NO_SERIAL_STRUCT:
            return False
        raise
    return bool(state[_FLAGS_AT] & _ASYNC_LOW_LATENCY)


def _release(fd: int) -> None:
    """Close, whatever state the port is in: on a port that is gone both calls may fail."""
    with contextlib.suppress(OSError):
        # the mark would outlive us where somebody else, a twin, keeps the terminal open
        fcntl.ioctl(fd, termios.TIOCNXCL)
    with contextlib.suppress(OSError):
        os.close(fd)
