"""The host's self-test before a certified run: an unfit host makes the run void, not slow."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from hil.loop.fitness import fit, judge_host, reasons
from hil.loop.selftest import self_test
from hil.plan.freeze import SINGLE, Plan
from hil.rig import Bench
from hil.run.timekeeper import Timekeeper


def host_row(
    plan: Plan, bench: Bench, timekeeper: Timekeeper, stop: Callable[[], bool]
) -> dict[str, Any] | None:
    """Measure and judge this host with the loop's own way of waiting, at the plan's fastest
    rate. Returns a row of the ledger, or None where nothing is certified or measured: a run of
    a single scenario, and a virtual clock."""
    if bench.clock.virtual or plan.data["profile"]["name"] == SINGLE:
        return None
    limits = bench.rig.fitness
    period_ns = min(planned.scenario.loop.period_ns for planned in plan.scenarios.values())
    ports = [device.address for device in bench.devices.values() if hasattr(device, "address")]
    with timekeeper.settings() as settings:
        state = self_test(timekeeper.clock(period_ns), period_ns, limits.seconds, ports, stop)
    checks = judge_host(state, limits, settings)
    return {
        "row": "host",
        "fit": fit(checks),
        "reasons": reasons(checks),
        "checks": [asdict(check) for check in checks],
        "settings": [setting.as_data() for setting in settings],
        "state": state.as_data(),
    }
