"""What the harness and its workers say to each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hil.errors import HilError
from hil.plan.freeze import Plan
from hil.run.conduct import Ending
from hil.run.episode import Attempt


@dataclass(frozen=True, slots=True)
class Job:
    """To the worker: this plan, on these ports. Answered by `Built` or `Refused`."""

    plan: Plan
    addresses: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Built:
    """The bench has what the plan needs; nothing is open yet."""


@dataclass(frozen=True, slots=True)
class Refused:
    """It has not."""

    error: HilError


@dataclass(frozen=True, slots=True)
class Go:
    """To the worker: the record is open, the watchdog watches; begin."""


@dataclass(frozen=True, slots=True)
class Try:
    """To a worker of a simulated run: run this episode on a bench of its own. Answered by a
    `hil.run.trial.Trial`."""

    episode: str


@dataclass(frozen=True, slots=True)
class Stop:
    """To the worker: end between two ticks, for this cause, noticed at this instant of the run's
    clock; None where that is the worker's own, as a virtual one is."""

    cause: str
    at_ns: int | None = None


@dataclass(frozen=True, slots=True)
class Phase:
    text: str


@dataclass(frozen=True, slots=True)
class Row:
    """A row for the ledger."""

    row: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Begun:
    """An attempt at this episode begins."""

    episode: str


@dataclass(frozen=True, slots=True)
class Tried:
    """An attempt has ended; a copy of its record."""

    attempt: Attempt


@dataclass(frozen=True, slots=True)
class Wire:
    """The next piece of what was captured on the link of a role."""

    role: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Done:
    """The rig is as safe as its proofs say and the devices are closed; the worker ends."""

    ending: Ending
