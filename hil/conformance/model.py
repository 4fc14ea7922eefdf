"""A check, what it is given, and what comes of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from hil.errors import DeviceFault

if TYPE_CHECKING:
    from hil.conformance.subject import Subject


class State(StrEnum):
    """What came of one check."""

    PASS = "pass"
    FAIL = "fail"  # the driver does not keep what the contract promises
    SKIPPED = "skipped"  # it cannot be checked here; the reason says why


@dataclass(frozen=True, slots=True)
class Check:
    """One promise of the contracts and the way to try it.

    `run` returns in a few words what it saw. Errors of `run`: NotConforming where the promise
    is broken, NotChecked where it cannot be tried; any other error is the driver's own.
    """

    name: str
    promise: str
    run: Callable[[Subject], str]


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
