"""Client side of the scene link: one request, one answer, every wait with a deadline."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Mapping

from hil import errors
from hil.clock import Deadline
from hil.errors import DeadlineMissed, HilError, LinkLost, ProtocolError
from hil.failure import on_failure
from sim.twin import wire

_GONE_REMEDY = "the host process has ended; its standard error says why"


class SceneClient:
    """Connection to a host process. Not for use from several threads."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._socket: socket.socket | None = None
        self._unpacker = wire.Unpacker()
        self._number = 0
        self.late_answers = 0

    def connect(self, deadline: Deadline) -> None:
        """Reach the host process. Errors: LinkLost, DeadlineMissed."""
        self.close()
        link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            with on_failure(link.close):
                link.settimeout(_patience(deadline))
                link.connect(self._address)
        except TimeoutError as error:
            raise self._late("connect") from error
        except OSError as error:
            raise LinkLost(f"no host process at {self._address}: {error}", _GONE_REMEDY) from error
        self._socket = link
        self._unpacker = wire.Unpacker()

    def ask(
        self, operation: str, deadline: Deadline, args: Mapping[str, object] | None = None
    ) -> object:
        """Value of the answer.

        The answer to an earlier request that missed its deadline is dropped and counted.
        Errors: DeadlineMissed, LinkLost, ProtocolError, and what the plant answers with.
        """
        self._number += 1
        request = {"id": self._number, "op": operation, "args": dict(args or {})}
        link = self._connected()
        try:
            link.settimeout(_patience(deadline))
            link.sendall(wire.pack(request))
        except TimeoutError as error:
            # part of the request may be out: the stream is of no use any more
            self.close()
            raise self._late(operation) from error
        except OSError as error:
            raise self._lost(str(error)) from error
        return _value(self._await_answer(link, operation, deadline))

    def close(self) -> None:
        """Hang up; never raises, may be called twice."""
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.close()
            self._socket = None

    def _await_answer(
        self, link: socket.socket, operation: str, deadline: Deadline
    ) -> Mapping[str, object]:
        while True:
            for answer in self._unpacker.feed(self._receive(link, operation, deadline)):
                if answer.get("id") == self._number:
                    return answer
                self.late_answers += 1

    def _receive(self, link: socket.socket, operation: str, deadline: Deadline) -> bytes:
        try:
            link.settimeout(_patience(deadline))
            data = link.recv(65536)
        except TimeoutError as error:
            raise self._late(operation) from error
        except OSError as error:
            raise self._lost(str(error)) from error
        if not data:
            raise self._lost("hung up")
        return data

    def _connected(self) -> socket.socket:
        if self._socket is None:
            raise LinkLost(f"the scene link to {self._address} is not open")
        return self._socket

    def _lost(self, cause: str) -> LinkLost:
        self.close()
        return LinkLost(f"the host process at {self._address} is gone: {cause}", _GONE_REMEDY)

    def _late(self, operation: str) -> DeadlineMissed:
        return DeadlineMissed(f"the host process did not answer {operation!r} in time")


def _patience(deadline: Deadline) -> float:
    """Time left in s; a spent deadline leaves a moment, since 0 would mean non-blocking."""
    return max(deadline.remaining_s(), 1e-4)


def _value(answer: Mapping[str, object]) -> object:
    failure = answer.get("error")
    if failure is None:
        return answer.get("value")
    if not isinstance(failure, dict):
        raise ProtocolError("scene link: an error is not a map")
    kind = getattr(errors, str(failure.get("kind")), None)
    if not (isinstance(kind, type) and issubclass(kind, HilError)):
        raise ProtocolError(f"scene link: unknown kind of error {failure.get('kind')!r}")
    raise kind(str(failure.get("message")), str(failure.get("remedy")))
