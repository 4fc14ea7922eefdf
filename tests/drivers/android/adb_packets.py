"""Packets between an adb server and a phone, for the phone that the real server is shown.

The testbed itself does not speak this protocol: it asks the server. Checked by the vectors of
`adb-shell` in `test_android_packets.py`.
"""

from __future__ import annotations

import asyncio
import struct
from dataclasses import dataclass

HEAD = struct.Struct("<6I")
MAX_DATA = 1 << 18
VERSION = 0x01000001
"""From this version on nobody checks the sum of the data."""


@dataclass(frozen=True)
class Packet:
    """`command` is four letters; the meaning of both arguments depends on it."""

    command: str
    arg0: int
    arg1: int
    data: bytes = b""

    def encoded(self) -> bytes:
        code = int.from_bytes(self.command.encode(), "little")
        total = sum(self.data) & 0xFFFFFFFF
        fields = (code, self.arg0, self.arg1, len(self.data), total, code ^ 0xFFFFFFFF)
        return HEAD.pack(*fields) + self.data


def head(data: bytes) -> tuple[str, int, int, int]:
    """Command, arguments and length of the data. Errors: ValueError for what is no head."""
    code, arg0, arg1, size, _, magic = HEAD.unpack(data)
    if magic != code ^ 0xFFFFFFFF or size > MAX_DATA:
        raise ValueError(f"no packet: {data!r}")
    return code.to_bytes(4, "little").decode("ascii"), arg0, arg1, size


async def read_packet(reader: asyncio.StreamReader) -> Packet:
    command, arg0, arg1, size = head(await reader.readexactly(HEAD.size))
    return Packet(command, arg0, arg1, await reader.readexactly(size))
