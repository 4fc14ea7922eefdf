"""An emulated chain with its plant on a virtual clock, whose host process can be held up.

While the host is held up it takes in nothing, sends nothing and steps no plant, as a process
that the operating system does not let run; afterwards it does all of it at once.
"""

from __future__ import annotations

from collections.abc import Callable

from drivers.transport.base import Transport
from hil.clock import NS_PER_MS, Deadline, VirtualClock
from hil.contracts import FloatArray
from sim.axes import Axes
from sim.emulated.damiao.chain import Chain
from sim.twin.bench import Bench, mount
from sim.twin.pacing import PacedOutput, StepGrid


class StalledTwin(Transport):
    """The client's end of the line. `heard` is called with what the client writes."""

    description = "stalled twin"
    low_latency = False
    untimed = ""

    def __init__(self, clock: VirtualClock, chain: Chain) -> None:
        self.heard: Callable[[bytes], None] = lambda data: None
        self._clock = clock
        self._chain = chain
        self._plant = Axes(1000, chain.joints)
        self._bench = Bench(self._plant, mount(self._plant, {"can": chain}))
        self._grid = StepGrid(NS_PER_MS, clock.now_ns())
        self._output = PacedOutput()
        self._written: list[bytes] = []
        self._unread = b""
        self._stall_ns = (0, 0)

    @property
    def position(self) -> FloatArray:
        """Where the joints are, whatever anybody says, rad."""
        return self._plant.joints()[0]

    def stall(self, after_ns: int, for_ns: int) -> None:
        """Hold the host up for a while."""
        begins_ns = self._clock.now_ns() + after_ns
        self._stall_ns = (begins_ns, begins_ns + for_ns)

    def pass_time(self, duration_ns: int) -> None:
        """Let the twin run with a client that does nothing."""
        self._run(Deadline.after(self._clock, duration_ns), lambda: False)

    def write(self, data: bytes, deadline: Deadline) -> None:
        self._written.append(data)
        self.heard(data)

    def read(self, deadline: Deadline) -> bytes:
        self._run(deadline, lambda: bool(self._unread))
        found, self._unread = self._unread, b""
        return found

    def discard(self) -> int:
        dropped, self._unread = len(self._unread), b""
        return dropped

    def close(self) -> None:
        return None

    def _run(self, deadline: Deadline, done: Callable[[], bool]) -> None:
        """From one event to the next until `done` or the deadline."""
        self._act()
        while not done() and not deadline.expired:
            self._clock.sleep_until(min(self._next_ns(), deadline.at_ns))
            self._act()

    def _next_ns(self) -> int:
        now_ns = self._clock.now_ns()
        begins_ns, ends_ns = self._stall_ns
        if begins_ns <= now_ns < ends_ns:
            return ends_ns
        output_ns = self._output.next_wake_ns()
        return self._grid.next_ns if output_ns is None else min(output_ns, self._grid.next_ns)

    def _act(self) -> None:
        now_ns = self._clock.now_ns()
        begins_ns, ends_ns = self._stall_ns
        if begins_ns <= now_ns < ends_ns:
            return
        while self._grid.due(now_ns):
            self._bench.step()
            self._grid.done()
        for data in self._written:
            for transmission in self._chain.receive(data, now_ns, self._chain.baud):
                self._output.add(transmission)
        self._written.clear()
        self._unread += self._output.take_due(now_ns)
