"""Faults around a transport: on a virtual clock, and on a real pseudo-terminal."""

import os
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pydantic import TypeAdapter
from wire_ends import CLOCK, Peer, Script, read_exactly, soon

from drivers.feetech.bus import FeetechBus
from drivers.feetech.codec import PING, Packet, encode
from drivers.transport.faults import FaultyTransport
from drivers.transport.posix import open_serial
from hil.clock import NS_PER_MS, NS_PER_S, Deadline, VirtualClock
from hil.errors import DeadlineMissed, LinkLost
from rigs.link import Fault

FAULT = TypeAdapter[Fault](Fault)


def faults(*given: dict[str, Any]) -> list[Fault]:
    return [FAULT.validate_python(one) for one in given]


def at_ms(clock: VirtualClock, ms: float) -> Deadline:
    return Deadline(clock, round(ms * NS_PER_MS))


def test_a_delayed_answer_comes_when_it_is_due() -> None:
    clock = VirtualClock()
    script = Script(clock, [(NS_PER_MS, b"answer")])
    link = FaultyTransport(script, faults({"kind": "delay", "delay_ms": 4}), 0, 0, clock)
    assert link.read(at_ms(clock, 3)) == b""
    assert clock.now_ns() == 3 * NS_PER_MS
    assert link.read(at_ms(clock, 60)) == b"answer"
    assert clock.now_ns() == 5 * NS_PER_MS


def test_a_delayed_write_leaves_while_the_answer_is_waited_for() -> None:
    clock = VirtualClock()
    script = Script(clock)
    delay = faults({"kind": "delay", "delay_ms": 4, "direction": "to-device"})
    link = FaultyTransport(script, delay, 0, 0, clock)
    link.write(b"command", at_ms(clock, 1))
    assert script.written == []
    assert link.read(at_ms(clock, 3)) == b""
    assert script.written == []
    script.chunks.append((5 * NS_PER_MS, b"answer"))
    assert link.read(at_ms(clock, 10)) == b"answer"
    assert script.written == [b"command"]


def test_dropped_chunks_are_waited_past() -> None:
    clock = VirtualClock()
    script = Script(clock, [(n * NS_PER_MS, bytes([n])) for n in range(6)])
    link = FaultyTransport(script, faults({"kind": "drop", "for_s": 0.003}), 0, 0, clock)
    assert link.read(at_ms(clock, 10)) == b"\x03"
    assert link.counts() == {"drop": 3, "lost_bytes": 3}


def test_a_flood_of_dropped_bytes_keeps_the_deadline() -> None:
    clock = VirtualClock()

    class Flood(Script):
        def read(self, deadline: Deadline) -> bytes:
            self.clock.advance(1000)  # type: ignore[attr-defined]
            return bytes(4096)

    link = FaultyTransport(Flood(clock), faults({"kind": "drop"}), 0, 0, clock)
    assert link.read(at_ms(clock, 2)) == b""
    assert clock.now_ns() <= 2 * NS_PER_MS + 1000
    assert link.discard() == 0


def test_unplugged_while_waiting_and_back_again() -> None:
    clock = VirtualClock()
    script = Script(clock, [(4 * NS_PER_S, b"back")])
    link = FaultyTransport(script, faults({"kind": "unplug", "at_s": 1, "for_s": 2}), 0, 0, clock)
    uses: list[Callable[[], Any]] = [
        lambda: link.read(at_ms(clock, 9000)),
        lambda: link.write(b"x", at_ms(clock, 9000)),
        link.discard,
    ]
    for use in uses:
        with pytest.raises(LinkLost, match="script was unplugged by an injected fault"):
            use()
    assert clock.now_ns() == NS_PER_S
    clock.advance(2 * NS_PER_S)
    assert link.read(at_ms(clock, 9000)) == b"back"


def test_write_cut_by_an_unplug() -> None:
    clock = VirtualClock()
    script = Script(clock)
    cut = faults({"kind": "unplug", "after_bytes": 3, "direction": "to-device"})
    link = FaultyTransport(script, cut, 0, 0, clock)
    with pytest.raises(LinkLost):
        link.write(b"abcdef", at_ms(clock, 1))
    assert script.written == [b"abc"]
    with pytest.raises(LinkLost):
        link.read(at_ms(clock, 1))


def test_what_is_held_back_can_be_forgotten() -> None:
    clock = VirtualClock()
    script = Script(clock, [(0, b"in")])
    stall = faults({"kind": "stall", "direction": "both"})
    link = FaultyTransport(script, stall, 0, 0, clock)
    link.write(b"out", at_ms(clock, 1))
    assert link.read(at_ms(clock, 1)) == b""
    assert link.counts() == {"stall": 2}
    assert link.drop_held() == 5


