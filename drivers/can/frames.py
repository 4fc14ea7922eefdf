"""CAN frames as plain values, classic and FD."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

STANDARD_ID_MAX: Final = 0x7FF
EXTENDED_ID_MAX: Final = 0x1FFF_FFFF
CLASSIC_LENGTH_MAX: Final = 8

FD_LENGTHS: Final = (0, 1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 20, 24, 32, 48, 64)
"""Payload lengths of CAN FD by data length code (ISO 11898-1)."""


@dataclass(frozen=True, slots=True)
class CanFrame:
    """One frame.

    `remote_length` makes it a remote frame and says how many bytes it asks for. `fd` is the
    frame format of CAN FD, `bit_rate_switch` that its data part goes at the higher rate.
    """

    id: int
    data: bytes = b""
    extended: bool = False
    remote_length: int | None = None
    fd: bool = False
    bit_rate_switch: bool = False

    def __str__(self) -> str:
        where = f"{self.id:08X}" if self.extended else f"{self.id:03X}"
        what = self.data.hex(" ").upper() if self.remote_length is None else "remote"
        return f"{where} [{what}]"


@dataclass(frozen=True, slots=True)
class Received:
    """A frame that came in: `stamp_ns` is the host's clock when it had the frame,
    `adapter_ms` the adapter's own stamp where it sends one (it wraps at 60 000 ms)."""

    frame: CanFrame
    stamp_ns: int
    adapter_ms: int | None = None


def defect(frame: CanFrame) -> str:
    """Why a frame has no form on a bus; empty for one that has."""
    highest = EXTENDED_ID_MAX if frame.extended else STANDARD_ID_MAX
    if not 0 <= frame.id <= highest:
        return f"id {frame.id:#x} is outside 0..{highest:#x}"
    if frame.remote_length is not None:
        if frame.fd or frame.data:
            return "a remote frame is classic and has no data"
        if not 0 <= frame.remote_length <= CLASSIC_LENGTH_MAX:
            return f"a remote frame cannot ask for {frame.remote_length} bytes"
        return ""
    if frame.bit_rate_switch and not frame.fd:
        return "only an FD frame can switch its bit rate"
    if len(frame.data) not in FD_LENGTHS or (not frame.fd and len(frame.data) > CLASSIC_LENGTH_MAX):
        return f"no {'FD' if frame.fd else 'classic'} frame has {len(frame.data)} bytes of data"
    return ""
