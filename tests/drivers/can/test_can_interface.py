"""Buses of python-can, on its virtual interface."""

from __future__ import annotations

import errno
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from drivers.can.bus import BusSettings
from drivers.can.frames import CanFrame
from drivers.can.interface import InterfaceBus, open_interface, split_address
from drivers.can.open import open_can
from hil.clock import NS_PER_MS, Deadline, VirtualClock, WallClock
from hil.contracts import DeviceSpec
from hil.errors import BadInput, DeadlineMissed, HarnessError, LinkLost, RigError

can = pytest.importorskip("can")

CLOCK = WallClock()
SETTINGS = BusSettings(1_000_000)


def soon(ms: int = 3000) -> Deadline:
    return Deadline.after(CLOCK, ms * NS_PER_MS)


@contextmanager
def opened(address: str = "can:virtual:test") -> Iterator[InterfaceBus]:
    bus = open_interface(address, SETTINGS, CLOCK)
    try:
        yield bus
    finally:
        bus.close()


@pytest.fixture
def peer() -> Iterator[Any]:
    with can.Bus(interface="virtual", channel="test", ignore_config=True) as bus:
        yield bus


FRAMES = [
    CanFrame(0x123, b"\x01\x02\x03"),
    CanFrame(0x1ABC_DEF0, bytes(8), extended=True),
    CanFrame(0x7FF, remote_length=4),
    CanFrame(0x10, bytes(range(64)), fd=True, bit_rate_switch=True),
    CanFrame(0x11, bytes(12), fd=True),
    CanFrame(0x12),
]


@pytest.mark.parametrize("frame", FRAMES, ids=str)
def test_frame_reaches_python_can_and_comes_back(peer: Any, frame: CanFrame) -> None:
    with opened() as bus:
        bus.send([frame], soon())
        message = peer.recv(timeout=3)
        assert (message.arbitration_id, message.is_extended_id) == (frame.id, frame.extended)
        assert message.is_remote_frame == (frame.remote_length is not None)
        assert (message.is_fd, message.bitrate_switch) == (frame.fd, frame.bit_rate_switch)
        assert bytes(message.data) == frame.data
        peer.send(message)
        assert [received.frame for received in bus.receive(soon())] == [frame]


def test_all_that_is_there_comes_at_once(peer: Any) -> None:
    with opened() as bus:
        for number in range(5):
            peer.send(can.Message(arbitration_id=number, is_extended_id=False))
        assert [received.frame.id for received in bus.receive(soon(0))] == [0, 1, 2, 3, 4]
        counted = bus.counters()
        assert (counted["frames_received"], counted["frames_sent"]) == (5, 0)


def test_deadline_is_kept_and_a_frame_ends_the_wait(peer: Any) -> None:
    with opened() as bus:
        brief = soon(20)
        assert bus.receive(brief) == []
        assert brief.expired
        late = soon(60_000)
        message = can.Message(arbitration_id=5, is_extended_id=False)
        sender = threading.Timer(0.02, peer.send, [message])
        sender.start()
        assert [received.frame.id for received in bus.receive(late)] == [5]
        assert not late.expired
        sender.join()


def test_flooded_bus_gives_a_bounded_number_at_once(peer: Any) -> None:
    with opened() as bus:
        for _ in range(1000):
            peer.send(can.Message(arbitration_id=1, is_extended_id=False))
        assert len(bus.receive(soon(0))) == 256


def test_error_frames_are_counted_and_not_received(peer: Any) -> None:
    with opened() as bus:
        peer.send(can.Message(is_error_frame=True))
        assert bus.receive(soon(0)) == []
        assert bus.counters()["error_frames"] == 1


@pytest.mark.usefixtures("peer")
def test_closed_bus_is_a_lost_link() -> None:
    with opened() as bus:
        bus.close()
        for use in (
            lambda: bus.send([CanFrame(1)], soon()),
            lambda: bus.receive(soon()),
            lambda: bus.findings(soon()),
        ):
            with pytest.raises(LinkLost):
                use()


