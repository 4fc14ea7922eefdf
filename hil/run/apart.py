"""A campaign whose loop runs in a process of its own: what the harness does meanwhile.

It shows, writes down what the worker sends, passes on requests to stop, and closes the record
with what the worker or the watchdog proved.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from hil.contracts import TwinProcesses
from hil.errors import HarnessError, HostError, LinkLost, RigError, UnsafeExit
from hil.plan.freeze import Plan
from hil.record.format import EpisodeEnd
from hil.record.writer import RunWriter
from hil.rig import resolve_ports, unsafe_message
from hil.run.conduct import Ending, safe_row
from hil.run.crew import Crew
from hil.run.cut import cut_attempt
from hil.run.host import host_facts
from hil.run.ledger import LedgerKeeper, Observer
from hil.run.messages import Begun, Done, Go, Phase, Row, Stop, Tried, Wire
from hil.safety import SAFE_WITHIN_S, StopRequest
from hil.watchdog.messages import AllClear, Cause, Rescued
from rigs.schema import Rig

_LOOK_S = 0.1
_REPORT_MORE_S = 10.0
_OUTCOME_WITHIN_S = 5.0

StartTwin = Callable[[Rig, Path], TwinProcesses]


def run_apart(
    plan: Plan,
    folder: Path,
    observer: Observer,
    stop: StopRequest,
    start_twin: StartTwin,
    begun: Callable[[Crew], None] = lambda _: None,
) -> Ending:
    """Run a plan with the loop in a worker process and a watchdog beside it.

    The twin's processes are this one's, and end after both. `begun` is called once, when the
    worker is about to open the devices. Errors: as `hil.run.campaign.run_campaign`.
    """
    with ExitStack() as last, Crew() as crew:
        twin = start_twin(plan.rig, plan.rig_path) if plan.rig.twin else None
        if twin is not None:
            last.callback(twin.stop)
        on_duty = crew.prepare(plan, resolve_ports(plan.rig, twin.ports if twin else {}))
        writer = RunWriter(folder)
        try:
            writer.begin(plan.data, host_facts(), "wall")
            shift = _Shift(plan, crew, LedgerKeeper(writer, observer), stop)
            shift.keep(lambda keeper: keeper.row(on_duty))
            begun(crew)
            return shift.run()
        finally:
            writer.close()


class _Shift:
    """One run as the harness sees it, from the go to the closing row."""

    def __init__(self, plan: Plan, crew: Crew, keeper: LedgerKeeper, stop: StopRequest) -> None:
        self._plan, self._crew, self._keeper, self._stop = plan, crew, keeper, stop
        self._told = False
        self._disk: HostError | None = None
        self._done: Ending | None = None
        self._report: Rescued | AllClear | None = None
        self._blind = False

    def run(self) -> Ending:
        """Follow the run to its end and close the record."""
        self._crew.worker.line.send(Go())
        with _woken_by_signals() as wake:
            while not self._worker_is_gone(wake):
                self._pass_on_stop()
        if self._done is None and not self._blind and self._report is None:
            self._hear_watchdog(len(self._plan.rig.devices) * SAFE_WITHIN_S + _REPORT_MORE_S)
        ending = self._ending()
        self.keep(lambda keeper: keeper.end(ending))
        if ending.error is None and self._disk is not None:
            return Ending("error", self._disk.message, self._disk)
        return ending

    def keep(self, write: Callable[[LedgerKeeper], None]) -> None:
        """Write something down; a disk that does not take it ends the run, and what follows is
        still tried: the proofs of the safe state are small."""
        try:
            write(self._keeper)
        except HostError as error:
            self._disk = self._disk or error
            self._ask_to_stop(error.message)

    def _worker_is_gone(self, wake: int) -> bool:
        """Wait for whatever comes first and deal with it."""
        worker, watchdog = self._crew.worker.line, self._crew.watchdog.line
        watched = [worker.fileno(), wake]
        if not self._blind and self._report is None:
            watched.append(watchdog.fileno())
        ready = select.select(watched, [], [], _LOOK_S)[0]
        if wake in ready:
            os.read(wake, 4096)  # it only had to wake us; the request is looked at next
        if watchdog.fileno() in ready:
            self._hear_watchdog(0.0)
        if worker.fileno() not in ready:
            return False
        try:
            message = worker.receive()
        except LinkLost:
            return True
        self._take(message)
        return self._done is not None

    def _take(self, message: object) -> None:
        match message:
            case Phase(text):
                self._keeper.phase(text)
            case Row(row):
                self.keep(lambda keeper: keeper.row(row))
            case Begun(episode):
                self._keeper.running = episode
            case Tried(attempt):
                self.keep(lambda keeper: keeper.attempt(attempt))
            case Wire(role, data):
                self.keep(lambda keeper: keeper.wire(role, data))
            case Done(ending):
                self._done = ending
            case _:
                raise HarnessError(f"the worker said {message!r:.200}")

    def _pass_on_stop(self) -> None:
        if self._stop() and not self._told:
            self._ask_to_stop(self._stop.cause)

    def _ask_to_stop(self, cause: str) -> None:
        if self._told:
            return
        self._told = True
        try:
            self._crew.worker.line.send(Stop(cause, time.monotonic_ns()))
        except LinkLost:
            return  # it has ended, which its line says too

    def _hear_watchdog(self, within_s: float) -> None:
        try:
            report = self._crew.watchdog.line.receive_within(within_s)
        except LinkLost:
            self._blind = True
            self._ask_to_stop("the watchdog process is gone")
            return
        if not isinstance(report, Rescued | AllClear):
            raise HarnessError(f"the watchdog said {report!r:.200}")
        self._report = report

    def _ending(self) -> Ending:
        if self._done is not None:
            return self._of_worker(self._done)
        how = self._crew.worker.outcome(_OUTCOME_WITHIN_S) or "hung up"
        reason = f"the loop's process {how}"
        report = self._report
        if isinstance(report, Rescued):
            reason = f"{reason if report.cause is Cause.DIED else report.detail} ({self._doing()})"
            return self._rescued(report, reason)
        reason = f"{reason} ({self._doing()})"
        self._keep_cut(EpisodeEnd.ERROR, reason)
        if report is None:
            return unsafe_ending(f"{reason}, and the watchdog did not say that the rig is safe")
        return Ending("error", reason, HarnessError(reason))

    def _doing(self) -> str:
        doing, episode = self._keeper.phase_now, self._keeper.running
        return doing if episode is None else f"{doing}, episode {episode}"

    def _of_worker(self, done: Ending) -> Ending:
        if self._disk is not None:
            if done.error is None:
                return Ending("error", self._disk.message, self._disk)
            return replace(done, reason=f"{done.reason}; {self._disk.message}")
        if done.error is None and self._blind:
            reason = "the watchdog process ended during the run"
            return Ending("error", reason, HarnessError(reason))
        return done

    def _rescued(self, report: Rescued, reason: str) -> Ending:
        suspended = report.cause is Cause.SUSPENDED
        self._keep_cut(EpisodeEnd.INTERRUPTED if suspended else EpisodeEnd.ERROR, reason)
        rows = [rescue_row(report, reason)]
        rows += [safe_row(proof, reason, report.beat_ns) for proof in report.proofs]
        for row in rows:
            self.keep(partial(LedgerKeeper.row, row=row))
        unsafe = [proof for proof in report.proofs if not proof.safe]
        if unsafe:
            return unsafe_ending(f"{reason}; the watchdog {unsafe_message(unsafe)}")
        if suspended:
            return Ending("void", reason)
        return Ending("error", reason, RigError(reason, "the watchdog made the rig safe"))

    def _keep_cut(self, end: EpisodeEnd, reason: str) -> None:
        """Put the attempt that was under way on the record, with its ticks."""
        name = self._keeper.running
        if name is not None:
            attempt = cut_attempt(self._plan, name, self._crew.board.logged(), end, reason)
            self.keep(lambda keeper: keeper.attempt(attempt))


def unsafe_ending(message: str) -> Ending:
    """Nobody could prove that the rig is safe."""
    error = UnsafeExit(message, "cut the power of the rig before touching it")
    return Ending("error", message, error)


def rescue_row(report: Rescued, reason: str) -> dict[str, Any]:
    """Ledger row of what the watchdog did. Times in us: from the last sign of life to when it
    knew, to when the worker was gone, and to the last proof."""
    last_ns = max((proof.proved_ns for proof in report.proofs), default=report.free_ns)
    return {
        "row": "watchdog",
        "event": "stepped in",
        "cause": str(report.cause),
        "detail": reason,
        "silent_us": (report.seen_ns - report.beat_ns) // 1000,
        "freed_us": (report.free_ns - report.beat_ns) // 1000,
        "proved_us": (last_ns - report.beat_ns) // 1000,
    }


@contextmanager
def _woken_by_signals() -> Iterator[int]:
    """A descriptor that becomes readable when a signal has arrived, so that a request to stop
    is passed on at once; outside of the main thread it never does."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        theirs.setblocking(False)
        if threading.current_thread() is not threading.main_thread():
            yield ours.fileno()
            return
        before = signal.set_wakeup_fd(theirs.fileno(), warn_on_full_buffer=False)
        try:
            yield ours.fileno()
        finally:
            signal.set_wakeup_fd(before)
