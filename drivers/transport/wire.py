"""The format of a wire capture (docs/wire-capture.md): a line of JSON, then binary records."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

from hil.errors import BadInput

FORMAT = "hil-wire"
VERSION = 1

HEAD = struct.Struct("<qIB3x")
"""Before the bytes of every record: stamp in ns, number of bytes, kind, three zero bytes."""


class Kind(IntEnum):
    """What a record says."""

    WRITTEN = 1  # the driver wrote these bytes
    READ = 2  # the driver read these bytes
    DISCARDED = 3  # the driver dropped these bytes unread, perhaps none
    SILENCE = 4  # a read ended at its deadline without a byte; no bytes
    WRITE_LATE = 5  # the write of the record before missed its deadline; the message in UTF-8
    WRITE_LOST = 6  # the write of the record before found the link lost; the message
    READ_LOST = 7  # a read found the link lost; the message
    DISCARD_LOST = 8  # dropping unread bytes found the link lost; the message
    GAP = 9  # the buffer was full: number of records and of their bytes, two u64
    END = 10  # the driver closed the link; no bytes


@dataclass(frozen=True, slots=True)
class Record:
    """One record. `stamp_ns` is of the clock that the header names."""

    stamp_ns: int
    kind: Kind
    data: bytes


@dataclass(frozen=True, slots=True)
class Capture:
    """A whole capture: its header as plain data, and its records in order."""

    header: Mapping[str, object]
    records: tuple[Record, ...]

    @property
    def complete(self) -> bool:
        """Whether nothing is missing: no gap, and the link was closed at the end."""
        kinds = [record.kind for record in self.records]
        return Kind.GAP not in kinds and kinds[-1:] == [Kind.END]


def header_line(role: str, link: str, clock: str, opened_ns: int) -> bytes:
    """First line of a capture. `clock` is "CLOCK_MONOTONIC" or "virtual"."""
    facts = {
        "format": FORMAT,
        "version": VERSION,
        "role": role,
        "link": link,
        "clock": clock,
        "opened_ns": opened_ns,
    }
    return json.dumps(facts, ensure_ascii=True, separators=(",", ":")).encode() + b"\n"


def read_capture(path: Path) -> Capture:
    """Read a capture. Errors: BadInput where there is none, naming what is wrong."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise BadInput(f"capture {path} cannot be read: {error.strerror}") from error
    try:
        return parse_capture(content)
    except ValueError as error:
        raise BadInput(f"{path} is no wire capture: {error}") from error


def parse_capture(content: bytes) -> Capture:
    """Take the content of a capture apart. Errors: ValueError saying what is wrong."""
    first, newline, rest = content.partition(b"\n")
    header = json.loads(first) if newline else None
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise ValueError(f"its first line does not say {FORMAT!r}")
    if header.get("version") != VERSION:
        raise ValueError(f"version {header.get('version')!r}; this testbed reads {VERSION}")
    return Capture(header, tuple(_records(rest)))


def _records(content: bytes) -> Iterator[Record]:
    at = 0
    while at < len(content):
        if at + HEAD.size > len(content):
            raise ValueError("cut short in the head of a record")
        stamp_ns, length, kind = HEAD.unpack_from(content, at)
        at += HEAD.size
        if at + length > len(content):
            raise ValueError("cut short in the bytes of a record")
        yield Record(stamp_ns, Kind(kind), content[at : at + length])
        at += length
