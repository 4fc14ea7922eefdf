"""Joints: every one a small way and back, and what must stay out of reach stays out of reach."""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from hil.check.model import About, Part, Result
from hil.check.moves import STEP_RAD, Beyond, beyond_range, beyond_workspace, small_moves
from hil.check.push import Pushed, push
from hil.contracts import FloatArray, Joints, SelfWatching
from hil.errors import DeviceFault
from hil.loop.envelope import Envelope
from hil.rig import Bench
from hil.run.attendance import Attendance
from hil.run.motion import move_to, read_all
from hil.run.selfwatch import self_watched

GENTLE_RAD_S = 0.5
"""Joints are moved no faster than this, whatever the rig file allows."""

_REST_S = 2.0
_READ_WITHIN_S = 1.0
_ENABLE_WITHIN_S = 2.0
_LONGEST_TICK_S = 0.06
_SLACK_RAD = 0.03
"""How far a joint may hang behind its target: what a run's start pose asks too."""

_ROUNDING_RAD = 0.005
_ROUNDING_M = 0.002
_SLACK_M = 0.01

_STIFF = (
    "is something in the way, the joint stiff, its supply weak, or its zero_count wrong? move it"
    " by hand with the power off"
)
_OUT = "move it inside by hand with the power off; or its calibration (zero_count, sign) is wrong"
_LEAK = "do not run this rig: targets get past its limits; check limits and calibration of the rig"
_ASKED = "the check was asked to end"


@dataclass(frozen=True, slots=True)
class _Move:
    """What all steps of the motion need."""

    bench: Bench
    arm: Joints
    envelope: Envelope
    stop: Attendance

    def to(self, pose: FloatArray) -> str:
        """Go there; empty where it arrived, else what kept it from that. Errors: LinkLost."""
        try:
            here = read_all(self.arm, self.bench.deadline(_READ_WITHIN_S)).position
            deadline = self.bench.deadline(self._patience_s(pose - here))
            move_to(self.arm, pose, self.envelope, self.bench.clock, deadline, self.stop)
        except DeviceFault as error:
            return self._short_of(pose) or error.message
        return ""

    def push(self, beyond: Beyond) -> Pushed:
        """Send it to where it must not come. Errors: DeviceFault, LinkLost."""
        deadline = self.bench.deadline(self._patience_s(np.array([beyond.travel_rad])))
        return push(self.arm, beyond.wish, self.envelope, self.bench.clock, deadline, self.stop)

    def off(self, pose: FloatArray) -> FloatArray:
        """Distance of each joint from a pose, (n,), rad. Errors: DeviceFault, LinkLost."""
        return np.abs(read_all(self.arm, self.bench.deadline(_READ_WITHIN_S)).position - pose)

    def _short_of(self, pose: FloatArray) -> str:
        """Which joints stand elsewhere; empty where none does. Errors: LinkLost."""
        try:
            off = self.off(pose)
        except DeviceFault as error:
            return error.message
        named = zip(self.arm.names, off, strict=True)
        return ", ".join(
            f"{name} is {_deg(by)} short of it" for name, by in named if by > _SLACK_RAD
        )

    def _patience_s(self, way: FloatArray) -> float:
        return float(np.abs(way).max()) / self.envelope.velocity_rad_s + _REST_S


def announced(roles: Sequence[str]) -> str:
    """What is about to move, for the person beside it."""
    return (
        f"ABOUT TO MOVE {', '.join(roles)}: every joint by {math.degrees(STEP_RAD):.0f} degrees and"
        f" back, then one up to the end of its range, at {math.degrees(GENTLE_RAD_S):.0f} degrees/s"
        " at most; a gripper opens and closes.\nStand clear, and keep a hand on the switch that"
        " cuts the power. At the end the torque goes off: what hangs free drops."
    )


