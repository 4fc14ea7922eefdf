"""Time on the twin, as pure arithmetic on stamps: the step grid and paced output."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from hil.clock import NS_PER_S

BITS_PER_BYTE = 10
"""8N1: start bit, eight data bits, stop bit."""


def wire_ns(count: int, baud: int) -> int:
    """Time that `count` bytes take on the wire, ns, rounded up."""
    return -(-count * BITS_PER_BYTE * NS_PER_S // baud)


@dataclass(frozen=True, slots=True)
class Transmission:
    """Bytes that go out back to back from `start_ns` on at `baud`."""

    start_ns: int
    baud: int
    data: bytes

    def due_ns(self, index: int) -> int:
        """When byte `index` has been sent completely."""
        return self.start_ns + wire_ns(index + 1, self.baud)

    @property
    def end_ns(self) -> int:
        return self.start_ns + wire_ns(len(self.data), self.baud)


class PacedOutput:
    """Bytes waiting for their due time; packets never mix.

    Packets leave in the order of their start. One that overlaps with the packet before it
    waits for it: a collision on a real half-duplex bus, counted here and not emulated.
    """

    def __init__(self) -> None:
        self._queue: deque[Transmission] = deque()
        self._sent = 0
        self.overlaps = 0

    def add(self, transmission: Transmission) -> None:
        """Queue one packet; an earlier start overtakes those that have not begun."""
        behind = 0
        first = 1 if self._sent else 0
        for waiting in reversed(list(self._queue)[first:]):
            if waiting.start_ns <= transmission.start_ns:
                break
            behind += 1
        position = len(self._queue) - behind
        if position and self._queue[position - 1].end_ns > transmission.start_ns:
            self.overlaps += 1
        self._queue.insert(position, transmission)

    def take_due(self, now_ns: int) -> bytes:
        """Bytes whose time has come; they are the caller's from now on."""
        out = bytearray()
        while self._queue:
            head = self._queue[0]
            elapsed_ns = max(0, now_ns - head.start_ns)
            count = min(len(head.data), elapsed_ns * head.baud // (BITS_PER_BYTE * NS_PER_S))
            out += head.data[self._sent : count]
            self._sent = max(self._sent, count)
            if count < len(head.data):
                break
            self._queue.popleft()
            self._sent = 0
        return bytes(out)

    def next_wake_ns(self) -> int | None:
        """When the packet at the head is complete; None with nothing to send.

        Waking once a packet and not once a byte keeps the plant's loop free for its steps;
        bytes that are due when the loop wakes for another reason go out with it.
        """
        return self._queue[0].end_ns if self._queue else None

    def clear(self) -> None:
        """Forget everything not sent."""
        self._queue.clear()
        self._sent = 0


class StepGrid:
    """Absolute grid of plant steps against the host's clock.

    A loop that comes late catches up, so that plant time stays wall time. More than
    `catch_up` steps behind, the rest is given up: plant time then lags for good, and
    `overruns` and `skipped` say so. Steps given up for a cause that was announced (a
    picture, a rebuilt scene) are counted apart, as `stalls` and `stalled`.
    """

    def __init__(self, period_ns: int, now_ns: int, catch_up: int = 20) -> None:
        self.period_ns = period_ns
        self.next_ns = now_ns + period_ns
        self.catch_up = catch_up
        self.steps = 0
        self.worst_late_ns = 0
        self.overruns = 0
        self.skipped = 0
        self.stalls = 0
        self.stalled = 0

    def restart(self, now_ns: int) -> None:
        """Begin a new grid; nothing before `now_ns` counts as late."""
        self.next_ns = now_ns + self.period_ns

    def due(self, now_ns: int) -> bool:
        """Whether a step has to be taken now; gives up what cannot be caught up."""
        late_ns = now_ns - self.next_ns
        if late_ns < 0:
            return False
        if late_ns >= self.catch_up * self.period_ns:
            self.overruns += 1
            self.skipped += self._skip_to(now_ns)
        self.worst_late_ns = max(self.worst_late_ns, now_ns - self.next_ns)
        return True

    def done(self) -> None:
        """One step was taken."""
        self.steps += 1
        self.next_ns += self.period_ns

    def excuse(self, now_ns: int) -> None:
        """Resynchronise after work that is known to hold up the plant.

        What can be caught up still is; only what is given up for it counts as stalled.
        """
        late_ns = now_ns - self.next_ns
        if late_ns >= self.period_ns:
            self.stalls += 1
        if late_ns >= self.catch_up * self.period_ns:
            self.stalled += self._skip_to(now_ns)

    def _skip_to(self, now_ns: int) -> int:
        missed = max(0, (now_ns - self.next_ns) // self.period_ns)
        self.next_ns += missed * self.period_ns
        return missed
