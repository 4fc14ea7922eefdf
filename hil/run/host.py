"""Facts about the host that a reader needs to judge a timing claim; found, never set here."""

from __future__ import annotations

import os
import platform
import resource
import time
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

_PACKAGES = ("numpy", "onnxruntime", "pybullet", "opencv-python-headless", "pyserial", "scipy")


def host_facts() -> dict[str, Any]:
    """Plain data for `host.json`: machine, system, clocks, load and package versions."""
    return {
        "started_utc": datetime.now(UTC).isoformat(timespec="seconds"),
        "system": platform.platform(),
        "machine": platform.machine(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_mib": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20,
        "python": platform.python_version(),
        "packages": {name: found for name in _PACKAGES if (found := _version(name))},
        "clock": {
            "name": "CLOCK_MONOTONIC",
            "resolution_ns": round(time.get_clock_info("monotonic").resolution * 1e9),
            "source": _read("/sys/devices/system/clocksource/clocksource0/current_clocksource"),
        },
        "scheduler": {
            "governor": _read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
            "policy": _scheduler_policy(),
            "preemption": _read("/sys/kernel/realtime") == "1",
        },
        "limits": {
            "rtprio": _limit(resource.RLIMIT_RTPRIO),
            "memlock_bytes": _limit(resource.RLIMIT_MEMLOCK),
        },
        "load_1min": os.getloadavg()[0],
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _read(path: str) -> str | None:
    """Content of a system file; None where this kernel does not have it."""
    try:
        return Path(path).read_text().strip()
    except OSError:
        return None


def _processor() -> str:
    lines = (_read("/proc/cpuinfo") or "").splitlines()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or "unknown"


def _scheduler_policy() -> str:
    known = {os.SCHED_OTHER: "SCHED_OTHER", os.SCHED_FIFO: "SCHED_FIFO", os.SCHED_RR: "SCHED_RR"}
    return known.get(os.sched_getscheduler(0) & ~os.SCHED_RESET_ON_FORK, "other")


def _limit(kind: int) -> int | None:
    """Soft limit of this process; None where there is none."""
    soft = resource.getrlimit(kind)[0]
    return None if soft == resource.RLIM_INFINITY else soft
