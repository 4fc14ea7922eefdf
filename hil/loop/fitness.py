"""Is this host fit to time a certified run? The judgement alone, pure; see `selftest`.

What was measured is compared with the rig file's limits, and every comparison says what to do
about it. A run on an unfit host is void: its times would be the host's and not the device's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from hil.loop.realtime import Setting
from rigs.schema import Fitness

_SLOW_CLOCKS = frozenset({"hpet", "acpi_pm", "jiffies", "refined-jiffies", "pit"})
_SAVING_GOVERNORS = frozenset({"powersave", "conservative"})
# under these drivers "powersave" follows the load and is no fixed low frequency
_SCALING_DRIVERS = frozenset({"intel_pstate", "amd-pstate-epp"})


@dataclass(frozen=True, slots=True)
class Wakes:
    """Lateness of n wake-ups on a grid, in us, and how many points passed unserved."""

    period_us: float
    seconds: float
    count: int
    skipped: int
    p50_us: float
    p99_us: float
    p999_us: float
    max_us: float


@dataclass(frozen=True, slots=True)
class HostState:
    """What was measured and found; None where this kernel does not say.

    `stolen` is the share of CPU time taken by the hypervisor during the test. `governors` holds
    "governor (driver)" of each CPU that has one. Limits are this process's own, None for no
    limit. `latency_timers_ms` maps serial ports to their USB latency timer.
    """

    wakes: Wakes
    stolen: float | None
    load_1min: float
    cores: int
    governors: tuple[str, ...]
    clock_source: str | None
    rtprio_limit: int | None
    memlock_limit_bytes: int | None
    latency_timers_ms: Mapping[str, int]

    def as_data(self) -> dict[str, Any]:
        """Plain data for the record."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Check:
    """One fact beside its limit; `remedy` says what to do where `ok` is false."""

    name: str
    value: str
    limit: str
    ok: bool
    remedy: str = ""


def fit(checks: Sequence[Check]) -> bool:
    """True when every check holds."""
    return all(check.ok for check in checks)


def reasons(checks: Sequence[Check]) -> list[str]:
    """What makes the host unfit, one line a check; empty when it is fit."""
    return [
        f"{check.name}: {check.value}, limit {check.limit}; {check.remedy}"
        for check in checks
        if not check.ok
    ]


def judge_host(
    state: HostState, limits: Fitness, settings: Sequence[Setting] = ()
) -> tuple[Check, ...]:
    """Compare a host with the rig file's limits; pure.

    `settings` are those that the loop asked for; they count where the rig file says that they
    are required. Otherwise the wake-up errors say whether the loop gets on without them.
    """
    required = [one for one in settings if limits.settings_required and one.asked is not None]
    return (
        *_judge_wakes(state.wakes, limits),
        *_judge_machine(state, limits),
        *_judge_ports(state, limits),
        *(_judge_setting(setting) for setting in required),
    )


def _judge_wakes(wakes: Wakes, limits: Fitness) -> list[Check]:
    measured = (
        ("wake-up error p99", wakes.p99_us, limits.wake_p99_us),
        ("wake-up error p99.9", wakes.p999_us, limits.wake_p999_us),
        ("wake-up error max", wakes.max_us, limits.wake_max_us),
    )
    remedy = "end other work on this host, or give the loop a CPU and [realtime] settings"
    return [
        Check(name, f"{value:.0f} us", f"<= {limit:g} us", value <= limit, remedy)
        for name, value, limit in measured
        if limit is not None
    ]


def _judge_machine(state: HostState, limits: Fitness) -> list[Check]:
    checks = []
    if state.stolen is not None:
        checks.append(
            Check(
                "stolen time",
                f"{state.stolen:.2%}",
                f"<= {limits.stolen:.2%}",
                state.stolen <= limits.stolen,
                "use a machine, or a virtual one with CPUs of its own",
            )
        )
    load = state.load_1min / state.cores
    checks.append(
        Check(
            "load per core",
            f"{load:.2f}",
            f"<= {limits.load_per_core:g}",
            load <= limits.load_per_core,
            "end other work on this host and wait a minute",
        )
    )
    slow = sorted({governor for governor in state.governors if _saves_power(governor)})
    if state.governors:
        checks.append(
            Check(
                "CPU governor",
                ", ".join(slow or sorted(set(state.governors))),
                "none that keeps the frequency low",
                not slow,
                "cpupower frequency-set --governor performance",
            )
        )
    if state.clock_source is not None:
        checks.append(
            Check(
                "clock source",
                state.clock_source,
                "one read without a system call",
                state.clock_source not in _SLOW_CLOCKS,
                "see clocksource= in the kernel's parameters; the kernel log says why it fell back",
            )
        )
    return checks


def _saves_power(governor: str) -> bool:
    name, _, driver = governor.partition(" ")
    return name in _SAVING_GOVERNORS and driver.strip("()") not in _SCALING_DRIVERS


def _judge_ports(state: HostState, limits: Fitness) -> list[Check]:
    return [
        Check(
            f"latency timer of {port}",
            f"{timer_ms} ms",
            f"<= {limits.latency_timer_ms} ms",
            timer_ms <= limits.latency_timer_ms,
            f"write {limits.latency_timer_ms} to its latency_timer, or a udev rule with ATTR"
            f'{{latency_timer}}="{limits.latency_timer_ms}"',
        )
        for port, timer_ms in state.latency_timers_ms.items()
    ]


def _judge_setting(setting: Setting) -> Check:
    return Check(
        f"setting {setting.name}",
        str(setting.obtained),
        str(setting.asked),
        setting.met,
        setting.note or "ask for less in [realtime] of the rig file",
    )
