"""Messages between the harness's own processes: whole Python values over a socket pair.

Both ends are processes that the harness started from its own code, so that values travel as
pickles; a line is never handed to anybody else. Every wait of the sender and of the receiver
ends at a time that the kernel keeps (SO_SNDTIMEO, SO_RCVTIMEO), or when the other end dies.
"""

from __future__ import annotations

import pickle
import select
import socket
import struct
from multiprocessing.connection import Connection
from typing import Any, TypeVar

from hil.errors import HarnessError, LinkLost

STALL_S = 10
"""How long one message may take from its first byte to its last, in s."""

Message = TypeVar("Message")


class Line:
    """One end. Not for use from two threads. Errors of every call: LinkLost."""

    def __init__(self, fd: int) -> None:
        with socket.socket(fileno=fd) as link:
            limit = struct.pack("@ll", STALL_S, 0)
            link.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)
            link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
            self._link: Connection[Any, Any] = Connection(link.detach())
        self._poll = select.poll()
        self._poll.register(fd, select.POLLIN | select.POLLHUP)

    def fileno(self) -> int:
        return self._link.fileno()

    def send(self, message: object) -> None:
        try:
            self._link.send(message)
        except OSError as error:
            raise LinkLost(f"a process of the harness does not listen: {error}") from error

    def waiting(self) -> bool:
        """Whether a message, or the end of the line, is there to be received; about 1 us."""
        return bool(self._poll.poll(0))

    def receive(self) -> Any:
        """The next message, waited for as long as the other end lives and does not stall."""
        try:
            return self._link.recv()
        except (OSError, EOFError, pickle.UnpicklingError) as error:
            raise LinkLost(f"a process of the harness is gone or stalls: {error!r}") from error

    def receive_within(self, seconds: float) -> Any:
        """The next message, which has to begin within `seconds`."""
        if not select.select([self.fileno()], [], [], seconds)[0]:
            raise LinkLost(f"a process of the harness said nothing for {seconds:g} s")
        return self.receive()

    def expect(self, kind: type[Message], within_s: float) -> Message:
        """The next message, which has to be of this kind. Errors: also HarnessError."""
        message = self.receive_within(within_s)
        if not isinstance(message, kind):
            raise HarnessError(f"{kind.__name__} was expected, not {message!r:.200}")
        return message

    def close(self) -> None:
        """Hang up; may be called twice."""
        self._link.close()


def line_pair() -> tuple[Line, socket.socket]:
    """Our end, and the other one as a socket whose descriptor a child process inherits."""
    ours, theirs = socket.socketpair()
    return Line(ours.detach()), theirs
