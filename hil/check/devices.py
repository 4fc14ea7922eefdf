"""One device: opened, asked who it is and how it is, and what it has counted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from hil.check.model import About, Part, Result
from hil.check.opened import Opened
from hil.clock import NS_PER_MS
from hil.contracts import Finding, Identity, LineFacts, OpenLink, Scalar
from hil.rig import Bench

HEALTH_WITHIN_S = 2.0

_ELSEWHERE = frozenset({"port", "low_latency"})
"""Details of identities that the finding on the line tells."""

_DETAILS = 3

_TIMER = "usb latency"
"""Finding of drivers whose adapter has a latency timer, which is judged with the port."""

_NO_WORD = "its driver says no more; the documentation of the device may"


def open_device(opened: Opened, role: str) -> Iterator[Result]:
    """Open it, and say what its line obtained."""
    about, clock = About(Part.DEVICE, role), opened.bench.clock
    began_ns = clock.now_ns()
    opened.open(role)
    yield about.ok("opened", f"in {(clock.now_ns() - began_ns) / NS_PER_MS:.0f} ms")
    control = opened.bench.links.get(role)
    if control is not None and control.link is not None:
        yield from _line(about, control.link)


def _line(about: About, link: OpenLink) -> Iterator[Result]:
    if not isinstance(link, LineFacts):
        return
    figures = {"low_latency": link.low_latency, "untimed": link.untimed}
    if link.untimed:
        why = f"{link.description}; no claim on time can be certified: {link.untimed}"
        yield about.note("line", why, figures)
    elif link.low_latency:
        yield about.ok("line", link.description, figures)
    else:
        why = "no low latency mode here: the round trips below are what counts"
        yield about.note("line", f"{link.description}; {why}", figures)


def check_device(bench: Bench, role: str, timer_judged: bool) -> Iterator[Result]:
    """Who an open device says that it is, and each of its own findings.

    `timer_judged` leaves out the latency timer of its adapter, which was judged with the port.
    """
    about, device = About(Part.DEVICE, role), bench.devices[role]
    try:
        found = device.identity(bench.deadline(HEALTH_WITHIN_S))
    except Exception as error:  # noqa: BLE001  its health may still say what is wrong
        yield about.error("identity", error)
    else:
        yield about.ok("identity", shown_identity(found), _identity_figures(found))
    for finding in device.health(bench.deadline(HEALTH_WITHIN_S)):
        if not (timer_judged and finding.name == _TIMER):
            yield _finding(about, finding)


def shown_identity(found: Identity) -> str:
    """An identity in one line, with the first of its further facts; none of single joints."""
    parts = [found.model]
    parts += [f"serial {found.serial}"] if found.serial else []
    parts += [f"firmware {found.firmware}"] if found.firmware else []
    more = [
        f"{name} {_shown(value)}"
        for name, value in found.detail.items()
        if "." not in name and name not in _ELSEWHERE and value not in ("", None)
    ]
    return ", ".join([*parts, *more[:_DETAILS]])


def _shown(value: Scalar) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _identity_figures(found: Identity) -> Mapping[str, Scalar]:
    known = {"model": found.model, "serial": found.serial, "firmware": found.firmware}
    return {**found.detail, **known}


def _finding(about: About, finding: Finding) -> Result:
    if finding.ok:
        return about.ok(finding.name, finding.detail)
    return about.bad(finding.name, finding.detail, finding.remedy or _NO_WORD)
