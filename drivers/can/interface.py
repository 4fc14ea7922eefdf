"""A CAN bus through python-can: socketcan, gs_usb, virtual, and what else it knows.

python-can is an optional dependency (extra `can`, LGPL-3.0-only) and is imported when such a
bus is opened. What to know of it:

* It counts its time-outs by the wall clock, so a clock that is set meanwhile can move one.
* Its own gs_usb reads through libusb with whole milliseconds, of which 0 means for ever: the
  shortest wait there is 1 ms, and a pulled plug shows only when something is sent. The
  kernel's gs_usb driver, which gives the same adapter as a socketcan interface, is better.
* A socketcan interface has its bit rate from `ip link set can0 type can bitrate 1000000`.
"""

from __future__ import annotations

import contextlib
import errno
import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from drivers.can.bus import BusSettings
from drivers.can.frames import CanFrame, Received, defect
from hil.clock import Clock, Deadline
from hil.contracts import Finding
from hil.errors import BadInput, DeadlineMissed, HarnessError, LinkLost, RigError

_SHORTEST_WAIT_S: Mapping[str, float] = {"gs_usb": 0.001}
_FRAMES_AT_ONCE = 256
"""Bound of taking what is pending: a bus in full spate must not hold us."""

_FULL = frozenset({errno.ENOBUFS, errno.EAGAIN})


class _Bus(Protocol):
    """What is used of a python-can bus."""

    def send(self, msg: Any, timeout: float | None = None) -> None: ...

    def recv(self, timeout: float | None = None) -> Any: ...

    def shutdown(self) -> None: ...


@dataclass(slots=True)
class _Counts:
    """`error_frames`: the controller's reports of trouble on the bus; `queue_full`: frames for
    which there was no room in time."""

    sent: int = 0
    received: int = 0
    error_frames: int = 0
    queue_full: int = 0


class InterfaceBus:
    """An open python-can bus (`drivers.can.bus.CanBus`); made by `open_interface`."""

    def __init__(self, can: Any, bus: _Bus, interface: str, channel: str, clock: Clock) -> None:
        self._can = can
        self._bus: _Bus | None = bus
        self._interface = interface
        self._channel = channel
        self._clock = clock
        self._shortest_s = _SHORTEST_WAIT_S.get(interface, 0.0)
        self._counts = _Counts()

    @property
    def description(self) -> str:
        """Interface and channel, as python-can names them."""
        return f"can {self._interface} {self._channel}"

    @property
    def adapter(self) -> str:
        return f"python-can {getattr(self._can, '__version__', '')}".rstrip()

    def send(self, frames: Sequence[CanFrame], deadline: Deadline) -> None:
        bus = self._opened()
        for frame in frames:
            message = self._message(frame)
            try:
                bus.send(message, timeout=deadline.remaining_s())
            except self._can.CanError as error:
                raise self._not_sent(error) from error
            self._counts.sent += 1

    def receive(self, deadline: Deadline) -> list[Received]:
        found: list[Received] = []
        while not found:
            message = self._recv(max(deadline.remaining_s(), self._shortest_s))
            while message is not None:
                self._take(message, found)
                if len(found) >= _FRAMES_AT_ONCE or self._shortest_s:
                    break
                message = self._recv(0.0)
            if deadline.expired:
                break
        return found

    def restart(self, deadline: Deadline) -> None:
        """Nothing: the operating system or python-can keeps the channel up."""

    def findings(self, deadline: Deadline) -> Sequence[Finding]:
        state = getattr(self._opened(), "state", None)
        name = str(getattr(state, "name", "not told")).lower()
        bad = name in ("passive", "error")
        remedy = "check bit rate, wiring and termination; `ip -details link show` tells more"
        return [Finding("can channel", not bad, name, remedy if bad else "")]

    def counters(self) -> Mapping[str, int]:
        return {
            "frames_sent": self._counts.sent,
            "frames_received": self._counts.received,
            "error_frames": self._counts.error_frames,
            "queue_full": self._counts.queue_full,
        }

    def close(self) -> None:
        """Shut the bus down; never raises."""
        if self._bus is not None:
            bus, self._bus = self._bus, None
            # the interface may be gone, and then so is what shutdown would release
            with contextlib.suppress(self._can.CanError, OSError):
                bus.shutdown()

    def _opened(self) -> _Bus:
        if self._bus is None:
            raise LinkLost(f"{self.description} is closed")
        return self._bus

    def _recv(self, timeout_s: float) -> Any:
        try:
            return self._opened().recv(timeout=timeout_s)
        except (self._can.CanError, OSError) as error:
            raise self._lost(error) from error

    def _take(self, message: Any, found: list[Received]) -> None:
        if message.is_error_frame:
            self._counts.error_frames += 1
        elif message.is_rx:  # and not the echo of a frame of ours
            self._counts.received += 1
            remote = bool(message.is_remote_frame)
            frame = CanFrame(
                int(message.arbitration_id),
                b"" if remote else bytes(message.data),
                extended=bool(message.is_extended_id),
                remote_length=int(message.dlc) if remote else None,
                fd=bool(message.is_fd),
                bit_rate_switch=bool(message.bitrate_switch),
            )
            found.append(Received(frame, self._clock.now_ns()))

    def _message(self, frame: CanFrame) -> Any:
        wrong = defect(frame)
        if wrong:
            raise HarnessError(f"frame {frame}: {wrong}")
        return self._can.Message(
            arbitration_id=frame.id,
            data=frame.data,
            is_extended_id=frame.extended,
            is_remote_frame=frame.remote_length is not None,
            dlc=len(frame.data) if frame.remote_length is None else frame.remote_length,
            is_fd=frame.fd,
            bitrate_switch=frame.bit_rate_switch,
        )

    def _not_sent(self, error: Any) -> RigError:
        """A full queue is a missed deadline, everything else a lost link."""
        full = getattr(error, "error_code", None) in _FULL or "full" in str(error).lower()
        if not full:
            return self._lost(error)
        self._counts.queue_full += 1
        return DeadlineMissed(
            f"{self.description}: no room for a frame in time",
            "on a bus where nobody acknowledges, frames pile up: check supply, wiring, bit rate",
        )

    def _lost(self, error: object) -> LinkLost:
        return LinkLost(
            f"{self.description} is gone: {error}",
            f"`ip -details link show {self._channel}` shows its state",
        )


