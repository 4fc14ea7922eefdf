"""The host's side of the conversation: owns the transport, matches answers to requests."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TypeVar

from drivers.terminal import messages
from drivers.terminal.codec import MAX_FRAME, Decoder, encode
from drivers.transport.base import Transport
from hil.clock import Clock, Deadline
from hil.errors import BadInput, DeadlineMissed, DeviceFault, HilError, ModelRefused, ProtocolError

_A = TypeVar("_A", bound=messages.Answer)

_FRAME_END = b"\x00"
_READS = 64
"""Bound on what one look at the line takes in, so that a babbling terminal holds up nobody."""

_ERRORS: dict[str, type[HilError]] = {
    "too-large": ModelRefused,
    "digest": ModelRefused,
    "model": ModelRefused,
    "bad-message": ProtocolError,
    "unknown-type": ProtocolError,
    "version": ProtocolError,
    "offset": ProtocolError,
    "no-session": DeviceFault,
    "not-loaded": DeviceFault,
    "input": BadInput,
    "inference": DeviceFault,
    "superseded": DeviceFault,
}


@dataclass(frozen=True, slots=True)
class _Arrived:
    """An answer, and when its last byte had been read, on the deadline's clock."""

    answer: messages.Answer
    at_ns: int


class Client:
    """One conversation with an agent; not for use from several threads.

    Nothing is sent twice. After a missed deadline or an error answer nothing is awaited any
    more. An answer to an earlier request is dropped and counted when it
    comes: it cannot be taken for the present one, since the sequence number differs.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._decoder = Decoder()
        self._parser = messages.answers()
        # a host before this one may have left answers on their way: start anywhere
        self._seq = secrets.randbelow(messages.SEQUENCE_LIMIT)
        self._max_frame = MAX_FRAME
        self._awaited: dict[int, _Arrived | None] = {}
        self._cut = False
        self._late_answers = 0
        self._outrun_answers = 0
        self._bad_answers = 0
        self._timeouts = 0

    def hello(self, host: str, deadline: Deadline) -> messages.Welcome:
        """Start a session; what came before is dropped on both sides.

        Errors: ProtocolError without a common version, DeadlineMissed, LinkLost.
        """
        self._transport.discard()
        self._decoder = Decoder()
        self._cut = True  # a former host may have left a frame half sent
        request = messages.Hello(seq=self.next_seq(), versions=[messages.VERSION], host=host)
        welcome = self.ask(request, messages.Welcome, deadline)
        self._max_frame = min(MAX_FRAME, welcome.max_frame)
        return welcome

    def next_seq(self) -> int:
        """A sequence number for the next request."""
        self._seq = (self._seq + 1) % messages.SEQUENCE_LIMIT
        return self._seq

    def ask(self, request: messages.Request, kind: type[_A], deadline: Deadline) -> _A:
        """Send `request` and wait for its answer of type `kind`.

        Errors: those of `send` and `wait`.
        """
        self.send(request, deadline)
        return self.wait(request, kind, deadline)

    def send(self, request: messages.Request, deadline: Deadline) -> None:
        """Errors: BadInput when the agent takes no frame so long, DeadlineMissed, LinkLost."""
        frame = encode(request.map(), self._max_frame)
        self._awaited[request.seq] = None
        try:
            self._write(frame, deadline)
        except HilError:
            self.forget(request.seq)
            raise

    def wait(self, request: messages.Request, kind: type[_A], deadline: Deadline) -> _A:
        """The answer to `request`, already sent. Errors: those of `arrival`."""
        return self.arrival(request, kind, deadline)[0]

    def arrival(
        self, request: messages.Request, kind: type[_A], deadline: Deadline
    ) -> tuple[_A, int]:
        """The answer to `request`, already sent, and when it had been read off the line.

        Errors: DeadlineMissed; what an error answer stands for (ModelRefused, DeviceFault,
        ProtocolError); ProtocolError for an answer of another type; LinkLost.
        """
        while (arrived := self._awaited.get(request.seq)) is None:
            data = self._transport.read(deadline)
            if not data:
                self._timeouts += 1
                self._awaited.clear()
                raise DeadlineMissed(
                    f"{self._transport.description}: no answer to"
                    f" {type(request).__name__.lower()} {request.seq} in time"
                )
            self._sort(data, deadline.clock)
        del self._awaited[request.seq]
        return self._expected(arrived.answer, kind), arrived.at_ns

    def newest(
        self, seqs: Sequence[int], kind: type[_A], deadline: Deadline
    ) -> tuple[_A, int] | None:
        """The newest answer to requests `seqs`, given oldest first, and when it had been read;
        None where none came by the deadline. Older answers, and refusals of requests that a
        newer one has superseded, are dropped and counted.

        Errors: what an error answer stands for; ProtocolError; LinkLost.
        """
        self._take_in(Deadline(deadline.clock, 0))
        while True:
            arrived = self._drop_all_but_newest(seqs)
            if arrived is not None:
                return self._expected(arrived.answer, kind), arrived.at_ns
            data = self._transport.read(deadline)
            if not data:
                return None
            self._sort(data, deadline.clock)

    def forget(self, seq: int) -> None:
        """No longer wait for the answer to a request; it counts as late when it comes."""
        self._awaited.pop(seq, None)

    def counters(self) -> dict[str, int]:
        """Faults on this side of the link, by name."""
        codec = asdict(self._decoder.counters)
        del codec["frames"]
        return {
            "late_answers": self._late_answers,
            "outrun_answers": self._outrun_answers,
            "bad_answers": self._bad_answers,
            "timeouts": self._timeouts,
            **codec,
        }

    def close(self) -> None:
        """Release the transport."""
        self._transport.close()

    def _write(self, frame: bytes, deadline: Deadline) -> None:
        """A frame that was cut short by its deadline is ended before the next one."""
        data = _FRAME_END + frame if self._cut else frame
        self._cut = True
        self._transport.write(data, deadline)
        self._cut = False

    def _take_in(self, passed: Deadline) -> None:
        """Sort what is on the line, without waiting."""
        for _ in range(_READS):
            data = self._transport.read(passed)
            if not data:
                return
            self._sort(data, passed.clock)

    def _drop_all_but_newest(self, seqs: Sequence[int]) -> _Arrived | None:
        newest: _Arrived | None = None
        for seq in reversed(seqs):
            arrived = self._awaited.get(seq)
            if arrived is None:
                continue
            self.forget(seq)
            if newest is None and not _superseded(arrived.answer):
                newest = arrived
            else:
                self._outrun_answers += 1
        return newest

    def _sort(self, data: bytes, clock: Clock) -> None:
        """Keep the answers that somebody waits for, count the others."""
        at_ns = clock.now_ns()
        for plain in self._decoder.feed(data):
            try:
                answer = self._parser.parse(plain)
            except ProtocolError:  # an answer of a newer agent, or of a faulty one
                self._bad_answers += 1
                continue
            if answer.seq in self._awaited:
                self._awaited[answer.seq] = _Arrived(answer, at_ns)
            else:
                self._late_answers += 1

    def _expected(self, answer: messages.Answer, kind: type[_A]) -> _A:
        if isinstance(answer, kind):
            return answer
        where = self._transport.description
        self._awaited.clear()
        if isinstance(answer, messages.Error):
            raise _ERRORS[answer.code](f"{where}: {answer.code}: {answer.text}")
        raise ProtocolError(f"{where}: answered {type(answer).__name__}, expected {kind.__name__}")


def _superseded(answer: messages.Answer) -> bool:
    return isinstance(answer, messages.Error) and answer.code == "superseded"
