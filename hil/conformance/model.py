"""What comes of a check, and how a promise that is broken is told."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from hil.errors import DeviceFault


class State(StrEnum):
    """What came of one check."""

    PASS = "pass"
    FAIL = "fail"  # the driver does not keep what the contract promises
    SKIPPED = "skipped"  # it cannot be checked here; the reason says why


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a check, and how long it took, s."""

    name: str
    promise: str
    state: State
    detail: str
    took_s: float


class NotConforming(DeviceFault):
    """The driver breaks a promise of `hil.contracts`."""


class NotChecked(DeviceFault):
    """The promise cannot be tried on this device or this rig."""


def require(kept: bool, said: str) -> None:
    """Errors: NotConforming with `said` where the promise is not kept."""
    if not kept:
        raise NotConforming(said)
