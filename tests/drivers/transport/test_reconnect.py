"""Finding a device again by identity: it comes back, another one does, or none."""

import os
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest
from wire_ends import CLOCK, Peer, soon

from drivers.discovery import Candidate
from drivers.transport.link import Link, open_link
from drivers.transport.reconnect import Return, differences, reconnect
from hil.clock import NS_PER_MS, Clock, Deadline, VirtualClock
from hil.contracts import DeviceSpec, Identity
from hil.errors import (
    BadInput,
    DeadlineMissed,
    DeviceFault,
    HarnessError,
    HilError,
    LinkLost,
    ProtocolError,
    RigError,
)
from rigs.schema import Port

KNOWN = Identity("STS3215", serial="7", firmware="3.10")
PORT = Port(usb_serial="FT1")
HERE = Candidate("/dev/ttyUSB1", 0x0403, 0x6014, "FT1")


class Answering:
    """A device that answers with an identity, after failing a few times."""

    def __init__(self, clock: Clock, address: str, failures: list[HilError], who: Identity) -> None:
        self.clock, self.address, self.failures, self.who = clock, address, failures, who
        self.is_open = False

    def open(self, deadline: Deadline) -> None:
        if self.failures:
            raise self.failures.pop(0)
        self.is_open = True

    def identity(self, deadline: Deadline) -> Identity:
        return self.who

    def close(self) -> None:
        self.is_open = False


class Bench:
    """A host whose port appears at an instant, and the device behind it."""

    def __init__(self, back_ms: float, *failures: HilError, who: Identity = KNOWN) -> None:
        self.clock = VirtualClock()
        self.back_ns = round(back_ms * NS_PER_MS)
        self.failures, self.who = list(failures), who
        self.built: list[Answering] = []

    def scan(self) -> Sequence[Candidate]:
        return [HERE] if self.clock.now_ns() >= self.back_ns else []

    def build(self, address: str) -> Answering:
        self.built.append(Answering(self.clock, address, self.failures, self.who))
        return self.built[-1]

    def run(self, within_ms: int = 1000, port: Port = PORT):
        deadline = Deadline.after(self.clock, within_ms * NS_PER_MS)
        found = reconnect(port, KNOWN, self.build, deadline, scan=self.scan)
        assert self.clock.now_ns() <= deadline.at_ns
        assert [one.is_open for one in self.built if one is not found.device] == [False] * (
            len(self.built) - (found.device is not None)
        ), "nothing but the device that is handed over stays open"
        return found


def test_the_same_device_comes_back_open() -> None:
    bench = Bench(300)
    found = bench.run()
    assert found.outcome is Return.SAME
    assert found.device is bench.built[-1]
    assert bench.built[-1].is_open
    assert (found.address, found.identity, found.detail) == ("/dev/ttyUSB1", KNOWN, "")
    assert bench.clock.now_ns() >= bench.back_ns


@pytest.mark.parametrize(
    ("who", "says"),
    [
        (Identity("STS3250", "7", "3.10"), "model 'STS3250', was 'STS3215'"),
        (Identity("STS3215", "8", "3.10"), "serial '8', was '7'"),
        (Identity("STS3215", "7", "3.9"), "firmware '3.9', was '3.10'"),
    ],
)
def test_another_device_is_told_and_closed(who: Identity, says: str) -> None:
    found = Bench(0, who=who).run()
    assert found.outcome is Return.OTHER
    assert found.detail == says
    assert (found.device, found.identity) == (None, who)


def test_it_does_not_come_back() -> None:
    bench = Bench(5000)
    found = bench.run()
    assert found.outcome is Return.ABSENT
    assert "no port" in found.detail
    assert bench.clock.now_ns() == 1000 * NS_PER_MS


@pytest.mark.parametrize(
    "failure",
    [
        RigError("in use by pid 7 (ModemManager)"),
        BadInput("no permission to open"),
        LinkLost("went away again"),
        DeadlineMissed("still starts"),
        ProtocolError("speaks of its boot"),
    ],
)
def test_what_may_pass_is_tried_again(failure: HilError) -> None:
    found = Bench(100, failure, failure).run()
    assert found.outcome is Return.SAME


