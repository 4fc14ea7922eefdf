"""The whole check of a rig, from its file to the last proof of a safe state."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from functools import partial

from hil.check.calibrations import check_calibrations
from hil.check.guard import guarded
from hil.check.hosts import look_at_host
from hil.check.model import About, Part, Report, Result
from hil.check.opened import Opened, check_safe, moves
from hil.check.pace import Pace, fitting_scenarios, pace_of
from hil.check.ports import check_port
from hil.check.session import Session
from hil.check.site import Site, find_site
from hil.check.wanted import Wanted
from hil.errors import HilError
from hil.rig import start_twin
from hil.run.attendance import Watched
from hil.safety import StopRequest

_RATE_HZ = 50.0
"""At which the host's wake-ups are looked at where nothing asks for a rate."""


def examine(
    wanted: Wanted,
    report: Report,
    stop: StopRequest,
    served: Mapping[str, str] | None = None,
) -> None:
    """Check a rig; everything found is in the report, and nothing is raised for it.

    `served` are the ports of a twin that runs already; else a twin rig's is started, and ended.
    Whatever happens, every device that was opened is made safe and closed on the way out.
    """
    rig = wanted.rig
    calibrations = About(Part.CALIBRATION)
    report.run(calibrations, "calibrations", partial(check_calibrations, rig, wanted.today))
    with ExitStack() as stack:
        ports = _twin_ports(wanted, report, stack) if served is None else served
        site = find_site(rig, wanted.path, ports, stop)
        bench = stack.enter_context(site.bench)
        scenarios = fitting_scenarios(bench)
        pace = pace_of(scenarios, wanted.rate_hz)
        timers = _look_around(site, pace, report, stop)
        watched = _guard(wanted, site, report, stack)
        with Opened(bench) as opened:
            session = Session(wanted, report, stop, opened, scenarios, pace, timers, watched)
            session.run(site.addresses)
        never = [device.role for device in rig.devices if device.role not in bench.devices]
        for result in check_safe(opened, never):
            report.add(result)
    if stop():
        why = f"{stop.cause}: what was still to come was not looked at"
        report.add(About(Part.SAFE).skipped("the rest", why))


def _twin_ports(wanted: Wanted, report: Report, stack: ExitStack) -> Mapping[str, str]:
    if wanted.rig.twin is None:
        return {}
    try:
        twin = start_twin(wanted.rig, wanted.path)
    except HilError as error:
        report.add(About(Part.PORT).error("twin", error))
        return {}
    stack.callback(twin.stop)
    return twin.ports


def _look_around(
    site: Site, pace: Pace | None, report: Report, stop: Callable[[], bool]
) -> Mapping[str, int]:
    """Host and ports, before anything is opened. Returns the latency timers (ms) by address."""
    addresses = [address for address in site.addresses.values() if address]
    timers: dict[str, int] = {}

    def host() -> Iterator[Result]:
        rate_hz = pace.rate_hz if pace else _RATE_HZ
        notes, found = look_at_host(site.bench, rate_hz, addresses, stop)
        timers.update(found)
        yield from notes

    report.run(About(Part.HOST), "host", host)
    for device in site.rig.devices:
        role, about = device.role, About(Part.PORT, device.role)
        if role in site.lost:
            report.add(about.error("port", site.lost[role]))
        elif device.port is not None:
            address = site.addresses[role]
            limit_ms = site.rig.fitness.latency_timer_ms
            timer_ms = timers.get(address)
            check = partial(check_port, device.port, role, address, timer_ms, limit_ms)
            report.run(about, "port", check)
    for role, error in site.unbuilt.items():
        report.add(About(Part.DEVICE, role).error("rig file", error))
    return timers


def _guard(wanted: Wanted, site: Site, report: Report, stack: ExitStack) -> Watched | None:
    """A watchdog for the motion to come; None where there is no motion, or no watchdog."""
    moving = any(moves(device) for device in site.bench.devices.values())
    if not (wanted.move and moving) or site.bench.clock.virtual:
        return None
    try:
        return stack.enter_context(guarded(site.bench, site.addresses))
    except HilError as error:
        report.add(About(Part.MOTION).error("watchdog", error))
        return None