def check_motion(bench: Bench, arm: Joints, stop: Attendance) -> Iterator[Result]:
    """Energise an open arm and move it. Errors: LinkLost, DeviceFault (does not come on, goes
    silent), BadInput (limits that the rig file lacks or that its driver cannot keep)."""
    envelope = Envelope.of(arm, bench.require_limits())
    envelope = replace(envelope, velocity_rad_s=min(envelope.velocity_rad_s, GENTLE_RAD_S))
    about = About(Part.MOTION, arm.role)
    arm.enable(bench.deadline(_ENABLE_WITHIN_S))
    yield _own_watchdog(about, arm)
    move = _Move(bench, arm, envelope, stop)
    start = read_all(arm, bench.deadline(_READ_WITHIN_S)).position
    events: list[dict[str, Any]] = []
    with self_watched(replace(bench, devices={arm.role: arm}), _LONGEST_TICK_S, events):
        outside = _outside(about, move, start)
        yield from outside or _moved(about, move, start)


def _moved(about: About, move: _Move, start: FloatArray) -> Iterator[Result]:
    came_back = yield from _reachable(about, move, start)
    if came_back:  # nothing farther is tried with an arm that does not come back from a small way
        yield from _unreachable(about, move, start)
    if move.stop():
        yield about.skipped("rest", f"{_ASKED}: {move.stop.cause}")


def _own_watchdog(about: About, arm: Joints) -> Result:
    if isinstance(arm, SelfWatching):
        return about.ok("own watchdog", "armed while it moves: it stops by itself when unheard")
    return about.note("own watchdog", "it has none: it holds its pose when nobody speaks to it")


def _outside(about: About, move: _Move, start: FloatArray) -> list[Result]:
    """Why it cannot be moved from where it stands."""
    limits, names = move.arm.limits, move.arm.names
    out = [
        f"{name} at {_deg(at)} (range {_deg(low)} to {_deg(high)})"
        for name, at, low, high in zip(names, start, limits.lower, limits.upper, strict=True)
        if not low - _SLACK_RAD <= at <= high + _SLACK_RAD
    ]
    found = [about.bad("start", f"outside of its range: {', '.join(out)}", _OUT)] if out else []
    workspace = move.envelope.workspace
    if workspace is not None and workspace.outside_m(start) > _SLACK_M:
        far = 1000 * workspace.outside_m(start)
        detail = f"the tool point is {far:.0f} mm outside of the workspace"
        found.append(about.bad("start", detail, _OUT))
    return found


def _reachable(about: About, move: _Move, start: FloatArray) -> Generator[Result, None, bool]:
    """Every joint a small way and back; whether the arm is where it was."""
    limits, names, workspace = move.arm.limits, move.arm.names, move.envelope.workspace

    def allowed(pose: FloatArray) -> bool:
        return workspace is None or workspace.outside_m(pose) == 0

    inside = np.clip(start, limits.lower, limits.upper)
    ways = small_moves(limits, inside, allowed)
    errors: dict[str, float] = {}
    for joint, name in enumerate(names):
        failures: list[str] = []
        for pose in ways[joint]:
            failure = move.to(pose)
            if not (failure or move.stop()):
                errors[name] = float(move.off(pose)[joint])
            failures += [f"at {_deg(pose[joint])}, {failure}"] if failure else []
            failure = move.to(inside)
            if failure:
                yield about.bad("back", f"it does not come back to where it was: {failure}", _STIFF)
            if failure or move.stop():
                return False
            if name in errors:
                break
        if failures:
            yield _blocked(about, name, failures, free=name in errors)
    yield from _reached(about, errors, [n for n, way in zip(names, ways, strict=True) if not way])
    return True


def _blocked(about: About, name: str, failures: list[str], *, free: bool) -> Result:
    detail = f"not reached: {'; '.join(failures)}"
    if free:
        return about.note(f"move {name}", f"{detail}; the other way is free: what lies there?")
    return about.bad(f"move {name}", detail, _STIFF)


