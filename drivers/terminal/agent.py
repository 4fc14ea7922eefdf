"""The agent: the program on an AI terminal that runs networks for the testbed.

One host at a time; one thread reads the line, this one works and answers, and neither waits but
in `poll`. It ends on SIGTERM or SIGINT, and as a child of a twin when its parent is gone (end of
file on standard input).
"""

from __future__ import annotations

import gc
import json
import os
import select
import signal
import stat
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import asdict
from typing import TextIO

import hil
from drivers.terminal import messages
from drivers.terminal.codec import Decoder, encode
from drivers.terminal.inbox import Inbox
from drivers.terminal.port import Line, open_device, open_pty
from drivers.terminal.session import Limits, Session, superseded
from hil.errors import BadInput
from models.runtime import use_one_thread

WRITE_TIMEOUT_S = 2.0
"""A host that takes no bytes for so long has lost interest."""
_DELIMITER = b"\x00"


def serve(port: str | None, pty: bool, delay_ms: float, out: TextIO, lifeline: bool) -> None:
    """Serve one line until told to stop. Call it from the main thread: it handles signals.

    Args:
        port: serial device to serve on; None with `pty`.
        pty: make a pseudo-terminal and serve on it.
        delay_ms: fault injection: sleep inside every inference.
        out: gets one line of JSON, `{"port": ..., "pid": ..., "version": ...}`, once ready.
        lifeline: end when standard input, if it is a pipe, reaches its end, and leave SIGINT
            to the parent.

    Errors: BadInput for a port that cannot be used, LinkLost when the line goes away.
    """
    if (port is None) == (not pty):
        raise BadInput("the agent needs either a serial port or a pseudo-terminal")
    if not 0 <= delay_ms <= 10_000:
        raise BadInput(f"delay of {delay_ms} ms: 0 to 10000 ms can be injected")
    with (
        closing(open_pty() if port is None else open_device(port)) as line,
        _stop_signals(ignore_interrupt=lifeline) as stop_fd,
        closing(_Server(line, delay_ms)) as server,
    ):
        use_one_thread()
        gc.freeze()
        ready = {"port": line.path, "pid": os.getpid(), "version": hil.__version__}
        out.write(json.dumps(ready) + "\n")
        out.flush()
        _serve_line(server, stop_fd, _lifeline_fd() if lifeline else None)


class _Server:
    """Inbox and session on one line."""

    def __init__(self, line: Line, delay_ms: float) -> None:
        limits = Limits()
        self._line = line
        self._limits = limits
        self._cut = False
        self._decoder = Decoder(limits.max_frame)
        self._session = Session(
            hil.__version__, limits, delay_ms, time.monotonic_ns, self._link_counters
        )
        self.inbox = Inbox(line, self._decoder, limits.window, self._session.overhear)

    def serve_input(self) -> None:
        """Answer everything that has come in. Errors: LinkLost when the line has ended."""
        batch = self.inbox.take()
        skipped = superseded([received.message for received in batch])
        for place, received in enumerate(batch):
            if place in skipped:
                text = "a newer infer is waiting"
                answer: messages.Answer = self._session.refuse(received.message, "superseded", text)
            else:
                answer = self._session.answer(received.message, received.at_ns)
            self._send(received.message, answer)

    def close(self) -> None:
        """Stop reading."""
        self.inbox.close()

    def _send(self, request: Mapping[str, object], answer: messages.Answer) -> None:
        try:
            frame = encode(answer.map(), self._limits.max_frame)
        except BadInput as error:  # outputs larger than a frame
            frame = encode(self._session.refuse(request, "inference", error.message).map())
        if self._cut:
            # a part of the last frame may be out: end it; and do not wait for this host again
            # before it reads
            self._cut = not self._line.write(_DELIMITER + frame, 0.0)
        else:
            self._cut = not self._line.write(frame, WRITE_TIMEOUT_S)

    def _link_counters(self) -> dict[str, int]:
        return {**asdict(self._decoder.counters), **asdict(self._line.counters)}


def _serve_line(server: _Server, stop_fd: int, lifeline_fd: int | None) -> None:
    inbox_fd = server.inbox.fileno()
    poller = select.poll()
    for fd in (inbox_fd, stop_fd, lifeline_fd):
        if fd is not None:
            poller.register(fd, select.POLLIN)
    while True:
        ready = {fd for fd, _ in poller.poll()}  # idle until there is something to do
        if stop_fd in ready or (lifeline_fd in ready and _at_end(lifeline_fd)):
            return
        if inbox_fd in ready:
            server.serve_input()


def _lifeline_fd() -> int | None:
    """Standard input where it is a pipe or socket, which ends with its writer."""
    fd = sys.__stdin__.fileno() if sys.__stdin__ else None
    if fd is None:
        return None
    mode = os.fstat(fd).st_mode
    return fd if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) else None


def _at_end(fd: int | None) -> bool:
    return fd is not None and os.read(fd, 4096) == b""


@contextmanager
def _stop_signals(ignore_interrupt: bool) -> Iterator[int]:
    """A descriptor that becomes readable when the process is asked to stop."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    wakeup = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    term = signal.signal(signal.SIGTERM, _noted)
    interrupt = signal.signal(signal.SIGINT, signal.SIG_IGN if ignore_interrupt else _noted)
    try:
        yield reader
    finally:
        signal.signal(signal.SIGINT, interrupt)
        signal.signal(signal.SIGTERM, term)
        signal.set_wakeup_fd(wakeup)
        os.close(reader)
        os.close(writer)


def _noted(number: int, frame: object) -> None:
    """The wake-up descriptor carries the news; the default action must not run."""
