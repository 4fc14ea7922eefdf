"""One owner a device among the programs of this host that ask, where no port refuses a second.

A camera on the network serves everybody, and so does an adb server; two programs would then
each take the other's work for their own device's.
"""

from __future__ import annotations

import hashlib
import os
import socket
import struct
from pathlib import Path

from hil.errors import RigError
from hil.failure import on_failure

_PEER = struct.Struct("3i")
"""struct ucred: pid, uid, gid."""


class Claim:
    """A claim on a device until `release`, or the end of the process.

    It is a name in the kernel's table of abstract sockets, so nothing is left behind, and who
    is refused can see who holds it.

    Args:
        place: what is claimed; hashed, since it may hold a password.
        shown: the same for people, in the message of a refusal.

    Errors: RigError naming the holder.
    """

    def __init__(self, place: str, shown: str) -> None:
        name = "\0hil-testbed/" + hashlib.sha256(place.encode()).hexdigest()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            with on_failure(self._socket.close):
                self._socket.bind(name)
                self._socket.listen(1)
        except OSError as error:
            raise RigError(
                f"{shown} is in use by {_holder(name)}",
                "end it, or give each program a device of its own",
            ) from error

    def release(self) -> None:
        """Let go; may be called twice."""
        self._socket.close()


def _holder(name: str) -> str:
    """The process that listens under `name`, as far as it can be seen."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(0.2)
        try:
            probe.connect(name)
            told = probe.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size)
        except OSError:
            return "a process that cannot be seen"
    pid = int(_PEER.unpack(told)[0])
    if pid == os.getpid():
        return "this process"
    try:
        line = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return f"pid {pid}"
    return f"pid {pid} ({line.replace(bytes(1), b' ').decode(errors='replace').strip()[:120]})"
