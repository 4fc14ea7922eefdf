"""Questions and answers in Inspire's native protocol, each within its deadline. Experimental.

Answers name the address that they are of, so a late one is taken for a fresh one only where the
same address is read again; as on a Modbus line, a lost answer keeps the line for as long again
as an answer may take.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

from drivers.modbus.eb90 import FROM_HAND, OVERHEAD, READ, WRITE, Decoder, Packet, encode
from drivers.modbus.line import Timing
from drivers.transport.base import Transport
from hil.clock import NS_PER_MS, Clock, Deadline
from hil.errors import DeadlineMissed

_WRITTEN = b"\x01"
_PATIENCE_NS = 2 * NS_PER_MS
"""How long what cannot wait waits for the line."""


@dataclass(slots=True)
class Eb90Counters:
    """Faults of one bus since it was made; `wrong_answers` are whole packets that were not the
    one awaited, `late_answers` those that came when nothing was."""

    requests: int = 0
    lost_answers: int = 0
    late_answers: int = 0
    wrong_answers: int = 0
    stale_bytes: int = 0


class Eb90Bus:
    """Master of one line. Owns the transport; not for use from two threads."""

    def __init__(self, transport: Transport, clock: Clock, timing: Timing) -> None:
        self._transport = transport
        self._clock = clock
        self._timing = timing
        self._decoder = Decoder(FROM_HAND)
        self._counters = Eb90Counters()
        self._free_ns = clock.now_ns()

    @property
    def description(self) -> str:
        """Where the bus is connected."""
        return self._transport.description

    def read(
        self, unit: int, address: int, count: int, deadline: Deadline, *, urgent: bool = False
    ) -> bytes:
        """`count` bytes from `address` on. Errors: DeadlineMissed, LinkLost."""
        request = Packet(unit, READ, address, bytes((count,)))
        return self._ask(request, count, deadline, urgent)

    def write(
        self, unit: int, address: int, data: bytes, deadline: Deadline, *, urgent: bool = False
    ) -> None:
        """Write bytes and wait until the hand says so. Errors: DeadlineMissed, LinkLost."""
        self._ask(Packet(unit, WRITE, address, data), len(_WRITTEN), deadline, urgent)

    def counters(self) -> dict[str, int]:
        """Counters of bus and decoder by name."""
        decoder = self._decoder.counters
        return {
            **asdict(self._counters),
            "damaged_answers": decoder.damaged,
            "noise_bytes": decoder.noise_bytes,
        }

    def close(self) -> None:
        """Release the transport; never raises."""
        self._transport.close()

    def _ask(self, request: Packet, length: int, deadline: Deadline, urgent: bool) -> bytes:
        self._await_silence(deadline, urgent)
        data = encode(request)
        self._counters.requests += 1
        self._transport.write(data, deadline)
        wire_ns = self._timing.wire_ns(len(data) + OVERHEAD + length)
        answered_ns = self._clock.now_ns() + wire_ns + self._timing.answer_ns
        until = Deadline(self._clock, min(deadline.at_ns, answered_ns))
        while True:
            received = self._transport.read(until)
            over = not received or until.expired
            packets = self._decoder.feed(received)
            for packet in packets + (self._decoder.finish() if over else []):
                if _answers(packet, request, length):
                    self._free_ns = self._clock.now_ns()
                    return packet.data
                self._counters.wrong_answers += 1
            if over:
                self._free_ns = answered_ns + self._timing.answer_ns
                raise self._lost(request)

    def _await_silence(self, deadline: Deadline, urgent: bool) -> None:
        """Drop what still comes, while a late answer may. Errors: DeadlineMissed, LinkLost."""
        patience_ns = self._clock.now_ns() + _PATIENCE_NS if urgent else deadline.at_ns
        while True:
            wait = Deadline(self._clock, min(self._free_ns, patience_ns))
            data = self._transport.read(wait)
            self._counters.stale_bytes += len(data)
            late = self._decoder.feed(data) if data else self._decoder.finish()
            self._counters.late_answers += len(late)
            now_ns = self._clock.now_ns()
            if late or (not data and now_ns >= self._free_ns):
                self._free_ns = now_ns
                if not data:
                    return
            if now_ns >= patience_ns:
                if urgent:
                    return
                raise DeadlineMissed(f"{self.description}: not silent in time")

    def _lost(self, request: Packet) -> DeadlineMissed:
        self._counters.lost_answers += 1
        return DeadlineMissed(
            f"hand {request.id} on {self.description} did not answer in time (address"
            f" {request.address})",
            "check its id and baud rate, its cable and its supply, and that it speaks this"
            " protocol",
        )


def _answers(packet: Packet, request: Packet, length: int) -> bool:
    same = (packet.id, packet.command, packet.address) == (
        request.id,
        request.command,
        request.address,
    )
    return same and len(packet.data) == length
