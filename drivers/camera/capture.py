"""The capture process as its parent has it: started, asked for frames, always ended."""

from __future__ import annotations

import contextlib
import fcntl
import json
import math
import os
import select
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from drivers.camera.mailbox import Account, Inbox, Memory, Note
from drivers.camera.source import Kind, Source, redacted
from drivers.camera.stream import Order, Setting
from hil.clock import Deadline
from hil.contracts import Frame
from hil.errors import DeadlineMissed, HarnessError, LinkLost
from hil.failure import on_failure

_HANG_UP_S = 0.5
_KILL_S = 2.0
"""Time to end by itself, and after SIGKILL; a process in a hung kernel call may take longer."""

_TAIL_BYTES = 2000
_MAX_LINE = 65536


@dataclass(frozen=True, slots=True)
class Opened:
    """What the capture obtained."""

    width: int
    height: int
    fourcc: str
    backend: str
    told_rate_hz: float
    settings: Mapping[str, Setting] = field(default_factory=dict)


class Capture:
    """A running capture process and its newest frame.

    Errors of `__init__`: HarnessError where the process cannot be started, LinkLost where the
    source cannot be opened, DeadlineMissed. Nothing is left running then.
    """

    def __init__(self, source: Source, order: Order, deadline: Deadline, udp: bool) -> None:
        self._source = source
        self._last = -1
        self._unread = 0
        self._words = b""
        self._ending: str | None = None
        self._memory_fd = self._event_fd = -1
        self._log: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  closed by `_release`
        with on_failure(self._release):
            # appended, so that the child may cut it short
            fcntl.fcntl(self._log, fcntl.F_SETFL, os.O_APPEND)
            self._memory_fd = os.memfd_create("camera")
            self._event_fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
            self._process = self._start(_environment(order, udp))
        with on_failure(self.close):
            self.opened = self._open(order, deadline)
            memory = Memory(self._memory_fd, self.opened.width, self.opened.height)
        self._inbox = Inbox(memory, self._event_fd)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether the process is still there."""
        return self._process.poll() is None

    @property
    def account(self) -> Account:
        """The stream so far."""
        return self._inbox.account()

    @property
    def unread(self) -> int:
        """Frames that were never returned, since a newer one was there."""
        return self._unread

    def newest(self, deadline: Deadline) -> Frame:
        """As `hil.contracts.Camera` says."""
        while True:
            frame = self._take()
            if frame is not None:
                return frame
            self._wait(deadline)

    def look(self) -> Frame | None:
        """The frame that is there, without taking it: `newest` will still return it."""
        found = self._inbox.take(-1)
        return _frame(*found) if found else None

    def await_next(self, deadline: Deadline) -> None:
        """Wait for a frame to come from now on, without taking it. Errors: as `newest`."""
        seen = self.account.frames
        while self.account.frames == seen:
            self._inbox.settle()
            if self.account.frames == seen:
                self._wait(deadline)

    def close(self) -> bool:
        """Hang up, kill where that does not help, release everything; never raises.

        False where the process outlived even that: the kernel holds it in a driver's call.
        """
        ended = self._end()
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._release()
        return ended

    def _start(self, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
        inherited = [self._memory_fd, self._event_fd]
        command = [sys.executable, "-P", "-m", "drivers.camera.process", *map(str, inherited)]
        try:
            return subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._log,
                pass_fds=inherited,
                env=environment,
                start_new_session=True,
            )
        except OSError as error:
            raise HarnessError(f"a capture process cannot be started: {error}") from error

    def _release(self) -> None:
        self._log.close()
        for name in ("_memory_fd", "_event_fd"):
            if getattr(self, name) >= 0:
                os.close(getattr(self, name))
                setattr(self, name, -1)

    def _open(self, order: Order, deadline: Deadline) -> Opened:
        with contextlib.suppress(BrokenPipeError):  # its last words say more
            os.write(self._stdin(), json.dumps(asdict(order)).encode() + b"\n")
        while (said := self._said()) is None:
            if not select.select([self._stdout()], [], [], deadline.remaining_s())[0]:
                raise DeadlineMissed(
                    f"{self._source.shown} gave no picture in time", self._remedy()
                )
            self._listen()
        if "opened" in said:
            return _parse(said["opened"])
        raise LinkLost(str(said.get("failed") or said.get("ended")), self._remedy())

    def _take(self) -> Frame | None:
        self._inbox.settle()
        found = self._inbox.take(self._last)
        if found is None:
            return None
        note, image = found
        self._unread += note.index - self._last - 1
        self._last = note.index
        return _frame(note, image)

    def _wait(self, deadline: Deadline) -> None:
        """Until something has happened. Errors: DeadlineMissed, LinkLost."""
        if self._ending is not None:
            raise LinkLost(self._ending, self._remedy())
        watched = [self._event_fd, self._stdout()]
        if not select.select(watched, [], [], deadline.remaining_s())[0]:
            raise DeadlineMissed(self._late())
        self._listen_if_ready()

    def _listen_if_ready(self) -> None:
        if select.select([self._stdout()], [], [], 0)[0]:
            self._listen()
            said = self._said()
            if said is not None:
                self._ending = str(said.get("ended"))

    def _late(self) -> str:
        account = self.account
        text = f"{self._source.shown}: no new frame in time after {account.frames}"
        if account.wrong_size:
            size = f"{self.opened.width} x {self.opened.height}"
            text += (
                f"; {account.wrong_size} dropped whose size was not {size}, the last"
                f" {account.wrong[0]} x {account.wrong[1]}"
            )
        if account.broken:
            text += f"; {account.broken} could not be decoded"
        return text

    def _listen(self) -> None:
        data = os.read(self._stdout(), 4096)
        self._words += data
        if len(self._words) > _MAX_LINE:
            raise HarnessError("the capture process talks too much")
        if not data:
            how = self._outcome()
            self._words += json.dumps({"ended": f"{self._source.shown}: {how}"}).encode() + b"\n"

    def _said(self) -> dict[str, Any] | None:
        line, end, rest = self._words.partition(b"\n")
        if not end:
            return None
        self._words = rest
        said: dict[str, Any] = json.loads(line)
        return said

    def _outcome(self) -> str:
        try:
            code = self._process.wait(_HANG_UP_S)
        except subprocess.TimeoutExpired:
            return "the capture process closed its output"
        if code >= 0:
            return f"the capture process ended with code {code}"
        return f"the capture process was killed by {signal.Signals(-code).name}"

    def _remedy(self) -> str:
        size = self._log.seek(0, os.SEEK_END)
        self._log.seek(max(0, size - _TAIL_BYTES))
        said = self._log.read().decode(errors="replace").strip()
        said = redacted(said.replace(self._source.target, self._source.shown))
        check = (
            "check the cable, and that no other program has the camera open"
            if self._source.kind is Kind.V4L2
            else "check that the camera serves this URL"
        )
        return f"{check}; OpenCV says:\n{said}" if said else check

    def _end(self) -> bool:
        if self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.close()
        for patience_s, how in ((_HANG_UP_S, None), (_KILL_S, signal.SIGKILL)):
            if how is not None and self._process.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(self._process.pid, how)
            try:
                self._process.wait(patience_s)
            except subprocess.TimeoutExpired:
                continue
            return True
        return False

    def _stdin(self) -> int:
        return _fileno(self._process.stdin)

    def _stdout(self) -> int:
        return _fileno(self._process.stdout)


def _frame(note: Note, image: NDArray[np.uint8]) -> Frame:
    return Frame(image, note.stamp_ns, note.index, note.missed, note.repeated, note.device_ns)


def _fileno(stream: IO[bytes] | None) -> int:
    if stream is None or stream.closed:
        raise LinkLost("the camera is closed")
    return stream.fileno()


def _environment(order: Order, udp: bool) -> dict[str, str]:
    """OpenCV takes some settings from the environment, which here is the child's alone."""
    return {
        **os.environ,
        # no "nobuffer": it throws away what was read to tell the format, and with it the one
        # picture of a coded stream that the next ones build upon
        "OPENCV_FFMPEG_CAPTURE_OPTIONS": f"rtsp_transport;{'udp' if udp else 'tcp'}",
        "OPENCV_FFMPEG_LOGLEVEL": "16",  # errors
        "OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT": str(math.ceil(order.read_timeout_s)),
        "OPENCV_VIDEOIO_V4L_RANGE_NORMALIZED": "0",  # settings in the camera's own units
    }


def _parse(opened: Mapping[str, Any]) -> Opened:
    def number(value: float | None) -> float:
        return float("nan") if value is None else float(value)

    settings = {
        name: Setting(number(asked), number(obtained))
        for name, (asked, obtained) in opened["settings"].items()
    }
    return Opened(
        int(opened["width"]),
        int(opened["height"]),
        str(opened["fourcc"]),
        str(opened["backend"]),
        number(opened["told_rate_hz"]),
        settings,
    )
