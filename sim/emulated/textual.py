"""What emulated devices share that speak in lines of text: lines in, paced answers out, faults."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from pydantic import BaseModel, ConfigDict, Field

from drivers.textline import LineDecoder
from hil.clock import NS_PER_MS
from hil.config import validate
from sim.twin.emulator import Scalar
from sim.twin.pacing import Transmission, wire_ns


class TextFaults(BaseModel):
    """What is wrong with the line from now on; the empty table is a device in order."""

    model_config = ConfigDict(extra="forbid")
    silent: bool = False
    garbled: bool = False
    delay_ms: float = Field(0.0, ge=0, le=60_000)


class TextDevice:
    """Answers each line by what `carry_out` makes of it.

    Answers leave one after the other, each after the request and the think time; a client whose
    line has another rate is heard as noise and not answered.
    """

    def __init__(
        self,
        baud: int,
        carry_out: Callable[[str], list[str]],
        end: bytes = b"\r\n",
        think_ms: float = 1.0,
    ) -> None:
        self.baud = baud
        self.faults = TextFaults.model_validate({})
        self._carry_out, self._end = carry_out, end
        self._think_ns = round(think_ms * NS_PER_MS)
        self._decoder = LineDecoder()
        self._free_ns = 0
        self._counts = {"requests": 0, "answers": 0, "unheard_bytes": 0}

    def receive(self, data: bytes, now_ns: int, line_baud: int) -> list[Transmission]:
        """Lines in, answers out."""
        if line_baud != self.baud:
            self._counts["unheard_bytes"] += len(data)
            return []
        answers = []
        for line in self._decoder.feed(data):
            self._counts["requests"] += 1
            answers += [self.transmit(text, now_ns) for text in self._carry_out(line)]
        return [] if self.faults.silent else answers

    def due_ns(self) -> int | None:
        """It does nothing by itself."""
        return None

    def wake(self, now_ns: int) -> list[Transmission]:
        """It does nothing by itself."""
        return []

    def transmit(self, text: str, now_ns: int) -> Transmission:
        """One line on its way, behind those before it."""
        data = text.encode("ascii", errors="replace") + self._end
        if self.faults.garbled:
            data = bytes(byte ^ 0x15 if 0x20 < byte < 0x7F else byte for byte in data)
        late_ns = self._think_ns + round(self.faults.delay_ms * NS_PER_MS)
        start_ns = max(now_ns + late_ns, self._free_ns)
        self._free_ns = start_ns + wire_ns(len(data), self.baud)
        self._counts["answers"] += 1
        return Transmission(start_ns, self.baud, data)

    def control(self, args: Mapping[str, object]) -> None:
        """Plant these faults in place of those before. Errors: BadInput."""
        self.faults = validate(dict(args), TextFaults, "faults of the line")

    def status(self) -> dict[str, Scalar]:
        """Counts by name."""
        return dict(self._counts)
