"""Real-time settings of the loop's process for an episode: asked for, applied, read back, undone.

Nothing here is needed for a loop to work. What the system does not permit is left as it is,
with a note that says what would permit it; the record shows asked and obtained side by side.

Scheduler, affinity and timer slack are those of the *calling thread*: enter `realtime` in the
thread that runs the loop.
"""

from __future__ import annotations

import ctypes
import gc
import os
import resource
import struct
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from hil.clock import NS_PER_US
from rigs.schema import Realtime

_MCL_CURRENT, _MCL_FUTURE = 1, 2  # <asm-generic/mman.h>
_PR_SET_TIMERSLACK, _PR_GET_TIMERSLACK = 29, 30  # <linux/prctl.h>
_CAP_IPC_LOCK = 14  # <linux/capability.h>
_POLICIES = {"other": os.SCHED_OTHER, "fifo": os.SCHED_FIFO, "rr": os.SCHED_RR}
_DMA_LATENCY = Path("/dev/cpu_dma_latency")
_STATUS = Path("/proc/thread-self/status")

Value = str | int | None


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting as asked (None: left as it is) and as read back from the system.

    `note` says why the two differ and what would change that.
    """

    name: str
    asked: Value
    obtained: Value
    note: str = ""

    @property
    def met(self) -> bool:
        """False only where something was asked for and something else obtained."""
        return self.asked is None or self.asked == self.obtained

    def as_data(self) -> dict[str, Value | bool]:
        """Plain data for the record."""
        return {**asdict(self), "met": self.met}


@contextmanager
def realtime(asked: Realtime, dma_latency: Path = _DMA_LATENCY) -> Iterator[tuple[Setting, ...]]:
    """Apply what is asked for while inside, and yield what was obtained; undo it on leaving.

    The garbage collector is swept, frozen and off in any case: a full collection in a tick
    costs milliseconds. The scheduler comes last and goes first, so that nothing slow runs at
    its priority. Errors: none for what is not permitted.
    """
    with ExitStack() as undo:
        yield (
            _memory(asked, undo),
            _garbage_collector(undo),
            _switch_interval(asked, undo),
            _cpu_dma_latency(asked, undo, dma_latency),
            _timer_slack(asked, undo),
            _cpus(asked, undo),
            _scheduler(asked, undo),
        )


def _garbage_collector(undo: ExitStack) -> Setting:
    if not gc.isenabled():
        return Setting("garbage_collector", "off", "off", "was off already")
    gc.collect()
    gc.freeze()
    gc.disable()
    undo.callback(_thaw)
    return Setting("garbage_collector", "off", "on" if gc.isenabled() else "off")


def _thaw() -> None:
    gc.unfreeze()
    gc.enable()


def _switch_interval(asked: Realtime, undo: ExitStack) -> Setting:
    before_s = sys.getswitchinterval()
    if asked.switch_interval_us is not None:
        sys.setswitchinterval(asked.switch_interval_us / 1e6)
        undo.callback(sys.setswitchinterval, before_s)
    obtained_us = round(sys.getswitchinterval() * 1e6)
    return Setting("switch_interval_us", asked.switch_interval_us, obtained_us)


def _scheduler(asked: Realtime, undo: ExitStack) -> Setting:
    if asked.scheduler is None:
        return Setting("scheduler", None, scheduler_now())
    wanted = f"{asked.scheduler} {asked.priority}"
    before, parameters = os.sched_getscheduler(0), os.sched_getparam(0)
    if wanted == scheduler_now():
        return Setting("scheduler", wanted, wanted)
    # threads and children that the loop starts (a network's pool) do not inherit the priority
    policy = _POLICIES[asked.scheduler] | os.SCHED_RESET_ON_FORK
    note = _attempt(
        lambda: os.sched_setscheduler(0, policy, os.sched_param(asked.priority)),
        "allow it with CAP_SYS_NICE, or 'rtprio' in /etc/security/limits.conf",
    )
    if not note:
        undo.callback(_restore_scheduler, before, parameters)
    return Setting("scheduler", wanted, scheduler_now(), note)


def _restore_scheduler(policy: int, parameters: os.sched_param) -> None:
    try:
        os.sched_setscheduler(0, policy, parameters)
    except PermissionError:
        # giving up "reset on fork" needs a privilege that giving up the priority does not
        os.sched_setscheduler(0, policy | os.SCHED_RESET_ON_FORK, parameters)


def scheduler_now() -> str:
    """Class and priority of the calling thread, such as "fifo 80" or "other 0"."""
    policy = os.sched_getscheduler(0) & ~os.SCHED_RESET_ON_FORK
    names = {number: name for name, number in _POLICIES.items()}
    return f"{names.get(policy, policy)} {os.sched_getparam(0).sched_priority}"


def _cpus(asked: Realtime, undo: ExitStack) -> Setting:
    before = os.sched_getaffinity(0)
    if asked.cpus is None:
        return Setting("cpus", None, _listed(before))
    wanted = set(asked.cpus)
    note = _attempt(
        lambda: os.sched_setaffinity(0, wanted), f"this process may use CPUs {_listed(before)}"
    )
    undo.callback(os.sched_setaffinity, 0, before)
    now = os.sched_getaffinity(0)
    if now != wanted and not note:
        note = f"this process may use CPUs {_listed(before)} only"
    return Setting("cpus", _listed(wanted), _listed(now), note)


def _listed(cpus: set[int]) -> str:
    return ",".join(str(cpu) for cpu in sorted(cpus))


def _timer_slack(asked: Realtime, undo: ExitStack) -> Setting:
    if asked.timer_slack_us is None:
        return Setting("timer_slack_us", None, _timer_slack_ns() // NS_PER_US)
    before_ns = _timer_slack_ns()
    note = _attempt(lambda: _set_timer_slack_ns((asked.timer_slack_us or 0) * NS_PER_US), "")
    undo.callback(_set_timer_slack_ns, before_ns)
    obtained_us = _timer_slack_ns() // NS_PER_US
    return Setting("timer_slack_us", asked.timer_slack_us, obtained_us, note)


def _timer_slack_ns() -> int:
    return int(_libc().prctl(_PR_GET_TIMERSLACK, 0, 0, 0, 0))


def _set_timer_slack_ns(slack_ns: int) -> None:
    # 0 would mean the default; a thread of a real-time class has none and answers with 0
    if slack_ns:
        _checked(_libc().prctl(_PR_SET_TIMERSLACK, ctypes.c_ulong(slack_ns), 0, 0, 0))


def _memory(asked: Realtime, undo: ExitStack) -> Setting:
    wanted = "locked" if asked.lock_memory else None
    if not asked.lock_memory or _locked_kib():
        return Setting("memory", wanted, _memory_now())
    # Locking what is mapped later, under a limit, makes later allocations fail: worse than a
    # page fault.
    unlimited = _unlimited_locking()
    flags = _MCL_CURRENT | (_MCL_FUTURE if unlimited else 0)
    note = _attempt(
        lambda: _checked(_libc().mlockall(flags)),
        "allow it with CAP_IPC_LOCK, or 'memlock' in /etc/security/limits.conf",
    )
    if not note:
        undo.callback(lambda: _checked(_libc().munlockall()))
        if not unlimited:
            note = "only what was mapped by now: RLIMIT_MEMLOCK is not unlimited"
    return Setting("memory", wanted, _memory_now(), note)


def _memory_now() -> str:
    return "locked" if _locked_kib() else "not locked"


def _unlimited_locking() -> bool:
    capable = bool(int(_status("CapEff") or "0", 16) >> _CAP_IPC_LOCK & 1)
    return capable or resource.getrlimit(resource.RLIMIT_MEMLOCK)[0] == resource.RLIM_INFINITY


def _locked_kib() -> int:
    return int((_status("VmLck") or "0").split()[0])


def _status(key: str) -> str | None:
    """One value of this thread's status, see proc(5); None where the kernel has no such line."""
    lines = _STATUS.read_text().splitlines()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith(key)), None)


