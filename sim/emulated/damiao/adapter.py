"""Emulated adapters: bytes of the host in, answers and frames for the bus out.

Their serial line is that of a USB device: any baud rate is heard. Choices where slcan adapters
differ:

* `acks` "z" answers frames with `z` and `Z` and commands with CR, as LAWICEL's do; "cr" answers
  both with CR; "none" acknowledges nothing and refuses silently, as early CANable firmware does.
* Rates are set while the channel is closed, and a channel without a rate does not open.
* Filters, polling and BTR registers are refused.

The maker's bridge forwards frames and answers nothing itself; its bit rate is 1 Mbit/s.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from drivers.can.codec import (
    BIT_RATES,
    DATA_BIT_RATES,
    Ack,
    Command,
    FrameLine,
    Nak,
    Reply,
    Request,
    SerialNumber,
    Status,
    StatusFlag,
    Version,
    encode_frame,
    encode_reply,
)
from drivers.can.decoder import RequestDecoder
from drivers.can.frames import CanFrame
from drivers.damiao.bridge_codec import (
    BridgeMessage,
    BridgeRequestDecoder,
    Report,
    encode_received,
)
from hil.clock import NS_PER_MS
from sim.emulated.damiao.faults import ChainFaults

Acks = Literal["z", "cr", "none"]

_RATES = {digit: rate for rate, digit in BIT_RATES.items()}
_DATA_RATES = {digit: rate for rate, digit in DATA_BIT_RATES.items()}
_STAMP_MODULO = 60_000
_MODES: dict[str, Literal["open", "listen"]] = {"O": "open", "L": "listen"}


@dataclass(frozen=True, slots=True)
class Taken:
    """What a request of the host comes to: an answer, and a frame for the bus; either may be
    missing."""

    reply: bytes = b""
    frame: CanFrame | None = None


class Adapter(Protocol):
    """What the chain needs of an adapter. `bit_rate` and `data_bit_rate` are in bit/s, None
    before they are set; `refused` counts; `trouble` is what it knows of the bus."""

    mode: Literal["closed", "open", "listen"]
    bit_rate: int | None
    data_bit_rate: int | None
    trouble: StatusFlag
    refused: int

    def feed(self, data: bytes, faults: ChainFaults) -> list[Taken]:
        """Carry out what the host wrote."""
        ...

    def encode(self, frame: CanFrame, at_ns: int, *, corrupt: bool) -> bytes:
        """A frame of the bus, complete at `at_ns`, for the host; broken where it shall be."""
        ...

    def close(self) -> None:
        """Leave the bus."""
        ...

    def counters(self) -> dict[str, int]:
        """What its decoder met."""
        ...


class BridgeAdapter:
    """The maker's bridge (`Adapter`): always on the bus."""

    def __init__(self) -> None:
        self._decoder = BridgeRequestDecoder()
        self.mode: Literal["closed", "open", "listen"] = "open"
        self.bit_rate: int | None = 1_000_000
        self.data_bit_rate: int | None = None
        self.trouble = StatusFlag(0)
        self.refused = 0

    def feed(self, data: bytes, faults: ChainFaults) -> list[Taken]:
        """Frames of the host; one that cannot be sent is reported."""
        frames = [] if faults.mute else self._decoder.feed(data)
        return [self._send(frame, faults) for frame in frames]

    def encode(self, frame: CanFrame, at_ns: int, *, corrupt: bool) -> bytes:
        """16 bytes; broken means without the tail."""
        data = encode_received(BridgeMessage(Report.RECEIVED, frame))
        return data[:-1] + b"\0" if corrupt else data

    def close(self) -> None:
        """Nothing: it has no channel."""

    def counters(self) -> dict[str, int]:
        """Of its decoder."""
        return {"broken_bytes": self._decoder.counters.skipped_bytes}

    def _send(self, frame: CanFrame, faults: ChainFaults) -> Taken:
        if not faults.bus_off and not faults.take("naks"):
            return Taken(frame=frame)
        self.refused += 1
        return Taken(encode_received(BridgeMessage(Report.SEND_FAILED, frame)))


