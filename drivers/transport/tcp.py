"""A serial port behind a plain TCP server (`socket://HOST:PORT`): its bytes and nothing else.

The server sets the line. The address is that of pyserial's handler of the same name, which is
not used: it connects with a time limit of its own, leaves Nagle's algorithm on, which delays
every second small packet until the first is acknowledged, and sleeps when it closes.
"""

from __future__ import annotations

import contextlib
import os
import socket

from drivers.transport.descriptor import DescriptorPort, Facts
from drivers.transport.lost import REMOTE_REMEDY, lost
from drivers.transport.urls import PortUrl
from drivers.transport.within import within
from hil.clock import Deadline
from hil.errors import LinkLost
from hil.failure import on_failure
from rigs.link import untimed

DEAD_AFTER_MS = 5000
"""A peer that acknowledges nothing for so long counts as gone."""


def open_tcp(url: PortUrl, deadline: Deadline) -> DescriptorPort:
    """Connect. Errors: LinkLost, DeadlineMissed (name resolution and connection together)."""

    left_s = deadline.remaining_s()

    def connect() -> socket.socket:
        try:
            # the thread that waits for this gives up by itself; 0 would mean not to wait at all
            return socket.create_connection((url.host, url.port), max(0.001, left_s))
        except OSError as error:
            raise unreachable(url, error) from error

    link = within(deadline, f"connecting to {url.text}", connect, socket.socket.close)
    try:
        with on_failure(link.close):
            tune(link)
            link.setblocking(False)
    except OSError as error:
        raise unreachable(url, error) from error
    facts = Facts(
        url.text,
        f"{url.text} (TCP, the server sets the line)",
        untimed=untimed(url.text),
        remedy=REMOTE_REMEDY,
    )
    return DescriptorPort(link.detach(), facts, _release)


def unreachable(url: PortUrl, error: BaseException) -> LinkLost:
    """The error of a server that does not take the connection."""
    return lost(url.text, "cannot be reached", error, REMOTE_REMEDY)


def tune(link: socket.socket) -> None:
    """Send small packets at once, and notice a peer that is gone without a word."""
    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    link.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 2)
    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 1)
    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3)
    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, DEAD_AFTER_MS)


def _release(fd: int) -> None:
    with contextlib.suppress(OSError):
        os.close(fd)
