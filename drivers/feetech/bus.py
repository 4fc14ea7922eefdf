"""One Feetech bus: requests out, answers in, each within its deadline.

The protocol has no sequence numbers, so an answer that comes late could be taken for one to
the next request. Three things stand against that: input pending before a request is dropped
and counted, only answers of the expected servos and length are taken, and in a sync read,
which servos answer in the order asked, an answer out of order unmasks earlier ones as late.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from drivers.feetech.codec import (
    BROADCAST,
    PING,
    READ,
    SYNC_READ,
    SYNC_WRITE,
    WRITE,
    Decoder,
    Packet,
    ServoError,
    encode,
)
from drivers.transport.base import Transport
from hil.clock import Clock, Deadline
from hil.errors import DeadlineMissed, HarnessError

_DRAIN_READS = 4
"""Bound of dropping what is pending: a peer that floods the bus must not hold us."""


@dataclass(frozen=True, slots=True)
class SyncRead:
    """Answers to one sync read, by servo id.

    A servo that did not answer is in `lost` and in no mapping. `stamps` say when the host had
    the answer, in ns; the value itself is older by the time on the wire.
    """

    payloads: Mapping[int, bytes]
    errors: Mapping[int, ServoError]
    stamps: Mapping[int, int]
    lost: tuple[int, ...]


@dataclass(slots=True)
class BusCounters:
    """Faults of one bus since it was made.

    `late_answers` are whole answers that came after their request had been given up;
    `stale_bytes` all bytes pending before a request; `wrong_id` answers from servos not
    asked; `wrong_length` answers of a servo asked, with another payload length.
    """

    requests: int = 0
    late_answers: int = 0
    stale_bytes: int = 0
    wrong_id: int = 0
    wrong_length: int = 0
    lost_answers: dict[int, int] = field(default_factory=dict)


class FeetechBus:
    """Master of one half-duplex bus. Owns the transport; not for use from two threads."""

    def __init__(self, transport: Transport, clock: Clock) -> None:
        self._transport = transport
        self._clock = clock
        self._decoder = Decoder()
        self._counters = BusCounters()

    @property
    def description(self) -> str:
        """Where the bus is connected."""
        return self._transport.description

    def ping(self, servo: int, deadline: Deadline) -> ServoError:
        """The error bits of one servo. Errors: DeadlineMissed, LinkLost."""
        return self._ask(Packet(servo, PING), 0, deadline)[0]

    def broadcast_ping(self, deadline: Deadline) -> list[int]:
        """Ids of all servos that answer before the deadline, sorted.

        Nobody knows how many there are, so it takes the whole time. Errors: LinkLost.
        """
        self._send(Packet(BROADCAST, PING), deadline)
        found: set[int] = set()
        while data := self._transport.read(deadline):
            found |= {packet.id for packet in self._decoder.feed(data) if not packet.params}
        return sorted(found)

    def read(self, servo: int, address: int, length: int, deadline: Deadline) -> bytes:
        """`length` bytes of one servo's memory. Errors: DeadlineMissed, LinkLost."""
        request = Packet(servo, READ, bytes((address, length)))
        return self._ask(request, length, deadline)[1]

    def write(self, servo: int, address: int, data: bytes, deadline: Deadline) -> ServoError:
        """Write to one servo and wait for its acknowledgement; returns its error bits.

        A servo whose status return level is 0 obeys without acknowledging, which shows as
        DeadlineMissed; `sync_write` followed by a read does not depend on that level.
        Errors: DeadlineMissed, LinkLost.
        """
        return self._ask(Packet(servo, WRITE, bytes((address,)) + data), 0, deadline)[0]

    def sync_read(
        self, servos: Sequence[int], address: int, length: int, deadline: Deadline
    ) -> SyncRead:
        """The same `length` bytes of several servos in one request.

        Returns as soon as all have answered, or at the deadline with those that have.
        Errors: LinkLost.
        """
        request = Packet(BROADCAST, SYNC_READ, bytes((address, length, *servos)))
        return self._exchange(request, servos, length, deadline)

    def sync_write(self, address: int, values: Mapping[int, bytes], deadline: Deadline) -> None:
        """Write values of one length to several servos in one packet; nobody acknowledges.

        Errors: HarnessError for values of different lengths, DeadlineMissed, LinkLost.
        """
        lengths = {len(value) for value in values.values()}
        if len(lengths) != 1:
            raise HarnessError(f"sync write of values of lengths {sorted(lengths)}")
        params = bytearray((address, lengths.pop()))
        for servo, value in values.items():
            params.append(servo)
            params += value
        self._send(Packet(BROADCAST, SYNC_WRITE, bytes(params)), deadline)

    def counters(self) -> BusCounters:
        """Live counters of the bus."""
        return self._counters

    @property
    def checksum_errors(self) -> int:
        """Packets whose checksum did not fit."""
        return self._decoder.counters.checksum_errors

    @property
    def resync_bytes(self) -> int:
        """Bytes received that belong to no packet."""
        return self._decoder.counters.resync_bytes

    def close(self) -> None:
        """Release the transport; never raises."""
        self._transport.close()

    def _ask(self, request: Packet, length: int, deadline: Deadline) -> tuple[ServoError, bytes]:
        servo = request.id
        answer = self._exchange(request, [servo], length, deadline)
        if answer.lost:
            raise DeadlineMissed(
                f"servo {servo} on {self.description} did not answer in time",
                "check its id, its cable and its supply",
            )
        return answer.errors[servo], answer.payloads[servo]

    def _send(self, request: Packet, deadline: Deadline) -> None:
        self._drop_pending()
        self._counters.requests += 1
        self._transport.write(encode(request), deadline)

    def _drop_pending(self) -> None:
        """Start with a quiet bus, and count what was still coming."""
        late = self._decoder.finish()
        now = Deadline.after(self._clock, 0)
        for _ in range(_DRAIN_READS):
            data = self._transport.read(now)
            if not data:
                break
            self._counters.stale_bytes += len(data)
            late += self._decoder.feed(data)
        late += self._decoder.finish()
        self._counters.late_answers += len(late)

    def _exchange(
        self, request: Packet, servos: Sequence[int], length: int, deadline: Deadline
    ) -> SyncRead:
        self._send(request, deadline)
        answers = _Answers(servos, length, self._counters)
        while not answers.complete:
            data = self._transport.read(deadline)
            packets = self._decoder.feed(data) if data else self._decoder.finish()
            received_ns = self._clock.now_ns()
            for packet in packets:
                answers.take(packet, received_ns)
            if not data:
                break
        return answers.result()


