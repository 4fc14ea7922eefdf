"""Requests out, answers in, on one half-duplex line: what buses of all protocols share.

The protocols have no sequence numbers, so an answer that comes late could be taken for one to
the next request. Three things stand against that: input pending before a request is dropped
and counted, only answers of the expected servos and length are taken, and where servos answer
in the order asked, an answer out of order unmasks earlier ones as late.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, Protocol, TypeVar

from drivers.servo.answers import Answer, Answers, BusCounters, SyncRead
from drivers.servo.framing import FrameCounters
from drivers.transport.base import Transport
from hil.clock import Clock, Deadline

_DRAIN_READS = 4
"""Bound of dropping what is pending: a peer that floods the bus must not hold us."""

A = TypeVar("A", bound=Answer)


class AnswerDecoder(Protocol[A]):
    """An incremental decoder that gives the answers alone, not what the host itself sent."""

    @property
    def counters(self) -> FrameCounters: ...

    @property
    def pending(self) -> int: ...

    def feed(self, data: bytes) -> list[A]: ...

    def finish(self) -> list[A]: ...


class OneAnswer(Protocol[A]):
    """An incremental decoder of one packet that several servos write between them."""

    @property
    def done(self) -> bool:
        """Nothing more can come of it."""
        ...

    def feed(self, data: bytes) -> list[A]: ...


class Expected(Protocol):
    """The usual form of the answers to one request, which is quick to recognise."""

    @property
    def size(self) -> int:
        """Bytes of all answers together."""
        ...

    def match(self, stream: bytes) -> dict[int, bytes] | None:
        """Data by servo id; None where `stream` has another form, and has to be decoded."""
        ...


class Exchange(Generic[A]):
    """One line and its master's side. Owns the transport; not for use from two threads."""

    def __init__(self, transport: Transport, clock: Clock, decoder: AnswerDecoder[A]) -> None:
        self._transport = transport
        self._clock = clock
        self._decoder = decoder
        self._no_wait = Deadline(clock, 0)
        self._whole: int | None = None
        self.counters = BusCounters()

    @property
    def description(self) -> str:
        """Where the line leads."""
        return self._transport.description

    @property
    def frames(self) -> FrameCounters:
        """Live counters of the decoder."""
        return self._decoder.counters

    def send(self, frame: bytes, deadline: Deadline, length: int | None = None) -> None:
        """Drop what is pending, then write. Errors: DeadlineMissed, LinkLost.

        `length` is that of the answers wanted, where the request is a read. If the answers
        before came whole, and of another length, there is nothing to drop: a servo answers in
        order, so no older answer of theirs can be under way, and a repetition of the last one
        is of the wrong length.
        """
        if length is None or self._whole is None or self._whole == length:
            self._drop_pending()
        self._whole = None
        self.counters.requests += 1
        self._transport.write(frame, deadline)

    def collect(
        self,
        servos: Sequence[int],
        length: int,
        deadline: Deadline,
        expected: Expected | None = None,
        one: OneAnswer[A] | None = None,
    ) -> SyncRead:
        """Answers of `length` bytes from `servos`; returns as soon as all are there, or at the
        deadline with those that are.

        `expected` saves decoding where they come as usual; `one` decodes the one packet of all
        servos, where that is what was asked for. Errors: LinkLost.
        """
        data = self._transport.read(deadline)
        received_ns = self._clock.now_ns()
        if expected is not None and len(data) == expected.size:
            payloads = expected.match(data)
            if payloads is not None:  # everybody, without an error, in one piece
                self._whole = length
                return SyncRead(payloads, {}, dict.fromkeys(payloads, received_ns), ())
        answers = Answers(servos, length, self.counters)
        while True:
            for packet in self._decoded(data, one):
                answers.take(packet, received_ns)
            done = answers.complete or (one is not None and one.done)
            if done or not data or received_ns >= deadline.at_ns:  # a flood has always more
                return answers.result()
            data = self._transport.read(deadline)
            received_ns = self._clock.now_ns()

    def _decoded(self, data: bytes, one: OneAnswer[A] | None) -> list[A]:
        if one is not None:
            return one.feed(data)
        return self._decoder.feed(data) if data else self._decoder.finish()

    def listen(self, deadline: Deadline) -> list[A]:
        """Every answer until the deadline: nobody knows how many will come. Errors: LinkLost."""
        found: list[A] = []
        while data := self._transport.read(deadline):
            found += self._decoder.feed(data)
            if deadline.expired:
                break
        return found

    def close(self) -> None:
        """Release the transport; never raises."""
        self._transport.close()

    def _drop_pending(self) -> None:
        """Start with a quiet line, and count what was still coming."""
        late = len(self._decoder.finish()) if self._decoder.pending else 0
        for _ in range(_DRAIN_READS):
            data = self._transport.read(self._no_wait)
            if not data:
                break
            self.counters.stale_bytes += len(data)
            late += len(self._decoder.feed(data))
        if self._decoder.pending:
            late += len(self._decoder.finish())
        if late:
            self.counters.late_answers += late
