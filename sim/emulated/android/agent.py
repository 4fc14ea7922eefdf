"""The phone's agent: this project's own, on a pseudo-terminal, behind a socket of the phone."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
import termios
import tty
from asyncio.streams import FlowControlMixin
from functools import partial

from hil.failure import on_failure
from sim.emulated.agent import EMULATOR, AgentOptions
from sim.emulated.android.services import Took

_END_WITHIN_S = 2.0
_CHUNK = 65536


class PhoneAgent:
    """Keeps `sim.emulated.android.phone.Agent`. It serves some time after it was started, as
    an app does; `deaf` is set where it never shall."""

    def __init__(self, delay_ms: float) -> None:
        self.deaf = False
        self._command = list(EMULATOR.command(AgentOptions(delay_ms=delay_ms)))
        self._process: subprocess.Popen[bytes] | None = None
        self._said = b""

    @property
    def pid(self) -> int | None:
        process = self._process
        return process.pid if process is not None and process.poll() is None else None

    def start(self) -> None:
        if self.pid is None:
            self._said = b""
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )
            if self._process.stdout is not None:
                os.set_blocking(self._process.stdout.fileno(), False)

    def stop(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                stream.close()
        process.kill()
        process.wait(_END_WITHIN_S)

    async def bridge(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, took: Took
    ) -> None:
        """Connect a client to the agent until one of them goes; at once where it does not serve."""
        path = self._path()
        if path is None:
            return
        fd = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        with on_failure(partial(os.close, fd)):
            tty.setraw(fd)
            termios.tcflush(fd, termios.TCIOFLUSH)  # what was meant for a client before
        loop = asyncio.get_running_loop()
        from_agent = asyncio.StreamReader()
        source, _ = await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(from_agent), os.fdopen(os.dup(fd), "rb", 0)
        )
        sink, protocol = await loop.connect_write_pipe(FlowControlMixin, os.fdopen(fd, "wb", 0))
        to_agent = asyncio.StreamWriter(sink, protocol, None, loop)
        ways = {
            asyncio.ensure_future(_copy(reader, to_agent, took)),
            asyncio.ensure_future(_copy(from_agent, writer, lambda _size: None)),
        }
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            source.close()
            sink.abort()

    def _path(self) -> str | None:
        """Where it serves; None while it does not, or never does."""
        if self.pid is None or self._process is None or self._process.stdout is None or self.deaf:
            return None
        with contextlib.suppress(BlockingIOError):
            self._said += os.read(self._process.stdout.fileno(), 4096)
        line, end, _ = self._said.partition(b"\n")
        return str(json.loads(line)["port"]) if end else None


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, took: Took) -> None:
    while data := await reader.read(_CHUNK):
        took(len(data))
        writer.write(data)
        await writer.drain()
