"""A process of the harness: started from its own code, heard over a line, always ended."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Sequence

from hil.errors import HarnessError
from hil.failure import on_failure
from hil.watchdog.heart import Heart
from hil.watchdog.line import line_pair


class ChildProcess:
    """`python -P -m MODULE LINE HEART` in a session of its own, so that Ctrl-C does not reach it.

    The line is its lifeline: its end says that this process is gone. A process that nobody
    watches has no heart, and `more` follows the line. Its standard output joins standard error;
    `stdin` is this process's where a person may be asked, else nothing.
    """

    def __init__(
        self, module: str, heart: Heart | None, *, stdin: int | None, more: Sequence[int] = ()
    ) -> None:
        self.line, theirs = line_pair()
        with theirs, on_failure(self.line.close):
            hearts = [] if heart is None else [heart.fileno()]
            inherited = [theirs.fileno(), *hearts, *more]
            try:
                self._process = subprocess.Popen(
                    [sys.executable, "-P", "-m", module, *map(str, inherited)],
                    stdin=stdin,
                    stdout=2,
                    pass_fds=inherited,
                    start_new_session=True,
                )
            except OSError as error:
                raise HarnessError(f"{module} cannot be started: {error}") from error

    @property
    def pid(self) -> int:
        return self._process.pid

    def outcome(self, within_s: float) -> str | None:
        """How it ended, waited for at most `within_s`; None where it still runs."""
        try:
            code = self._process.wait(within_s)
        except subprocess.TimeoutExpired:
            return None
        if code >= 0:
            return f"ended with code {code}"
        return f"was killed by {signal.Signals(-code).name}"

    def end(self, patience_s: float) -> None:
        """Hang up, give it time to end by itself, then kill it and what it started."""
        self.line.close()
        if self.outcome(patience_s) is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
            self._process.wait()
