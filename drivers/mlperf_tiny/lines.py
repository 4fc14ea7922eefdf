"""Bytes of the MLPerf-Tiny UART protocol to lines and commands, and back. Pure, no I/O.

To the board: an ASCII command, arguments apart by one space, ended by `%`; no CR, no LF, no
checksum, no echo. From the board: lines ended by CR LF (one message has LF alone). Source of
the facts: mlcommons/tiny, `benchmark/api` (the parser all boards share) and
`benchmark/runner` (the host of the reference).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from hil.errors import HarnessError

MAX_LINE: Final = 4096
"""Longest line taken from a board, bytes; the longest a reference board sends is its results."""

MAX_COMMAND: Final = 80
"""Characters that a board keeps of a command; it cuts a longer one without a word."""

TERMINATOR: Final = b"%"
DATA_BYTES: Final = 31
"""Bytes of the tensor that go into one `db` command, as the reference's host sends them."""

_DROPPED = b"\r\x00"
"""Bytes that the reference's host takes out of every line."""


@dataclass(slots=True)
class LineCounters:
    """`overlong_lines` were dropped; `lines` are the others, empty ones left out."""

    lines: int = 0
    overlong_lines: int = 0


class LineReader:
    """Bytes in any portions -> lines without their end. Never raises; keeps `MAX_LINE` bytes.

    Bytes outside ASCII come out as `\\xNN`, so that noise cannot look like a message.
    """

    def __init__(self, longest: int = MAX_LINE) -> None:
        self.counters = LineCounters()
        self._longest = longest
        self._pending = bytearray()
        self._overlong = False

    @property
    def pending(self) -> int:
        """Bytes kept of a line that has not ended."""
        return len(self._pending)

    def feed(self, data: bytes) -> list[str]:
        """Lines that `data` completes, in order; empty ones are left out."""
        *ends, rest = data.split(b"\n")
        lines = []
        for piece in ends:
            self._extend(piece)
            line = self._finish()
            if line:
                lines.append(line)
        self._extend(rest)
        self.counters.lines += len(lines)
        return lines

    def _extend(self, piece: bytes) -> None:
        kept = piece.translate(None, _DROPPED)
        if self._overlong or len(self._pending) + len(kept) > self._longest:
            self._overlong = True
            self._pending.clear()
        else:
            self._pending += kept

    def _finish(self) -> str:
        line = self._pending.decode("ascii", "backslashreplace")
        self._pending.clear()
        if self._overlong:
            self._overlong = False
            self.counters.overlong_lines += 1
            return ""
        return line


class CommandReader:
    """The board's side: bytes in any portions -> commands as the shared parser sees them.

    What exceeds `MAX_COMMAND` characters is cut off, and a NUL ends the text early, as in the
    C string that the parser works on. A bare `%` gives b"", which is what kills that parser.
    """

    def __init__(self) -> None:
        self._pending = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """Commands that `data` completes, in order."""
        *ends, rest = data.split(TERMINATOR)
        commands = []
        for piece in ends:
            self._extend(piece)
            commands.append(bytes(self._pending.partition(b"\x00")[0]))
            self._pending.clear()
        self._extend(rest)
        return commands

    def forget(self) -> None:
        """Drop an unfinished command: the board was reset."""
        self._pending.clear()

    def _extend(self, piece: bytes) -> None:
        self._pending += piece[: MAX_COMMAND - len(self._pending)]


def encode_command(command: str) -> bytes:
    """Bytes of one command, terminator included.

    Errors: HarnessError for what a board would not take as it is: an empty command (the
    reference parser does not survive a bare `%`), one it would cut, a line end, another
    terminator, anything that is not printable ASCII.
    """
    if not command.strip(" "):
        raise HarnessError("a bare `%` would stop the board's parser; a command is needed")
    if len(command) > MAX_COMMAND:
        raise HarnessError(f"{len(command)} characters: a board keeps {MAX_COMMAND} of a command")
    if not (command.isascii() and command.isprintable()) or "%" in command:
        raise HarnessError(f"{command!r}: commands are printable ASCII without `%`")
    return command.encode("ascii") + TERMINATOR


def data_commands(data: bytes, size: int = DATA_BYTES) -> Iterator[str]:
    """The `db` commands that carry `data`, at most `size` bytes each."""
    for start in range(0, len(data), size):
        yield f"db {data[start : start + size].hex()}"
