"""Serial ports of a POSIX host: one owner, raw bytes, low latency asked and verified."""

from __future__ import annotations

import array
import contextlib
import errno
import fcntl
import os
import termios
from functools import partial

from drivers.transport.descriptor import DescriptorPort, Facts
from drivers.transport.holders import holders
from drivers.transport.line import Line
from drivers.transport.lost import LINK_ERRORS, lost
from hil.clock import Clock
from hil.errors import BadInput, DeviceNotFound, RigError
from hil.failure import on_failure
from rigs.rights import how_to_get_rights

_FLAGS_AT = 4
_ASYNC_LOW_LATENCY = 0x2000
"""Place of `flags` in struct serial_struct, and its bit: linux/serial.h, tty_flags.h."""

_NO_SERIAL_STRUCT = frozenset({errno.ENOTTY, errno.EINVAL, errno.EOPNOTSUPP, errno.EPERM})
"""What drivers without the ioctl (a pseudo-terminal, USB CDC) answer to it."""

_PSEUDO_TERMINALS = range(136, 144)
"""Major numbers of Unix98 pseudo-terminal slaves: Linux, admin-guide/devices.txt."""

_PARITY = {"none": 0, "even": termios.PARENB, "odd": termios.PARENB | termios.PARODD}
_STOP = {1: 0, 2: termios.CSTOPB}


def open_serial(path: str, line: Line | int, clock: Clock) -> DescriptorPort:
    """Open a serial port raw, without flow control, for this process alone.

    Args:
        path: device path, already resolved from an identity (`drivers.discovery`).
        line: how to set it, or the rate alone for 8N1; a rate that the host's termios knows.
        clock: the clock of the deadlines to come; must be a wall clock.

    Errors: BadInput (rate or parity not supported, no permission, not a serial port, virtual
    clock), DeviceNotFound (no such path), RigError (in use by somebody else), LinkLost.
    """
    if clock.virtual:
        raise BadInput(f"{path} needs a wall clock", "use a twin or real rig for serial ports")
    line = Line(line) if isinstance(line, int) else line
    speed = _speed(path, line.baud)
    fd = _open(path)
    try:
        with on_failure(partial(_release, fd)):
            _claim(fd, path)
            _configure(fd, path, line, speed)
            low_latency = _ask_low_latency(fd)
            termios.tcflush(fd, termios.TCIOFLUSH)
    except LINK_ERRORS as error:
        raise lost(path, "cannot be set up", error) from error
    said = f"{path} at {line}{', low latency' if low_latency else ''}"
    return DescriptorPort(fd, Facts(path, said, low_latency), _release)


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
        raise BadInput(f"no permission to open {path}", how_to_get_rights()) from error
    except FileNotFoundError as error:
        raise DeviceNotFound(
            f"there is no port {path}", "`ls /dev/serial/by-id` shows what is plugged in"
        ) from error
    except OSError as error:
        if error.errno == errno.EBUSY:
            raise _in_use(path) from error
        raise lost(path, "cannot be opened", error) from error


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
    seen = holders(path)
    here = ["this process"] if any(holder.pid == os.getpid() for holder in seen) else []
    others = [str(holder) for holder in seen if holder.pid != os.getpid()]
    who = ", ".join(here + others) or "a process that this user may not see"
    return RigError(f"{path} is in use by {who}", "end it, or give each program its own port")


def _configure(fd: int, path: str, line: Line, speed: int) -> None:
    settings = termios.tcgetattr(fd)
    # a byte with a wrong parity is dropped; the default would hand on a 0 in its place
    checked = termios.INPCK | termios.IGNPAR if line.parity != "none" else 0
    framing = _PARITY[line.parity] | _STOP[line.stop_bits]
    bits = termios.CS8 | termios.CREAD | termios.CLOCAL | framing
    settings[:6] = [checked, 0, bits, 0, speed, speed]
    # with VMIN 1 an empty port reads as EAGAIN, and b"" can only be a hang-up
    settings[6][termios.VMIN], settings[6][termios.VTIME] = 1, 0
    termios.tcsetattr(fd, termios.TCSANOW, settings)
    applied = termios.tcgetattr(fd)
    if applied[4:6] != [speed, speed]:
        raise BadInput(f"{path} does not accept {line.baud} baud", "check adapter and rig file")
    mask = termios.PARENB | termios.PARODD | termios.CSTOPB
    if applied[2] & mask != framing and not _is_pseudo_terminal(fd):
        raise BadInput(f"{path} does not accept {line}", "check adapter and rig file")


def _is_pseudo_terminal(fd: int) -> bool:
    """There is no line behind one, so that the kernel takes its parity away."""
    return os.major(os.fstat(fd).st_rdev) in _PSEUDO_TERMINALS


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
