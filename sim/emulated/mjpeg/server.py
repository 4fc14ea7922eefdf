"""The camera's process: `python -m sim.emulated.mjpeg.server OPTIONS`.

OPTIONS is `CameraOptions` as JSON. It prints one line of JSON, {"port": URL, "pid": ...}, once
it serves, and ends on SIGTERM or when its standard input, if that is a pipe, does.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import sys
import time
from dataclasses import asdict, dataclass
from typing import Any

from hil.clock import NS_PER_US
from hil.config import validate
from hil.errors import BadInput, HilError
from sim.emulated.camera import CameraOptions
from sim.emulated.mjpeg.faults import Faults
from sim.emulated.mjpeg.http import Answer, Request, read_request
from sim.emulated.mjpeg.mark import Mark
from sim.emulated.mjpeg.pattern import Pattern
from sim.emulated.serving import announce, run_program, running, told_to_stop

_BOUNDARY = b"frame"
_TAKE_WITHIN_S = 5.0
"""A client that takes no bytes for so long is hung up."""

_MS_PER_S = 1000


@dataclass(slots=True)
class Counts:
    """The truth about the stream, for tests."""

    made: int = 0
    dropped: int = 0
    shown: int = 0
    clients: int = 0


class Camera:
    """Makes frames on an absolute grid, and serves the newest to whoever asks."""

    def __init__(self, options: CameraOptions) -> None:
        """Errors: BadInput."""
        self._options = options
        self._faults = Faults()
        self._pattern = self._patterned(Faults())
        self._random = random.Random(options.seed)
        self._counts = Counts()
        self._jpeg = b""
        self._turn = asyncio.Event()
        self._streams: set[asyncio.StreamWriter] = set()
        self._frame()

    async def run(self) -> None:
        """Make frames until cancelled."""
        next_s = time.monotonic()
        while True:
            next_s += 1 / (self._faults.rate_hz or self._options.rate_hz)
            now_s = time.monotonic()
            next_s = max(next_s, now_s)  # a grid point that has passed is not made up for
            await asyncio.sleep(next_s - now_s)
            self._frame()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection: one request."""
        self._counts.clients += 1
        try:
            request = await asyncio.wait_for(read_request(reader), _TAKE_WITHIN_S)
            if request is not None:
                await self._answer(request, writer)
        except (ConnectionError, TimeoutError):
            pass  # the client is gone, or has stopped reading
        finally:
            self._counts.clients -= 1
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    def control(self, given: object) -> dict[str, Any]:
        """Change the faults named, do the one act there is; returns all faults.

        Errors: BadInput naming what is known.
        """
        if not isinstance(given, dict):
            raise BadInput("control takes a JSON table of faults")
        changes = dict(given)
        hang_up = changes.pop("hang_up", False)
        faults = validate({**self._faults.model_dump(), **changes}, Faults, "control")
        if (faults.width, faults.height) != (self._faults.width, self._faults.height):
            self._pattern = self._patterned(faults)
        self._faults = faults
        if hang_up:
            self.hang_up()
        return faults.model_dump()

    def hang_up(self) -> None:
        """Close every stream there is."""
        for stream in self._streams:
            stream.close()

    async def _answer(self, request: Request, writer: asyncio.StreamWriter) -> None:
        match (request.method, request.path):
            case ("GET", "/stream.mjpg"):
                await self._stream(writer)
                return
            case ("GET", "/snapshot.jpg"):
                answer = Answer(200, "image/jpeg", self._jpeg)
            case ("GET", "/control"):
                answer = Answer.json(self._faults.model_dump())
            case ("POST", "/control"):
                answer = self._controlled(request.body)
            case ("GET", "/status"):
                answer = Answer.json(asdict(self._counts))
            case _:
                known = "/stream.mjpg, /snapshot.jpg, /control, /status"
                answer = Answer(404, "text/plain", f"there is: {known}\n".encode())
        writer.write(answer.encoded())
        await writer.drain()

    def _controlled(self, body: bytes) -> Answer:
        try:
            return Answer.json(self.control(json.loads(body)))
        except (ValueError, HilError) as error:
            return Answer(400, "text/plain", f"{error}\n".encode())

    async def _stream(self, writer: asyncio.StreamWriter) -> None:
        if self._faults.refuse:
            writer.write(Answer(503, "text/plain", b"refused by control\n").encoded())
            return
        kind = f"multipart/x-mixed-replace; boundary={_BOUNDARY.decode()}"
        writer.write(Answer(200, kind, None).encoded())
        self._streams.add(writer)
        try:
            while not writer.is_closing():
                await self._turn.wait()
                if not self._faults.stall:
                    writer.write(_part(self._jpeg))
                    await asyncio.wait_for(writer.drain(), _TAKE_WITHIN_S)
                    self._counts.shown += 1
        finally:
            self._streams.discard(writer)

    def _frame(self) -> None:
        """Make the next frame, and show it when it is due."""
        faults = self._faults
        if faults.freeze and self._jpeg:
            self._show(self._jpeg)
            return
        mark = Mark(self._counts.made, time.monotonic_ns() // NS_PER_US)
        self._counts.made += 1
        if self._random.random() < faults.drop_share:
            self._counts.dropped += 1
            return
        jpeg = self._pattern.encode(self._pattern.render(mark, faults), faults)
        if faults.delay_ms:
            loop = asyncio.get_running_loop()
            loop.call_later(faults.delay_ms / _MS_PER_S, self._show, jpeg)
        else:
            self._show(jpeg)

    def _show(self, jpeg: bytes) -> None:
        """Make it the newest, and wake all who wait for one."""
        self._jpeg = jpeg
        turn, self._turn = self._turn, asyncio.Event()
        turn.set()

    def _patterned(self, faults: Faults) -> Pattern:
        options = self._options
        size = (faults.width or options.width, faults.height or options.height)
        return Pattern(size, options.pattern, options.quality, options.seed)


def _part(jpeg: bytes) -> bytes:
    head = b"--%s\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n"
    return head % (_BOUNDARY, len(jpeg)) + jpeg + b"\r\n"


async def serve(options: CameraOptions) -> None:
    """Serve one camera until told to stop. Errors: BadInput."""
    camera = Camera(options)
    server = await asyncio.start_server(camera.serve, "127.0.0.1", 0)
    async with server, running(camera.run()):
        host, port = server.sockets[0].getsockname()
        announce(f"http://{host}:{port}/stream.mjpg")
        await told_to_stop()
        camera.hang_up()


if __name__ == "__main__":
    raise SystemExit(run_program(sys.argv[1:], CameraOptions, serve))
