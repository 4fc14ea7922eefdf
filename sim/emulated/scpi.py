"""An emulated supply with a load behind it, and an emulated meter; both speak SCPI.

Approximations: the load is a resistor; the supply limits its current at once and measures
itself exactly; switching takes no time. What is left out of SCPI: everything that no driver of
this project asks.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Mapping

from pydantic import BaseModel, ConfigDict, Field

from hil.config import validate
from sim.emulated.textual import TextDevice
from sim.twin.emulator import Hosted, Scalar
from sim.twin.pacing import Transmission

_QUEUE = 10
_UNDEFINED = '-113,"Undefined header"'
_PARAMETER = '-104,"Data type error"'
_RANGE = '-222,"Data out of range"'
_OVERFLOW = '-350,"Queue overflow"'
_NONE = '0,"No error"'
_LONG = re.compile(r"(?<=[A-Z])[a-z]+")


class SupplyOptions(BaseModel):
    """Options of emulator `scpi-supply`: its limits, and the resistor at its terminals."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    baud: int = Field(9600, gt=0)
    identity: str = "HIL,EMULATED-SUPPLY,0001,1.0"
    most_volts: float = Field(30.0, gt=0)
    most_amperes: float = Field(5.0, gt=0)
    load_ohm: float = Field(10.0, gt=0)


