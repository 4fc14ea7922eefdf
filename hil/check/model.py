"""What a check finds, as data, and the report that collects it."""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from hil.errors import HilError

Figures = Mapping[str, Any]
_NONE: Figures = MappingProxyType({})

_NO_REMEDY = "check supply, cables and settings; the device's own documentation may say more"
_DEFECT = "a defect of its driver: report it to whoever wrote that, with this line"


class State(StrEnum):
    """What a finding means for the rig."""

    OK = "ok"
    BAD = "bad"  # something has to be done about it
    NOTE = "note"  # worth knowing, and no reason not to use the rig
    SKIPPED = "skipped"  # not looked at; the detail says why


class Part(StrEnum):
    """Where a finding belongs, in the order in which a report has them."""

    CALIBRATION = "calibrations"
    HOST = "host"
    PORT = "ports"
    DEVICE = "devices"
    TIMING = "round trips"
    SCENE = "cameras and trackers"
    STOP = "emergency stops"
    MOTION = "motion"
    SAFE = "safe state"


@dataclass(frozen=True, slots=True)
class Result:
    """One finding. `role` is the device's, empty for the rig or the host as a whole.

    `remedy` says what to do where it is bad. `figures` is plain data for a program to read.
    """

    part: Part
    role: str
    name: str
    state: State
    detail: str
    remedy: str = ""
    figures: Figures = field(default_factory=dict)

    def as_data(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "part": str(self.part),
            "role": self.role,
            "name": self.name,
            "state": str(self.state),
            "detail": self.detail,
            "remedy": self.remedy,
            "figures": plain(self.figures),
        }


def plain(value: object) -> Any:
    """As JSON has it: what is no finite number is null, what is no plain data its text."""
    match value:
        case str() | bool() | None:
            return value
        case numbers.Integral():
            return int(value)
        case numbers.Real():
            return float(value) if math.isfinite(value) else None
        case Mapping():
            return {str(key): plain(one) for key, one in value.items()}
        case list() | tuple():
            return [plain(one) for one in value]
        case _:
            return str(value)


@dataclass(frozen=True, slots=True)
class About:
    """What the findings made with it are about."""

    part: Part
    role: str = ""

    def ok(self, name: str, detail: str, figures: Figures = _NONE) -> Result:
        return Result(self.part, self.role, name, State.OK, detail, figures=figures)

    def note(self, name: str, detail: str, figures: Figures = _NONE) -> Result:
        return Result(self.part, self.role, name, State.NOTE, detail, figures=figures)

    def skipped(self, name: str, why: str) -> Result:
        return Result(self.part, self.role, name, State.SKIPPED, why)

    def bad(self, name: str, detail: str, remedy: str, figures: Figures = _NONE) -> Result:
        return Result(self.part, self.role, name, State.BAD, detail, remedy, figures)

    def error(self, name: str, error: Exception) -> Result:
        """The finding that something was raised in place of an answer."""
        if isinstance(error, HilError):
            return self.bad(name, error.message, error.remedy or _NO_REMEDY)
        return self.bad(name, f"{type(error).__name__}: {error}", _DEFECT)


class Report:
    """Findings in the order in which they were made; `tell` hears of each at once.

    `stop` says whether somebody asked the check to end: then nothing more is looked at.
    """

    def __init__(
        self,
        tell: Callable[[Result], None] = lambda _: None,
        stop: Callable[[], bool] = lambda: False,
    ) -> None:
        self.results: list[Result] = []
        self._tell = tell
        self._stop = stop

    def add(self, result: Result) -> None:
        self.results.append(result)
        self._tell(result)

    def run(self, about: About, name: str, check: Callable[[], Iterable[Result]]) -> None:
        """Collect what a check finds; what it raises is a finding called `name` as well.

        Whatever a driver raises counts, a defect too: the other devices are still to be checked.
        """
        if self._stop():
            return
        try:
            for result in check():
                self.add(result)
        except Exception as error:  # noqa: BLE001  see above
            self.add(about.error(name, error))

    def count(self, state: State) -> int:
        """How many findings are in this state."""
        return sum(result.state is state for result in self.results)

    @property
    def good(self) -> bool:
        """Whether nothing bad was found."""
        return not self.count(State.BAD)
