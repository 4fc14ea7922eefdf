"""The capture process: `python -m drivers.camera.process MEMORY EVENT`.

It owns the capture, so that a read that hangs in a driver or a library holds up nobody and can
be killed, and a decoder that crashes takes nobody along. A thread could not be ended: one that
still reads when the interpreter exits aborts the process. For the loop's punctuality the two
are alike, since OpenCV lets go of the interpreter's lock while it reads and decodes.

One line of JSON on standard input is its `Order`. It answers with one line on standard output:
{"opened": {...}} once the first picture is there, or {"failed": TEXT}; and says {"ended": TEXT}
when the stream ends. It ends as well when its standard input does.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from drivers.camera.arrivals import Arrivals
from drivers.camera.mailbox import Account, Note, Outbox, lay_out
from drivers.camera.source import Kind
from drivers.camera.stream import Grabbed, Order, Stream, decode
from hil.clock import NS_PER_S
from hil.errors import HilError, LinkLost

Say = Callable[[dict[str, object]], None]
Decoded = tuple[Grabbed, NDArray[np.uint8]]

_LOG_LIMIT = 65536
_SKIP = 16
"""Every so many pixels are compared first: pictures that differ nearly always do there."""


_BACKLOG_S = 2.0
"""Most that is taken for a backlog at the start, at the rate asked."""

_WAITED = 0.25
"""Share of a period from which on a picture counts as waited for."""


class Recorder:
    """From grabbed pictures to published frames, and the account of what was not."""

    def __init__(self, outbox: Outbox, size: tuple[int, int], rate_hz: float) -> None:
        self._outbox = outbox
        self._size = size
        self._arrivals = Arrivals(rate_hz)
        self._account = Account()
        self._log = _LogWatch()

    def record(self, grabbed: Grabbed, picture: NDArray[np.uint8] | None) -> None:
        """Publish the picture, or count what is wrong with it."""
        if self._log.grew():
            self._account = replace(self._account, complaints=self._account.complaints + 1)
        if picture is None:
            self._outbox.tell(self._count(broken=self._account.broken + 1))
            return
        size = (picture.shape[1], picture.shape[0])
        if size != self._size:
            count = self._account.wrong_size + 1
            self._outbox.tell(self._count(wrong_size=count, wrong=size))
            return
        blank, before = self._outbox.blank(), self._outbox.newest()
        cv2.cvtColor(picture, cv2.COLOR_BGR2RGB, dst=blank)
        same = before is not None and _same(blank, before)
        stamp_ns, device_ns = grabbed.stamp_ns, grabbed.device_ns
        one = self._arrivals.note(stamp_ns, device_ns, same)
        note = Note(stamp_ns, device_ns, one.index, one.missed, one.repeated)
        self._outbox.publish(note, self._count())

    def _count(self, **more: object) -> Account:
        counted = asdict(self._arrivals.totals)
        rate_hz = self._arrivals.rate_hz()
        self._account = replace(self._account, **counted, rate_hz=rate_hz, **more)  # type: ignore[arg-type]
        return self._account


class _LogWatch:
    """Standard error is a file: what OpenCV's decoders say there makes it grow."""

    def __init__(self) -> None:
        self._size = self._now()

    def grew(self) -> bool:
        size = self._now()
        grew, self._size = size > self._size, size
        if size > _LOG_LIMIT:
            with contextlib.suppress(OSError):
                os.ftruncate(2, 0)
            self._size = self._now()
        return grew

    @staticmethod
    def _now() -> int:
        return os.fstat(2).st_size


def main(arguments: list[str]) -> int:
    """Entry of the process; the arguments are two inherited descriptors."""
    memory_fd, event_fd = (int(one) for one in arguments)
    say = _take_stdout()
    _be_ordinary()
    order = _order(_read_line(0))
    threading.Thread(target=_end_with_input, daemon=True).start()
    try:
        _capture(order, memory_fd, event_fd, say)
    except HilError as error:
        say({"ended": error.message})
    return 0


def _capture(order: Order, memory_fd: int, event_fd: int, say: Say) -> None:
    try:
        stream = Stream(order)
        grabbed, picture = _live(stream, order, _first(stream, order))
        height, width = picture.shape[:2]
        outbox = Outbox(lay_out(memory_fd, width, height), event_fd)
    except HilError as error:
        say({"failed": error.message})
        return
    recorder = Recorder(outbox, (width, height), order.rate_hz)
    recorder.record(grabbed, picture)
    say({"opened": _opened(stream, width, height)})
    while True:
        grabbed = stream.grab()
        recorder.record(grabbed, decode(grabbed))


def _first(stream: Stream, order: Order) -> Decoded:
    """The first picture that can be decoded; cameras may begin in the middle of one."""
    end_s = time.monotonic() + order.open_timeout_s
    while time.monotonic() < end_s:
        grabbed = stream.grab()
        picture = decode(grabbed)
        if picture is not None:
            return grabbed, picture
    raise LinkLost(f"{order.shown} sends nothing that is a picture")


def _live(stream: Stream, order: Order, first: Decoded) -> Decoded:
    """The first picture that had to be waited for. Those before it piled up while OpenCV found
    out what the stream is, up to a second of them, and would be taken for new ones."""
    newest = first
    for _ in range(math.ceil(_BACKLOG_S * order.rate_hz)):
        asked_ns = time.monotonic_ns()
        grabbed = stream.grab()
        picture = decode(grabbed)
        if picture is not None:
            newest = (grabbed, picture)
            if grabbed.stamp_ns - asked_ns >= _WAITED * NS_PER_S / order.rate_hz:
                break
    return newest


def _opened(stream: Stream, width: int, height: int) -> dict[str, object]:
    return {
        "width": width,
        "height": height,
        "fourcc": stream.fourcc,
        "backend": stream.backend,
        "told_rate_hz": _plain(stream.told_rate_hz),
        "settings": {
            name: [_plain(one.asked), _plain(one.obtained)] for name, one in stream.settings.items()
        },
    }


def _plain(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _same(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> bool:
    if not np.array_equal(one[::_SKIP, ::_SKIP], other[::_SKIP, ::_SKIP]):
        return False
    return bool(np.array_equal(one, other))


def _order(line: bytes) -> Order:
    fields = json.loads(line)
    return Order(**{**fields, "kind": Kind(fields["kind"])})


def _read_line(fd: int) -> bytes:
    line = b""
    while not line.endswith(b"\n"):
        byte = os.read(fd, 1)  # not more: the end of the stream belongs to the watch
        if not byte:
            raise SystemExit(0)  # the parent is gone
        line += byte
    return line


def _end_with_input() -> None:
    """End at once when the parent hangs up or is gone, wherever the capture hangs."""
    while os.read(0, 4096):
        continue
    os._exit(0)


def _take_stdout() -> Say:
    """Keep standard output for our lines; what libraries print joins standard error."""
    out = os.dup(1)
    os.dup2(2, 1)

    def say(message: dict[str, object]) -> None:
        with contextlib.suppress(BrokenPipeError):
            os.write(out, json.dumps(message).encode() + b"\n")

    return say


def _be_ordinary() -> None:
    """A parent under a real-time scheduler must not hand it on to a decoder."""
    if os.sched_getscheduler(0) != os.SCHED_OTHER:
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
