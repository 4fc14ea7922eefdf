"""What `hil bench bus` compares: this driver's bus and the vendor's SDK on the same line.

`python -m drivers.dynamixel.bench CONTESTANT PORT READS DEADLINE_MS` reads six motors so often
and prints what that took as JSON. `BENCH` is registered as service `bus-bench`.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from itertools import cycle

from drivers.dynamixel import instructions as ins
from drivers.dynamixel.bus import DynamixelBus
from drivers.dynamixel.codec2 import STATUS, Packet, encode, encode_fast
from drivers.transport.posix import open_serial
from hil.clock import NS_PER_MS, Deadline, WallClock
from hil.errors import HarnessError

IDS = (1, 2, 3, 4, 5, 6)
SILENT = 3
ADDRESS, LENGTH = 132, 4
_TURNS = (LENGTH, LENGTH + 1)
"""Lengths that this bus asks for by turns, as the driver does."""

BAUD = 1_000_000
_SDK = "dynamixel_sdk"
_WARM_UP = 50


@dataclass(frozen=True, slots=True)
class Scene:
    """What a peer has to do: how long a request is, and what it answers by turns."""

    request_bytes: int
    answers: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class BusBench:
    """The service: scenes by name, and how to run a contestant in a process of its own."""

    contestants: tuple[str, ...] = ("this-bus", "this-bus-fast", "vendor-sdk", "vendor-sdk-fast")

    def missing(self, contestant: str) -> str:
        """Why a contestant cannot run here; empty where it can."""
        vendor = contestant.startswith("vendor")
        return f"{_SDK} is not installed" if vendor and find_spec(_SDK) is None else ""

    def scene(self, contestant: str, silent: bool) -> Scene:
        """What a contestant's peer does; with `silent`, all but one of the motors answer."""
        request = len(encode(ins.sync_read(IDS, ADDRESS, LENGTH)))
        lengths = (LENGTH,) if contestant.startswith("vendor") else _TURNS
        there = [servo for servo in IDS if not (silent and servo == SILENT)]
        fast = contestant.endswith("-fast")
        return Scene(request, tuple(_answer(there, length, fast=fast) for length in lengths))

    def command(self, contestant: str, port: str, reads: int, deadline_ms: float) -> list[str]:
        """How to start it; it prints one object of JSON, see `measure`."""
        module = "drivers.dynamixel.bench"
        return [sys.executable, "-P", "-m", module, contestant, port, str(reads), str(deadline_ms)]


BENCH = BusBench()


def _data(servo: int, length: int) -> bytes:
    return (2000 + servo).to_bytes(length, "little")


def _answer(servos: Sequence[int], length: int, *, fast: bool) -> bytes:
    if fast:
        return encode_fast([(servo, 0, _data(servo, length)) for servo in servos])
    return b"".join(encode(Packet(servo, STATUS, _data(servo, length))) for servo in servos)


Read = Callable[[], int]
"""One read; returns how many motors' values came, each checked."""


def this_bus(port: str, deadline_ms: float, *, fast: bool) -> Read:
    """This driver's own bus on a serial port."""
    clock = WallClock()
    bus = DynamixelBus(open_serial(port, BAUD, clock), clock)
    reader = bus.fast_sync_read if fast else bus.sync_read
    deadline_ns = round(deadline_ms * NS_PER_MS)
    turns = cycle(_TURNS)

    def read() -> int:
        length = next(turns)
        answer = reader(IDS, ADDRESS, length, Deadline.after(clock, deadline_ns))
        return sum(data == _data(servo, length) for servo, data in answer.payloads.items())

    return read


def vendor_sdk(port: str, _: float, *, fast: bool) -> Read:
    """The vendor's SDK, as its own examples use it; it has a time-out of its own."""
    sdk = import_module(_SDK)
    handler = sdk.PortHandler(port)
    if not (handler.openPort() and handler.setBaudRate(BAUD)):
        raise HarnessError(f"{port}: the SDK cannot open it")
    group = sdk.GroupSyncRead(handler, sdk.PacketHandler(2.0), ADDRESS, LENGTH)
    for servo in IDS:
        group.addParam(servo)
    exchange = group.fastSyncRead if fast else group.txRxPacket

    def read() -> int:
        exchange()
        return sum(
            group.isAvailable(servo, ADDRESS, LENGTH)
            and group.getData(servo, ADDRESS, LENGTH) == 2000 + servo
            for servo in IDS
        )

    return read


_MAKERS: Mapping[str, Callable[..., Read]] = {"this-bus": this_bus, "vendor-sdk": vendor_sdk}


def measure(read: Read, reads: int) -> dict[str, float]:
    """CPU (own process, user and system) and wall time a read in us, their longest and 99 %
    quantile, and values that came a read."""
    for _ in range(min(_WARM_UP, reads // 10)):
        read()
    took_ns: list[int] = []
    values = 0
    cpu_ns, began_ns = time.process_time_ns(), time.monotonic_ns()
    last_ns = began_ns
    for _ in range(reads):
        values += read()
        now_ns = time.monotonic_ns()
        took_ns.append(now_ns - last_ns)
        last_ns = now_ns
    cpu_ns = time.process_time_ns() - cpu_ns
    took_ns.sort()
    return {
        "cpu_us": cpu_ns / reads / 1000,
        "wall_us": (last_ns - began_ns) / reads / 1000,
        "p99_us": took_ns[(reads * 99) // 100 - 1 if reads >= 100 else -1] / 1000,
        "longest_us": took_ns[-1] / 1000,
        "values": values / reads,
    }


def main(contestant: str, port: str, reads: str, deadline_ms: str) -> None:
    """Run one contestant. Errors: KeyError for a name that is none."""
    fast = contestant.endswith("-fast")
    read = _MAKERS[contestant.removesuffix("-fast")](port, float(deadline_ms), fast=fast)
    sys.stdout.write(json.dumps(measure(read, int(reads))))


if __name__ == "__main__":
    main(*sys.argv[1:])
