"""Making safe what another process left behind."""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
import termios
from collections.abc import Iterable, Mapping

from hil.clock import Clock, Deadline
from hil.contracts import Device, Rescue, SafeProof, Scalar
from hil.errors import HilError
from hil.safety import SAFE_WITHIN_S


class HeldPorts:
    """The rig's serial ports, held open beside their owner and never used.

    An owner marks its port as exclusive (TIOCEXCL). When it is killed, the mark outlives it
    where somebody keeps the terminal open, as a twin does, and the port could be opened by
    root alone. A descriptor from before takes the mark off; it also keeps the line's state
    (DTR) as it is when the owner dies.
    """

    def __init__(self, addresses: Iterable[str]) -> None:
        self._fds: dict[str, int] = {}
        for address in addresses:
            self._hold(address)

    @property
    def addresses(self) -> tuple[str, ...]:
        return tuple(self._fds)

    def unlock(self) -> None:
        """Take off the marks of a dead owner; a port that is gone has none."""
        for fd in self._fds.values():
            with contextlib.suppress(OSError):
                fcntl.ioctl(fd, termios.TIOCNXCL)

    def close(self) -> None:
        """Let go of the ports."""
        while self._fds:
            os.close(self._fds.popitem()[1])

    def _hold(self, address: str) -> None:
        """Ports that cannot be opened are left: their owner will say what is wrong with them."""
        try:
            if not stat.S_ISCHR(os.stat(address).st_mode):
                return
            self._fds[address] = os.open(
                address, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC
            )
        except OSError:
            return


def make_safe_from_outside(
    devices: Mapping[str, Device], addresses: Mapping[str, str], clock: Clock
) -> tuple[SafeProof, ...]:
    """Make every device of a rig safe, those first that can be rescued without being opened.

    A device that fails gives a proof that says so; none stops the next.
    """
    urgent = [one for one in devices.values() if isinstance(one, Rescue)]
    others = [one for one in devices.values() if not isinstance(one, Rescue)]
    return tuple(_prove(one, bool(addresses[one.role]), clock) for one in [*urgent, *others])


def _prove(device: Device, has_port: bool, clock: Clock) -> SafeProof:
    started_ns = clock.now_ns()
    try:
        return _make_safe(device, has_port, Deadline.after_s(clock, SAFE_WITHIN_S))
    except (HilError, OSError, ValueError) as error:
        readings: Mapping[str, Scalar] = {"error": f"{type(error).__name__}: {error}"}
        return SafeProof(device.role, False, "unknown", readings, started_ns, clock.now_ns())


def _make_safe(device: Device, has_port: bool, deadline: Deadline) -> SafeProof:
    if isinstance(device, Rescue):
        return device.rescue(deadline)
    try:
        if has_port:  # a device without one has nothing that could be taken over
            device.open(deadline)
        return device.make_safe(deadline)
    finally:
        device.close()