def open_interface(address: str, settings: BusSettings, clock: Clock) -> InterfaceBus:
    """Open "can:INTERFACE:CHANNEL", for example "can:socketcan:can0".

    Errors: BadInput (malformed, no such interface, python-can or what the interface needs is
    not installed), RigError (it cannot be opened: no such channel, down, no rights).
    """
    interface, channel = split_address(address)
    if clock.virtual:
        raise BadInput(f"{address} needs a wall clock", "use a twin or real rig for CAN buses")
    can = _python_can(address)
    options: dict[str, Any] = {}
    if interface not in ("socketcan", "virtual"):
        options["bitrate"] = settings.bit_rate
    if interface == "socketcan":
        options["fd"] = settings.data_bit_rate is not None
    try:
        bus = can.Bus(
            interface=interface,
            channel=int(channel) if channel.isdecimal() else channel,
            ignore_config=True,  # the rig file says everything, and no file of the user's home
            **options,
        )
    except NotImplementedError as error:  # of python-can's own, and of the interface
        raise BadInput(
            f"{address}: python-can cannot use interface {interface!r}: {error}",
            f"known to it: {', '.join(sorted(can.VALID_INTERFACES))}; gs_usb needs the packages"
            " gs-usb and pyusb",
        ) from error
    except (can.CanError, OSError, ValueError) as error:
        raise RigError(
            f"{address} cannot be opened: {error}",
            "a socketcan interface is set up by"
            f" `ip link set {channel} up type can bitrate {settings.bit_rate}`",
        ) from error
    return InterfaceBus(can, bus, interface, channel, clock)


def split_address(address: str) -> tuple[str, str]:
    """Interface and channel of "can:INTERFACE:CHANNEL". Errors: BadInput."""
    scheme, _, rest = address.partition(":")
    interface, _, channel = rest.partition(":")
    if scheme != "can" or not interface or not channel:
        raise BadInput(
            f"{address!r} is no CAN address", "write can:INTERFACE:CHANNEL, as can:socketcan:can0"
        )
    if interface == "slcan":
        raise BadInput(
            f"{address!r}: slcan adapters are spoken to directly",
            "name its serial port by usb_serial or by_path",
        )
    return interface, channel


def _python_can(address: str) -> Any:
    try:
        return importlib.import_module("can")
    except ImportError as error:
        raise BadInput(
            f"{address} needs python-can, which is not installed",
            "pip install 'hil-testbed[can]'",
        ) from error