class SlcanAdapter:
    """An slcan adapter (`Adapter`). `stamps` says whether frames to the host bear its clock."""

    def __init__(self, acks: Acks, fd: bool) -> None:
        self._decoder = RequestDecoder()
        self._acks = acks
        self._fd = fd
        self.mode: Literal["closed", "open", "listen"] = "closed"
        self.bit_rate: int | None = None
        self.data_bit_rate: int | None = None
        self.stamps = False
        self.trouble = StatusFlag(0)
        self.refused = 0

    def feed(self, data: bytes, faults: ChainFaults) -> list[Taken]:
        """Lines of the host."""
        requests = [] if faults.mute else self._decoder.feed(data)
        return [self._take(request, faults) for request in requests]

    def encode(self, frame: CanFrame, at_ns: int, *, corrupt: bool) -> bytes:
        """One line; broken means with a character that is none of a frame's."""
        stamp_ms = at_ns // NS_PER_MS % _STAMP_MODULO if self.stamps else None
        line = encode_frame(frame, stamp_ms)
        return line[:2] + b"#" + line[3:] if corrupt else line

    def close(self) -> None:
        """Leave the bus."""
        self.mode = "closed"

    def counters(self) -> dict[str, int]:
        """Of its decoder."""
        lines = self._decoder.counters
        return {"malformed_lines": lines.malformed, "broken_bytes": lines.broken_bytes}

    def _take(self, request: Request, faults: ChainFaults) -> Taken:
        if isinstance(request, FrameLine):
            return self._send(request.frame, faults)
        if isinstance(request, Command):
            return Taken(self._heard(self._command(request, faults)))
        return Taken(self._heard(Nak()))

    def _send(self, frame: CanFrame, faults: ChainFaults) -> Taken:
        refused = self.mode != "open" or (frame.fd and not self._fd) or faults.bus_off
        if refused or faults.take("naks"):
            return Taken(self._heard(Nak()))
        ack = Ack() if self._acks == "cr" else Ack("Z" if frame.extended else "z")
        lost = faults.take("lost_acks")
        return Taken(b"" if lost else self._heard(ack), frame)

    def _heard(self, reply: Reply) -> bytes:
        """What of an answer the host gets: some adapters acknowledge and refuse nothing."""
        self.refused += isinstance(reply, Nak)
        silent = self._acks == "none" and isinstance(reply, Ack | Nak)
        return b"" if silent else encode_reply(reply)

    def _command(self, command: Command, faults: ChainFaults) -> Reply:
        letter, argument = command.letter, command.argument
        if not letter:
            return Ack()
        if letter == "V":
            return Version("1013")
        if letter == "N":
            return SerialNumber("D010")
        if letter == "F" and self.mode != "closed":
            off = StatusFlag.BUS_ERROR | StatusFlag.ERROR_PASSIVE
            return Status(self.trouble | off if faults.bus_off else self.trouble)
        if letter == "C" and self.mode != "closed":
            self.close()
            return Ack()
        if self.mode == "closed" and self._set_up(letter, argument, faults):
            return Ack()
        return Nak()

    def _set_up(self, letter: str, argument: str, faults: ChainFaults) -> bool:
        """Commands for a closed channel; False for one that is refused."""
        if letter == "S" and argument in _RATES:
            self.bit_rate = _RATES[argument]
        elif letter == "Y" and argument in _DATA_RATES and self._fd:
            self.data_bit_rate = _DATA_RATES[argument]
        elif letter == "Z" and argument in ("0", "1"):
            self.stamps = argument == "1"
        elif letter in _MODES and self.bit_rate is not None and not faults.refuse_open:
            self.mode = _MODES[letter]
            self.trouble = StatusFlag(0)
        else:
            return False
        return True
