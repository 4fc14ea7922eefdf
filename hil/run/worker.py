"""The worker process: `python -m hil.run.worker LINE HEART BOARD`.

It holds the devices and runs the loop, and nothing else: no display, no disk.

It ends between two ticks when the harness says so, when the harness is gone, on SIGTERM, and
when it finds that it was suspended (SIGSTOP and SIGCONT); it makes the rig safe first.
"""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Mapping
from types import FrameType
from typing import Any

from hil.clock import NS_PER_MS, NS_PER_S, WallClock
from hil.contracts import Testimony
from hil.errors import HarnessError, HilError, LinkLost, UnsafeExit
from hil.plan.freeze import PlannedEpisode
from hil.rig import Bench, assemble
from hil.run.attendance import Asked, Attendance, Watched
from hil.run.board import TickBoard
from hil.run.conduct import Ending, conduct_and_prove, keep_wire, left_unsafe
from hil.run.episode import Attempt
from hil.run.fitting import require
from hil.run.messages import Begun, Built, Done, Go, Job, Phase, Refused, Row, Stop, Tried, Wire
from hil.watchdog.heart import Heart
from hil.watchdog.line import Line

ORDER_WITHIN_S = 60.0
IDLE_S = 30.0
"""Silence allowed while nothing moves; longer than any single call outside of the loop."""


class Inbox:
    """Requests to end that came in from outside; looked at between ticks."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._first: Asked | None = None

    def note(self, asked: Asked) -> None:
        """Remember the first request."""
        self._first = self._first or asked

    def asked(self) -> Asked | None:
        """The first request, if there is one; about 1 us while there is none."""
        if self._first is None and self._line.waiting():
            self.note(self._receive())
        return self._first

    def _receive(self) -> Asked:
        try:
            message = self._line.receive()
        except LinkLost:
            return Asked("the harness is gone")
        if isinstance(message, Stop):
            return Asked(message.cause, message.at_ns)
        raise HarnessError(f"the harness said {message!r:.200} in the middle of a run")


class SendingKeeper:
    """`hil.run.conduct.Keeper` whose ledger is kept by the harness. Errors: LinkLost."""

    def __init__(self, line: Line) -> None:
        self._line = line

    def phase(self, text: str) -> None:
        self._line.send(Phase(text))

    def row(self, row: Mapping[str, Any]) -> None:
        self._line.send(Row(row))

    def begin(self, episode: PlannedEpisode) -> None:
        self._line.send(Begun(episode.name))

    def attempt(self, attempt: Attempt) -> None:
        self._line.send(Tried(attempt))

    def wire(self, role: str, data: bytes) -> None:
        self._line.send(Wire(role, data))


def main(arguments: list[str]) -> int:
    """Entry of the process; the arguments are three inherited descriptors."""
    line, heart = Line(int(arguments[0])), Heart(int(arguments[1]))
    inbox = Inbox(line)
    _take_signals(inbox)
    try:
        _work(line, heart, TickBoard(int(arguments[2])), inbox)
    except LinkLost:
        return 0  # the harness hung up before anything was opened, or after everything was safe
    return 0


def _work(line: Line, heart: Heart, board: TickBoard, inbox: Inbox) -> None:
    job = line.expect(Job, ORDER_WITHIN_S)
    plan = job.plan
    stop = Attendance(inbox.asked, WallClock())
    try:
        bench = assemble(plan.rig, plan.rig_path, job.addresses, stop)
        for planned in plan.scenarios.values():
            require(bench, planned)
    except HilError as error:
        line.send(Refused(error))
        return
    line.send(Built())
    grace_ns = round(plan.rig.watchdog.tick_timeout_ms * NS_PER_MS)
    stop.watched = Watched(heart, grace_ns, idle_ns(bench))
    stop.board = board
    line.expect(Go, ORDER_WITHIN_S)
    line.send(Done(_run(job, bench, SendingKeeper(line), stop)))


def idle_ns(bench: Bench) -> int:
    """Silence allowed outside of the loop: a scene that waits for a person may take its time."""
    patience = [one.patience_s for one in bench.devices.values() if isinstance(one, Testimony)]
    return round(max([IDLE_S, *(one + IDLE_S for one in patience)]) * NS_PER_S)


def _run(job: Job, bench: Bench, keeper: SendingKeeper, stop: Attendance) -> Ending:
    """The run, whatever happens in it; the watchdog is on duty until the devices are closed."""
    ending: Ending | None = None
    try:
        with bench:
            stop.allow(stop.watched.idle_ns)
            ending = conduct_and_prove(job.plan, bench, keeper, stop)
        keep_wire(bench, keeper)  # what was still said while the devices were closed
    except UnsafeExit as error:
        ending = left_unsafe(ending, error)
    except HilError as error:
        ending = ending or Ending("error", f"{type(error).__name__}: {error.message}", error)
    stop.allow(0)
    return ending


def _take_signals(inbox: Inbox) -> None:
    """SIGINT is the harness's, which tells us; the others ask for an end between two ticks."""

    def ended(number: int, _frame: FrameType | None) -> None:
        inbox.note(Asked(signal.Signals(number).name, time.monotonic_ns()))

    def continued(_number: int, _frame: FrameType | None) -> None:
        cause = "the loop's process was suspended (SIGSTOP)"
        inbox.note(Asked(cause, time.monotonic_ns(), void=True))

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, ended)
    signal.signal(signal.SIGCONT, continued)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
