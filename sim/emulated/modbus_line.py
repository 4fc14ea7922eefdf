"""The wire of an emulated device that answers when it is asked, and what can be wrong with it.

Pure arithmetic on stamps. A request is complete when its last byte would have crossed the wire,
ten bit times a byte after it was written (or after the request before it). Collisions are not
emulated. A device hears nothing of a line that runs at another rate than its own.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from hil.clock import NS_PER_S, NS_PER_US
from sim.twin.pacing import Transmission, wire_ns

_FLOOD_PERIOD_NS = 5_000_000

Reseal = Callable[[bytes, int], bytes]
"""The same answer under another id, with the checksum that goes with it."""


class LineFaults(BaseModel):
    """What is wrong with the device's line from now on; the empty table is a line in order."""

    model_config = ConfigDict(extra="forbid")

    deaf: bool = Field(default=False, description="neither obeys nor answers")
    silent: bool = Field(default=False, description="obeys, and never answers")
    corrupt: Annotated[int, Field(ge=0)] = Field(
        default=0, description="how many of the next answers get a wrong checksum"
    )
    truncate: Annotated[int, Field(ge=0, le=256)] | None = Field(
        default=None, description="every answer breaks off after that many bytes"
    )
    delay_us: Annotated[int, Field(ge=0, le=10_000_000)] = Field(
        default=0, description="how much later than due every answer comes"
    )
    duplicate: bool = Field(default=False, description="every answer comes twice")
    unit: Annotated[int, Field(ge=0, le=255)] | None = Field(
        default=None, description="answers under this id in place of its own"
    )
    exception: Annotated[int, Field(ge=1, le=255)] | None = Field(
        default=None, description="refuses every request with this code"
    )
    flood_bytes_s: Annotated[int, Field(ge=0, le=100_000)] = Field(
        default=0, description="bytes a second that it sends by itself"
    )


@dataclass(slots=True)
class LineCounters:
    """What the line met since it was made. `unheard_bytes`: at another rate than the device's,
    or while it was deaf."""

    requests: int = 0
    answers: int = 0
    unheard_bytes: int = 0


class RequestLine:
    """State of the wire of one device. `faults` may be replaced at any time."""

    def __init__(self, baud: int, reseal: Reseal) -> None:
        self.baud = baud
        self.faults = LineFaults()
        self.counters = LineCounters()
        self.quiet_ns = 0
        self._reseal = reseal
        self._noise = random.Random(0)
        self._flood_ns: int | None = None

    def hear(self, count: int, now_ns: int, line_baud: int) -> bool:
        """`count` bytes were written; whether the device understands them. `quiet_ns` is then
        when the last of them has crossed the wire."""
        if line_baud != self.baud or self.faults.deaf:
            self.counters.unheard_bytes += count
            return False
        self.quiet_ns = max(now_ns, self.quiet_ns) + wire_ns(count, self.baud)
        return True

    def reply(self, answer: bytes, start_ns: int) -> list[Transmission]:
        """One answer as the faults leave it: as it is, late, spoilt, doubled or not at all."""
        faults = self.faults
        if faults.silent:
            return []
        self.counters.answers += 1
        if faults.unit is not None:
            answer = self._reseal(answer, faults.unit)
        if faults.corrupt:
            faults.corrupt -= 1
            answer = answer[:-1] + bytes((answer[-1] ^ 0xFF,))
        if faults.truncate is not None:
            answer = answer[: faults.truncate]
        sent = Transmission(start_ns + faults.delay_us * NS_PER_US, self.baud, answer)
        again = Transmission(sent.end_ns, self.baud, answer)
        return [sent, again] if faults.duplicate else [sent]

    def due_ns(self) -> int | None:
        """When the flood goes on; None without one."""
        if not self.faults.flood_bytes_s:
            self._flood_ns = None
            return None
        return self._flood_ns or 0

    def wake(self, now_ns: int) -> list[Transmission]:
        """The flood's next bytes, where they are due."""
        due_ns = self.due_ns()
        if due_ns is None or now_ns < due_ns:
            return []
        self._flood_ns = now_ns + _FLOOD_PERIOD_NS
        count = self.faults.flood_bytes_s * _FLOOD_PERIOD_NS // NS_PER_S
        return [Transmission(now_ns, self.baud, self._noise.randbytes(max(1, count)))]

    def status(self) -> dict[str, int]:
        """Counters by name."""
        return asdict(self.counters)
