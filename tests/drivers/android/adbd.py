"""The emulated phone as the real adb server meets it: its daemon, on a TCP port.

`python adbd.py OPTIONS STATE`: OPTIONS is `AdbOptions` as JSON; STATE is "device", or
"unauthorized" for a phone that never comes to trust its host, or "offline" for one that does
not answer. It prints {"port": N}.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from functools import partial

from adb_packets import MAX_DATA, VERSION, Packet, read_packet

from sim.emulated.adb import AdbOptions
from sim.emulated.android.agent import PhoneAgent
from sim.emulated.android.phone import Phone
from sim.emulated.android.services import find
from sim.emulated.serving import told_to_stop

TOKEN = Packet("AUTH", 1, 0, bytes(range(20)))


class Stream:
    """One stream of the phone: what a service writes to, and what it reads."""

    def __init__(self, daemon: Daemon, mine: int, theirs: int) -> None:
        self.reader = asyncio.StreamReader()
        self.ids = (mine, theirs)
        self.acknowledged = asyncio.Event()
        self._daemon = daemon
        self._pending = bytearray()

    def write(self, data: bytes) -> None:
        self._pending += data

    async def drain(self) -> None:
        while self._pending:
            data = bytes(self._pending[:MAX_DATA])
            del self._pending[:MAX_DATA]
            self.acknowledged.clear()
            self._daemon.send(Packet("WRTE", *self.ids, data))
            await self.acknowledged.wait()

    def close(self) -> None:
        self._daemon.send(Packet("CLSE", *self.ids))


class Daemon:
    """One connection of the server."""

    def __init__(self, phone: Phone, agent: PhoneAgent, writer: asyncio.StreamWriter) -> None:
        self._phone = phone
        self._agent = agent
        self._writer = writer
        self._streams: dict[int, Stream] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def send(self, packet: Packet) -> None:
        self._writer.write(packet.encoded())

    def take(self, packet: Packet) -> None:
        if packet.command == "OPEN":
            self._open(packet.arg0, packet.data.rstrip(b"\0").decode())
            return
        stream = self._streams.get(packet.arg1)
        if stream is None:
            return
        if packet.command == "WRTE":
            stream.reader.feed_data(packet.data)
            self.send(Packet("OKAY", *stream.ids))
        elif packet.command == "OKAY":
            stream.acknowledged.set()
        elif packet.command == "CLSE":
            stream.reader.feed_eof()
            stream.acknowledged.set()

    def _open(self, theirs: int, name: str) -> None:
        if name == self._phone.options.agent_socket:
            service = partial(self._agent.bridge, took=lambda _size: None)
        else:
            found = find(self._phone, name, lambda _size: None)
            if found is None:
                self.send(Packet("CLSE", 0, theirs))
                return
            service = found  # type: ignore[assignment]
        stream = Stream(self, len(self._streams) + 1, theirs)
        self._streams[stream.ids[0]] = stream
        self.send(Packet("OKAY", *stream.ids))
        task = asyncio.ensure_future(_serve(service, stream))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def _serve(service: object, stream: Stream) -> None:
    with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
        await service(stream.reader, stream)  # type: ignore[operator]
        await stream.drain()
    stream.close()


async def _connection(
    phone: Phone,
    agent: PhoneAgent,
    state: str,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
) -> None:
    daemon = Daemon(phone, agent, writer)
    banner = f"device::ro.product.model={phone.options.model};features={phone.features}".encode()
    with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
        while True:
            packet = await read_packet(reader)
            if state == "offline":
                continue
            if packet.command in ("CNXN", "AUTH") and state == "unauthorized":
                daemon.send(TOKEN)
            elif packet.command == "CNXN":
                daemon.send(Packet("CNXN", VERSION, MAX_DATA, banner))
            else:
                daemon.take(packet)
            await writer.drain()
    writer.close()


async def main() -> None:
    options = AdbOptions.model_validate_json(sys.argv[1])
    agent = PhoneAgent(options.agent_delay_ms)
    phone = Phone(options, agent)
    serve = partial(_connection, phone, agent, sys.argv[2])
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    print(json.dumps({"port": server.sockets[0].getsockname()[1]}), flush=True)
    await told_to_stop()
    agent.stop()


if __name__ == "__main__":
    asyncio.run(main())
