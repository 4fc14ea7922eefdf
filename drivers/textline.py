"""Devices that speak in lines of text: bytes to lines, bounded, and a line asked for in time.

Used by instruments, relay boards and force gauges. Nothing in such a line says which question
it answers. So what is pending before a question is dropped and counted, and after an answer that
was missed the line has to fall quiet first, since that answer may still come.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, TypeVar

from pydantic import AfterValidator

from drivers.transport.base import Transport
from hil.clock import NS_PER_MS, Clock, Deadline
from hil.errors import DeadlineMissed

LONGEST_LINE = 4096
"""Bytes; what is longer is dropped up to its end and counted."""

_DRAIN_READS = 4
Found = TypeVar("Found")


def _ascii(text: str) -> str:
    if not text.isascii():
        raise ValueError(f"{text!r} has characters that no such line can carry")
    return text


AsciiText = Annotated[str, AfterValidator(_ascii)]
"""Text of a table that is to be sent in a line."""


@dataclass(slots=True)
class LineCounters:
    """What came since the line was opened. `lost_answers` did not come in time, `stale_lines`
    came before a question was asked, `overlong_lines` and `bad_bytes` (not ASCII) were dropped."""

    lines: int = 0
    lost_answers: int = 0
    stale_lines: int = 0
    overlong_lines: int = 0
    bad_bytes: int = 0


class LineDecoder:
    """Incremental: bytes to lines without their ends (`\\n`, `\\r\\n` or `\\r`). Pure.

    Never raises; memory is bounded by `LONGEST_LINE`. Empty lines are passed over. Bytes that
    are no printable ASCII are left out and counted.
    """

    def __init__(self) -> None:
        self._pending = bytearray()
        self._dropping = False
        self.counters = LineCounters()

    @property
    def pending(self) -> int:
        """Bytes kept of a line that has not ended; at most `LONGEST_LINE`."""
        return len(self._pending)

    def feed(self, data: bytes) -> list[str]:
        """The lines that `data` completes."""
        lines = []
        for byte in data:
            if byte in b"\r\n":
                line = self._finish()
                if line is not None:
                    lines.append(line)
            elif not 0x20 <= byte < 0x7F and byte != 0x09:
                self.counters.bad_bytes += 1
            elif not self._dropping:
                self._pending.append(byte)
                if len(self._pending) > LONGEST_LINE:
                    self._pending.clear()
                    self._dropping = True
                    self.counters.overlong_lines += 1
        self.counters.lines += len(lines)
        return lines

    def reset(self) -> bool:
        """Forget an unfinished line; whether there was one."""
        unfinished = bool(self._pending) or self._dropping
        self._pending.clear()
        self._dropping = False
        return unfinished

    def _finish(self) -> str | None:
        line = bytes(self._pending).decode("ascii")
        self._pending.clear()
        dropped, self._dropping = self._dropping, False
        return line if line.strip() and not dropped else None


class TextLine:
    """Questions and answers in lines of text. Owns the transport; one thread only.

    `end` closes every line that is sent; `quiet_ns` is for how long nothing has to come after a
    missed answer before the next question is asked.
    """

    def __init__(
        self,
        transport: Transport,
        clock: Clock,
        end: bytes = b"\n",
        quiet_ns: int = 50 * NS_PER_MS,
    ) -> None:
        self._transport, self._clock, self._end = transport, clock, end
        # what a former owner of the line asked may still be answered
        self._quiet_ns, self._unsure = quiet_ns, True
        self._decoder = LineDecoder()
        self._ready: list[str] = []

    @property
    def description(self) -> str:
        return self._transport.description

    @property
    def counters(self) -> LineCounters:
        """Live counters."""
        return self._decoder.counters

    def tell(self, text: str, deadline: Deadline) -> None:
        """Send one line, once nothing old is in the way. Errors: DeadlineMissed, LinkLost."""
        self.send(text.encode("ascii") + self._end, deadline)

    def send(self, data: bytes, deadline: Deadline) -> None:
        """Send bytes as they are, once nothing old is in the way. Errors: as `tell`."""
        if self._unsure:
            self._unsure = not self.settle(self._quiet_ns, deadline)
        self._drop_pending()
        self._transport.write(data, deadline)

    def ask(self, text: str, deadline: Deadline) -> str:
        """Send one line and return the next that comes. Errors: DeadlineMissed, LinkLost."""
        self.tell(text, deadline)
        return self.answer(deadline, f"to {text!r}")

    def answer(self, deadline: Deadline, to: str = "") -> str:
        """The next line, which is the answer to a question. Errors: DeadlineMissed, LinkLost."""
        return self.find(lambda text: text, deadline, to)

    def line(self, deadline: Deadline, answer_to: str = "") -> str:
        """The next line. Errors: DeadlineMissed, LinkLost."""
        while not self._ready:
            data = self._transport.read(deadline)
            if not data:
                raise DeadlineMissed(
                    f"no answer {answer_to} from {self.description}".replace("  ", " "),
                    "check its cable, its supply, and the rate and line end it is set to",
                )
            self._ready += self._decoder.feed(data)
        return self._ready.pop(0)

    def find(
        self, accept: Callable[[str], Found | None], deadline: Deadline, to: str = ""
    ) -> Found:
        """The answer to a question: what `accept` makes of the first line that it makes
        something of; others are passed over.

        Errors: DeadlineMissed, also where lines come without end; LinkLost.
        """
        try:
            while True:
                found = accept(self.line(deadline, to))
                if found is not None:
                    return found
                if deadline.expired:
                    raise DeadlineMissed(f"{self.description} talks, but does not answer")
        except DeadlineMissed:
            self.counters.lost_answers += 1
            self._unsure = True
            raise

    def settle(self, quiet_ns: int, deadline: Deadline) -> bool:
        """Pass over what comes until nothing has come for `quiet_ns`; whether it became quiet
        by the deadline. Errors: LinkLost."""
        while not deadline.expired:
            try:
                self.line(deadline.sooner(quiet_ns))
            except DeadlineMissed:
                return not deadline.expired
            self.counters.stale_lines += 1
        return False

    def pending(self) -> list[str]:
        """The lines that are there already; waits for nothing. Errors: LinkLost."""
        now = Deadline(self._clock, 0)
        for _ in range(_DRAIN_READS):
            data = self._transport.read(now)
            if not data:
                break
            self._ready += self._decoder.feed(data)
        lines, self._ready = self._ready, []
        return lines

    def close(self) -> None:
        """Release the transport; never raises."""
        self._transport.close()

    def _drop_pending(self) -> None:
        self.counters.stale_lines += len(self.pending()) + self._decoder.reset()
