"""The host's self-test before a certified run: how late it wakes the loop, and what it is.

Waits for the points of a grid the way the loop will and notes how late each wake-up was; the
rest are facts of the kernel. `fitness` judges what is found here.
"""

from __future__ import annotations

import os
import resource
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from hil.clock import NS_PER_S, NS_PER_US, Clock
from hil.contracts import IntArray
from hil.loop.fitness import HostState, Wakes
from hil.loop.pacing import Cycle, Turn, periodic

_QUANTILES = (0.5, 0.99, 0.999)
_SYSTEM = Path("/")


def self_test(
    clock: Clock,
    period_ns: int,
    seconds: float,
    ports: Sequence[str] = (),
    stop: Callable[[], bool] = lambda: False,
    system: Path = _SYSTEM,
) -> HostState:
    """Measure this host for `seconds` with the loop's clock, at the loop's period.

    `clock` waits as the loop will (a `WallClock` with the loop's `Waiter`, whose margin is
    thereby warm). `ports` are device paths whose USB latency timer is read. `stop` ends the
    test early, with what there is by then. At 50 Hz ten seconds hold 500 wake-ups, so that
    p99.9 is in effect the maximum.
    """
    before = _cpu_times(system)
    wakes = measure_wakes(clock, period_ns, seconds, stop)
    after = _cpu_times(system)
    return HostState(
        wakes,
        _stolen(before, after),
        os.getloadavg()[0],
        os.cpu_count() or 1,
        _governors(system),
        _text(system / "sys/devices/system/clocksource/clocksource0/current_clocksource"),
        _limit(resource.RLIMIT_RTPRIO),
        _limit(resource.RLIMIT_MEMLOCK),
        _latency_timers(ports, system),
    )


def measure_wakes(
    clock: Clock, period_ns: int, seconds: float, stop: Callable[[], bool] = lambda: False
) -> Wakes:
    """Wait for the points of a grid for `seconds` and summarise how late each wait ended."""
    points = max(1, round(seconds * NS_PER_S / period_ns))
    late_ns = np.zeros(points, dtype=np.int64)
    began_ns = clock.now_ns()
    cycle = Cycle(began_ns + period_ns, period_ns)
    last: Turn | None = None
    count = skipped = 0
    while (last is None or last.index < points - 1) and not stop():
        last = periodic(cycle, last, clock.now_ns())
        clock.sleep_until(last.at_ns)
        late_ns[count] = clock.now_ns() - last.at_ns
        count, skipped = count + 1, skipped + last.skipped
    elapsed_s = (clock.now_ns() - began_ns) / NS_PER_S
    return _wakes(late_ns[:count], skipped, period_ns, elapsed_s)


def _wakes(late_ns: IntArray, skipped: int, period_ns: int, elapsed_s: float) -> Wakes:
    late_us = np.sort(late_ns) / NS_PER_US if len(late_ns) else np.zeros(1)
    p50, p99, p999 = np.quantile(late_us, _QUANTILES, method="higher").tolist()
    period_us = period_ns / NS_PER_US
    most = float(late_us[-1])
    return Wakes(period_us, elapsed_s, len(late_ns), skipped, p50, p99, p999, most)


def _cpu_times(system: Path) -> tuple[int, int] | None:
    """Stolen and all CPU time since boot, in clock ticks; see proc(5), `/proc/stat`."""
    text = _text(system / "proc/stat")
    if text is None:
        return None
    # guest time (the ninth and tenth) is part of user time already
    times = [int(word) for word in text.splitlines()[0].split()[1:9]]
    return (times[7], sum(times)) if len(times) == 8 else None


def _stolen(before: tuple[int, int] | None, after: tuple[int, int] | None) -> float | None:
    if before is None or after is None or after[1] <= before[1]:
        return None
    return (after[0] - before[0]) / (after[1] - before[1])


def _governors(system: Path) -> tuple[str, ...]:
    folders = sorted((system / "sys/devices/system/cpu").glob("cpu[0-9]*/cpufreq"))
    found = []
    for folder in folders:
        governor = _text(folder / "scaling_governor")
        if governor is not None:
            found.append(f"{governor} ({_text(folder / 'scaling_driver') or 'unknown driver'})")
    return tuple(found)


def _latency_timers(ports: Sequence[str], system: Path) -> dict[str, int]:
    """Timers of those ports that have one: FTDI-like adapters, no CDC-ACM and no pty."""
    timers = {}
    for port in ports:
        name = Path(port).resolve().name
        text = _text(system / "sys/class/tty" / name / "device/latency_timer")
        if text is not None:
            timers[port] = int(text)
    return timers


def _limit(kind: int) -> int | None:
    soft = resource.getrlimit(kind)[0]
    return None if soft == resource.RLIM_INFINITY else soft


def _text(path: Path) -> str | None:
    """Content of a system file; None where this kernel does not have it."""
    try:
        return path.read_text().strip()
    except OSError:
        return None
