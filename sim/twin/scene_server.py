"""Socket side of the scene link: connections, whole requests in, whole answers out."""

from __future__ import annotations

import contextlib
import socket
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from hil.errors import ProtocolError, RigError
from hil.failure import on_failure
from sim.twin import wire

Handler = Callable[[Mapping[str, Any]], Mapping[str, object]]

FOLDER_PREFIX = "hil-twin-"

_MAX_UNSENT = 2 * wire.MAX_MESSAGE


class _Connection:
    """One client and what it has not taken yet."""

    def __init__(self, peer: socket.socket) -> None:
        peer.setblocking(False)
        self.peer = peer
        self.unpacker = wire.Unpacker()
        self.unsent = bytearray()


class SceneServer:
    """Unix-domain socket in a folder that only this user may enter. Never blocks.

    A client that breaks the protocol or lets its answers pile up is disconnected.

    Errors: RigError where the system's folder for temporary files cannot hold the socket.
    """

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self._connections: dict[int, _Connection] = {}
        self.path = Path(tempfile.mkdtemp(prefix=FOLDER_PREFIX)) / "scene"
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        try:
            with on_failure(self.close):
                self._listener.bind(str(self.path))
                self._listener.listen(8)
        except OSError as error:
            raise RigError(
                f"no socket at {self.path}: {error}",
                "point TMPDIR at a folder with a short path that can hold sockets",
            ) from error

    def waiting_on(self) -> tuple[list[int], list[int]]:
        """Descriptors to wait on: for input, and for room to write."""
        writers = [fd for fd, connection in self._connections.items() if connection.unsent]
        return [self._listener.fileno(), *self._connections], writers

    def serve(self, readable: set[int], writable: set[int]) -> None:
        """Do what the ready descriptors allow: take, carry out and answer requests.

        Errors: HarnessError from the plant.
        """
        for fd in list(self._connections):
            if fd in readable:
                self._receive(fd)
            if fd in writable and fd in self._connections:
                self._send(fd)
        if self._listener.fileno() in readable:
            self._accept()

    def close(self) -> None:
        """Disconnect all and remove socket and folder; may be called twice."""
        for fd in list(self._connections):
            self._drop(fd)
        self._listener.close()
        remove_socket(self.path)

    def _accept(self) -> None:
        try:
            peer, _ = self._listener.accept()
        except (BlockingIOError, ConnectionError):
            return  # the client has gone again
        self._connections[peer.fileno()] = _Connection(peer)

    def _receive(self, fd: int) -> None:
        connection = self._connections[fd]
        try:
            data = connection.peer.recv(65536)
        except BlockingIOError:
            return
        except ConnectionError:
            data = b""
        if not data:
            self._drop(fd)
            return
        self._answer(fd, connection, data)

    def _answer(self, fd: int, connection: _Connection, data: bytes) -> None:
        try:
            for request in connection.unpacker.feed(data):
                connection.unsent += wire.pack(self._handler(request))
        except ProtocolError:
            # the client sees the hang-up; there is no way to answer out of step
            self._drop(fd)
            return
        if len(connection.unsent) > _MAX_UNSENT:
            self._drop(fd)
        else:
            self._send(fd)

    def _send(self, fd: int) -> None:
        connection = self._connections[fd]
        try:
            sent = connection.peer.send(connection.unsent)
        except BlockingIOError:
            return
        except OSError:
            self._drop(fd)  # the client is gone
            return
        del connection.unsent[:sent]

    def _drop(self, fd: int) -> None:
        self._connections.pop(fd).peer.close()


def remove_socket(path: Path) -> None:
    """Remove a scene link and its folder, as far as they are still there.

    Nothing is removed from a folder that no `SceneServer` made.
    """
    if not path.parent.name.startswith(FOLDER_PREFIX):
        return
    for remove in (path.unlink, path.parent.rmdir):
        with contextlib.suppress(FileNotFoundError):
            remove()
