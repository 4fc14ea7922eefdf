"""The host: short measurement and facts, as notes; `hil certify` tests it in earnest."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from hil.check.model import About, Part, Result
from hil.clock import NS_PER_S
from hil.loop.fitness import Check, HostState, judge_host
from hil.loop.realtime import Setting
from hil.loop.selftest import self_test
from hil.rig import Bench
from hil.run.timekeeper import Timekeeper

_SECONDS = 1.0


def look_at_host(
    bench: Bench, rate_hz: float, addresses: Sequence[str], stop: Callable[[], bool]
) -> tuple[list[Result], Mapping[str, int]]:
    """Notes on the host, from waiting for a second as the loop would, and the latency timers
    (ms) of those addresses that have one.

    Errors: BadInput for real-time settings that do not fit the rate.
    """
    if bench.clock.virtual:
        about = About(Part.HOST)
        return [about.note("clock", "virtual: how quick this host is plays no part")], {}
    period_ns = round(NS_PER_S / rate_hz)
    keeper = Timekeeper(bench)
    with keeper.settings() as settings:
        state = self_test(keeper.clock(period_ns), period_ns, _SECONDS, addresses, stop)
    checks = judge_host(replace(state, latency_timers_ms={}), bench.rig.fitness)
    return list(_notes(state, checks, settings)), state.latency_timers_ms


def _notes(
    state: HostState, checks: Sequence[Check], settings: Sequence[Setting]
) -> Iterator[Result]:
    about = About(Part.HOST)
    for check in checks:
        figures = {"value": check.value, "limit": check.limit, "within": check.ok}
        if check.ok:
            yield about.ok(check.name, f"{check.value} (wanted: {check.limit})", figures)
        else:
            detail = f"{check.value} (wanted: {check.limit}): `hil certify` may call the host unfit"
            yield about.note(check.name, f"{detail}; {check.remedy}", figures)
    if not state.governors:
        yield about.note("CPU governor", "this system shows none, as in a virtual machine")
    yield about.note("limits", _limits(state), _limit_figures(state))
    for setting in settings:
        if setting.asked is not None and not setting.met:
            detail = f"asked {setting.asked}, obtained {setting.obtained}; {setting.note}"
            yield about.note(f"setting {setting.name}", detail.rstrip("; "))


def _limit_figures(state: HostState) -> Mapping[str, int | None]:
    return {
        "rtprio": state.rtprio_limit,
        "memlock_bytes": state.memlock_limit_bytes,
    }


def _limits(state: HostState) -> str:
    rtprio = "without limit" if state.rtprio_limit is None else f"up to {state.rtprio_limit}"
    if state.rtprio_limit == 0:
        rtprio = "none without CAP_SYS_NICE"
    locked = state.memlock_limit_bytes
    memory = "without limit" if locked is None else f"up to {locked // 2**20} MiB"
    return f"real-time priority {rtprio} (rtprio), locked memory {memory} (memlock)"