class _Answers:
    """Collects the answers to one request."""

    def __init__(self, servos: Sequence[int], length: int, counters: BusCounters) -> None:
        self._order = {servo: place for place, servo in enumerate(servos)}
        self._length = length
        self._counters = counters
        self._taken: dict[int, tuple[Packet, int]] = {}

    @property
    def complete(self) -> bool:
        return len(self._taken) == len(self._order)

    def take(self, packet: Packet, received_ns: int) -> None:
        place = self._order.get(packet.id)
        if place is None:
            self._counters.wrong_id += 1
        elif len(packet.params) != self._length:
            self._counters.wrong_length += 1
        else:
            self._unmask_late(place)
            self._taken[packet.id] = (packet, received_ns)

    def _unmask_late(self, place: int) -> None:
        """Servos answer in order: what came before its turn was late for an earlier request."""
        late = [servo for servo in self._taken if self._order[servo] >= place]
        for servo in late:
            del self._taken[servo]
        self._counters.late_answers += len(late)

    def result(self) -> SyncRead:
        lost = tuple(servo for servo in self._order if servo not in self._taken)
        for servo in lost:
            self._counters.lost_answers[servo] = self._counters.lost_answers.get(servo, 0) + 1
        return SyncRead(
            payloads={servo: packet.params for servo, (packet, _) in self._taken.items()},
            errors={servo: ServoError(packet.code) for servo, (packet, _) in self._taken.items()},
            stamps={servo: stamp_ns for servo, (_, stamp_ns) in self._taken.items()},
            lost=lost,
        )