class MeterOptions(BaseModel):
    """Options of emulator `scpi-meter`: what it measures of each quantity."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    baud: int = Field(9600, gt=0)
    identity: str = "HIL,EMULATED-METER,0002,1.0"
    volts: float = 5.0
    amperes: float = 0.25
    ohms: float = 1000.0


class _Errors:
    """The error queue: ten entries, the last of them says when there were more."""

    def __init__(self) -> None:
        self._queue: deque[str] = deque()

    def add(self, error: str) -> None:
        if len(self._queue) < _QUEUE:
            self._queue.append(error)
        else:
            self._queue[-1] = _OVERFLOW

    def next(self) -> str:
        return self._queue.popleft() if self._queue else _NONE

    def clear(self) -> None:
        self._queue.clear()


Command = Callable[[str], str | None]


class _Scpi:
    """Carries out one line: commands parted by semicolons, in short or long form."""

    def __init__(self, identity: str, commands: Mapping[str, Command]) -> None:
        self.errors = _Errors()
        own: dict[str, Command] = {
            "*IDN?": lambda _: identity,
            "*OPC?": lambda _: "1",
            "*CLS": lambda _: self.errors.clear(),
            "SYSTem:ERRor?": lambda _: self.errors.next(),
            "SYSTem:ERRor:NEXT?": lambda _: self.errors.next(),
            "SYSTem:REMote": lambda _: None,
            "SYSTem:LOCal": lambda _: None,
        }
        self._commands: dict[str, Command] = {}
        for header, command in {**own, **commands}.items():
            self._commands[header.upper()] = command
            self._commands[_LONG.sub("", header).upper()] = command

    def line(self, text: str) -> list[str]:
        """Answers of one line, joined as IEEE 488.2 asks."""
        answers = []
        for unit in text.split(";"):
            header, _, argument = unit.strip().lstrip(":").partition(" ")
            command = self._commands.get(header.upper())
            if command is None:
                self.errors.add(_UNDEFINED)
                continue
            answer = command(argument.strip())
            if answer is not None:
                answers.append(answer)
        return [";".join(answers)] if answers else []


class Supply:
    """One output (`sim.twin.emulator.Emulator`)."""

    def __init__(self, options: SupplyOptions) -> None:
        self._options = options
        self._load_ohm = options.load_ohm
        self._reset("")
        self._scpi = _Scpi(
            options.identity,
            {
                "*RST": self._reset,
                "VOLTage": self._set_volts,
                "VOLTage?": lambda _: f"{self._volts:.4f}",
                "CURRent": self._set_limit,
                "CURRent?": lambda _: f"{self._limit:.4f}",
                "OUTPut": self._switch,
                "OUTPut?": lambda _: str(int(self._on)),
                "MEASure:VOLTage?": lambda _: f"{self.volts:.4f}",
                "MEASure:CURRent?": lambda _: f"{self.amperes:.4f}",
            },
        )
        self._text = TextDevice(options.baud, self._scpi.line, b"\n")

    @property
    def baud(self) -> int:
        return self._options.baud

    @property
    def volts(self) -> float:
        """At its terminals, V."""
        return min(self._volts, self._limit * self._load_ohm) if self._on else 0.0

    @property
    def amperes(self) -> float:
        """Through the load, A."""
        return self.volts / self._load_ohm

    def receive(self, data: bytes, now_ns: int, line_baud: int) -> list[Transmission]:
        return self._text.receive(data, now_ns, line_baud)

    def due_ns(self) -> int | None:
        return None

    def wake(self, now_ns: int) -> list[Transmission]:
        return []

    def status(self) -> Mapping[str, Scalar]:
        return {
            **self._text.status(),
            "output_on": self._on,
            "volts": self.volts,
            "amperes": self.amperes,
        }

    def control(self, args: Mapping[str, object]) -> None:
        """`load_ohm` changes the load; everything else is a fault of the line."""
        asked = dict(args)
        if "load_ohm" in asked:
            data = {"load_ohm": asked.pop("load_ohm")}
            self._load_ohm = validate(data, SupplyOptions, "control of scpi-supply").load_ohm
        self._text.control(asked)

    def _reset(self, _argument: str) -> None:
        self._volts, self._limit, self._on = 0.0, self._options.most_amperes, False

    def _set_volts(self, argument: str) -> None:
        self._volts = self._number(argument, self._options.most_volts, self._volts)

    def _set_limit(self, argument: str) -> None:
        self._limit = self._number(argument, self._options.most_amperes, self._limit)

    def _number(self, argument: str, most: float, present: float) -> float:
        try:
            value = float(argument)
        except ValueError:
            self._scpi.errors.add(_PARAMETER)
            return present
        if not 0 <= value <= most:
            self._scpi.errors.add(_RANGE)
            return present
        return value

    def _switch(self, argument: str) -> None:
        state = {"ON": True, "1": True, "OFF": False, "0": False}.get(argument.upper())
        if state is None:
            self._scpi.errors.add(_PARAMETER)
            return
        self._on = state


class Meter:
    """A multimeter (`sim.twin.emulator.Emulator`)."""

    def __init__(self, options: MeterOptions) -> None:
        self._options = options
        self._selected = "volts"
        self._overload = False
        select: dict[str, str] = {
            "CONFigure:VOLTage:DC": "volts",
            "CONFigure:CURRent:DC": "amperes",
            "CONFigure:RESistance": "ohms",
        }
        self._scpi = _Scpi(
            options.identity,
            {
                "*RST": self._select("volts"),
                "READ?": lambda _: self._read(),
                **{header: self._select(name) for header, name in select.items()},
            },
        )
        self._text = TextDevice(options.baud, self._scpi.line, b"\n", think_ms=20.0)

    @property
    def baud(self) -> int:
        return self._options.baud

    def receive(self, data: bytes, now_ns: int, line_baud: int) -> list[Transmission]:
        return self._text.receive(data, now_ns, line_baud)

    def due_ns(self) -> int | None:
        return None

    def wake(self, now_ns: int) -> list[Transmission]:
        return []

    def status(self) -> Mapping[str, Scalar]:
        return {**self._text.status(), "selected": self._selected}

    def control(self, args: Mapping[str, object]) -> None:
        """`overload` makes it show one; `volts`, `amperes`, `ohms` change what it measures;
        everything else is a fault of the line."""
        asked = dict(args)
        self._overload = bool(asked.pop("overload", False))
        measured = {name: asked.pop(name) for name in ("volts", "amperes", "ohms") if name in asked}
        present = self._options.model_dump()
        self._options = validate({**present, **measured}, MeterOptions, "control of scpi-meter")
        self._text.control(asked)

    def _select(self, name: str) -> Command:
        def chosen(_argument: str) -> None:
            self._selected = name

        return chosen

    def _read(self) -> str:
        return "9.9E37" if self._overload else f"{getattr(self._options, self._selected):+.8E}"


SUPPLY = Hosted(SupplyOptions, Supply)
METER = Hosted(MeterOptions, Meter)