def _cpu_dma_latency(asked: Realtime, undo: ExitStack, device: Path) -> Setting:
    """Hold the device open with the asked-for value: the request lasts as long as it is open
    (kernel documentation, PM Quality of Service interface)."""
    name, wanted = "cpu_dma_latency_us", asked.cpu_dma_latency_us
    if wanted is None:
        return Setting(name, None, None)
    try:
        held = os.open(device, os.O_RDWR | os.O_CLOEXEC)
    except OSError as error:
        return Setting(name, wanted, None, _refusal(error, f"allow writing {device}"))
    undo.callback(os.close, held)
    packed = struct.pack("=i", wanted)
    note = _attempt(lambda: _written(held, packed), "")
    # The kernel answers with the smallest value that anybody asks for.
    obtained = struct.unpack("=i", os.pread(held, 4, 0))[0] if not note else None
    if obtained is not None and obtained < wanted:
        note = "another process asks for less, which is met too"
    return Setting(name, wanted, obtained, note)


def _written(descriptor: int, content: bytes) -> None:
    if os.write(descriptor, content) != len(content):
        raise OSError(f"only a part of {len(content)} bytes was taken")


def _attempt(change: Callable[[], object], remedy: str) -> str:
    """Try a change; a note where the system refuses it, else an empty one."""
    try:
        change()
    except (OSError, ValueError) as error:
        return _refusal(error, remedy)
    return ""


def _refusal(error: Exception, remedy: str) -> str:
    said = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return f"refused: {said}" + (f"; {remedy}" if remedy else "")


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _checked(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