def _reached(about: About, errors: dict[str, float], fixed: list[str]) -> Iterator[Result]:
    if errors:
        worst = max(errors, key=errors.__getitem__)
        detail = (
            f"{len(errors)} joints by up to {_deg(STEP_RAD)} and back, off by"
            f" {_deg(errors[worst])} at most ({worst}; limit {_deg(_SLACK_RAD)})"
        )
        yield about.ok("reachable", detail, {"off_rad": errors})
    if fixed:
        why = "no room for a small way within range and workspace: " + ", ".join(fixed)
        yield about.skipped("reachable", why)


def _unreachable(about: About, move: _Move, start: FloatArray) -> Iterator[Result]:
    limits, workspace = move.arm.limits, move.envelope.workspace
    inside = np.clip(start, limits.lower, limits.upper)
    beyond = beyond_range(limits, inside)
    if not move.stop():
        if beyond is None:
            yield about.skipped("out of range", "every joint is far from both ends of its range")
        else:
            yield _kept_in_range(about, move, beyond)
            yield from _returned(about, move, inside)
    if workspace is None or move.stop():
        return
    out = beyond_workspace(workspace, limits, inside)
    if out is None:
        why = "no turn of a single joint leads out of the workspace from here"
        yield about.skipped("out of workspace", why)
    else:
        yield _kept_in_workspace(about, move, out)
        yield from _returned(about, move, inside)


def _returned(about: About, move: _Move, start: FloatArray) -> Iterator[Result]:
    failure = "" if move.stop() else move.to(start)
    if failure:
        yield about.bad("back", f"it did not come back to where it was: {failure}", _STIFF)


def _kept_in_range(about: About, move: _Move, beyond: Beyond) -> Result:
    pushed = move.push(beyond)
    if move.stop():
        return about.skipped("out of range", _ASKED)
    joint, limits = beyond.joint, move.arm.limits
    end = float((limits.upper if beyond.direction > 0 else limits.lower)[joint])
    applied, measured = (
        _farthest(path[:, joint], beyond) for path in (pushed.applied, pushed.measured)
    )
    detail = (
        f"{move.arm.names[joint]} was sent to {_deg(beyond.wish[joint])}, its range ends at"
        f" {_deg(end)}: commanded {_deg(applied)} at most, measured {_deg(measured)}"
    )
    data = {"applied_rad": applied, "measured_rad": measured, "limit_rad": end}
    over = [beyond.direction * (reached - end) for reached in (applied, measured)]
    if not (over[0] <= _ROUNDING_RAD and over[1] <= _SLACK_RAD):  # nor where nothing is known
        return about.bad("out of range", detail, _LEAK, data)
    return about.ok("out of range", f"not reached: {detail}", data)


def _kept_in_workspace(about: About, move: _Move, beyond: Beyond) -> Result:
    workspace = move.envelope.workspace
    pushed = move.push(beyond)
    if workspace is None or move.stop():
        return about.skipped("out of workspace", _ASKED)
    applied, measured = (
        max((workspace.outside_m(row) for row in path if np.isfinite(row).all()), default=math.nan)
        for path in (pushed.applied, pushed.measured)
    )
    wished = workspace.outside_m(beyond.wish)
    detail = (
        f"{move.arm.names[beyond.joint]} was to bring the tool point {1000 * wished:.0f} mm out of"
        f" the workspace: commanded {1000 * applied:.0f} mm out at most, measured"
        f" {1000 * measured:.0f} mm"
    )
    data = {"applied_m": applied, "measured_m": measured, "wish_m": wished}
    if not (applied <= _ROUNDING_M and measured <= _SLACK_M):
        return about.bad("out of workspace", detail, _LEAK, data)
    return about.ok("out of workspace", f"not reached: {detail}", data)


def _farthest(path: FloatArray, beyond: Beyond) -> float:
    """The value of one joint that is farthest in the direction of the wish; NaN of nothing."""
    known = path[np.isfinite(path)]
    return beyond.direction * float(np.max(beyond.direction * known)) if len(known) else math.nan


def _deg(radians: float) -> str:
    return f"{math.degrees(radians):.1f} deg"
