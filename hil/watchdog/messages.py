"""What the harness and its watchdog say to each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from hil.contracts import SafeProof
from rigs.schema import Rig


class Cause(StrEnum):
    """Why the watchdog stepped in."""

    DIED = "died"  # the loop's process is gone while something was at stake
    HUNG = "hung"  # it runs, or waits in a call, and gave no sign of life in time
    SUSPENDED = "suspended"  # somebody or something stopped it (SIGSTOP, a debugger)


@dataclass(frozen=True, slots=True)
class Prepare:
    """To the watchdog: build your own devices for these ports. Answered by `Ready`."""

    rig: Rig
    path: Path
    addresses: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Ready:
    """The watchdog has built its devices. `held` are the ports it keeps open beside their
    owner, `rescues` the roles that it can make safe without opening them first, `urgency` the
    scheduling it obtained."""

    held: tuple[str, ...]
    rescues: tuple[str, ...]
    urgency: str


@dataclass(frozen=True, slots=True)
class Watch:
    """To the watchdog: this is the loop's process."""

    pid: int


@dataclass(frozen=True, slots=True)
class AllClear:
    """The loop's process ended with nothing at stake."""


@dataclass(frozen=True, slots=True)
class Rescued:
    """The watchdog stepped in. Stamps are CLOCK_MONOTONIC in ns.

    `beat_ns` is the last sign of life, so that the time from it bounds the time from the true
    cause; `seen_ns` when the watchdog knew, `free_ns` when the loop's process was gone.
    """

    cause: Cause
    detail: str
    beat_ns: int
    seen_ns: int
    free_ns: int
    proofs: tuple[SafeProof, ...]
