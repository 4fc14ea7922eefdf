"""Asks every port, rate by rate, what is on it, in bounded time.

First it only listens, at every rate: a device that talks by itself, as an emergency stop box
does, is known without a question. Then come the questions, and the first answer ends the port.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from importlib.metadata import entry_points
from pathlib import Path

from drivers.discovery import Candidate, candidates
from drivers.scan.model import Found, OpenLine, PortReport, Probe
from drivers.transport.base import Transport
from drivers.transport.holders import holders
from drivers.transport.latency import latency_timer_ms
from drivers.transport.line import Line
from drivers.transport.posix import open_serial
from hil.clock import NS_PER_MS, Clock, Deadline, WallClock
from hil.errors import BadInput, DeviceNotFound, HilError, LinkLost, RigError

PROBES = "hil.probes"
LISTEN_NS = 60 * NS_PER_MS
ASK_NS = 150 * NS_PER_MS
PORT_S = 12.0
"""Longest that one port may take."""

Told = Callable[[PortReport], None]


def registered() -> tuple[Probe, ...]:
    """The probes of every installed package. Errors: BadInput for one that cannot be loaded."""
    found = []
    for entry in entry_points(group=PROBES):
        probe = entry.load()
        if not isinstance(probe, Probe):
            raise BadInput(f"entry point {entry.name} of group {PROBES} is no Probe: {probe!r}")
        found.append(probe)
    return tuple(sorted(found, key=lambda probe: (probe.rank, probe.family)))


def scan(
    extra: Iterable[str] = (),
    told: Told = lambda _: None,
    *,
    ask: bool = True,
    probes: Sequence[Probe] | None = None,
    ports: Callable[[], Sequence[Candidate]] = candidates,
) -> list[PortReport]:
    """Every serial port of this host, and those of `extra` (device paths), one after another.

    `told` hears of each as it is done. Without `ask` nothing is opened.
    """
    chosen = registered() if probes is None else probes
    listed = list(ports())
    known = {one.device for one in listed}
    listed += [Candidate(path) for path in extra if path not in known]
    reports = []
    for candidate in listed:
        report = _looked_at(candidate, chosen, ask)
        told(report)
        reports.append(report)
    return reports


def _looked_at(candidate: Candidate, probes: Sequence[Probe], ask: bool) -> PortReport:
    usb = candidate.vid is not None and candidate.pid is not None
    report = PortReport(
        path=candidate.device,
        usb_id=f"{candidate.vid:04x}:{candidate.pid:04x}" if usb else "",
        serial=candidate.serial,
        interface=candidate.interface,
        product=candidate.product,
        by_path=candidate.by_path,
        hub_port=candidate.location.partition(":")[0],
        latency_timer_ms=latency_timer_ms(candidate.device),
        state="not asked",
    )
    owners = tuple(str(holder) for holder in holders(candidate.device))
    if owners and not _is_terminal_of_a_twin(candidate.device):
        remedy = "end that process to have it asked"
        return replace(report, state="in use", owners=owners, remedy=remedy)
    if not ask:
        return report
    clock = WallClock()
    began_ns = clock.now_ns()
    done = _asked(report, probes, clock, Deadline.after_s(clock, PORT_S))
    return replace(done, took_s=(clock.now_ns() - began_ns) / 1e9)


def _is_terminal_of_a_twin(path: str) -> bool:
    """A pseudo-terminal is held open by whoever emulates the device behind it."""
    return path.startswith("/dev/pts/")


def _asked(
    report: PortReport, probes: Sequence[Probe], clock: Clock, deadline: Deadline
) -> PortReport:
    bauds = sorted({baud for probe in probes for baud in probe.bauds}, reverse=True)
    heard: dict[int, bytes] = {}
    try:
        for listening in (True, False):
            for baud in bauds:
                here = [p for p in probes if baud in p.bauds and p.listens is listening]
                if not here:
                    continue
                found = _at_rate(report.path, baud, here, heard, clock, deadline)
                if found is not None:
                    return replace(report, state="free", baud=baud, found=found)
                if deadline.expired:
                    remedy = f"nothing was recognised within {PORT_S:g} s"
                    return replace(report, state="free", remedy=remedy)
    except BadInput as error:
        return replace(report, state=_refused(error), remedy=f"{error.message}; {error.remedy}")
    except LinkLost as error:
        return replace(report, state="unplugged", remedy=error.message)
    except RigError as error:
        return replace(report, state="in use", remedy=error.message)
    return replace(report, state="free", remedy=_silent(report, heard))


def _refused(error: BadInput) -> str:
    if isinstance(error, DeviceNotFound):
        return "unplugged"
    return "no permission" if isinstance(error.__cause__, PermissionError) else "refused"


def _silent(report: PortReport, heard: dict[int, bytes]) -> str:
    if any(heard.values()):
        return "it talks, but nothing that is known here; `hil.probes` can be added to"
    return f"nothing answers; is the device behind {Path(report.path).name} powered?"


def _at_rate(
    path: str,
    baud: int,
    probes: Sequence[Probe],
    heard: dict[int, bytes],
    clock: Clock,
    deadline: Deadline,
) -> Found | None:
    try:
        port: Transport = open_serial(path, Line(baud), clock)
    except BadInput as error:
        if "not supported" in error.message:
            return None  # this host's termios does not know the rate
        raise
    try:
        if baud not in heard:
            heard[baud] = _listen(port, deadline)
        for probe in probes:
            if deadline.expired:
                return None
            found = _ask(probe, OpenLine(port, heard[baud], clock), deadline)
            if found is not None:
                return found
            port.discard()
    finally:
        port.close()
    return None


def _ask(probe: Probe, line: OpenLine, deadline: Deadline) -> Found | None:
    """One probe. That its question has no answer, or an odd one, is what most probes find."""
    try:
        return probe.ask(line, deadline.sooner(ASK_NS))
    except LinkLost:
        raise
    except HilError:
        return None


def _listen(port: Transport, deadline: Deadline) -> bytes:
    heard = bytearray()
    until = deadline.sooner(LISTEN_NS)
    while not until.expired and len(heard) < 4096:
        heard += port.read(until)
    return bytes(heard)


def quiet(port: Transport, data: bytes, deadline: Deadline, most: int = 4096) -> bytes:
    """Send a question and take all that comes by the deadline. Errors: LinkLost."""
    port.write(data, deadline)
    answer = bytearray()
    while not deadline.expired and len(answer) < most:
        answer += port.read(deadline)
    return bytes(answer)
