"""The adb server's process: `python -m sim.emulated.android.server OPTIONS`.

OPTIONS is `AdbOptions` as JSON. It prints one line of JSON, {"port": "socket://127.0.0.1:PORT",
"pid": ...}, once it serves, and ends on SIGTERM or when its standard input, if that is a pipe,
does.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys

from drivers.android.wire import DIGITS, length
from sim.emulated.adb import AdbOptions
from sim.emulated.android.agent import PhoneAgent
from sim.emulated.android.desk import Desk, Refused
from sim.emulated.android.phone import Phone
from sim.emulated.android.services import find
from sim.emulated.serving import announce, run_program, told_to_stop


class Server:
    """One connection, one or two requests: of the server itself, or first for the phone and
    then for a service of it."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await self._serve(reader, writer)
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            name = await self._asked(reader)
            if name.startswith(("host:transport", "host:tport:")):
                writer.write(self._desk.transport(name))
                await writer.drain()
                name = await self._asked(reader)
                if not name.startswith("host"):
                    await self._on_phone(name, reader, writer)
                    return
            async for answer in self._desk.answers(name):
                writer.write(answer)
                await writer.drain()
        except Refused as refused:
            writer.write(b"FAIL" + _string(str(refused)))
            await writer.drain()

    async def _asked(self, reader: asyncio.StreamReader) -> str:
        """The next request. Errors: ConnectionError for what is none, and once the client of a
        server that says nothing has had enough."""
        size = length(await reader.readexactly(DIGITS))
        if size is None:
            raise ConnectionError
        name = (await reader.readexactly(size)).decode(errors="replace")
        if self._desk.stalled(name):
            await reader.read()
            raise ConnectionError
        return name

    async def _on_phone(
        self, name: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        if name.startswith("reboot:"):
            writer.write(b"OKAY")
            await writer.drain()
            self._desk.reboot()
            return
        service = find(self._desk.phone, name, self._desk.took)
        if service is None:
            raise Refused("closed")
        with self._desk.stream(writer):
            writer.write(b"OKAY")
            await service(reader, writer)
            await writer.drain()


def _string(text: str) -> bytes:
    data = text.encode()
    return b"%04x" % len(data) + data


async def serve(options: AdbOptions) -> None:
    """Serve until told to stop."""
    agent = PhoneAgent(options.agent_delay_ms)
    desk = Desk(Phone(options, agent), agent)
    try:
        server = await asyncio.start_server(Server(desk).serve, "127.0.0.1", 0)
        async with server:
            host, port = server.sockets[0].getsockname()
            announce(f"socket://{host}:{port}")
            await told_to_stop()
            desk.close()
    finally:
        agent.stop()


if __name__ == "__main__":
    raise SystemExit(run_program(sys.argv[1:], AdbOptions, serve))
