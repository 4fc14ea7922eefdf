"""While joints are moved, a process beside this one that makes the rig safe when this one dies.

It is the watchdog of a run (`hil.watchdog`), told to watch the check itself.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from hil.clock import NS_PER_MS, NS_PER_S
from hil.rig import Bench
from hil.run.attendance import Watched
from hil.watchdog.child import ChildProcess
from hil.watchdog.heart import Heart
from hil.watchdog.messages import Prepare, Ready, Watch

_READY_WITHIN_S = 60.0
_IDLE_NS = 30 * NS_PER_S


@contextmanager
def guarded(bench: Bench, addresses: Mapping[str, str]) -> Iterator[Watched]:
    """A watchdog on duty while inside, for the devices of `bench`, none of which is open yet.

    Yields what an `hil.run.attendance.Attendance` needs; nothing is at stake until that says
    so, nor on the way out. Errors: LinkLost where the watchdog dies or stays silent,
    HarnessError where it cannot be started.
    """
    heart = Heart.create()
    try:
        child = ChildProcess("hil.watchdog.process", heart, stdin=subprocess.DEVNULL)
        try:
            there = {role: addresses[role] for role in bench.devices}
            child.line.send(Prepare(bench.rig, bench.path, there))
            child.line.expect(Ready, _READY_WITHIN_S)
            child.line.send(Watch(os.getpid()))
            grace_ns = round(bench.rig.watchdog.tick_timeout_ms * NS_PER_MS)
            yield Watched(heart, grace_ns, _IDLE_NS)
        finally:
            heart.expect(0)
            child.end(0.0)  # it watches until this process ends, so that it is not waited for
    finally:
        heart.close()
