"""Whatever a link that goes away raises below, the driver sees one error."""

import errno
import os
import termios
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from serial import SerialException
from wire_ends import CLOCK, Peer, soon

from drivers.transport.lost import lost
from drivers.transport.posix import open_serial
from hil.errors import DeviceNotFound, HilError, LinkLost

NO_LOSS = {errno.EAGAIN, errno.EALREADY, errno.EINPROGRESS, errno.EINTR}  # wait, or try again
ERRNOS = sorted(set(errno.errorcode) - NO_LOSS)
CAUSES = [
    *(OSError(number, os.strerror(number)) for number in ERRNOS),
    termios.error(errno.EIO, "Input/output error"),
    SerialException("device reports readiness to read but returned no data"),
]
NAMES = [
    errno.errorcode.get(getattr(one, "errno", None) or 0, type(one).__name__) for one in CAUSES
]


@pytest.fixture
def peer() -> Iterator[Peer]:
    end = Peer()
    yield end
    end.unplug()


def raising(error: Exception) -> Callable[..., Any]:
    def call(*_: object) -> Any:
        raise error

    return call


@pytest.mark.parametrize("cause", CAUSES, ids=NAMES)
def test_every_cause_is_a_lost_link(
    monkeypatch: pytest.MonkeyPatch, peer: Peer, cause: Exception
) -> None:
    port = open_serial(peer.path, 1_000_000, CLOCK)
    os.write(peer.fd, b"x")  # a line that is gone is readable too: nobody waits for it
    uses = {
        "read": lambda: port.read(soon()),
        "write": lambda: port.write(b"x", soon()),
        "select": lambda: port.read(soon()),
    }
    for call, use in uses.items():
        with monkeypatch.context() as patch:
            module = "select" if call == "select" else "os"
            patch.setattr(f"drivers.transport.descriptor.{module}.{call}", raising(cause))
            with pytest.raises(LinkLost) as caught:
                use()
        assert caught.value.message.startswith(f"{peer.path} is gone: ")
        assert caught.value.__cause__ is cause
        assert caught.value.remedy
    port.close()


@pytest.mark.parametrize("call", ["tcgetattr", "tcsetattr", "tcflush"])
def test_a_port_that_goes_while_it_is_set_up(
    monkeypatch: pytest.MonkeyPatch, peer: Peer, call: str
) -> None:
    cause = termios.error(errno.EIO, "Input/output error")
    monkeypatch.setattr(f"drivers.transport.posix.termios.{call}", raising(cause))
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(LinkLost, match="cannot be set up: Input/output error"):
        open_serial(peer.path, 1_000_000, CLOCK)
    assert len(os.listdir("/proc/self/fd")) == before, "nothing stays open"


@pytest.mark.parametrize("number", [errno.ENODEV, errno.ENXIO, errno.EIO, errno.ENOENT])
def test_a_port_that_goes_while_it_is_opened(
    monkeypatch: pytest.MonkeyPatch, peer: Peer, number: int
) -> None:
    monkeypatch.setattr(
        "drivers.transport.posix.os.open", raising(OSError(number, os.strerror(number)))
    )
    expected: type[HilError] = DeviceNotFound if number == errno.ENOENT else LinkLost
    with pytest.raises(expected, match=peer.path):
        open_serial(peer.path, 1_000_000, CLOCK)


def test_the_message_says_what_where_and_why() -> None:
    found = lost("/dev/x", "is gone", OSError("no errno"), "look at the cable")
    assert str(found) == "/dev/x is gone: no errno\n  remedy: look at the cable"
    assert "SerialException" in lost("/dev/x", "is gone", SerialException()).message
