"""The protocol between an adb client and the adb server: bytes to plain values. Pure, no I/O.

    request   4 hexadecimal digits of length, then that many bytes of text
    status    OKAY or FAIL; a FAIL, and many an OKAY, is followed by a string
    string    4 hexadecimal digits of length, then that many bytes
    packet    of `shell,v2`: one byte of kind, 4 bytes of length (little endian), data
    entry     of `sync:`: 4 letters of kind, 4 bytes of length or value (little endian), data

Lengths go before all data, so nothing is searched for and nothing can be half recognised: a
receiver skips what is too long by its length, and keeps no more than its limit.

Sources: SERVICES.TXT and SYNC.TXT of the Android Open Source Project; the behaviour of adb 36
was observed.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Generic, TypeVar

from hil.errors import BadInput

OKAY, FAIL = b"OKAY", b"FAIL"
DIGITS = 4
_LONGEST = 0xFFFF

SHELL_HEAD = struct.Struct("<BI")
SYNC_HEAD = struct.Struct("<4sI")
MAX_DATA = 65536
"""Of one entry of sync, by the protocol, and of one packet of a shell, by ours."""

_PLAIN = frozenset({b"OKAY", b"DONE"})
"""Entries of sync whose number is a value and no length."""

T = TypeVar("T")


class Stream(IntEnum):
    """Kinds of shell packets."""

    STDIN = 0
    STDOUT = 1
    STDERR = 2
    EXIT = 3
    CLOSE_STDIN = 4
    WINDOW_SIZE = 5


@dataclass(frozen=True, slots=True)
class Packet:
    """One packet of a shell; `kind` may be one that nobody knows."""

    kind: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of sync; `value` is the number of its head."""

    kind: bytes
    value: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Listed:
    """A device as the server lists it; `state` in the server's words."""

    serial: str
    state: str


@dataclass(frozen=True, slots=True)
class Forward:
    """A forward as the server lists it, e.g. tcp:40001 to localabstract:agent."""

    serial: str
    local: str
    remote: str


def request(service: str) -> bytes:
    """Errors: BadInput for a service too long to be asked for."""
    text = service.encode()
    if len(text) > _LONGEST:
        raise BadInput(f"an adb service of {len(text)} bytes: at most {_LONGEST} can be asked")
    return b"%04x" % len(text) + text


def length(digits: bytes) -> int | None:
    """What 4 hexadecimal digits say; None for what are none."""
    text = digits.decode("ascii", errors="replace")
    if len(text) != DIGITS or not all(letter in "0123456789abcdefABCDEF" for letter in text):
        return None
    return int(text, 16)


def packet(kind: int, data: bytes = b"") -> bytes:
    """A packet of a shell."""
    return SHELL_HEAD.pack(kind, len(data)) + data


def entry(kind: bytes, data: bytes) -> bytes:
    """An entry of sync with data."""
    return SYNC_HEAD.pack(kind, len(data)) + data


def plain_entry(kind: bytes, value: int) -> bytes:
    """An entry of sync that is a number alone: DONE with the time of the file in s."""
    return SYNC_HEAD.pack(kind, value & 0xFFFFFFFF)


class Decoder(Generic[T]):
    """Cuts a stream into messages with a head that tells their length.

    `too_long` counts messages over the limit; their bytes are skipped.
    """

    def __init__(
        self, head: struct.Struct, size: Callable[[bytes], int], make: Callable[[bytes, bytes], T]
    ) -> None:
        self.too_long = 0
        self._head = head
        self._size = size
        self._make = make
        self._buffer = bytearray()
        self._skip = 0

    @property
    def pending(self) -> int:
        """Bytes kept of a message that is not whole; at most a head and `MAX_DATA`."""
        return len(self._buffer)

    def feed(self, data: bytes) -> list[T]:
        """The messages completed by `data`."""
        self._buffer += data
        found: list[T] = []
        while True:
            dropped = min(self._skip, len(self._buffer))
            del self._buffer[:dropped]
            self._skip -= dropped
            if len(self._buffer) < self._head.size:
                return found
            head = bytes(self._buffer[: self._head.size])
            size = self._size(head)
            if size > MAX_DATA:
                self.too_long += 1
                self._skip = self._head.size + size
                continue
            end = self._head.size + size
            if len(self._buffer) < end:
                return found
            found.append(self._make(head, bytes(self._buffer[self._head.size : end])))
            del self._buffer[:end]


def shell_decoder() -> Decoder[Packet]:
    """Of the packets of `shell,v2`."""

    def make(head: bytes, data: bytes) -> Packet:
        return Packet(SHELL_HEAD.unpack(head)[0], data)

    return Decoder(SHELL_HEAD, lambda head: int(SHELL_HEAD.unpack(head)[1]), make)


def sync_decoder() -> Decoder[Entry]:
    """Of the answers of `sync:` to SEND and RECV."""

    def size(head: bytes) -> int:
        kind, value = SYNC_HEAD.unpack(head)
        return 0 if kind in _PLAIN else int(value)

    def make(head: bytes, data: bytes) -> Entry:
        kind, value = SYNC_HEAD.unpack(head)
        return Entry(kind, value, data)

    return Decoder(SYNC_HEAD, size, make)


def listed(text: str) -> list[Listed]:
    """The answer of `host:devices`: serial, tab, state; lines that are neither are left out."""
    pairs = (line.partition("\t") for line in text.splitlines())
    return [Listed(serial, state.strip()) for serial, tab, state in pairs if tab and serial]


def forwards(text: str) -> list[Forward]:
    """The answer of `host:list-forward`: serial, local, remote."""
    words = (line.split() for line in text.splitlines())
    return [Forward(*three) for three in words if len(three) == 3]


def properties(text: str) -> dict[str, str]:
    """The output of `getprop`: [name]: [value]; what spans lines is left out."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        name, middle, value = line.strip().partition("]: [")
        if middle and name.startswith("[") and value.endswith("]"):
            found[name[1:]] = value[:-1]
    return found
