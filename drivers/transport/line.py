"""How a serial line is set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Parity = Literal["none", "even", "odd"]
StopBits = Literal[1, 2]


@dataclass(frozen=True, slots=True)
class Line:
    """Rate in bit/s, eight data bits, parity and stop bits; no flow control."""

    baud: int
    parity: Parity = "none"
    stop_bits: StopBits = 1

    def __str__(self) -> str:
        return f"{self.baud} baud, 8{self.parity[0].upper()}{self.stop_bits}"

    @property
    def bits_per_byte(self) -> int:
        """Bits on the wire a byte: start, data, parity and stop."""
        return 9 + (self.parity != "none") + self.stop_bits
