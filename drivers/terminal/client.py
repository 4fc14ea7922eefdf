"""The host's side of the conversation: owns the transport, matches answers to requests."""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TypeVar

from drivers.terminal import messages
from drivers.terminal.codec import MAX_FRAME, Decoder, encode
from drivers.terminal.ledger import Ledger
from drivers.terminal.refusals import ERRORS, REMEDIES, AnswerLost
from drivers.transport.base import Transport
from hil.clock import NS_PER_MS, Clock, Deadline
from hil.errors import DeadlineMissed, HilError, ProtocolError

_A = TypeVar("_A", bound=messages.Answer)

_FRAME_END = b"\x00"
_READS = 64
"""Bound on what one look at the line takes in, so that a babbling terminal holds up nobody."""

_PROBE_NS = 500 * NS_PER_MS
"""Silence after which a ping is sent to learn whether the terminal has gone past a request."""

_PROBES = 16

_CREDITED = (messages.LoadChunk, messages.Infer)
"""Requests that wait for credit. The others are small, and settle what was lost."""


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

    Args:
        transport: the terminal's line.
        versions: of the protocol, that are offered.
    """

    def __init__(self, transport: Transport, versions: Sequence[int] = messages.VERSIONS) -> None:
        self._transport = transport
        self._decoder = Decoder()
        self._parser = messages.answers()
        # a host before this one may have left answers on their way: start anywhere
        self._seq = secrets.randbelow(messages.SEQUENCE_LIMIT)
        self._versions = tuple(versions)
        self._session: int | None = None
        self._max_frame = MAX_FRAME
        self._window = MAX_FRAME
        self._ledger = Ledger()
        self._probes: deque[int] = deque(maxlen=_PROBES)
        self._awaited: dict[int, _Arrived | None] = {}
        self._cut = False
        self._late_answers = 0
        self._outrun_answers = 0
        self._bad_answers = 0
        self._timeouts = 0

    def hello(self, host: str, deadline: Deadline) -> messages.Welcome:
        """Start a session; what came before is dropped on both sides.

        Errors: ProtocolError without a common version, or for a welcome that is none;
        DeadlineMissed, LinkLost.
        """
        self._transport.discard()
        self._decoder = Decoder()
        self._cut = True  # a former host may have left a frame half sent
        self._session = None
        self._ledger = Ledger()
        request = messages.Hello(seq=self.next_seq(), versions=list(self._versions), host=host)
        welcome = self.ask(request, messages.Welcome, deadline)
        second = welcome.version >= messages.VERSION_2
        if welcome.version not in self._versions or (second and welcome.session is None):
            raise ProtocolError(
                f"{self._transport.description}: welcome to protocol {welcome.version} without"
                f" its fields, or not offered; offered were {list(self._versions)}",
                REMEDIES["version"],
            )
        self._session = welcome.session if second else None
        self._max_frame = min(MAX_FRAME, welcome.max_frame)
        self._window = welcome.window
        return welcome

    def next_seq(self) -> int:
        """A sequence number for the next request."""
        self._seq = (self._seq + 1) % messages.SEQUENCE_LIMIT
        return self._seq

    def ask(self, request: messages.Request, kind: type[_A], deadline: Deadline) -> _A:
        """Send `request` and wait for its answer of type `kind`.

        Errors: those of `send` and `arrival`.
        """
        self.send(request, deadline)
        return self.arrival(request, kind, deadline)[0]

    def send(self, request: messages.Request, deadline: Deadline) -> None:
        """Send `request` once the terminal has room for it: chunks and inferences wait for
        credit, which earlier answers give back.

        Errors: BadInput when the agent takes no frame so long, DeadlineMissed, LinkLost.
        """
        if self._session is not None:
            request = request.model_copy(update={"session": self._session})
        frame = encode(request.map(), self._max_frame)
        if isinstance(request, _CREDITED):
            self._await_credit(len(frame), deadline)
        self._awaited[request.seq] = None
        try:
            self._write(request.seq, frame, deadline)
        except HilError:
            self.forget(request.seq)
            raise

    def arrival(
        self, request: messages.Request, kind: type[_A], deadline: Deadline
    ) -> tuple[_A, int]:
        """The answer to `request`, already sent, and when it had been read off the line.

        Errors: DeadlineMissed; what an error answer stands for (ModelRefused, DeviceFault,
        ProtocolError); ProtocolError for an answer of another type; LinkLost.
        """
        while self._awaited.get(request.seq) is None:
            if not self._listen(deadline) and self._awaited.get(request.seq) is None:
                raise self._missed(request)
        return self._taken(request, kind)

    def answer_or_loss(self, request: messages.Request, kind: type[_A], deadline: Deadline) -> _A:
        """The answer to `request`, already sent, or the news that it will not come.

        Answers come in the order of their requests: one to a later request, a ping if need be,
        shows that this one was lost, however slow the line and the terminal are.

        Errors: AnswerLost, those of `arrival`.
        """
        while self._awaited.get(request.seq) is None:
            if request.seq not in self._ledger:
                self._timeouts += 1
                self.forget(request.seq)
                raise AnswerLost(
                    f"{self._transport.description}: {_name(request)} or its answer was lost"
                )
            if not self._listen(deadline.sooner(_PROBE_NS)):
                if deadline.expired:
                    raise self._missed(request)
                self._probe(deadline)
        return self._taken(request, kind)[0]

    def newest(
        self, seqs: Sequence[int], kind: type[_A], deadline: Deadline
    ) -> tuple[_A, int] | None:
        """The newest answer to requests `seqs`, given oldest first, and when it had been read;
        None where none came by the deadline. Older answers, and refusals of requests that a
        newer one has superseded or the host has cancelled, are dropped and counted.

        Errors: what an error answer stands for; ProtocolError; LinkLost.
        """
        self._take_in(Deadline(deadline.clock, 0))
        while True:
            arrived = self._drop_all_but_newest(seqs)
            if arrived is not None:
                return self._expected(arrived.answer, kind), arrived.at_ns
            if not self._listen(deadline) and not any(map(self._awaited.get, seqs)):
                return None

    def forget(self, seq: int) -> None:
        """No longer wait for the answer to a request; it counts as late when it comes."""
        self._awaited.pop(seq, None)

    def unanswered(self, seq: int) -> bool:
        """Whether the terminal may still be at a request, awaited or not."""
        return seq in self._ledger

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

    def _write(self, seq: int, frame: bytes, deadline: Deadline) -> None:
        """A frame that was cut short by its deadline is ended before the next one."""
        data = _FRAME_END + frame if self._cut else frame
        self._cut = True
        self._ledger.sent(seq, len(data))
        self._transport.write(data, deadline)
        self._cut = False

    def _await_credit(self, size: int, deadline: Deadline) -> None:
        """Until the terminal has answered enough. What was lost it will never answer, so pings
        go after it."""
        while not self._ledger.takes(size, self._window):
            self._listen(deadline.sooner(_PROBE_NS))
            if self._ledger.takes(size, self._window):
                return
            if deadline.expired:
                raise DeadlineMissed(
                    f"{self._transport.description}: {self._ledger.unanswered} requests of"
                    f" {self._ledger.unanswered_bytes} bytes are unanswered; the terminal takes"
                    f" {self._window}",
                    "it is slower than what is asked of it: ask less often, or send less",
                )
            self._probe(deadline)

    def _probe(self, deadline: Deadline) -> None:
        ping = messages.Ping(seq=self.next_seq(), session=self._session)
        self._probes.append(ping.seq)
        self._write(ping.seq, encode(ping.map(), self._max_frame), deadline)

    def _listen(self, deadline: Deadline) -> bool:
        """Sort what is there; False once the deadline has passed. A terminal that babbles keeps
        `read` from running dry, so the clock is asked too."""
        data = self._transport.read(deadline)
        if not data:
            return False
        self._sort(data, deadline.clock)
        return not deadline.expired

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
            if newest is None and not _unwanted(arrived.answer):
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
            self._ledger.answered(answer.seq)
            if answer.seq in self._awaited:
                self._awaited[answer.seq] = _Arrived(answer, at_ns)
            elif answer.seq in self._probes:
                self._probes.remove(answer.seq)
            else:
                self._late_answers += 1

    def _missed(self, request: messages.Request) -> DeadlineMissed:
        self._timeouts += 1
        self._awaited.clear()
        return DeadlineMissed(
            f"{self._transport.description}: no answer to {_name(request)} in time"
        )

    def _taken(self, request: messages.Request, kind: type[_A]) -> tuple[_A, int]:
        arrived = self._awaited.pop(request.seq)
        if arrived is None:
            raise ProtocolError(f"{_name(request)} has no answer to take")
        return self._expected(arrived.answer, kind), arrived.at_ns

    def _expected(self, answer: messages.Answer, kind: type[_A]) -> _A:
        if isinstance(answer, kind):
            return answer
        where = self._transport.description
        self._awaited.clear()
        if isinstance(answer, messages.Error):
            raise ERRORS[answer.code](
                f"{where}: {answer.code}: {answer.text}", REMEDIES.get(answer.code, "")
            )
        raise ProtocolError(f"{where}: answered {type(answer).__name__}, expected {kind.__name__}")


def _name(request: messages.Request) -> str:
    return f"{type(request).__name__.lower()} {request.seq}"


def _unwanted(answer: messages.Answer) -> bool:
    return isinstance(answer, messages.Error) and answer.code in ("superseded", "cancelled")
