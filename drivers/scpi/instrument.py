"""What supplies and meters share: commands as data, a line, identity, errors, counters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, Field

from drivers.modelfiles import ModelFolder
from drivers.scpi.codec import ScpiIdentity, parse_error, parse_identity, parse_number, parse_switch
from drivers.textline import AsciiText, TextLine
from drivers.transport.link import open_link
from hil.clock import NS_PER_MS, Clock, Deadline
from hil.contracts import DeviceSpec, Finding, Identity
from hil.errors import DeadlineMissed, DeviceFault, HarnessError, LinkLost
from hil.failure import on_failure

MOST_ERRORS = 20
"""Entries read from an error queue at once; queues hold 10 to 20."""

_QUIET_NS = 60 * NS_PER_MS
_ERROR_NS = 200 * NS_PER_MS
_INSTRUMENTS = ModelFolder("drivers.scpi", "instruments", "SCPI instrument")
Schema = TypeVar("Schema", bound=BaseModel)


class LineTable(BaseModel):
    """How the instrument's serial line is set, and the commands that all of them have."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    model: str
    baud: int = Field(9600, gt=0)
    line_end: AsciiText = "\n"
    identity: AsciiText = "*IDN?"
    next_error: AsciiText = Field("SYST:ERR?", description="empty where it has no error queue")
    remote: AsciiText = Field("SYST:REM", description="empty where it needs no such command")
    local: AsciiText = Field("SYST:LOC", description="hands it to its panel; empty: not needed")


def load_instrument(name: str, base: Path, schema: type[Schema]) -> Schema:
    """The table of a model: one of this package by its name, or a .toml file of one's own
    relative to the rig file. Errors: BadInput naming the models there are."""
    return _INSTRUMENTS.load(name, schema, base)


class Instrument:
    """The line of one instrument between open and close. Not for use from two threads.

    Nothing in an answer says which question it belongs to, but answers come in order: once one
    was missed, the instrument is asked who it is, and all lines before that answer are late.
    """

    def __init__(self, spec: DeviceSpec, table: LineTable, clock: Clock) -> None:
        self._spec, self._table, self._clock = spec, table, clock
        self._line: TextLine | None = None
        self._marker = ""
        self._unsure = False
        self._faults = {"instrument_errors": 0, "late_answers": 0}

    @property
    def is_open(self) -> bool:
        return self._line is not None

    def open(self, deadline: Deadline) -> ScpiIdentity:
        """Take the port, ask who is there, clear its error queue.

        Errors: those of `open_link`, DeadlineMissed, DeviceFault (it does not say who it is).
        """
        if self._line is not None:
            raise HarnessError(f"{self._spec.role} is open already")
        end = self._table.line_end.encode("ascii")
        link = open_link(self._spec, self._table.baud, self._clock)
        self._line = TextLine(link, self._clock, end)
        with on_failure(self.close):
            if self._table.remote:
                self._line.tell(self._table.remote, deadline)
            who = self.identify(deadline)
            self._clear_errors(deadline)
        return who

    def identify(self, deadline: Deadline) -> ScpiIdentity:
        """Who it says it is. Errors: DeadlineMissed, LinkLost, DeviceFault."""
        text = self.ask(self._table.identity, deadline)
        who = parse_identity(text)
        if not who.model:
            raise self._unfit(text, self._table.identity)
        self._marker = text
        return who

    @property
    def role(self) -> str:
        return self._spec.role

    def ask(self, question: str, deadline: Deadline) -> str:
        """The answer as it came. Errors: DeadlineMissed, LinkLost."""
        line = self._opened()
        try:
            if self._unsure and self._marker:
                self._find_place(line, deadline)
            return line.ask(question, deadline)
        except DeadlineMissed:
            self._unsure = True
            raise

    def _find_place(self, line: TextLine, deadline: Deadline) -> None:
        """Pass over answers to earlier questions, and over those to earlier attempts at this."""
        line.tell(self._table.identity, deadline)
        before = line.counters.lines
        line.find(lambda text: True if text == self._marker else None, deadline)
        self._unsure = not line.settle(_QUIET_NS, deadline)
        self._faults["late_answers"] += line.counters.lines - before - 1

    def _unfit(self, text: str, question: str) -> DeviceFault:
        """An answer to something else: from now on the place among the answers is in doubt."""
        self._unsure = True
        return DeviceFault(f"{self.role}: {text[:60]!r} is no answer to {question!r}")

    def number(self, question: str, deadline: Deadline) -> float:
        """A number. Errors: DeviceFault where the answer is none, or an overload."""
        text = self.ask(question, deadline)
        value = parse_number(text)
        if value is None:
            raise self._unfit(text, question)
        if value - value != 0:  # inf and NaN
            raise DeviceFault(f"{self.role}: overload at {question!r} ({text.strip()})")
        return value

    def switch(self, question: str, deadline: Deadline) -> bool:
        """A state that is on or off. Errors: as `number`."""
        text = self.ask(question, deadline)
        state = parse_switch(text)
        if state is None:
            raise self._unfit(text, question)
        return state

    def command(self, text: str, deadline: Deadline) -> None:
        """Send a command and read its error, if it left one.

        Errors: DeviceFault with what the instrument says, DeadlineMissed, LinkLost.
        """
        self._opened().tell(text, deadline)
        if not self._table.next_error:
            return
        error = parse_error(self.ask(self._table.next_error, deadline))
        if error is None or error.code != 0:
            self._faults["instrument_errors"] += 1
            self._clear_errors(deadline)
            raise DeviceFault(f"{self.role} refuses {text!r}: {error or 'no error code'}")

    def finding(self, deadline: Deadline) -> Finding:
        """Whether it answers, and what is in its error queue."""
        try:
            who = self.identify(deadline)
            left = self._clear_errors(deadline)
        except (LinkLost, DeadlineMissed, DeviceFault) as error:
            return Finding("link", False, error.message, error.remedy or "check cable and supply")
        if left:
            return Finding(
                "errors", False, "; ".join(left), "see the instrument's manual; it is cleared now"
            )
        return Finding("link", True, f"{who.maker} {who.model} answers, no errors")

    def about(self, deadline: Deadline) -> Identity:
        """Its identity for the record."""
        who = self.identify(deadline)
        return Identity(
            f"{who.maker} {who.model}".strip(),
            serial=who.serial,
            firmware=who.firmware,
            detail={"port": self._opened().description, "commands": self._table.model},
        )

    def counters(self) -> Mapping[str, int]:
        """Faults by name."""
        line = asdict(self._line.counters) if self._line is not None else {}
        return {**self._faults, **line}

    def close(self) -> None:
        """Hand it back to its panel and release the port; never raises."""
        line, self._line = self._line, None
        if line is None:
            return
        try:
            if self._table.local:
                line.tell(self._table.local, Deadline.after(self._clock, _ERROR_NS))
        except (LinkLost, DeadlineMissed):
            self._faults["instrument_errors"] += 1
        finally:
            line.close()

    def _clear_errors(self, deadline: Deadline) -> list[str]:
        """Read the error queue empty; what was in it."""
        found: list[str] = []
        if not self._table.next_error:
            return found
        for _ in range(MOST_ERRORS):
            error = parse_error(self.ask(self._table.next_error, deadline))
            if error is None or error.code == 0:
                break
            found.append(str(error))
        return found

    def _opened(self) -> TextLine:
        if self._line is None:
            raise LinkLost(f"{self._spec.role} is not open")
        return self._line
