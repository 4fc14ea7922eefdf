"""The POSIX transport over pseudo-terminals."""

import os
import re
import select
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from wire_ends import CLOCK, Peer, soon

from drivers.transport.descriptor import DescriptorPort
from drivers.transport.holders import holders
from drivers.transport.latency import adapter_latency, latency_timer_ms
from drivers.transport.line import Line
from drivers.transport.posix import open_serial
from hil.clock import VirtualClock
from hil.errors import BadInput, DeadlineMissed, DeviceNotFound, LinkLost, RigError


@pytest.fixture
def peer() -> Iterator[Peer]:
    end = Peer()
    yield end
    end.unplug()


@pytest.fixture
def port(peer: Peer) -> Iterator[DescriptorPort]:
    opened = open_serial(peer.path, 1_000_000, CLOCK)
    yield opened
    opened.close()


def test_bytes_both_ways_unchanged(peer: Peer, port: DescriptorPort) -> None:
    everything = bytes(range(256))  # raw: no echo, no newline or control character handling
    port.write(everything, soon())
    assert os.read(peer.fd, 1000) == everything
    os.write(peer.fd, everything)
    assert port.read(soon()) == everything


def test_read_returns_with_the_first_byte(peer: Peer, port: DescriptorPort) -> None:
    timer = threading.Timer(0.02, os.write, (peer.fd, b"x"))
    timer.start()
    deadline = soon(60_000)
    assert port.read(deadline) == b"x"
    assert not deadline.expired
    timer.join()


def test_read_of_nothing_ends_at_its_deadline(port: DescriptorPort) -> None:
    deadline = soon(5)
    assert port.read(deadline) == b""
    assert deadline.expired
    assert port.read(deadline) == b""


def test_read_after_the_deadline_still_gives_what_is_there(
    peer: Peer, port: DescriptorPort
) -> None:
    os.write(peer.fd, b"late")
    select.select([port._fd], [], [], 1)
    assert port.read(soon(0)) == b"late"


def test_discard_drops_and_counts(peer: Peer, port: DescriptorPort) -> None:
    os.write(peer.fd, b"x" * 100)
    select.select([port._fd], [], [], 1)
    assert port.discard() == 100
    assert port.discard() == 0


def test_write_that_nobody_takes_keeps_its_deadline(port: DescriptorPort) -> None:
    deadline = soon(20)
    with pytest.raises(DeadlineMissed, match="of 1000000 bytes"):
        port.write(bytes(1_000_000), deadline)
    assert deadline.expired


def test_write_after_the_deadline_still_leaves(peer: Peer, port: DescriptorPort) -> None:
    port.write(b"stop", soon(0))
    assert os.read(peer.fd, 100) == b"stop"


def test_waiting_costs_no_processor_time(port: DescriptorPort) -> None:
    waited_s, worked_s = time.monotonic(), time.process_time()
    port.read(soon(200))
    waited_s, worked_s = time.monotonic() - waited_s, time.process_time() - worked_s
    assert worked_s < waited_s / 2


def test_unplugged(peer: Peer, port: DescriptorPort) -> None:
    peer.unplug()
    for use in (
        lambda: port.read(soon()),
        lambda: port.write(b"x", soon()),
        port.discard,
        lambda: port.read(soon()),
    ):
        with pytest.raises(LinkLost):
            use()
    port.close()
    port.close()
    with pytest.raises(LinkLost, match="closed"):
        port.read(soon())


def test_unplugged_while_waiting(peer: Peer, port: DescriptorPort) -> None:
    timer = threading.Timer(0.02, peer.unplug)
    timer.start()
    with pytest.raises(LinkLost):
        port.read(soon(60_000))
    timer.join()


def test_second_owner_is_refused_and_told_who_holds_it(peer: Peer, port: DescriptorPort) -> None:
    with pytest.raises(RigError, match="in use by this process"):
        open_serial(peer.path, 1_000_000, CLOCK)
    port.close()
    open_serial(peer.path, 1_000_000, CLOCK).close()


HOLD = """
import sys
from drivers.transport.posix import open_serial
from hil.clock import WallClock
port = open_serial(sys.argv[1], 1_000_000, WallClock())
print("held", flush=True)
sys.stdin.read()
port.close()
"""


def test_owner_in_another_process_is_named(peer: Peer) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, peer.path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        try:
            assert other.stdout is not None
            assert other.stdout.readline() == "held\n"
            with pytest.raises(RigError, match=f"pid {other.pid} "):
                open_serial(peer.path, 1_000_000, CLOCK)
        finally:
            other.communicate(timeout=30)
    open_serial(peer.path, 1_000_000, CLOCK).close()


def test_holders_sees_this_process(peer: Peer) -> None:
    assert os.getpid() in [holder.pid for holder in holders(peer.path)]
    assert holders("/nowhere/at/all") == []


