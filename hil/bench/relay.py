"""A wire between two ends that can be made longer: bytes are handed on a stated time later.

`python -m hil.bench.relay PORT` opens PORT, makes a pseudo-terminal for the host, prints one
line of JSON, {"port": ...}, and hands bytes on both ways. A line "THERE BACK" on its standard
input sets the two delays in us from then on; the end of standard input ends it.
"""

from __future__ import annotations

import json
import os
import select
import sys
import time
import tty
from collections import deque
from dataclasses import dataclass, field

from hil.clock import NS_PER_S, NS_PER_US

_CHUNK = 4096


@dataclass(slots=True)
class Way:
    """One direction: what was read from `source` and has still to be written to `sink`."""

    source: int
    sink: int
    delay_ns: int = 0
    waiting: deque[tuple[int, bytes]] = field(default_factory=deque)

    def take(self, now_ns: int) -> None:
        """Read what there is. Errors: OSError when the end is gone."""
        data = os.read(self.source, _CHUNK)
        behind_ns = self.waiting[-1][0] if self.waiting else 0  # never past what came before
        self.waiting.append((max(now_ns + self.delay_ns, behind_ns), data))

    def hand_on(self, now_ns: int) -> None:
        """Write what is due, as far as the sink takes it."""
        while self.waiting and self.waiting[0][0] <= now_ns:
            due_ns, data = self.waiting.popleft()
            try:
                written = os.write(self.sink, data)
            except BlockingIOError:
                written = 0
            if written < len(data):
                self.waiting.appendleft((due_ns, data[written:]))
                return

    def due_ns(self) -> int | None:
        """When the next bytes are due; None with nothing waiting."""
        return self.waiting[0][0] if self.waiting else None


def relay(ways: tuple[Way, Way], orders: int) -> None:
    """Hand on until `orders`, the descriptor with the lines of delays, reaches its end."""
    pending = b""
    while True:
        now_ns = time.monotonic_ns()
        for way in ways:
            way.hand_on(now_ns)
        readable = _wait(ways, orders)
        if orders in readable:
            data = os.read(orders, _CHUNK)
            if not data:
                return
            *lines, pending = (pending + data).split(b"\n")
            for line in lines:
                for way, delay_us in zip(ways, line.split(), strict=True):
                    way.delay_ns = int(delay_us) * NS_PER_US
        now_ns = time.monotonic_ns()
        for way in ways:
            if way.source in readable:
                way.take(now_ns)


def _wait(ways: tuple[Way, Way], orders: int) -> set[int]:
    """Descriptors with something to read, at the latest when bytes are due."""
    now_ns = time.monotonic_ns()
    dues = [due_ns for way in ways if (due_ns := way.due_ns()) is not None]
    stuck = [way.sink for way in ways if (way.due_ns() or now_ns + 1) <= now_ns]
    ahead = [due_ns - now_ns for due_ns in dues if due_ns > now_ns]
    timeout_s = min(ahead) / NS_PER_S if ahead else None
    readers = [orders, *(way.source for way in ways)]
    return set(select.select(readers, stuck, [], timeout_s)[0])


def main(port: str) -> None:
    """Entry of the process. Errors: OSError for a port that cannot be opened."""
    far = os.open(port, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    near, slave = os.openpty()  # the slave stays open, so that a host may come and go
    tty.setraw(slave)
    os.set_blocking(near, False)
    print(json.dumps({"port": os.ttyname(slave)}), flush=True)
    relay((Way(near, far), Way(far, near)), sys.stdin.fileno())


if __name__ == "__main__":
    main(sys.argv[1])
