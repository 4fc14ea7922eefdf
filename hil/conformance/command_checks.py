"""Promises on commands: none is taken before the device was enabled, nor once it was made safe."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from hil.clock import NS_PER_MS, Deadline
from hil.conformance.check import Check
from hil.conformance.looks import looking
from hil.conformance.model import NotChecked, NotConforming, require
from hil.conformance.subject import Opened, Subject
from hil.contracts import Capability, Device, FloatArray, Gripper, GripperCommand, Joints
from hil.errors import HarnessError

_WITHIN_S = 2.0
_ENABLE_WITHIN_S = 10.0
"""A gripper's activation takes seconds."""

_READ_NS = 200 * NS_PER_MS
_NOTHING_LEAVES = {"kind": "drop", "direction": "to-device"}


@dataclass(frozen=True, slots=True)
class Commanded:
    """A device that takes commands: how it is enabled, and told to stay where it is."""

    enable: Callable[[Deadline], None]
    stay: Callable[[Deadline], object]


def commanded(device: Device, deadline: Deadline) -> Commanded:
    """Reads where the device is, which is the target that moves nothing. Errors: NotChecked for
    one that takes no targets; NotConforming where its reads have gaps; those of its `read`."""
    if Capability.JOINTS in device.capabilities and isinstance(device, Joints):
        arm, here = device, _whole_read(device, deadline)
        return Commanded(arm.enable, lambda until: arm.command(here, until))
    if Capability.GRIPPER in device.capabilities and isinstance(device, Gripper):
        gripper, opening_m = device, float(_whole_read(device, deadline)[0])
        slowest, least = gripper.limits.speed_m_s[0], gripper.limits.force_n[0]
        target = GripperCommand(opening_m, slowest, least)
        return Commanded(gripper.enable, lambda until: gripper.command(target, until))
    raise NotChecked("it takes no targets: it has no joints and is no gripper")


def _whole_read(device: Device, deadline: Deadline) -> FloatArray:
    """The first read without a gap: a target with one would be refused for another reason."""
    look = looking(device)
    while look is not None and not deadline.expired:
        values = look(deadline.sooner(_READ_NS)).values
        if not np.isnan(values).any():
            return values
    raise NotConforming("it never says where it is as a whole")


def _enabled_first(subject: Subject) -> str:
    """Refused after `open`; taken after `enable`; refused after `make_safe`, and safe still."""
    with subject.opened() as one:
        device = commanded(one.device, subject.within(_WITHIN_S))
        try:
            _require_refused(subject, one, device, "after open")
            device.enable(subject.within(_ENABLE_WITHIN_S))
            subject.timely("command once enabled", device.stay, _WITHIN_S, ())
        finally:
            safe = one.device.make_safe(subject.within(_WITHIN_S))
        require(safe.safe, f"it could not be made safe: {safe.state}")
        try:
            said = _require_refused(subject, one, device, "after make_safe")
        finally:
            still = one.device.make_safe(subject.within(_WITHIN_S))
    same = still.safe and still.state == safe.state
    require(same, f"it was {safe.state!r}, and after a command that it refused {still.state!r}")
    return said


def _require_refused(subject: Subject, one: Opened, device: Commanded, when: str) -> str:
    """A command is a HarnessError with role and remedy, and no byte leaves for the device.

    What leaves shows on a line that takes faults: there it is dropped and counted, so that not
    even a driver without the promise energises anything. On another line the error alone tells.
    """
    link = one.spec.control.link
    if link is not None:
        subject.faults(one, _NOTHING_LEAVES)
    try:
        outcome = subject.timely(f"command {when}", device.stay, _WITHIN_S, (HarnessError,))
    finally:
        dropped = link.lift_faults() if link is not None else {}
    require(isinstance(outcome, HarnessError), f"{when} it takes a command without being enabled")
    sent = dropped.get("lost_bytes", 0)
    require(not sent, f"{when} it refuses a command, but has sent {sent} bytes")
    _require_helpful(outcome, one.device.role)
    seen = "nothing was sent" if link is not None else "its line cannot be watched"
    return f"refused after open and after make_safe, and safe still; {seen}"


def _require_helpful(error: object, role: str) -> None:
    if isinstance(error, HarnessError):
        require(role in error.message, f"the refusal does not name {role!r}: {error.message}")
        require(bool(error.remedy), f"the refusal has no remedy: {error.message}")


CHECKS = (
    Check(
        "enabled first",
        "until it is enabled, and again once made safe, a command is refused and nothing is sent",
        _enabled_first,
    ),
)
