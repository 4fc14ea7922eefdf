"""Promises on a bad line: absence, lateness, doubles, damage, and the link that goes away.

The faults are put between the driver and its port, so that they work on any rig whose driver
opens its line by `drivers.transport.link.open_link`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hil.conformance.check import Check
from hil.conformance.looks import Look, Looking, looking, pinging
from hil.conformance.model import NotChecked, require
from hil.conformance.subject import Opened, Subject
from hil.contracts import EmergencyStop, Finding, Joints, Scalar
from hil.errors import DeadlineMissed, DeviceFault, HilError, LinkLost, ProtocolError

_WITHIN_S = 2.0
_SHORT_S = 0.1
_LATE_MS = 120.0
_TRIES = 20
_NEAR = {"rad": 0.1, "m": 0.005, "N": 5.0, "V, A": 1.0, "on": 0.1, "pressed": 0.1}


def _looking(one: Opened) -> Looking:
    return looking(one.device) or pinging(one.device)


def _silence(subject: Subject) -> str:
    with subject.opened() as one:
        look = _looking(one)
        look(subject.within(_WITHIN_S))
        subject.faults(one, {"kind": "drop"})
        subject.timely("ping of a silent device", one.device.ping, _SHORT_S, (DeadlineMissed,))
        told = subject.timely("health of a silent device", one.device.health, _SHORT_S, ())
        _require_told(told, "nothing is received")
        seen = [
            subject.timely("read of a silent device", look, _SHORT_S, (DeadlineMissed,))
            for _ in range(3)
        ]
        one.link.lift_faults()
    if isinstance(one.device, EmergencyStop):
        pressed = isinstance(seen[-1], HilError) or bool(seen[-1].values[0])
        require(pressed, "a button that says nothing is not taken for pressed")
        return "silence counts as pressed"
    for outcome in seen[1:]:
        _require_absent(outcome)
    return "every call kept its deadline; what was not received is absent"


def _require_told(told: Sequence[Finding] | HilError, what: str) -> None:
    """A bad finding says so, and what to do about it."""
    findings = () if isinstance(told, HilError) else told
    bad = [finding for finding in findings if not finding.ok]
    require(bool(bad), f"{what}, and its health has no bad finding")
    for finding in bad:
        require(bool(finding.remedy), f"{what}: bad finding {finding.name!r} has no remedy")


def _require_absent(outcome: Look | HilError) -> None:
    """Absent, or an old value that says how old it is; never a fresh number."""
    if isinstance(outcome, HilError):
        return
    if outcome.ages_ns is None:
        require(outcome.absent, f"nothing was received, and it reads {outcome.values}")
        return
    fresh = ~np.isnan(outcome.values) & (outcome.ages_ns == 0)
    require(not fresh.any(), f"nothing was received, and it reads {outcome.values} with age 0")


def _late_answers(subject: Subject) -> str:
    with subject.opened() as one:
        look = _looking(one)
        before = look(subject.within(_WITHIN_S))
        counted = sum(one.device.counters().values())
        subject.faults(one, {"kind": "delay", "delay_ms": _LATE_MS})
        for _ in range(3):
            subject.timely("read of a late device", look, 0.02, (DeadlineMissed,))
        one.link.lift_faults()
        after = _settled(subject, look)
        more = sum(one.device.counters().values()) - counted
    _require_same(before, after, "after answers that came too late")
    return f"reads are right again; its counters rose by {more}"


def _settled(subject: Subject, look: Looking) -> Look:
    """The first whole read within a few tries. Errors: those of the device."""
    for _ in range(_TRIES):
        try:
            seen = look(subject.within(_SHORT_S))
        except DeadlineMissed:
            continue
        if not np.isnan(seen.values).any():
            return seen
    return look(subject.within(_WITHIN_S))


def _require_same(before: Look, after: Look, when: str) -> None:
    near = _NEAR.get(before.unit)
    if near is None:
        require(not np.isnan(after.values).all(), f"{when} nothing is read any more")
        return
    off = float(np.max(np.abs(after.values - before.values)))
    require(off <= near, f"{when} it reads {after.values}, before {before.values} {before.unit}")


def _require_checksum(subject: Subject) -> None:
    """Errors: NotChecked where the device says that its line has no checksum: what is damaged
    or doubled there can be told by nobody."""
    with subject.opened() as one:
        checksum = _detail(subject, one, "line_checksum")
    if checksum is False:
        raise NotChecked("the device says that its line has no checksum (identity)")


def _detail(subject: Subject, one: Opened, name: str) -> Scalar | None:
    """What a device says of its line in its identity; None where it does not."""
    return one.device.identity(subject.within(_WITHIN_S)).detail.get(name)


def _doubles(subject: Subject) -> str:
    _require_checksum(subject)
    return _bad_line(subject, {"kind": "duplicate"}, "answers that come twice")


def _damage(subject: Subject) -> str:
    with subject.opened() as one:
        if not isinstance(one.device, Joints):
            raise NotChecked("only buses of joints are sure to have a checksum")
    _require_checksum(subject)
    return _bad_line(subject, {"kind": "corrupt", "every": 2}, "answers with a wrong bit")


def _bad_line(subject: Subject, fault: dict[str, object], what: str) -> str:
    """Reads through a bad line: each is right, or absent, or says that it failed."""
    allowed = (DeadlineMissed, DeviceFault, ProtocolError)
    with subject.opened() as one:
        look = _looking(one)
        before = look(subject.within(_WITHIN_S))
        subject.faults(one, fault)
        seen = [subject.timely(f"read with {what}", look, _SHORT_S, allowed) for _ in range(_TRIES)]
        one.link.lift_faults()
        after = _settled(subject, look)
    whole = [outcome for outcome in seen if isinstance(outcome, Look)]
    near = _NEAR.get(before.unit, np.inf)
    for outcome in whole:
        here = ~np.isnan(outcome.values)
        off = np.abs(outcome.values - before.values)[here]
        require(not (off > near).any(), f"{what}: it took {outcome.values} for true")
    _require_same(before, after, f"after {what}")
    gaps = sum(bool(np.isnan(outcome.values).any()) for outcome in whole)
    return f"{_TRIES} reads, {_TRIES - len(whole)} failed, {gaps} with gaps, none of them wrong"


def _unplug(subject: Subject) -> str:
    with subject.opened() as one:
        look = _looking(one)
        look(subject.within(_WITHIN_S))
        # a phone is made safe through its adb server, whatever becomes of the way to its agent
        elsewhere = _detail(subject, one, "line_proves_safe") is False
        subject.faults(one, {"kind": "unplug", "direction": "both"})
        for _ in range(2):
            lost = subject.timely("read without a link", look, _SHORT_S, (LinkLost,))
            require(isinstance(lost, LinkLost), f"the link is gone, and it reads {lost!r:.80}")
        subject.timely("ping without a link", one.device.ping, _SHORT_S, (LinkLost,))
        told = subject.timely("health without a link", one.device.health, _SHORT_S, ())
        _require_told(told, "the link is gone")
        proof = subject.timely("make_safe", one.device.make_safe, _WITHIN_S, ())
        require(not isinstance(proof, HilError) and bool(proof.state), "the proof names no state")
        safe = not isinstance(proof, HilError) and proof.safe
        require(elsewhere or not safe, "the link is gone, and it calls itself safe")
        one.device.close()
        one.device.close()
    claimed = "proved safe by its other way" if safe else "no safe state is claimed"
    return f"LinkLost every time, within the deadline; {claimed}"


def _comes_back(subject: Subject) -> str:
    with subject.opened() as one:
        who = one.device.identity(subject.within(_WITHIN_S))
        subject.faults(one, {"kind": "unplug", "direction": "both"})
        subject.timely("ping without a link", one.device.ping, _SHORT_S, (LinkLost,))
    with subject.opened() as again:
        now = again.device.identity(subject.within(_WITHIN_S))
        again.device.ping(subject.within(_WITHIN_S))
    require((who.model, who.serial) == (now.model, now.serial), f"{who.model} came back as {now}")
    return "opened again by its identity, and the same device"


CHECKS = (
    Check("silence", "absence is never zero, and every call keeps its deadline", _silence),
    Check(
        "late answers",
        "an answer to an earlier question is not taken for this one's",
        _late_answers,
    ),
    Check("double answers", "an answer that comes twice does no harm", _doubles),
    Check("damaged answers", "a damaged answer is never taken for true", _damage),
    Check("unplug", "a link that is gone is LinkLost, every time, and nothing is safe", _unplug),
    Check("comes back", "after an unplug it can be opened again, and is the same", _comes_back),
)