def test_a_late_write_that_the_port_does_not_take_is_counted() -> None:
    clock = VirtualClock()

    class Full(Script):
        def write(self, data: bytes, deadline: Deadline) -> None:
            raise DeadlineMissed("full")

    late = faults({"kind": "delay", "delay_ms": 1, "direction": "to-device"})
    link = FaultyTransport(Full(clock), late, 0, 0, clock)
    link.write(b"abc", at_ms(clock, 1))
    assert link.read(at_ms(clock, 5)) == b""
    assert link.counts() == {"delay": 1, "overflow_bytes": 3}


def test_errors_and_facts_of_the_link_below_are_kept() -> None:
    clock = VirtualClock()
    script = Script(clock)
    link = FaultyTransport(script, faults({"kind": "drop"}, {"kind": "stall"}), 0, 0, clock)
    assert link.description == "script, with injected faults: drop, stall"
    assert (link.low_latency, link.untimed) == (False, "")
    script.lost = True
    with pytest.raises(LinkLost, match="script is gone"):
        link.read(at_ms(clock, 1))
    link.close()
    assert script.closed


@pytest.fixture
def peer() -> Iterator[Peer]:
    end = Peer()
    yield end
    end.unplug()


PACKET = encode(Packet(1, PING))


@pytest.mark.parametrize("after", range(len(PACKET) + 1))
def test_unplugged_at_every_byte_of_an_answer(peer: Peer, after: int) -> None:
    """On a real port: the bytes before it arrive, then the loss, within the deadline."""
    port = open_serial(peer.path, 1_000_000, CLOCK)
    cut = faults({"kind": "unplug", "after_bytes": after})
    link = FaultyTransport(port, cut, 0, CLOCK.now_ns(), CLOCK)
    os.write(peer.fd, PACKET)
    heard, deadline = b"", soon()
    while len(heard) < after:
        heard += link.read(deadline)
        assert not deadline.expired
    with pytest.raises(LinkLost, match="injected"):
        link.read(deadline)
    assert heard == PACKET[:after]
    link.close()


@pytest.mark.parametrize("after", range(len(PACKET) + 1))
def test_unplugged_for_real_at_every_byte_of_an_answer(peer: Peer, after: int) -> None:
    """The terminal itself goes away. Linux may drop what it has not handed over by then."""
    port = open_serial(peer.path, 1_000_000, CLOCK)
    os.write(peer.fd, PACKET[:after])
    heard = read_exactly(port.read, after) if after else b""
    peer.unplug()
    with pytest.raises(LinkLost):
        port.read(soon())
    assert heard == PACKET[:after]
    port.close()


class Servo(Script):
    """Servo 1, which answers a ping at once."""

    def write(self, data: bytes, deadline: Deadline) -> None:
        super().write(data, deadline)
        if b"".join(self.written).endswith(PACKET):
            self.chunks.append((self.clock.now_ns(), encode(Packet(1, 0))))


@pytest.mark.parametrize("direction", ["to-device", "from-device"])
@pytest.mark.parametrize("after", range(len(PACKET)))
def test_a_driver_says_lost_link_wherever_the_packet_is_cut(direction: str, after: int) -> None:
    clock = VirtualClock()
    cut = faults({"kind": "unplug", "after_bytes": after, "direction": direction})
    link = FaultyTransport(Servo(clock), cut, 0, 0, clock)
    bus = FeetechBus(link, clock)
    with pytest.raises(LinkLost, match="injected"):
        bus.ping(1, at_ms(clock, 5))
    assert clock.now_ns() <= 5 * NS_PER_MS
    with pytest.raises(LinkLost):
        bus.ping(1, at_ms(clock, 9))


def test_a_flooding_device_keeps_every_deadline(peer: Peer) -> None:
    port = open_serial(peer.path, 1_000_000, CLOCK)
    link = FaultyTransport(port, faults({"kind": "drop", "every": 2}), 0, CLOCK.now_ns(), CLOCK)
    stop = threading.Event()

    def flood() -> None:
        os.set_blocking(peer.fd, False)
        while not stop.is_set():
            try:
                os.write(peer.fd, bytes(4096))
            except BlockingIOError:
                continue
            except OSError:
                return

    thread = threading.Thread(target=flood)
    thread.start()
    try:
        for _ in range(50):
            deadline = soon(5)
            link.read(deadline)
            link.discard()
            link.read(Deadline.after(CLOCK, 0))
    finally:
        stop.set()
        thread.join()
        link.close()
    assert link.counts()["drop"] > 0
