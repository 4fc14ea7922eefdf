"""Watching one process: its life by a pidfd, its beats in shared memory."""

from __future__ import annotations

import select
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from hil.clock import NS_PER_MS, NS_PER_S
from hil.errors import LinkLost
from hil.watchdog.heart import Heart, Pulse
from hil.watchdog.line import Line
from hil.watchdog.messages import Cause

LOOK_NS = 50 * NS_PER_MS
"""How often the heart is looked at while nothing is due sooner."""

_SECOND_LOOK_NS = 10 * NS_PER_MS
_DEATH_WITHIN_S = 5.0


@dataclass(frozen=True, slots=True)
class Alarm:
    """Something is at stake and nobody is in charge. Stamps are CLOCK_MONOTONIC in ns."""

    cause: Cause
    detail: str
    beat_ns: int
    seen_ns: int


def wait_ns(pulse: Pulse, now_ns: int) -> int:
    """How long to sleep before the next look at the heart; 0 where a beat is overdue."""
    if not pulse.armed:
        return LOOK_NS
    return max(0, min(LOOK_NS, pulse.due_ns - now_ns))


def watch(heart: Heart, pid: int, pidfd: int, line: Line) -> Alarm | None:
    """Watch until the process ends or goes silent; None where it ended with nothing at stake.

    It goes on when the harness hangs up: the arm does not get safer by that. A silence counts
    when a second look, a moment later, still finds it, so that a host which stopped both
    processes does not look like a fault of one.
    """
    parents: list[Line] = [line]
    suspicious = False
    while True:
        pulse, now_ns = heart.pulse(), time.monotonic_ns()
        overdue = pulse.armed and now_ns > pulse.due_ns
        if overdue and suspicious:
            cause, detail = _silence(pid, now_ns - pulse.beat_ns)
            return Alarm(cause, detail, pulse.beat_ns, now_ns)
        suspicious = overdue
        timeout_ns = _SECOND_LOOK_NS if overdue else wait_ns(pulse, now_ns)
        watched = [pidfd, *(parent.fileno() for parent in parents)]
        ready = select.select(watched, [], [], timeout_ns / NS_PER_S)[0]
        if pidfd in ready:
            return _death(heart.pulse())
        if ready:
            _listen(line, parents)


def end_process(pidfd: int) -> bool:
    """Kill the process, so that its ports are free; whether it was gone in time.

    Its descriptors are closed before the pidfd says that it has ended.
    """
    try:
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)
    except ProcessLookupError:
        return True
    return bool(select.select([pidfd], [], [], _DEATH_WITHIN_S)[0])


def state_of(pid: int, proc: Path = Path("/proc")) -> str:
    """The kernel's letter for what a process does (R, S, D, T, ...); "?" where it is gone."""
    try:
        text = (proc / str(pid) / "stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return "?"
    return text.rpartition(")")[2].split()[0]


def _death(pulse: Pulse) -> Alarm | None:
    if not pulse.armed:
        return None
    return Alarm(Cause.DIED, "the loop's process died", pulse.beat_ns, time.monotonic_ns())


def _silence(pid: int, silent_ns: int) -> tuple[Cause, str]:
    state = state_of(pid)
    silent = f"no sign of life for {silent_ns // NS_PER_MS} ms"
    if state in "Tt":
        return Cause.SUSPENDED, f"the loop's process was stopped (state {state}): {silent}"
    return Cause.HUNG, f"the loop's process hangs (state {state}): {silent}"


def _listen(line: Line, parents: list[Line]) -> None:
    """The harness has nothing to say while we watch; what comes is its end."""
    try:
        line.receive()
    except LinkLost:
        parents.clear()
