"""What a check is asked to look at."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path

from hil.check.person import Person
from rigs.schema import Rig


@dataclass(frozen=True, slots=True)
class Wanted:
    """The rig, and how thoroughly it is checked.

    `trips` round trips a device; `rate_hz` of the loop, that of the fastest fitting scenario
    where it is None; `move` what moves; `press` the emergency stops, for which the `person` is
    asked. `today` is the UTC date by which calibrations are due.
    """

    rig: Rig
    path: Path
    today: date
    trips: int = 200
    rate_hz: float | None = None
    move: bool = False
    press: bool = False
    person: Person | None = None
