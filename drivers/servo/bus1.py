"""Master of a bus whose frame is that of `drivers.servo.frame1`: Feetech, Dynamixel 1.0."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from drivers.servo.answers import BusCounters, SyncRead
from drivers.servo.exchange import Exchange
from drivers.servo.frame1 import (
    BROADCAST,
    OVERHEAD,
    PING,
    READ,
    SYNC_READ,
    SYNC_WRITE,
    WRITE,
    Decoder,
    Packet,
    encode,
)
from drivers.transport.base import Transport
from hil.clock import NS_PER_MS, Clock, Deadline
from hil.errors import DeadlineMissed, HarnessError

_PING_NS = 5 * NS_PER_MS


class Frame1Bus:
    """A `drivers.servo.bus.ServoBus`.

    Args:
        sync_read: whether the servos know that instruction; those without are read one by
            one, each within its share of the time left.
        ping_all: whether the servos answer a ping to everybody in turn; of those that all speak
            at once nobody is understood, and they are asked one by one.
    """

    def __init__(
        self, transport: Transport, clock: Clock, sync_read: bool = True, ping_all: bool = True
    ) -> None:
        self._line: Exchange[Packet] = Exchange(transport, clock, Decoder())
        self._sync_read = sync_read
        self._ping_all = ping_all

    @property
    def description(self) -> str:
        """Where the bus is connected."""
        return self._line.description

    def ping(self, servo: int, deadline: Deadline) -> int:
        """The error byte of one servo. Errors: DeadlineMissed, LinkLost."""
        return self._ask(Packet(servo, PING), 0, deadline)[0]

    def broadcast_ping(self, deadline: Deadline) -> list[int]:
        """Ids of all servos that answer before the deadline, sorted.

        Nobody knows how many there are, so it takes the whole time. Errors: LinkLost.
        """
        self._line.send(encode(Packet(BROADCAST, PING)), deadline)
        return sorted({packet.id for packet in self._line.listen(deadline) if not packet.params})

    def ping_each(
        self, servos: Iterable[int], deadline: Deadline, answer_ns: int = _PING_NS
    ) -> list[int]:
        """Those of `servos` that answer a ping of their own, in the order asked, each within
        `answer_ns`. Whoever has not been asked by the deadline is left out. Errors: LinkLost.
        """
        found: list[int] = []
        for servo in servos:
            if deadline.expired:
                break
            within = deadline.sooner(answer_ns)
            self._line.send(encode(Packet(servo, PING)), within)
            if not self._line.collect([servo], 0, within).lost:
                found.append(servo)
        return found

    def present(self, deadline: Deadline) -> list[int]:
        """Ids of all servos that answer before the deadline, sorted. Where they have to be asked
        one by one, that is from 0 on as far as the time goes. Errors: LinkLost, DeadlineMissed.
        """
        if self._ping_all:
            return self.broadcast_ping(deadline)
        return self.ping_each(range(BROADCAST), deadline)

    def read(self, servo: int, address: int, length: int, deadline: Deadline) -> bytes:
        """`length` bytes of one servo's memory. Errors: DeadlineMissed, LinkLost."""
        request = Packet(servo, READ, bytes((address, length)))
        return self._ask(request, length, deadline)[1]

    def write(self, servo: int, address: int, data: bytes, deadline: Deadline) -> int:
        """Write to one servo and wait for its acknowledgement; returns its error byte.

        A servo that is set not to acknowledge obeys all the same, which shows as
        DeadlineMissed; `sync_write` followed by a read does not depend on that setting.
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
        self._line.send(encode(request), deadline)
        return self._line.collect(servos, length, deadline)

    def read_each(
        self, servos: Sequence[int], address: int, length: int, deadline: Deadline
    ) -> SyncRead:
        """As `sync_read`, by a request to each servo in turn, for those that lack it.

        Each may take its share of the time left, so a silent one does not use up that of the
        others. A request that the line does not take in time counts as lost. Errors: LinkLost.
        """
        parts: list[SyncRead] = []
        for place, servo in enumerate(servos):
            share = deadline.sooner(deadline.remaining_ns() // (len(servos) - place))
            self._line.send(encode(Packet(servo, READ, bytes((address, length)))), share)
            parts.append(self._line.collect([servo], length, share))
        return SyncRead(
            payloads={servo: data for part in parts for servo, data in part.payloads.items()},
            errors={servo: error for part in parts for servo, error in part.errors.items()},
            stamps={servo: stamp for part in parts for servo, stamp in part.stamps.items()},
            lost=tuple(servo for part in parts for servo in part.lost),
        )

    def read_all(
        self, servos: Sequence[int], address: int, length: int, deadline: Deadline
    ) -> SyncRead:
        """`sync_read` where the servos know it, `read_each` where not. Errors: LinkLost."""
        reader = self.sync_read if self._sync_read else self.read_each
        return reader(servos, address, length, deadline)

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
        self._line.send(encode(Packet(BROADCAST, SYNC_WRITE, bytes(params))), deadline)

    def read_bytes(self, servos: int, length: int) -> int:
        """Bytes on the wire of `read_all`, both ways, when every servo answers."""
        answers = servos * (OVERHEAD + length)
        if self._sync_read:
            return OVERHEAD + 2 + servos + answers
        return servos * (OVERHEAD + 2) + answers

    def write_bytes(self, servos: int, length: int) -> int:
        """Bytes on the wire of `sync_write`."""
        return OVERHEAD + 2 + servos * (1 + length)

    def counters(self) -> BusCounters:
        """Live counters of the bus."""
        return self._line.counters

    def faults(self) -> Mapping[str, int]:
        """Counters by name since the bus was made; no input or output."""
        counted = self._line.counters
        return {
            "requests": counted.requests,
            "checksum_errors": self.checksum_errors,
            "resync_bytes": self.resync_bytes,
            "late_answers": counted.late_answers,
            "stale_bytes": counted.stale_bytes,
            "wrong_id": counted.wrong_id,
            "wrong_length": counted.wrong_length,
            "error_answers": counted.error_answers,
        }

    def lost(self, servo: int) -> int:
        """How many requests this servo has not answered."""
        return self._line.counters.lost_answers.get(servo, 0)

    @property
    def checksum_errors(self) -> int:
        """Packets whose checksum did not fit."""
        return self._line.frames.checksum_errors

    @property
    def resync_bytes(self) -> int:
        """Bytes received that belong to no packet."""
        return self._line.frames.resync_bytes

    def close(self) -> None:
        """Release the transport; never raises."""
        self._line.close()

    def _ask(self, request: Packet, length: int, deadline: Deadline) -> tuple[int, bytes]:
        servo = request.id
        self._line.send(encode(request), deadline)
        answer = self._line.collect([servo], length, deadline)
        if answer.lost:
            raise DeadlineMissed(
                f"servo {servo} on {self.description} did not answer in time",
                "check its id, its cable and its supply",
            )
        return answer.errors.get(servo, 0), answer.payloads[servo]
