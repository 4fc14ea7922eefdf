"""A Modbus line's times, what is counted on it, and the error for a device that refuses."""

from __future__ import annotations

from dataclasses import dataclass, field

from hil.clock import NS_PER_S
from hil.errors import DeviceFault

_GAP_CHARACTERS = 3.5
_GAP_CHARACTER_BITS = 11
_FAST_BAUD = 19_200
_FAST_GAP_NS = 1_750_000


class ModbusRefusal(DeviceFault):
    """A device answered with an exception; `code` is what it gave as its reason."""

    def __init__(self, message: str, code: int, remedy: str = "") -> None:
        super().__init__(message, remedy)
        self.code = code


@dataclass(frozen=True, slots=True)
class Timing:
    """Times of a line: its rate in bit/s, bits a character takes (10 for 8N1), and how long a
    device may think before it answers, in ns."""

    baud: int
    bits_per_byte: int = 10
    answer_ns: int = 50_000_000

    def wire_ns(self, byte_count: int) -> int:
        """Time that many bytes take on the wire."""
        return byte_count * self.bits_per_byte * NS_PER_S // self.baud

    @property
    def gap_ns(self) -> int:
        """Silence that has to part two frames: 3.5 characters of 11 bits, and 1.75 ms above
        19200 baud (Modbus over Serial Line 1.02, 2.5.1.1)."""
        if self.baud > _FAST_BAUD:
            return _FAST_GAP_NS
        return round(_GAP_CHARACTERS * _GAP_CHARACTER_BITS * NS_PER_S / self.baud)


@dataclass(slots=True)
class BusCounters:
    """Faults of one bus since it was made.

    `late_answers` are whole frames that came when nothing was asked; `stale_bytes` all bytes
    that came then. Frames that came in place of an awaited answer: of another unit, to another
    function, with another length (`wrong_length`), or telling of another write (`wrong_echo`).
    """

    requests: int = 0
    retries: int = 0
    lost_answers: int = 0
    broken_answers: int = 0
    late_answers: int = 0
    stale_bytes: int = 0
    wrong_unit: int = 0
    wrong_function: int = 0
    wrong_length: int = 0
    wrong_echo: int = 0
    exceptions: dict[str, int] = field(default_factory=dict)
