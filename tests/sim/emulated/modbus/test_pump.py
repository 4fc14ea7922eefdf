"""The pump that other tests stand on: it moves bytes, and it ends."""

from __future__ import annotations

import os
import select
import threading
import time
from collections.abc import Mapping, Sequence

import pytest
from pump import pumped

from drivers.transport.base import Transport
from drivers.transport.posix import open_serial
from hil.clock import Deadline, WallClock
from hil.errors import LinkLost
from sim.twin.emulator import Body, Drive, Scalar
from sim.twin.pacing import Transmission

CLOCK = WallClock()
BAUD = 1_000_000


class Echo:
    """Says what it hears, one byte more; breaks where it is told to."""

    baud = BAUD

    def __init__(self) -> None:
        self.heard = b""
        self.say_ns: int | None = None
        self.broken = False

    def receive(self, data: bytes, now_ns: int, line_baud: int) -> list[Transmission]:
        if self.broken:
            raise ValueError("broken on purpose")
        self.heard += data
        return [Transmission(now_ns, line_baud, data + b"!")]

    def due_ns(self) -> int | None:
        return self.say_ns

    def wake(self, now_ns: int) -> list[Transmission]:
        self.say_ns = None
        return [Transmission(now_ns, self.baud, b"by myself")]

    def status(self) -> Mapping[str, Scalar]:
        return {"heard": len(self.heard)}

    def control(self, args: Mapping[str, object]) -> None:
        self.broken = bool(args.get("broken"))
        self.say_ns = 0 if args.get("speak") else None


class Jointed(Echo):
    """Drives two joints, one of them powered."""

    joints = ("one", "two")

    def __init__(self) -> None:
        super().__init__()
        self.bodies: Sequence[Body] = ()
        self.enough = threading.Event()

    def step(self, dt: float, bodies: Sequence[Body]) -> Sequence[Drive]:
        self.bodies = bodies
        if bodies[0].position == 0.02:
            self.enough.set()
        return [Drive(0.02, 1.0, True), Drive(0.02, 1.0, False)]


def opened(path: str) -> Transport:
    return open_serial(path, BAUD, CLOCK)


def read(port: Transport, count: int) -> bytes:
    deadline, data = Deadline.after_s(CLOCK, 5), b""
    while len(data) < count and not deadline.expired:
        data += port.read(deadline)
    return data


def test_bytes_both_ways_and_what_comes_by_itself() -> None:
    pump = pumped(Echo())
    with pump as path:
        port = opened(path)
        port.write(b"hello", Deadline.after_s(CLOCK, 1))
        assert read(port, 6) == b"hello!"
        assert pump.status() == {"heard": 5}
        assert bytes(pump.received) == b"hello"
        pump.control({"speak": True})
        assert read(port, 9) == b"by myself"
        port.close()


def test_path_is_all_that_is_needed() -> None:
    with pumped(Echo()) as path:
        port = opened(path)
        port.write(b"x", Deadline.after_s(CLOCK, 1))
        assert read(port, 2) == b"x!"
        port.close()


def test_thread_ends_with_the_block() -> None:
    before = threading.active_count()
    for _ in range(3):
        with pumped(Echo()):
            assert threading.active_count() == before + 1
    assert threading.active_count() == before


def test_failure_of_the_emulator_hangs_up_and_comes_out() -> None:
    with pytest.raises(RuntimeError, match="failed") as caught:
        spoil_and_meet_the_end()
    assert isinstance(caught.value.__cause__, ValueError)


def spoil_and_meet_the_end() -> None:
    pump = pumped(Echo())
    with pump as path:
        port = opened(path)
        pump.control({"broken": True})
        port.write(b"x", Deadline.after_s(CLOCK, 1))
        with pytest.raises(LinkLost):
            read(port, 1)
        port.close()


def test_lifetime_hangs_up() -> None:
    with pumped(Echo(), lifetime_s=0.05) as path:
        port = opened(path)
        with pytest.raises(LinkLost):
            read(port, 1)
        port.close()


def until_the_end(port: Transport, data: bytes) -> bytes:
    """What comes back of `data` until the line is gone."""
    seen, deadline = b"", Deadline.after_s(CLOCK, 5)
    try:
        port.write(data, deadline)
        while not deadline.expired:
            seen += port.read(deadline)
    except LinkLost:
        return seen
    raise AssertionError("the line did not hang up")


@pytest.mark.parametrize("after", range(7))
def test_hangs_up_after_exactly_so_many_bytes(after: int) -> None:
    pump = pumped(Echo())
    with pump as path:
        port = opened(path)
        pump.unplug(after)
        assert until_the_end(port, b"hello") == b"hello!"[:after]
        port.close()
        pump.unplug()  # as often as you like


def test_client_that_comes_again_finds_the_line() -> None:
    with pumped(Echo()) as path:
        for _ in range(2):
            port = opened(path)
            port.write(b"x", Deadline.after_s(CLOCK, 1))
            assert read(port, 2) == b"x!"
            port.close()


def test_joints_follow_where_they_are_driven() -> None:
    emulator = Jointed()
    with pumped(emulator):
        assert emulator.enough.wait(5)
    assert emulator.bodies[0].position == pytest.approx(0.02)
    assert emulator.bodies[1].position == 0


def test_waiting_costs_no_processor_time() -> None:
    with pumped(Echo()) as path:
        descriptor = os.open(path, os.O_RDWR | os.O_NOCTTY)
        waited_s, worked_s = time.monotonic(), time.process_time()
        select.select([descriptor], [], [], 0.2)
        waited_s, worked_s = time.monotonic() - waited_s, time.process_time() - worked_s
        assert worked_s < waited_s / 2
        os.close(descriptor)