@pytest.mark.parametrize("baud", [250_000, 0, -9600])
def test_unknown_rate_is_refused(peer: Peer, baud: int) -> None:
    with pytest.raises(BadInput, match="1000000"):
        open_serial(peer.path, baud, CLOCK)


def test_what_is_no_serial_port_is_refused(tmp_path) -> None:
    with pytest.raises(DeviceNotFound):
        open_serial(str(tmp_path / "none"), 9600, CLOCK)
    plain = tmp_path / "plain"
    plain.touch()
    with pytest.raises(BadInput, match="not a serial port"):
        open_serial(str(plain), 9600, CLOCK)


def test_virtual_clock_is_refused(peer: Peer) -> None:
    with pytest.raises(BadInput, match="wall clock"):
        open_serial(peer.path, 9600, VirtualClock())


def test_permission_denied_says_what_to_do(monkeypatch: pytest.MonkeyPatch, peer: Peer) -> None:
    def denied(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("drivers.transport.posix.os.open", denied)
    with pytest.raises(BadInput, match="dialout") as caught:
        open_serial(peer.path, 9600, CLOCK)
    named = re.search(r"sudo cp (\S+)", caught.value.remedy)
    assert named is not None
    assert Path(named[1]).is_file(), "the rules that the message names are there"


@pytest.mark.parametrize(
    ("line", "flags"),
    [
        (Line(9600), 0),
        (Line(9600, "even", 1), termios.PARENB),
        (Line(9600, "odd", 2), termios.PARENB | termios.PARODD | termios.CSTOPB),
        (Line(9600, "none", 2), termios.CSTOPB),
    ],
)
def test_parity_and_stop_bits_are_asked(
    monkeypatch: pytest.MonkeyPatch, peer: Peer, line: Line, flags: int
) -> None:
    asked: list[list] = []

    def spied(fd: int, when: int, settings: list) -> None:
        asked.append(settings)
        original(fd, when, settings)

    original = termios.tcsetattr
    monkeypatch.setattr("drivers.transport.posix.termios.tcsetattr", spied)
    port = open_serial(peer.path, line, CLOCK)
    port.close()
    framing = asked[0][2] & (termios.PARENB | termios.PARODD | termios.CSTOPB)
    assert framing == flags
    assert bool(asked[0][0] & termios.IGNPAR) == (line.parity != "none")
    assert str(line) in port.description


def test_framing_that_a_port_does_not_take_is_refused(
    monkeypatch: pytest.MonkeyPatch, peer: Peer
) -> None:
    # a pseudo-terminal has no line, so that the kernel takes the parity away; an adapter that
    # does so cannot be used
    monkeypatch.setattr("drivers.transport.posix._is_pseudo_terminal", lambda _fd: False)
    with pytest.raises(BadInput, match="does not accept 9600 baud, 8E1"):
        open_serial(peer.path, Line(9600, "even"), CLOCK)


def test_bits_on_the_wire() -> None:
    assert Line(9600).bits_per_byte == 10
    assert Line(9600, "even", 2).bits_per_byte == 12


def test_description_names_port_and_rate(peer: Peer, port: DescriptorPort) -> None:
    assert peer.path in port.description
    assert "1000000" in port.description
    assert port.low_latency is False  # a pseudo-terminal has no such setting
    assert port.untimed == ""


@pytest.fixture
def adapter(tmp_path: Path) -> Path:
    """Folder of the system in which ttyUSB3 has a timer of 16 ms; its port beside it."""
    (tmp_path / "devices" / "ttyUSB3").mkdir(parents=True)
    (tmp_path / "devices" / "ttyUSB3" / "latency_timer").write_text("16\n")
    (tmp_path / "ttyUSB3").touch()
    (tmp_path / "usb-FTDI-if00").symlink_to(tmp_path / "ttyUSB3")
    return tmp_path


def test_latency_timer_of_an_adapter(adapter: Path) -> None:
    folder = adapter / "devices"
    assert latency_timer_ms("/dev/ttyUSB3", folder) == 16
    assert latency_timer_ms(str(adapter / "usb-FTDI-if00"), folder) == 16, "by its stable name"
    assert latency_timer_ms("/dev/ttyACM0", folder) is None
    assert latency_timer_ms("replay:///captures/ttyUSB3", folder) is None, "no adapter of this host"


@pytest.mark.parametrize(("timer_ms", "ok"), [(16, False), (1, True)])
def test_a_slow_adapter_is_a_bad_finding_that_says_where_to_write(
    adapter: Path, timer_ms: int, ok: bool
) -> None:
    timer = adapter / "devices" / "ttyUSB3" / "latency_timer"
    timer.write_text(f"{timer_ms}\n")
    (found,) = adapter_latency("/dev/ttyUSB3", adapter / "devices")
    assert (found.name, found.ok, found.detail) == ("usb latency", ok, f"{timer_ms} ms")
    assert (str(timer) in found.remedy) is not ok
    assert adapter_latency("/dev/ttyACM0", adapter / "devices") == []
