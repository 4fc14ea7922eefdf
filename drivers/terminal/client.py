"""The host's side of the conversation: owns the transport, matches answers to requests."""

from __future__ import annotations

import secrets
from dataclasses import asdict
from typing import TypeVar

from drivers.terminal import messages
from drivers.terminal.codec import MAX_FRAME, Decoder, encode
from drivers.transport.base import Transport
from hil.clock import Deadline
from hil.errors import BadInput, DeadlineMissed, DeviceFault, HilError, ModelRefused, ProtocolError

_A = TypeVar("_A", bound=messages.Answer)

_FRAME_END = b"\x00"

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
        self._awaited: dict[int, messages.Answer | None] = {}
        self._cut = False
        self._late_answers = 0
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
        self._write(frame, deadline)

    def wait(self, request: messages.Request, kind: type[_A], deadline: Deadline) -> _A:
        """The answer to `request`, already sent.

        Errors: DeadlineMissed; what an error answer stands for (ModelRefused, DeviceFault,
        ProtocolError); ProtocolError for an answer of another type; LinkLost.
        """
        while (answer := self._awaited.get(request.seq)) is None:
            data = self._transport.read(deadline)
            if not data:
                self._timeouts += 1
                self._awaited.clear()
                raise DeadlineMissed(
                    f"{self._transport.description}: no answer to"
                    f" {type(request).__name__.lower()} {request.seq} in time"
                )
            self._sort(data)
        del self._awaited[request.seq]
        return self._expected(answer, kind)

    def counters(self) -> dict[str, int]:
        """Faults on this side of the link, by name."""
        codec = asdict(self._decoder.counters)
        del codec["frames"]
        return {
            "late_answers": self._late_answers,
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

    def _sort(self, data: bytes) -> None:
        """Keep the answers that somebody waits for, count the others."""
        for plain in self._decoder.feed(data):
            try:
                answer = self._parser.parse(plain)
            except ProtocolError:  # an answer of a newer agent, or of a faulty one
                self._bad_answers += 1
                continue
            if answer.seq in self._awaited:
                self._awaited[answer.seq] = answer
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
