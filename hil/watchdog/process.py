"""The watchdog process: `python -m hil.watchdog.process LINE HEART`.

Everything that takes time is done before it is needed: drivers imported, devices built, ports
held. It then sleeps on the loop's process and its heart. It ends when that process has.
"""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import sys
import time
from contextlib import closing

from hil.clock import WallClock
from hil.contracts import Rescue, SafeProof
from hil.errors import HilError, LinkLost
from hil.rig import assemble
from hil.watchdog.heart import Heart
from hil.watchdog.line import Line
from hil.watchdog.messages import AllClear, Prepare, Ready, Rescued, Watch
from hil.watchdog.rescue import HeldPorts, make_safe_from_outside
from hil.watchdog.watch import Alarm, end_process, watch
from rigs.schema import Realtime

ORDER_WITHIN_S = 60.0
NICENESS = -10


def main(arguments: list[str]) -> int:
    """Entry of the process; the arguments are two inherited descriptors."""
    line, heart = Line(int(arguments[0])), Heart(int(arguments[1]))
    # it ends with what it watches, not by a signal to everybody at the end of a session
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        _serve(line, heart)
    except LinkLost:
        return 0  # the harness hung up before there was anything to watch
    except HilError as error:
        sys.stderr.write(f"watchdog: {error}\n")
        return error.exit_code
    return 0


def _serve(line: Line, heart: Heart) -> None:
    order = line.expect(Prepare, ORDER_WITHIN_S)
    bench = assemble(order.rig, order.path, order.addresses)
    for control in bench.links.values():
        control.plain = True  # no injected fault, and no capture, on the way to a safe rig
    devices = bench.devices
    with closing(HeldPorts(filter(None, order.addresses.values()))) as held:
        rescues = tuple(role for role, one in devices.items() if isinstance(one, Rescue))
        gc.collect()
        gc.freeze()
        gc.disable()
        line.send(Ready(held.addresses, rescues, _hurry(order.rig.realtime)))
        pid = line.expect(Watch, ORDER_WITHIN_S).pid
        pidfd = os.pidfd_open(pid)
        try:
            alarm = watch(heart, pid, pidfd, line)
            if alarm is None:
                line.send(AllClear())
                return
            end_process(pidfd)
            free_ns = time.monotonic_ns()
            held.unlock()
            proofs = make_safe_from_outside(devices, order.addresses, WallClock())
        finally:
            os.close(pidfd)
    line.send(_report(alarm, free_ns, proofs))


def _report(alarm: Alarm, free_ns: int, proofs: tuple[SafeProof, ...]) -> Rescued:
    return Rescued(alarm.cause, alarm.detail, alarm.beat_ns, alarm.seen_ns, free_ns, proofs)


def _hurry(realtime: Realtime) -> str:
    """Ask to be run before what is watched; returns what was obtained.

    A loop that hangs under a real-time scheduler would keep an ordinary process from its core.
    """
    if realtime.scheduler != "other":
        above = min(realtime.priority + 1, os.sched_get_priority_max(os.SCHED_FIFO))
        with contextlib.suppress(PermissionError):
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(above))
            return f"SCHED_FIFO {above}"
    with contextlib.suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, 0, NICENESS)
    return f"nice {os.getpriority(os.PRIO_PROCESS, 0)}"


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