@pytest.mark.parametrize(
    ("failure", "outcome"),
    [
        (RigError("in use"), Return.REFUSED),
        (BadInput("no permission"), Return.REFUSED),
        (LinkLost("gone"), Return.ABSENT),
        (DeadlineMissed("silent"), Return.SILENT),
        (ProtocolError("noise"), Return.SILENT),
    ],
)
def test_what_does_not_pass_is_named(failure: HilError, outcome: Return) -> None:
    found = Bench(0, *[failure] * 100).run()
    assert (found.outcome, found.detail, found.device) == (outcome, failure.message, None)


def test_a_device_with_faults_ends_the_wait() -> None:
    bench = Bench(0, DeviceFault("servo 3 is silent"))
    found = bench.run()
    assert (found.outcome, found.detail) == (Return.FAULTY, "servo 3 is silent")
    assert bench.clock.now_ns() == 0


def test_a_defect_is_no_outcome() -> None:
    bench = Bench(0, HarnessError("a defect"))
    with pytest.raises(HarnessError, match="a defect"):
        bench.run()


def test_an_ambiguous_identity_is_not_guessed() -> None:
    bench = Bench(0)
    twice = [HERE, Candidate("/dev/ttyUSB2", serial="FT1")]
    deadline = Deadline.after(bench.clock, NS_PER_MS)
    found = reconnect(PORT, KNOWN, bench.build, deadline, scan=lambda: twice)
    assert found.outcome is Return.ABSENT
    assert "2 ports" in found.detail
    assert not bench.built


def test_a_serial_number_that_nobody_tells_decides_nothing() -> None:
    assert differences(KNOWN, Identity("STS3215", "", "3.10")) == ""
    assert differences(Identity("a"), Identity("b", firmware="2")) == (
        "model 'b', was 'a'; firmware '2', was ''"
    )


class Greeter:
    """A device on a real port that says who it is."""

    def __init__(self, address: str) -> None:
        self.spec = DeviceSpec("greeter", "greeter", address, {}, Path())
        self.line: Link | None = None

    def open(self, deadline: Deadline) -> None:
        self.line = open_link(self.spec, 115_200, CLOCK)

    def identity(self, deadline: Deadline) -> Identity:
        assert self.line is not None
        self.line.write(b"?", deadline)
        said = self.line.read(deadline)
        if not said:
            raise DeadlineMissed("it says nothing")
        return Identity(said.decode())

    def close(self) -> None:
        if self.line is not None:
            self.line.close()


def answering(peer: Peer, name: bytes) -> threading.Thread:
    def answer() -> None:
        os.read(peer.fd, 1)
        os.write(peer.fd, name)

    thread = threading.Thread(target=answer, daemon=True)
    thread.start()
    return thread


@pytest.mark.parametrize(
    ("name", "outcome"), [(b"STS3215", Return.SAME), (b"SCS0009", Return.OTHER)]
)
def test_on_real_ports(tmp_path: Path, name: bytes, outcome: Return) -> None:
    """The port goes away with its terminal and comes back as another one, under its name."""
    stable = tmp_path / "by-id"
    first, second = Peer(), Peer()
    stable.symlink_to(first.path)
    device = Greeter(str(stable))
    device.open(soon())
    answering(first, b"STS3215").join(0)
    known = device.identity(soon())
    first.unplug()
    with pytest.raises(LinkLost):
        device.identity(soon())
    device.close()
    stable.unlink()

    def plug_in() -> None:
        answering(second, name)
        stable.symlink_to(second.path)

    timer = threading.Timer(0.05, plug_in)
    timer.start()
    found = reconnect(Port(url=stable.as_uri()), known, Greeter, soon(10_000))
    timer.join()
    assert found.outcome is outcome
    if found.device is not None:
        found.device.close()
    second.unplug()
