"""Bringing a model to a terminal: chunks in a window, and on from where it stopped after a loss."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final

from drivers.terminal import messages
from drivers.terminal.client import Client
from drivers.terminal.refusals import AnswerLost
from hil.clock import Deadline
from hil.contracts import ModelImage
from hil.errors import DeviceFault, ModelRefused, ProtocolError

CHUNK_BYTES: Final = 4096

IDLE_ATTEMPTS: Final = 3
"""Beginnings in a row without one more byte at the terminal, after which it is given up."""


@dataclass(slots=True)
class TransferCounters:
    """`resumes` are beginnings after a loss, whichever byte the terminal let them go on from;
    `resent_bytes` were sent more than once."""

    resumes: int = 0
    resent_bytes: int = 0


class Transfer:
    """Sends models to the terminal behind `client`, which allows `window` bytes on their way."""

    def __init__(self, client: Client, window: int) -> None:
        self.counters = TransferCounters()
        self._client = client
        self._window = window
        self._sent_to = 0

    def send(self, model: ModelImage, deadline: Deadline) -> None:
        """Until the terminal has checked the digest and run the network once.

        A frame that the line lost shows as a gap, or by an answer to a later one. The terminal
        is then asked how far it is (by protocol 1 it begins anew), as long as it gets on and
        there is time.

        Errors: ModelRefused, DeadlineMissed, DeviceFault, ProtocolError (the line loses
        everything), LinkLost.
        """
        highest, idle, inherited = -1, 0, None
        while True:
            idle += 1
            try:
                received = self._begin(model, deadline)
                inherited = received > 0 if inherited is None else inherited
                idle = 0 if received > highest else idle
                highest = max(highest, received)
                self.counters.resent_bytes += max(0, self._sent_to - received)
                self._send_chunks(model.content, received, deadline)
                self._end(model, deadline)
            except (AnswerLost, _Gap) as lost:
                self.counters.resumes += 1
                if idle >= IDLE_ATTEMPTS:
                    raise ProtocolError(
                        f"model {model.name!r}: {max(0, highest)} of {len(model.content)} bytes"
                        f" arrived, and {idle} attempts brought no more: {lost}",
                        "the line loses bytes: check cable, adapter and baud rate",
                    ) from lost
            except ModelRefused:
                if not inherited:
                    raise
                # what an earlier host had begun under this digest was something else, and is gone
                inherited = False
                self.counters.resumes += 1
            else:
                return

    def _begin(self, model: ModelImage, deadline: Deadline) -> int:
        """How many bytes the terminal has."""
        begin = messages.LoadBegin(
            seq=self._client.next_seq(),
            name=model.name,
            total=len(model.content),
            sha256=model.sha256,
            preprocess={name: dict(plain) for name, plain in model.preprocess.items()},
        )
        self._client.send(begin, deadline)
        received = self._client.answer_or_loss(begin, messages.LoadAck, deadline).received
        if received > len(model.content):
            raise ProtocolError(f"model {model.name!r}: {received} bytes acknowledged, too many")
        return received

    def _send_chunks(self, content: bytes, start: int, deadline: Deadline) -> None:
        """Errors: AnswerLost, _Gap."""
        size = min(CHUNK_BYTES, self._window // 2)
        ahead = max(1, self._window // size)
        waiting: deque[messages.LoadChunk] = deque()
        for at in range(start, len(content), size):
            if len(waiting) >= ahead:
                self._acknowledged(waiting.popleft(), deadline)
            chunk = messages.LoadChunk(
                seq=self._client.next_seq(), offset=at, data=content[at : at + size]
            )
            self._client.send(chunk, deadline)
            self._sent_to = at + len(chunk.data)
            waiting.append(chunk)
        while waiting:
            self._acknowledged(waiting.popleft(), deadline)

    def _acknowledged(self, chunk: messages.LoadChunk, deadline: Deadline) -> None:
        try:
            received = self._client.answer_or_loss(chunk, messages.LoadAck, deadline).received
        except ProtocolError as error:  # one before it did not arrive
            raise _Gap(error.message) from error
        if received != chunk.offset + len(chunk.data):
            raise _Gap(f"{received} bytes acknowledged, {chunk.offset + len(chunk.data)} were sent")

    def _end(self, model: ModelImage, deadline: Deadline) -> None:
        """Errors: AnswerLost where the terminal does not know of it; as `send`."""
        end = messages.LoadEnd(seq=self._client.next_seq())
        self._client.send(end, deadline)
        try:
            sha256 = self._client.answer_or_loss(end, messages.Loaded, deadline).sha256
        except AnswerLost as lost:
            sha256 = self._outcome(lost, deadline)
        if sha256 != model.sha256:
            raise DeviceFault(f"model {model.name!r}: loaded {sha256}, sent was {model.sha256}")

    def _outcome(self, lost: AnswerLost, deadline: Deadline) -> str:
        """What became of a load-end whose answer is lost: the terminal says what it holds."""
        status = messages.Status(seq=self._client.next_seq())
        self._client.send(status, deadline)
        health = self._client.answer_or_loss(status, messages.Health, deadline)
        if health.state == "ready" and health.sha256 is not None:
            return health.sha256
        raise lost


class _Gap(Exception):
    """The terminal has not got what it was sent; never leaves this module."""
