"""Promises that need nothing but the device: identity, states, units, owners, safe state."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from hil.conformance.check import Check
from hil.conformance.looks import looking
from hil.conformance.model import NotChecked, NotConforming, require
from hil.conformance.subject import OPEN_WITHIN_S, Subject
from hil.contracts import NEVER, Capability, Device, Joints, SafeProof
from hil.errors import DeadlineMissed, HilError
from hil.rig import contract_of

_WITHIN_S = 2.0
_FAR_RAD = 100.0
_FAST_RAD_S = 200.0
_SLACK_RAD = 0.02


def _identity(subject: Subject) -> str:
    with subject.opened() as one:
        first = one.device.identity(subject.within(_WITHIN_S))
        again = one.device.identity(subject.within(_WITHIN_S))
    require(bool(first.model), "identity has no model")
    require(first.model == again.model and first.serial == again.serial, "it changed its identity")
    return f"{first.model} {first.serial} {first.firmware}".strip()


def _capabilities(subject: Subject) -> str:
    device = subject.build().device
    require(device.role == subject.role, f"it calls itself {device.role!r}, not {subject.role!r}")
    require(bool(device.capabilities), "it offers no capability")
    for capability in device.capabilities:
        kind = contract_of(Capability(capability))
        require(isinstance(device, kind), f"it offers {capability!s} but is no {kind.__name__}")
    return ", ".join(sorted(map(str, device.capabilities)))


def _touches_nothing(subject: Subject) -> str:
    device = subject.build().device
    proof = device.make_safe(subject.within(_WITHIN_S))
    require(not proof.safe, "it calls a device safe that was never opened and so never read")
    device.close()
    device.close()
    return f"not opened: {proof.state}"


def _health(subject: Subject) -> str:
    with subject.opened() as one:
        findings = one.device.health(subject.within(_WITHIN_S))
    for finding in findings:
        require(bool(finding.name and finding.detail), f"{finding!r} says nothing")
        require(finding.ok or bool(finding.remedy), f"bad finding {finding.name!r} has no remedy")
    return f"{len(findings)} findings, {sum(not f.ok for f in findings)} bad"


def _counters(subject: Subject) -> str:
    with subject.opened() as one:
        before = dict(one.device.counters())
        for _ in range(3):
            one.device.ping(subject.within(_WITHIN_S))
        after = dict(one.device.counters())
    wrong = [name for name, count in after.items() if not isinstance(count, int) or count < 0]
    require(not wrong, f"counters that are no counts: {', '.join(wrong)}")
    fell = [name for name in before if after.get(name, 0) < before[name]]
    require(not fell, f"counters that fell: {', '.join(fell)}")
    return f"{len(after)} counters"


def _samples(subject: Subject) -> str:
    with subject.opened() as one:
        look = looking(one.device)
        if look is None:
            raise NotChecked("it has nothing to read")
        before_ns = subject.clock.now_ns()
        seen = look(subject.within(_WITHIN_S))
        after_ns = subject.clock.now_ns()
    if seen.stamp_ns is not None:
        require(
            seen.stamp_ns <= after_ns and seen.stamp_ns > before_ns - 10**10,
            "its stamp is not of the run's clock",
        )
    if seen.ages_ns is not None:
        require(seen.ages_ns.shape == seen.values.shape, "ages and values differ in number")
        require(bool((seen.ages_ns >= NEVER).all()), "an age is negative")
        never = seen.ages_ns == NEVER
        require(bool(np.isnan(seen.values[never]).all()), "a value that never came is not NaN")
    return f"{len(seen.values)} values in {seen.unit}"


def _units(subject: Subject) -> str:
    with subject.opened() as one:
        arm = one.joints
        limits, count = arm.limits, len(arm.names)
        for name in ("lower", "upper", "velocity"):
            require(getattr(limits, name).shape == (count,), f"limits.{name} is not one a joint")
        require(bool((limits.lower < limits.upper).all()), "a lower limit is not below its upper")
        reach = np.abs(np.stack([limits.lower, limits.upper]))
        require(bool((reach < _FAR_RAD).all()), "a limit of hundreds of rad: degrees, or counts?")
        fast = (limits.velocity > 0) & (limits.velocity < _FAST_RAD_S)
        require(bool(fast.all()), "a speed limit is not in rad/s")
        here = arm.read(subject.within(_WITHIN_S)).position
    wide = 2 * math.pi
    inside = (here > limits.lower - wide) & (here < limits.upper + wide)
    require(bool(inside.all()), f"joints at {here} rad are turns away from their limits")
    return f"{count} joints, {float(reach.max()):.3g} rad at most"


def _holds_still(subject: Subject) -> str:
    with subject.opened() as one:
        arm = one.joints
        here = arm.read(subject.within(_WITHIN_S)).position
        try:
            arm.enable(subject.within(_WITHIN_S))
            applied = arm.command(here, subject.within(_WITHIN_S))
            now = arm.read(subject.within(_WITHIN_S)).position
        finally:
            safe = arm.make_safe(subject.within(_WITHIN_S))
    inside = np.clip(here, arm.limits.lower, arm.limits.upper)
    off = float(np.nanmax(np.abs(applied - inside)))
    require(off < _SLACK_RAD, f"told to stay, what was sent is {off:.3f} rad away")
    moved = float(np.nanmax(np.abs(now - here)))
    require(moved < 5 * _SLACK_RAD, f"told to stay, it moved by {moved:.3f} rad")
    require(safe.safe, f"afterwards it is not safe: {safe.state}")
    return f"sent within {off:.4f} rad of where it was"


def _safe_twice(subject: Subject) -> str:
    with subject.opened() as one:
        if isinstance(one.device, Joints):
            one.device.enable(subject.within(_WITHIN_S))
        proofs = [one.device.make_safe(subject.within(_WITHIN_S)) for _ in range(2)]
        one.device.close()
        closed = one.device.make_safe(subject.within(_WITHIN_S))
    for proof in proofs:
        _well_formed(proof, subject.role)
        require(proof.safe, f"it could not be made safe: {proof.state} {dict(proof.readings)}")
    require(not closed.safe, "it calls a closed device safe, which nobody has read")
    return f"{proofs[0].state}: {_brief(proofs[0].readings)}"


def _well_formed(proof: SafeProof, role: str) -> None:
    require(proof.role == role, f"the proof is of {proof.role!r}")
    require(bool(proof.state), "the proof names no state")
    require(bool(proof.readings), "the proof shows nothing that was read back")
    require(proof.started_ns <= proof.proved_ns, "the proof ends before it begins")


def _brief(readings: Mapping[str, object]) -> str:
    shown = [f"{name} {value}" for name, value in list(readings.items())[:3]]
    return ", ".join(shown) + (" ..." if len(readings) > 3 else "")


def _one_owner(subject: Subject) -> str:
    with subject.opened() as one:
        second: Device = subject.build().device
        try:
            second.open(subject.within(OPEN_WITHIN_S))
        except HilError as error:
            said = error.message
        else:
            raise NotConforming("two owners have one port open at once")
        finally:
            second.close()
        one.device.ping(subject.within(_WITHIN_S))
    return f"the second is told: {said}"


def _reopens(subject: Subject) -> str:
    one = subject.build()
    models = []
    for _ in range(2):
        try:
            one.device.open(subject.within(OPEN_WITHIN_S))
            models.append(one.device.identity(subject.within(_WITHIN_S)).model)
        finally:
            one.device.close()
    require(models[0] == models[1], f"it was {models[0]} and is {models[1]}")
    return "opened twice, one after the other"


def _spent_deadlines(subject: Subject) -> str:
    with subject.opened() as one:
        device, look = one.device, looking(one.device)
        allowed = (DeadlineMissed,)
        subject.timely("ping", device.ping, 0.0, allowed)
        subject.timely("identity", device.identity, 0.0, (HilError,))
        subject.timely("health", device.health, 0.0, ())
        if look is not None:
            subject.timely("read", look, 0.0, allowed)
        device.ping(subject.within(_WITHIN_S))
    return "ping, identity, health and read came back at once, and the next ping was answered"


CHECKS = (
    Check("capabilities", "it keeps the contract of every capability it names", _capabilities),
    Check("identity", "it says who it is, the same every time", _identity),
    Check(
        "untouched", "nothing is touched, and nothing called safe, before open", _touches_nothing
    ),
    Check("health", "findings have a name, a detail, and a remedy where they are bad", _health),
    Check("counters", "counters are counts and never fall", _counters),
    Check("samples", "values carry stamps and ages; what never came is NaN", _samples),
    Check("units", "limits and positions are in rad and rad/s", _units),
    Check("stays", "energised and told to stay, it stays, and says what it sent", _holds_still),
    Check("safe state", "make_safe proves itself, may be repeated, and never guesses", _safe_twice),
    Check("one owner", "a second owner of its port is refused by name", _one_owner),
    Check("reopens", "it can be closed and opened again", _reopens),
    Check("spent deadlines", "a call whose deadline has passed returns at once", _spent_deadlines),
)
