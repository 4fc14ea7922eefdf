"""What a board says, as typed messages: one line in, one message out. Pure, never raises.

A line that begins with `m-` is a message, one with `e-[` an error. Every other line is debug
output, which is legal at any time, but for one error that has no prefix: the complaint about an
oversize `db load`. A message of a port's own, or one that does not have its form, is `Other`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Literal

from drivers.mlperf_tiny.lines import LineReader

Mode = Literal["performance", "energy"]


class Mark(StrEnum):
    """Messages that are always the same line.

    `READY`: the board waits for a command; `INIT_DONE`: it has just started; `LOAD_DONE`: as
    many bytes as announced have come.
    """

    READY = "m-ready"
    INIT_DONE = "m-init-done"
    LOAD_DONE = "m-load-done"
    WARMUP_DONE = "m-warmup-done"
    INFER_DONE = "m-infer-done"


@dataclass(frozen=True, slots=True)
class TimestampMode:
    """`m-timestamp-mode-performance` or `-energy`, told at the start."""

    mode: Mode


@dataclass(frozen=True, slots=True)
class Name:
    """`m-name-dut-[VENDOR]`: `device` is `dut` on most ports."""

    device: str
    vendor: str


@dataclass(frozen=True, slots=True)
class Profile:
    """`m-profile-[...]`: the firmware."""

    firmware: str


@dataclass(frozen=True, slots=True)
class Model:
    """`m-model-[ic01]` and the like: which network the firmware holds."""

    model: str


@dataclass(frozen=True, slots=True)
class Lap:
    """`m-lap-us-N`: microseconds since the board started, as its counter has them."""

    stamp_us: int


@dataclass(frozen=True, slots=True)
class Expecting:
    """`m-[Expecting N bytes]`: answer to `db load N`."""

    count: int


@dataclass(frozen=True, slots=True)
class Buffer:
    """`m-buffer-00-01-...`: a part of the tensor, read back."""

    data: bytes


@dataclass(frozen=True, slots=True)
class WarmupStart:
    """`m-warmup-start-W`."""

    count: int


@dataclass(frozen=True, slots=True)
class InferStart:
    """`m-infer-start-N`."""

    count: int


@dataclass(frozen=True, slots=True)
class Results:
    """`m-results-[...]` of the last inference; a port prints as many digits as it likes."""

    values: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Passthrough:
    """`m-dut-passthrough(...)`: the IO manager has handed a command on."""

    command: str


@dataclass(frozen=True, slots=True)
class Failure:
    """`e-[...]`: the board refuses the command."""

    text: str


@dataclass(frozen=True, slots=True)
class Other:
    """A message that is none of these; `text` with its prefix."""

    text: str


@dataclass(frozen=True, slots=True)
class Note:
    """Debug output."""

    text: str


Message = (
    Mark
    | TimestampMode
    | Name
    | Profile
    | Model
    | Lap
    | Expecting
    | Buffer
    | WarmupStart
    | InferStart
    | Results
    | Passthrough
    | Failure
    | Other
    | Note
)

RELAYED: Final = "[dut]: "
"""What an IO manager puts in front of a line of the board behind it."""

_PLAIN: dict[str, Message] = {
    **{mark.value: mark for mark in Mark},
    "m-timestamp-mode-performance": TimestampMode("performance"),
    "m-timestamp-mode-energy": TimestampMode("energy"),
}

_COUNT = r"(\d{1,20})"
_NUMBER = re.compile(r" *([-+]?(?:\d{1,20}(?:\.\d{0,20})?(?:[eE][-+]?\d{1,3})?|nan|inf)) *")


def _results(found: re.Match[str]) -> Message:
    """One of the reference's own ports leaves a comma behind the last value."""
    *texts, last = found[1].split(",")
    numbers = [_NUMBER.fullmatch(text) for text in (texts if not last.strip() else [*texts, last])]
    values = tuple(float(number[1]) for number in numbers if number)
    return Results(values) if len(values) == len(numbers) else Other(found[0])


_FORMS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], Message]], ...] = (
    (re.compile(rf"m-lap-us-{_COUNT}"), lambda found: Lap(int(found[1]))),
    (re.compile(r"m-name-([^-]+)-\[([^\]]*)\]"), lambda found: Name(found[1], found[2])),
    (re.compile(r"m-profile-\[([^\]]*)\]"), lambda found: Profile(found[1])),
    (re.compile(r"m-model-\[([^\]]*)\]"), lambda found: Model(found[1])),
    (re.compile(rf"m-\[Expecting {_COUNT} bytes\]"), lambda found: Expecting(int(found[1]))),
    (
        re.compile(r"m-buffer-((?:[0-9a-fA-F]{2}-)*[0-9a-fA-F]{2})"),
        lambda found: Buffer(bytes.fromhex(found[1].replace("-", ""))),
    ),
    (re.compile(rf"m-warmup-start-{_COUNT}"), lambda found: WarmupStart(int(found[1]))),
    (re.compile(rf"m-infer-start-{_COUNT}"), lambda found: InferStart(int(found[1]))),
    (re.compile(r"m-results-\[([^\]]*)\]"), _results),
    (re.compile(r"m-dut-passthrough\((.*)\)"), lambda found: Passthrough(found[1])),
    (re.compile(r"e-\[(.*)\]"), lambda found: Failure(found[1])),
    (
        re.compile(r"(Supplied buffer size -?\d+ exceeds maximum of \d+)"),
        lambda found: Failure(found[1]),
    ),
)


def parse(line: str) -> Message:
    """The message of one line."""
    plain = _PLAIN.get(line)
    if plain is not None:
        return plain
    for form, made in _FORMS:
        found = form.fullmatch(line)
        if found is not None:
            return made(found)
    return Other(line) if line.startswith("m-") else Note(line)


@dataclass(frozen=True, slots=True)
class Heard:
    """One message, and whether an IO manager relayed it from the board behind it."""

    message: Message
    relayed: bool = False


@dataclass(slots=True)
class Counters:
    """What was heard since the decoder was made.

    `glued_lines` are debug output without a line end that ran into `m-ready`; `other_messages`
    begin like a message and are none that is known.
    """

    debug_lines: int = 0
    glued_lines: int = 0
    other_messages: int = 0
    failures: int = 0


class Decoder:
    """Bytes in any portions -> what a board said. Never raises; bounded as `LineReader` is."""

    def __init__(self) -> None:
        self.counters = Counters()
        self.lines = LineReader()

    def feed(self, data: bytes) -> list[Heard]:
        """Messages that `data` completes, in order."""
        return [heard for line in self.lines.feed(data) for heard in self._hear(line)]

    def _hear(self, line: str) -> list[Heard]:
        relayed = line.startswith(RELAYED)
        text = line.removeprefix(RELAYED) if relayed else line
        message = parse(text)
        if isinstance(message, Failure):
            self.counters.failures += 1
        elif isinstance(message, Other):
            self.counters.other_messages += 1
        elif isinstance(message, Note):
            if text.endswith(Mark.READY):
                # the reference's host looks for m-ready anywhere in a line, so boards exist
                # that print without a line end
                self.counters.glued_lines += 1
                note = Note(text.removesuffix(Mark.READY))
                return [Heard(note, relayed), Heard(Mark.READY, relayed)]
            self.counters.debug_lines += 1
        return [Heard(message, relayed)]
