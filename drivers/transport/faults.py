"""A transport with faults put into it, for trying out what a driver and a rig do about them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from drivers.transport.base import Transport
from drivers.transport.descriptor import DISCARD_READS
from drivers.transport.lane import Lane
from hil.clock import Clock, Deadline
from hil.errors import DeadlineMissed, LinkLost
from rigs.link import Fault


class FaultyTransport:
    """`inner`, with `faults` in both directions (`drivers.transport.base.Transport`).

    A delayed write leaves at the first call after it is due, at the latest while the answer is
    waited for: no thread works behind the driver's back. Bytes that wait in `inner` for the
    driver's next read are chunked as that read finds them.
    """

    def __init__(
        self, inner: Transport, faults: Sequence[Fault], seed: int, origin_ns: int, clock: Clock
    ) -> None:
        self._inner = inner
        self._clock = clock
        self._faults = tuple(faults)
        self._out = Lane(faults, seed, "to-device", origin_ns)
        self._in = Lane(faults, seed, "from-device", origin_ns)

    @property
    def description(self) -> str:
        kinds = ", ".join(dict.fromkeys(fault.kind for fault in self._faults))
        return f"{self._inner.description}, with injected faults: {kinds}"

    @property
    def low_latency(self) -> bool:
        return self._inner.low_latency

    @property
    def untimed(self) -> str:
        return self._inner.untimed

    def counts(self) -> Mapping[str, int]:
        """What the faults did, by their names: chunks, and bytes where the name says so."""
        return Counter(self._out.counts) + Counter(self._in.counts)

    def drop_held(self) -> int:
        """Forget what delays and stalls hold back; how many bytes that were."""
        return self._out.drop() + self._in.drop()

    def write(self, data: bytes, deadline: Deadline) -> None:
        now_ns = self._check()
        whole = self._out.feed(data, now_ns)
        ready = self._out.take(now_ns)
        if ready:
            self._inner.write(ready, deadline)
        if not whole:
            raise self._lost()

    def read(self, deadline: Deadline) -> bytes:
        now_ns = self._check()
        self._relay(now_ns)
        data = self._in.take(now_ns)
        while not data:
            wake_ns = min(deadline.at_ns, self._in.next_ns(now_ns), self._out.next_ns(now_ns))
            chunk = self._inner.read(Deadline(self._clock, wake_ns))
            now_ns = self._clock.now_ns()
            if chunk:
                self._in.feed(chunk, now_ns)
            data = self._in.take(now_ns)
            if data or now_ns >= deadline.at_ns:
                break
            self._relay(self._check())
        return data

    def discard(self) -> int:
        now_ns = self._check()
        for _ in range(DISCARD_READS):
            chunk = self._inner.read(Deadline(self._clock, now_ns))
            if not chunk:
                break
            self._in.feed(chunk, now_ns)
        return len(self._in.take(now_ns))

    def close(self) -> None:
        self._inner.close()

    def _check(self) -> int:
        """The time now. Errors: LinkLost where the link counts as unplugged."""
        now_ns = self._clock.now_ns()
        # both are asked, so that each sees its own instant
        if self._out.unplugged(now_ns) | self._in.unplugged(now_ns):
            raise self._lost()
        return now_ns

    def _relay(self, now_ns: int) -> None:
        """Send what was held back and is due. What the port does not take is lost, as it would
        be in the adapter that such a delay stands for."""
        ready = self._out.take(now_ns)
        if not ready:
            return
        try:
            self._inner.write(ready, Deadline(self._clock, now_ns))
        except DeadlineMissed:
            self._out.counts["overflow_bytes"] += len(ready)

    def _lost(self) -> LinkLost:
        return LinkLost(
            f"{self._inner.description} was unplugged by an injected fault",
            "nothing is broken: the rig file or the scenario asked for it",
        )