class BrokenBus:
    """A python-can bus whose interface has trouble."""

    state = None

    def __init__(self, code: int | None, text: str) -> None:
        self._error = can.CanOperationError(text, code)

    def send(self, msg: Any, timeout: float | None = None) -> None:
        raise self._error

    def recv(self, timeout: float | None = None) -> Any:
        raise self._error

    def shutdown(self) -> None:
        raise self._error


def test_interface_that_goes_down_is_a_lost_link() -> None:
    broken = BrokenBus(errno.ENETDOWN, "Failed to transmit: Network is down")
    bus = InterfaceBus(can, broken, "socketcan", "can0", CLOCK)
    for use in (lambda: bus.send([CanFrame(1)], soon()), lambda: bus.receive(soon())):
        with pytest.raises(LinkLost, match="can socketcan can0 is gone"):
            use()
    bus.close()
    bus.close()


@pytest.mark.parametrize(
    ("code", "text"), [(errno.ENOBUFS, "Failed to transmit"), (None, "Transmit buffer full")]
)
def test_full_queue_is_a_missed_deadline(code: int | None, text: str) -> None:
    bus = InterfaceBus(can, BrokenBus(code, text), "socketcan", "can0", CLOCK)
    with pytest.raises(DeadlineMissed, match="no room"):
        bus.send([CanFrame(1)], soon())
    assert bus.counters()["queue_full"] == 1


@pytest.mark.usefixtures("peer")
def test_frame_without_a_form_is_refused() -> None:
    with opened() as bus, pytest.raises(HarnessError, match="outside"):
        bus.send([CanFrame(0x800)], soon())


@pytest.mark.parametrize(("state", "ok"), [("ACTIVE", True), ("PASSIVE", False), ("ERROR", False)])
def test_state_of_the_controller_is_told(state: str, ok: bool) -> None:
    broken = BrokenBus(None, "")
    broken.state = getattr(can.BusState, state)
    bus = InterfaceBus(can, broken, "socketcan", "can0", CLOCK)
    assert [finding.ok for finding in bus.findings(soon())] == [ok]


@pytest.mark.parametrize("address", ["can:", "can:socketcan", "can:socketcan:", "cat:a:b"])
def test_malformed_address_is_named(address: str) -> None:
    with pytest.raises(BadInput, match="no CAN address"):
        split_address(address)


def test_slcan_is_not_left_to_python_can() -> None:
    with pytest.raises(BadInput, match="spoken to directly"):
        open_interface("can:slcan:/dev/null", SETTINGS, CLOCK)


def test_unknown_interface_is_named_with_those_there_are() -> None:
    with pytest.raises(BadInput, match="cannot use interface 'nocan'") as caught:
        open_interface("can:nocan:0", SETTINGS, CLOCK)
    assert "socketcan" in caught.value.remedy


def test_interface_whose_own_packages_are_missing_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "usb", None)
    monkeypatch.delitem(sys.modules, "can.interfaces.gs_usb", raising=False)
    with pytest.raises(BadInput, match="cannot use interface 'gs_usb'") as caught:
        open_interface("can:gs_usb:0", SETTINGS, CLOCK)
    assert "gs-usb and pyusb" in caught.value.remedy


def test_interface_that_is_not_there_is_named() -> None:
    with pytest.raises(RigError, match="can:socketcan:nocan7 cannot be opened") as caught:
        open_interface("can:socketcan:nocan7", SETTINGS, CLOCK)
    assert "ip link set nocan7 up type can bitrate 1000000" in caught.value.remedy


def test_python_can_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "can", None)
    with pytest.raises(BadInput, match="needs python-can") as caught:
        open_interface("can:virtual:test", SETTINGS, CLOCK)
    assert "hil-testbed[can]" in caught.value.remedy


def test_virtual_clock_is_refused() -> None:
    with pytest.raises(BadInput, match="wall clock"):
        open_interface("can:virtual:test", SETTINGS, VirtualClock())


@pytest.mark.usefixtures("peer")
def test_address_leads_to_python_can() -> None:
    spec = DeviceSpec("arm", "any", "can:virtual:test", {}, Path())
    bus = open_can(spec, SETTINGS, 115_200, CLOCK, soon())
    assert bus.description == "can virtual test"
    bus.restart(soon())
    bus.close()
