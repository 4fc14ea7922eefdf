"""A check: one promise of the contracts and the way to try it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from hil.conformance.subject import Subject


@dataclass(frozen=True, slots=True)
class Check:
    """One promise of the contracts and the way to try it.

    `run` returns in a few words what it saw. Errors of `run`: NotConforming where the promise
    is broken, NotChecked where it cannot be tried; any other error is the driver's own.
    """

    name: str
    promise: str
    run: Callable[[Subject], str]
