"""Are the devices quick enough for the rate that the rig is asked for?"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from hil.check.model import About, Part, Result
from hil.check.pace import Pace
from hil.check.trips import (
    WITHIN_MS,
    Trips,
    WatchedReads,
    call_of_a_tick,
    figures,
    measure,
    sparkline,
)
from hil.contracts import Capability, Device, Joints
from hil.rig import Bench

_FEW = 2
_FEW_SHARE = 0.01
"""That many faults, or that share of what was asked, are a note and no more."""

_FAULTS = frozenset(
    {"lost", "late", "wrong", "bad", "broken", "damaged", "malformed", "stray", "unowed", "foreign"}
    | {"error", "errors", "timeouts", "failed", "failures", "unanswered", "naks", "dropped"}
    | {"missed", "trips", "crc", "checksum", "framing", "noise", "resync"}
)
"""Words in the names of counters that count what went wrong; drivers count other things too."""

_TOLD = "error_answers"
"""Counter of answers that came well and told of an error of the device, which its health names."""

_LONG = 0.25
"""Share of a read that is long to wait for one joint alone."""

_STREAMS = frozenset({Capability.CAMERA, Capability.EMERGENCY_STOP})

_LINE = (
    "look at the latency timer and the return delay, give the adapter a USB port of its own,"
    " raise the baud rate"
)
_CABLE = "check cable, supply and termination, and what else talks on that line"


def pace_note(pace: Pace | None) -> Result:
    """What everything below is held against."""
    about = About(Part.TIMING)
    if pace is None:
        why = "no scenario of the catalogue fits this rig: name the rate of your loop by --rate"
        return about.note("rate", why)
    detail = f"{pace.rate_hz:g} Hz, period {_ms(pace.period_us)}: {pace.source}"
    return about.note("rate", detail, {"rate_hz": pace.rate_hz, "period_us": pace.period_us})


def check_timing(
    bench: Bench, role: str, pace: Pace | None, count: int, stop: Callable[[], bool]
) -> Iterator[Result]:
    """Round trips of one open device, and the faults that it has counted since it was opened."""
    about, device = About(Part.TIMING, role), bench.devices[role]
    asked = call_of_a_tick(device)
    if asked is None:
        yield about.skipped("ping", "it streams: see its rate below")
    else:
        name, call = asked
        reads = _watched(device)
        trips = measure(reads.read if reads else call, bench.clock, count, stop)
        yield _judged(about, name, trips, reads, pace, device, virtual=bench.clock.virtual)
        if reads is not None and reads.absent:
            yield _absent(about, reads, _held_up_by(trips, reads))
    yield _faults(about, device, count)


def _watched(device: Device) -> WatchedReads | None:
    if Capability.JOINTS in device.capabilities and isinstance(device, Joints):
        return WatchedReads(device)
    return None


def slowest(results: list[Result]) -> Result | None:
    """Which device takes the largest share of what it may take, among those measured."""
    shares = {
        result.role: result.figures["share"]
        for result in results
        if result.part is Part.TIMING and result.figures.get("share") is not None
    }
    if len(shares) < 2:
        return None
    role = max(shares, key=shares.__getitem__)
    detail = f"{role}: its p99 is {shares[role]:.0%} of what it may take"
    return About(Part.TIMING).note("slowest", detail, {"shares": shares})


def _judged(
    about: About,
    name: str,
    trips: Trips,
    reads: WatchedReads | None,
    pace: Pace | None,
    device: Device,
    *,
    virtual: bool,
) -> Result:
    data = figures(trips, reads.absent if reads else None)
    p99_us = trips.quantile_us(0.99)
    if p99_us is None:
        detail = f"none of {trips.asked} was answered within {WITHIN_MS} ms"
        return about.bad(name, detail, _CABLE, data)
    said = f"{_quantiles(trips)}{', as declared' if virtual else ''}"
    if trips.lost:
        detail = f"{trips.lost} of {trips.asked} not answered within {WITHIN_MS} ms; {said}"
        return about.bad(name, detail, _CABLE, data)
    if pace is None:
        return about.note(name, said, data)
    what, budget_us = _budget(device, pace)
    share = p99_us / budget_us
    data |= {"budget_us": budget_us, "share": share}
    said = f"{said}; p99 is {share:.0%} of the {what} of {_ms(budget_us)}"
    if share <= 1:
        return about.ok(name, said, data)
    most_hz = pace.rate_hz / share
    remedy = f"{_LINE}, or run the loop at {most_hz:.3g} Hz or less"
    held_up_by = _held_up_by(trips, reads)
    if held_up_by:
        said += f"; it waits for {held_up_by}"
        remedy = f"see to that joint first; {remedy}"
    return about.bad(name, said, remedy, data)


def _held_up_by(trips: Trips, reads: WatchedReads | None) -> str:
    """The joint whose answer comes long after the one before it, and how long; "" where none."""
    late, whole_us = reads.slowest() if reads else None, trips.quantile_us(0.5) or 0.0
    if late is None or late[1] < _LONG * whole_us:
        return ""
    return f"{late[0]}, whose answer comes {_ms(late[1])} after the one before"


def _budget(device: Device, pace: Pace) -> tuple[str, float]:
    if Capability.JOINTS in device.capabilities and pace.sense_us is not None:
        return "sense budget", pace.sense_us
    if Capability.INFERENCE in device.capabilities and pace.infer_us is not None:
        return "inference budget", pace.infer_us
    return "period", pace.period_us


def _quantiles(trips: Trips) -> str:
    p50, p95, p99, most = (trips.quantile_us(q) or 0.0 for q in (0.5, 0.95, 0.99, 1.0))
    return (
        f"p50 {_ms(p50)}, p95 {_ms(p95)}, p99 {_ms(p99)}, max {_ms(most)}"
        f" of {len(trips.times_us)} {sparkline(trips.histogram())}"
    )


def _absent(about: About, reads: WatchedReads, held_up_by: str) -> Result:
    listed = ", ".join(f"{name} in {count}" for name, count in reads.absent.most_common())
    detail = f"no answer of {listed} of {reads.reads} reads"
    data = {"reads": reads.reads, "absent": dict(reads.absent)}
    if _few(max(reads.absent.values()), reads.reads):
        return about.note("absent", detail, data)
    remedy = f"check the cable and the supply of {', '.join(reads.absent)}"
    if held_up_by:
        remedy = f"the bus waits for {held_up_by}: see to that joint first, then {remedy}"
    return about.bad("absent", detail, remedy, data)


def _faults(about: About, device: Device, asked: int) -> Result:
    """A device that streams counts by itself, and its own findings judge that."""
    counters = device.counters()
    faults = {name: count for name, count in counters.items() if count and _is_fault(name)}
    if not faults:
        return about.ok("faults", "none counted since it was opened", dict(counters))
    detail = "since it was opened: " + ", ".join(f"{name} {n}" for name, n in faults.items())
    events = [count for name, count in faults.items() if not name.endswith("_bytes")]
    streams = bool(_STREAMS & device.capabilities)
    if streams or _few(max(events, default=0), max(asked, counters.get("requests", 0))):
        return about.note("faults", detail, dict(counters))
    return about.bad("faults", detail, _CABLE, dict(counters))


def _is_fault(name: str) -> bool:
    return name != _TOLD and not _FAULTS.isdisjoint(re.split(r"[_.]", name))


def _few(count: int, of: int) -> bool:
    return count <= max(_FEW, _FEW_SHARE * of)


def _ms(us: float) -> str:
    return f"{us / 1000:.3g} ms"
