"""Grippers with one degree of freedom."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from hil.clock import Deadline
from hil.contracts.base import Device


@dataclass(frozen=True, slots=True)
class GripperLimits:
    """What a gripper can do: widest opening in m, speed in m/s, force in N.

    `force_n` is (least, most) that it can be told to grip with; a maker's figure, not measured.
    """

    opening_m: float
    speed_m_s: tuple[float, float]
    force_n: tuple[float, float]


@dataclass(frozen=True, slots=True)
class GripperCommand:
    """Opening between the fingers in m, speed in m/s, gripping force in N."""

    opening_m: float
    speed_m_s: float
    force_n: float


@dataclass(frozen=True, slots=True)
class GripperSample:
    """State as received in one read; NaN (and age `NEVER`) where nothing was.

    `holding` is what the gripper itself says of an object between its fingers, None where it
    cannot say; `moving` whether it is still on its way. `effort` is a fraction of its most.
    """

    stamp_ns: int
    opening_m: float
    effort: float
    moving: bool
    holding: bool | None
    age_ns: int


@runtime_checkable
class Gripper(Device, Protocol):
    """Two or more fingers that open and close together."""

    @property
    def limits(self) -> GripperLimits: ...

    def enable(self, deadline: Deadline) -> None:
        """Bring it to where it takes commands (activation); may move and take seconds.

        Errors: DeviceFault with what the gripper says is wrong, DeadlineMissed, LinkLost.
        """
        ...

    def read(self, deadline: Deadline) -> GripperSample:
        """One read; a gripper that is silent gives an absent sample. Errors: LinkLost."""
        ...

    def command(self, wanted: GripperCommand, deadline: Deadline) -> GripperCommand:
        """Send a target; returns it as it went over the wire, after limits and quantisation.

        After `open` and after `make_safe`, until `enable` has succeeded, it sends nothing and
        raises HarnessError with role and remedy, also where the gripper itself is still active:
        a target would move what was proved at rest. Errors: HarnessError, DeadlineMissed,
        LinkLost, DeviceFault (it refuses, or is no longer active).
        """
        ...
