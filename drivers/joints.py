"""What chains of joints share, whatever drives them: ranges, and the refusal of silent ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np

from hil.contracts import FloatArray, JointLimits
from hil.errors import DeviceFault


class Ranged(Protocol):
    """One joint of a robot's file: its range, rad, and its highest speed, rad/s."""

    @property
    def lower(self) -> float: ...

    @property
    def upper(self) -> float: ...

    @property
    def velocity(self) -> float: ...


def limits_of(joints: Sequence[Ranged]) -> JointLimits:
    """Ranges and speeds of n joints, arrays of shape (n,) in their order."""
    return JointLimits(
        lower=np.array([joint.lower for joint in joints]),
        upper=np.array([joint.upper for joint in joints]),
        velocity=np.array([joint.velocity for joint in joints]),
    )


def between(limits: JointLimits, one_end: FloatArray, other_end: FloatArray) -> JointLimits:
    """The limits with another range: from one end to the other, rad, shape (n,). Which of the
    two is the lower is each joint's own affair: a motor may run against its joint."""
    ends = np.stack([one_end, other_end])
    return replace(limits, lower=ends.min(axis=0), upper=ends.max(axis=0))


def refuse_silent(role: str, what: str, silent: Sequence[str]) -> None:
    """Errors: DeviceFault naming the joints that did not answer while `what` was done."""
    if silent:
        raise DeviceFault(
            f"{role}: {what}: no answer from {', '.join(silent)}", "check supply and cables"
        )
