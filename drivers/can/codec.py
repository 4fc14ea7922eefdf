"""The slcan protocol (LAWICEL): lines of ASCII to dataclasses and back, no input or output.

Every line ends with CR; a line of the adapter may be BEL instead, which says no. Frames have
the same form both ways: a letter for the kind, the id as 3 or 8 hexadecimal digits, the data
length code as one, the data, and from the adapter, where it was told to, its clock in
milliseconds as 4 more digits. The length code fixes the length of the line, so a stamp is
recognised without knowing whether it was asked for.

    t T    standard, extended        r R    remote
    d D    FD                        b B    FD with bit rate switch

Sources: LAWICEL, CANUSB and CAN232 manuals (commands, answers, status flags, stamps); CANable
2.0 firmware (`d D b B`, `Y`).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntFlag
from typing import Final

from drivers.can.frames import FD_LENGTHS, CanFrame, defect
from hil.errors import HarnessError

CR: Final = b"\r"
BEL: Final = b"\a"

BIT_RATES: Final = {
    10_000: "0",
    20_000: "1",
    50_000: "2",
    100_000: "3",
    125_000: "4",
    250_000: "5",
    500_000: "6",
    800_000: "7",  # LAWICEL; CANable's S7 is 750 kbit/s, so neither is safe to mix
    750_000: "7",
    1_000_000: "8",
    83_300: "9",
}
"""Digit of the command `S` by bit rate, bit/s."""

DATA_BIT_RATES: Final = {1_000_000: "1", 2_000_000: "2", 4_000_000: "4", 5_000_000: "5"}
"""Digit of the command `Y` (CANable) by bit rate of the data part, bit/s."""

STAMP_DIGITS: Final = 4
_STAMP_MAX = 0xFFFF


class StatusFlag(IntFlag):
    """Answer to `F`."""

    RECEIVE_QUEUE_FULL = 1
    TRANSMIT_QUEUE_FULL = 2
    ERROR_WARNING = 4
    DATA_OVERRUN = 8
    ERROR_PASSIVE = 32
    ARBITRATION_LOST = 64
    BUS_ERROR = 128


@dataclass(frozen=True, slots=True)
class FrameLine:
    """A frame: received, as a line of the adapter; to be sent, as one of the host."""

    frame: CanFrame
    stamp_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Ack:
    """The adapter did as it was told. `kind`: "" for any command, "z" and "Z" for a standard
    and an extended frame that it took for sending."""

    kind: str = ""


@dataclass(frozen=True, slots=True)
class Nak:
    """The adapter refuses the command or frame (BEL)."""


@dataclass(frozen=True, slots=True)
class Version:
    """Answer to `V`: "1013" is hardware 10, software 13; some firmwares send other text."""

    text: str


@dataclass(frozen=True, slots=True)
class SerialNumber:
    """Answer to `N`."""

    text: str


@dataclass(frozen=True, slots=True)
class Status:
    """Answer to `F`."""

    flags: StatusFlag


@dataclass(frozen=True, slots=True)
class Other:
    """A line of printable text that this codec gives no meaning."""

    text: str


@dataclass(frozen=True, slots=True)
class Command:
    """A line of the host that is no frame: `C`, `O`, `L`, `S8`, `Y5`, `V`, `N`, `F`, `Z1`..."""

    letter: str
    argument: str = ""


@dataclass(frozen=True, slots=True)
class Malformed:
    """A line that begins like a frame or a command and is none."""

    text: str


Reply = FrameLine | Ack | Nak | Version | SerialNumber | Status | Other | Malformed
Request = FrameLine | Command | Malformed


@dataclass(frozen=True, slots=True)
class Kind:
    """What the first letter of a frame's line says."""

    extended: bool = False
    remote: bool = False
    fd: bool = False
    switch: bool = False


KINDS: Final = {
    "t": Kind(),
    "T": Kind(extended=True),
    "r": Kind(remote=True),
    "R": Kind(extended=True, remote=True),
    "d": Kind(fd=True),
    "D": Kind(extended=True, fd=True),
    "b": Kind(fd=True, switch=True),
    "B": Kind(extended=True, fd=True, switch=True),
}
"""Kinds of frames by the letter that their lines begin with."""

_LETTERS: Final = {kind: letter for letter, kind in KINDS.items()}


def encode_frame(frame: CanFrame, stamp_ms: int | None = None) -> bytes:
    """The line of a frame, with the adapter's stamp where one is given.

    Errors: HarnessError for a frame or stamp that has no form.
    """
    wrong = defect(frame)
    if wrong:
        raise HarnessError(f"frame {frame}: {wrong}")
    if stamp_ms is not None and not 0 <= stamp_ms <= _STAMP_MAX:
        raise HarnessError(f"stamp {stamp_ms} ms does not fit {STAMP_DIGITS} digits")
    remote = frame.remote_length is not None
    letter = _LETTERS[Kind(frame.extended, remote, frame.fd, frame.bit_rate_switch)]
    number = f"{frame.id:08X}" if frame.extended else f"{frame.id:03X}"
    length = len(frame.data) if frame.remote_length is None else frame.remote_length
    stamp = "" if stamp_ms is None else f"{stamp_ms:04X}"
    line = f"{letter}{number}{FD_LENGTHS.index(length):X}{frame.data.hex().upper()}{stamp}"
    return line.encode() + CR


def encode_command(command: Command) -> bytes:
    """The line of a command. Errors: HarnessError for one that cannot be told from a frame."""
    if command.letter in KINDS or len(command.letter) != 1:
        raise HarnessError(f"{command.letter!r} is no command letter")
    return f"{command.letter}{command.argument}".encode("ascii") + CR


def encode_reply(reply: Reply) -> bytes:
    """The bytes of an adapter's answer. Errors: HarnessError for a frame without a form."""
    match reply:
        case FrameLine(frame, stamp_ms):
            return encode_frame(frame, stamp_ms)
        case Nak():
            return BEL
        case Ack(kind):
            return kind.encode() + CR
        case Version(text):
            return b"V" + text.encode("ascii") + CR
        case SerialNumber(text):
            return b"N" + text.encode("ascii") + CR
        case Status(flags):
            return f"F{flags.value:02X}".encode() + CR
        case Other(text) | Malformed(text):
            return text.encode("ascii") + CR
