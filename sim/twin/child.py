"""One child process of a twin: started with a lifeline, heard once, always ended."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from typing import IO, Any

from hil.clock import Deadline
from hil.errors import RigError
from hil.failure import on_failure

_TAIL_BYTES = 4096
_MAX_ANNOUNCEMENT = 65536


class Child:
    """A process in its own session, so that a Ctrl-C at the terminal does not reach it.

    It ends when its standard input does, that is at the latest with this process. What it
    writes to standard error goes to an unnamed file, for the message when it fails.

    Errors: RigError where the program cannot be started.
    """

    def __init__(self, name: str, command: Sequence[str]) -> None:
        self.name = name
        self.command = tuple(command)
        self._stderr: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  closed by `release`
        try:
            with on_failure(self._stderr.close):
                self._process = subprocess.Popen(
                    self.command,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=self._stderr,
                    start_new_session=True,
                )
        except OSError as error:
            raise RigError(f"twin: {name} cannot be started: {error}") from error

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def announcement(self, deadline: Deadline) -> Mapping[str, Any]:
        """The line of JSON that the child prints when it is ready.

        Errors: RigError with the end of its standard error where it ends, stays silent past
        the deadline, or says something else.
        """
        line = self._read_line(deadline)
        try:
            value = json.loads(line)
        except ValueError as error:
            raise self.failure(f"said {line[:200]!r} in place of its ports") from error
        if not isinstance(value, dict):
            raise self.failure(f"said {line[:200]!r} in place of its ports")
        return value

    def failure(self, what: str) -> RigError:
        """An error about this child, with the end of its standard error."""
        tail = self._tail()
        remedy = f"its standard error ends with:\n{tail}" if tail else "its standard error is empty"
        return RigError(f"twin: {self.name} (pid {self.pid}) {what}", remedy)

    def hang_up(self) -> None:
        """Close the lifeline: the child is expected to end by itself."""
        if self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.close()

    def terminate(self) -> None:
        """SIGTERM to the child and what it started."""
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL to the child and what it started."""
        self._signal(signal.SIGKILL)

    def ended_by(self, deadline: Deadline) -> bool:
        """Wait for the end; whether it came before the deadline."""
        try:
            self._process.wait(deadline.remaining_s())
        except subprocess.TimeoutExpired:
            return False
        return True

    def release(self) -> None:
        """Close pipes and file; the child must have ended or be given up."""
        self.hang_up()
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._stderr.close()

    def _read_line(self, deadline: Deadline) -> bytes:
        stream = self._process.stdout
        fd = stream.fileno() if stream is not None else -1
        line = b""
        while not line.endswith(b"\n"):
            if not select.select([fd], [], [], deadline.remaining_s())[0]:
                raise self.failure("did not announce its ports in time")
            byte = os.read(fd, 1)  # not more: the rest of the stream is not ours
            if not byte:
                raise self.failure(f"ended with {self._outcome(deadline)}")
            line += byte
            if len(line) > _MAX_ANNOUNCEMENT:
                raise self.failure("announced more than ports")
        return line

    def _outcome(self, deadline: Deadline) -> str:
        if not self.ended_by(deadline):
            return "its output closed"
        code = self._process.returncode
        return f"exit code {code}" if code >= 0 else f"signal {-code}"

    def _signal(self, number: signal.Signals) -> None:
        # not reaped yet, so the group's id cannot belong to anybody else
        if self.running:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, number)

    def _tail(self) -> str:
        size = self._stderr.seek(0, os.SEEK_END)
        self._stderr.seek(max(0, size - _TAIL_BYTES))
        return self._stderr.read().decode(errors="replace").strip()
