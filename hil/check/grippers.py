"""Grippers: open, close, and not wider than they can."""

from __future__ import annotations

import math
from collections.abc import Iterator

from hil.check.model import About, Part, Result
from hil.clock import NS_PER_MS
from hil.contracts import Gripper, GripperCommand, GripperSample
from hil.errors import DeviceFault
from hil.rig import Bench
from hil.run.attendance import Attendance, ticking

_ENABLE_WITHIN_S = 10.0
_STROKE_WITHIN_S = 10.0
_LOOK_NS = 50 * NS_PER_MS
_SHARE = 0.05
"""Of the widest opening, by which it may be off."""

_STILL_LOOKS = 4
_CHECK = "look for what is between or behind the fingers, and at the gripper's own fault code"


def check_gripper(bench: Bench, gripper: Gripper, stop: Attendance) -> Iterator[Result]:
    """Activate an open gripper, open it, close it, and ask for more than it has.

    Errors: DeviceFault, DeadlineMissed, LinkLost.
    """
    about, limits = About(Part.MOTION, gripper.role), gripper.limits
    gripper.enable(bench.deadline(_ENABLE_WITHIN_S))
    yield about.ok("activated", f"opens {_mm(limits.opening_m)} at most")
    for name, wanted_m in (("open", limits.opening_m), ("close", 0.0)):
        if stop():
            yield about.skipped(name, f"the check was asked to end: {stop.cause}")
            return
        yield _stroke(about, bench, gripper, name, wanted_m, stop)
    yield _too_wide(about, bench, gripper)


def _stroke(
    about: About, bench: Bench, gripper: Gripper, name: str, wanted_m: float, stop: Attendance
) -> Result:
    gripper.command(_gently(gripper, wanted_m), bench.deadline(1.0))
    found = _settled(bench, gripper, stop)
    if stop():
        return about.skipped(name, f"the check was asked to end: {stop.cause}")
    data = {"wanted_m": wanted_m, "opening_m": found.opening_m}
    detail = f"sent to {_mm(wanted_m)}, measured {_mm(found.opening_m)}"
    if found.holding and wanted_m == 0:
        return about.note(name, f"{detail}: it holds something", data)
    if not abs(found.opening_m - wanted_m) <= _SHARE * gripper.limits.opening_m:
        return about.bad(name, detail, _CHECK, data)
    return about.ok(name, detail, data)


def _settled(bench: Bench, gripper: Gripper, stop: Attendance) -> GripperSample:
    """The sample once it stands still. Errors: DeviceFault where it never answers or rests."""
    deadline, still = bench.deadline(_STROKE_WITHIN_S), 0
    with ticking(stop, 4 * _LOOK_NS):
        while True:
            bench.clock.sleep_until(bench.clock.now_ns() + _LOOK_NS)
            sample = gripper.read(bench.deadline(0.1))
            still = 0 if sample.moving or math.isnan(sample.opening_m) else still + 1
            if still >= _STILL_LOOKS or stop():
                return sample
            if deadline.expired:
                raise DeviceFault(
                    f"{gripper.role} does not come to rest within {_STROKE_WITHIN_S:g} s", _CHECK
                )


def _too_wide(about: About, bench: Bench, gripper: Gripper) -> Result:
    most_m = gripper.limits.opening_m
    applied = gripper.command(_gently(gripper, 2 * most_m), bench.deadline(1.0))
    detail = (
        f"{_mm(2 * most_m)} asked, {_mm(applied.opening_m)} commanded, {_mm(most_m)} is the most"
    )
    data = {"applied_m": applied.opening_m, "limit_m": most_m}
    if not applied.opening_m <= most_m * (1 + _SHARE):
        remedy = "its driver lets targets outside of its limits through: report it"
        return about.bad("out of range", detail, remedy, data)
    return about.ok("out of range", detail, data)


def _gently(gripper: Gripper, opening_m: float) -> GripperCommand:
    """With the least force, and not faster than halfway."""
    slow, fast = gripper.limits.speed_m_s
    return GripperCommand(opening_m, (slow + fast) / 2, gripper.limits.force_n[0])


def _mm(metres: float) -> str:
    return f"{1000 * metres:.1f} mm"
