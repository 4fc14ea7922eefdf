"""Services of the emulated phone on a byte stream: shell, sync, reboot.

The streams are asyncio's, or anything with the same few methods: the adb server in front of
the phone is not always ours.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Awaitable, Callable
from typing import Protocol

from drivers.android.wire import MAX_DATA, SYNC_HEAD, Stream, entry, packet, plain_entry
from sim.emulated.android.phone import Phone

Took = Callable[[int], None]
"""Told how many bytes the phone has taken. Errors: ConnectionError where it went with them."""

_FILE = 0o100000
_MODE = 0o644


class Writer(Protocol):
    """As much of `asyncio.StreamWriter` as a service needs."""

    def write(self, data: bytes) -> None: ...

    async def drain(self) -> None: ...


Service = Callable[[asyncio.StreamReader, Writer], Awaitable[None]]


def find(phone: Phone, name: str, took: Took) -> Service | None:
    """The service of the phone that is called `name`; None where there is none."""
    kind, _, rest = name.partition(":")
    words = kind.split(",")
    if words[0] in ("shell", "exec"):
        if "v2" in words:
            return lambda _reader, writer: _shell_v2(phone, rest, writer)
        return lambda _reader, writer: _shell_v1(phone, rest, writer)
    if name == "sync:":
        return lambda reader, writer: _Sync(phone, reader, writer, took).serve()
    return None


async def _shell_v1(phone: Phone, command: str, writer: Writer) -> None:
    _, out, err = phone.run(command)
    writer.write((out + err).encode())
    await writer.drain()


async def _shell_v2(phone: Phone, command: str, writer: Writer) -> None:
    code, out, err = phone.run(command)
    for kind, text in ((Stream.STDOUT, out), (Stream.STDERR, err)):
        data = text.encode()
        for at in range(0, len(data), MAX_DATA):
            writer.write(packet(kind, data[at : at + MAX_DATA]))
            await writer.drain()
    writer.write(packet(Stream.EXIT, bytes([code & 0xFF])))
    await writer.drain()


class _Sync:
    """A sync session: several requests one after another, until QUIT or the end."""

    def __init__(
        self, phone: Phone, reader: asyncio.StreamReader, writer: Writer, took: Took
    ) -> None:
        self._phone = phone
        self._reader = reader
        self._writer = writer
        self._took = took

    async def serve(self) -> None:
        while True:
            kind, size = await self._head()
            if kind == b"QUIT":
                return
            path = (await self._reader.readexactly(min(size, MAX_DATA))).decode(errors="replace")
            if kind == b"SEND":
                await self._send(path.rpartition(",")[0])
            elif kind == b"RECV":
                self._recv(path)
            elif kind == b"STAT":
                self._stat(path)
            else:
                self._fail(f"unknown request {kind!r}")
                return
            await self._writer.drain()

    async def _head(self) -> tuple[bytes, int]:
        kind, value = SYNC_HEAD.unpack(await self._reader.readexactly(SYNC_HEAD.size))
        return bytes(kind), int(value)

    async def _send(self, path: str) -> None:
        content = bytearray()
        while True:
            kind, size = await self._head()
            if kind == b"DONE":
                break
            if kind != b"DATA" or size > MAX_DATA:
                self._fail(f"invalid data message {kind!r} of {size}")
                raise ConnectionError
            content += await self._reader.readexactly(size)
            self._took(size)
        reason = self._phone.store(path, bytes(content))
        if reason:
            self._fail(reason)
        else:
            self._writer.write(plain_entry(b"OKAY", 0))

    def _recv(self, path: str) -> None:
        content = self._phone.files.get(path)
        if content is None:
            self._fail("open failed: No such file or directory")
            return
        for at in range(0, len(content), MAX_DATA):
            self._writer.write(entry(b"DATA", content[at : at + MAX_DATA]))
        self._writer.write(plain_entry(b"DONE", 0))

    def _stat(self, path: str) -> None:
        content = self._phone.files.get(path)
        mode, size = (_FILE | _MODE, len(content)) if content is not None else (0, 0)
        self._writer.write(b"STAT" + struct.pack("<3I", mode, size, 0))

    def _fail(self, reason: str) -> None:
        self._writer.write(entry(b"FAIL", reason.encode()))
