"""What the emulated adb server knows and does: the phone's state, forwards, its answers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from hil.config import validate
from hil.errors import BadInput
from sim.emulated.android.agent import PhoneAgent
from sim.emulated.android.faults import Faults
from sim.emulated.android.phone import Phone

_VERSION = 41
_TRANSPORT_ID = 1
_HOST_FEATURES = "shell_v2,cmd,stat_v2"


class Refused(Exception):
    """The answer is FAIL, with this text."""


@dataclass
class Counts:
    """For tests: how often the server was asked for what."""

    reconnects: int = 0
    reboots: int = 0
    streams_cut: int = 0


@dataclass
class Desk:
    """The server's side of everything; `phone` is what is plugged into it."""

    phone: Phone
    agent: PhoneAgent
    counts: Counts = field(default_factory=Counts)
    _streams: set[asyncio.StreamWriter] = field(default_factory=set)
    _forwards: dict[int, tuple[str, asyncio.Server]] = field(default_factory=dict)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def stalled(self, name: str) -> bool:
        """Whether to say nothing to this request; control itself is always answered."""
        return self.phone.faults.stall and not name.startswith("emulator:")

    async def answers(self, name: str) -> AsyncIterator[bytes]:
        """The answers to a request, each as it comes. Errors: Refused."""
        if name.startswith("emulator:"):
            yield _okay(self._emulator(name))
            return
        serial, rest = self._addressed(name)
        what, _, more = rest.partition(":")
        if what.startswith("wait-for-"):
            yield b"OKAY"
            await self._wait_for(serial, what.rpartition("-")[2])
            yield b"OKAY"
        elif what == "forward":
            port = await self._forward(serial, more)
            yield b"OKAY"
            yield _okay(str(port)) if more.startswith(("tcp:0", "norebind:tcp:0")) else b"OKAY"
        elif what in ("killforward", "killforward-all"):
            self._unforward(serial, more)
            yield b"OKAY"
            yield b"OKAY"
        else:
            yield _okay(self._said(serial, rest))

    def transport(self, name: str) -> bytes:
        """The answer to a request to be connected to the phone. Errors: Refused."""
        kind, _, rest = name.removeprefix("host:").partition(":")
        serial = rest.removeprefix("serial:") if rest else self.phone.options.serial
        self._usable(None if kind.endswith("any") or rest == "any" else serial)
        number = _TRANSPORT_ID.to_bytes(8, "little") if kind == "tport" else b""
        return b"OKAY" + number

    def took(self, size: int) -> None:
        """The phone has taken so many bytes. Errors: ConnectionError where it went."""
        left = self.phone.faults.vanish_after
        if left is None:
            return
        if size <= left:
            self._set(vanish_after=left - size)
            return
        self._set(vanish_after=None, state="absent")
        raise ConnectionError

    @contextmanager
    def stream(self, writer: asyncio.StreamWriter) -> Iterator[None]:
        """While inside, the stream is cut when the phone goes."""
        self._streams.add(writer)
        try:
            yield
        finally:
            self._streams.discard(writer)

    def reboot(self) -> None:
        """The phone restarts: gone for a while, back, and up after another while."""
        self.counts.reboots += 1
        self._later(self._reboot())

    def close(self) -> None:
        """Cut what is open."""
        self._cut()
        for _, server in self._forwards.values():
            server.close()

    def _emulator(self, name: str) -> str:
        if name == "emulator:status":
            return json.dumps(self._status())
        text = name.removeprefix("emulator:control:")
        try:
            given = json.loads(text)
        except ValueError as error:
            raise Refused(f"control takes JSON: {error}") from error
        if not isinstance(given, dict):
            raise Refused("control takes a JSON table")
        return self._set(**given)

    def _set(self, **changes: Any) -> str:
        before = self.phone.faults
        try:
            faults = validate({**before.model_dump(), **changes}, Faults, "control")
        except BadInput as error:
            raise Refused(error.message) from error
        self.phone.faults = faults
        self.agent.deaf = faults.agent == "deaf"
        if faults.state != before.state:
            if faults.state != "device":
                self._cut()
            changed, self._changed = self._changed, asyncio.Event()
            changed.set()
        return str(faults.model_dump_json())

    def _status(self) -> dict[str, object]:
        return {
            **vars(self.counts),
            "forwards": {str(port): remote for port, (remote, _) in self._forwards.items()},
            "files": {path: len(content) for path, content in self.phone.files.items()},
            "agent_pid": self.phone.agent.pid,
            "streams": len(self._streams),
        }

    def _addressed(self, name: str) -> tuple[str | None, str]:
        """Serial number and request; no serial where the only phone is meant."""
        own = f"host-serial:{self.phone.options.serial}:"
        if name.startswith(own):  # which may have colons of its own
            return self.phone.options.serial, name.removeprefix(own)
        if name.startswith("host-serial:"):
            serial, _, rest = name.removeprefix("host-serial:").partition(":")
            return serial, rest
        if name.startswith("host:"):
            return None, name.removeprefix("host:")
        raise Refused(f"unknown host service '{name}'")

    def _said(self, serial: str | None, what: str) -> str:
        one, state = self.phone.options, self.phone.faults.state
        there = state != "absent"
        of_host = {
            "version": f"{_VERSION:04x}",
            "devices": f"{one.serial}\t{state}\n" if there else "",
            "devices-l": self._long() if there else "",
            "list-forward": self._list(),
            "host-features": _HOST_FEATURES,
        }
        of_phone = {
            "get-state": state,
            "get-serialno": one.serial,
            "get-devpath": "usb:1-1",
            "features": self.phone.features,
        }
        if what == "reconnect":
            return self._reconnect(serial)
        if what in of_host:
            return of_host[what]
        self._there(serial)
        if what == "features":
            self._usable(serial)
        if what not in of_phone:
            raise Refused(f"unknown host service '{what}'")
        return of_phone[what]

    def _there(self, serial: str | None) -> None:
        """Errors: Refused in the words of adb."""
        known = serial in (None, self.phone.options.serial)
        if not known or self.phone.faults.state == "absent":
            raise Refused(
                f"device '{serial}' not found" if serial else "no devices/emulators found"
            )

    def _usable(self, serial: str | None) -> None:
        self._there(serial)
        state = self.phone.faults.state
        if state == "unauthorized":
            raise Refused("device unauthorized.\nThis adb server's $ADB_VENDOR_KEYS is not set")
        if state != "device":
            raise Refused(f"device {state}")

    def _long(self) -> str:
        one, state = self.phone.options, self.phone.faults.state
        model = one.model.replace(" ", "_")
        return f"{one.serial:<22} {state} usb:1-1 model:{model} transport_id:{_TRANSPORT_ID}\n"

    def _list(self) -> str:
        serial = self.phone.options.serial
        return "".join(f"{serial} tcp:{p} {remote}\n" for p, (remote, _) in self._forwards.items())

    def _reconnect(self, serial: str | None) -> str:
        try:
            self._there(serial)
        except Refused as refused:
            return str(refused)  # as adb does: OKAY, and the trouble as text
        self.counts.reconnects += 1
        state = self.phone.faults.state
        if self.phone.faults.reconnect_cures:
            self._set(state="device")
        return f"reconnecting {self.phone.options.serial} [{state}]\n"

    async def _wait_for(self, serial: str | None, state: str) -> None:
        wanted = "absent" if state == "disconnect" else state
        while True:
            known = serial in (None, self.phone.options.serial)
            now = self.phone.faults.state if known else "absent"
            if now == wanted:
                return
            await self._changed.wait()

    async def _forward(self, serial: str | None, spec: str) -> int:
        local, _, remote = spec.removeprefix("norebind:").partition(";")
        port = local.removeprefix("tcp:")
        if not local.startswith("tcp:") or not port.isdecimal() or not remote:
            raise Refused(f"cannot forward {spec!r}")
        self._usable(serial)
        server = await asyncio.start_server(
            lambda reader, writer: self._forwarded(remote, reader, writer), "127.0.0.1", int(port)
        )
        number = int(server.sockets[0].getsockname()[1])
        self._forwards[number] = (remote, server)
        return number

    def _unforward(self, serial: str | None, local: str) -> None:
        self._there(serial)
        port = local.removeprefix("tcp:")
        ports = [int(port)] if port.isdecimal() else list(self._forwards)
        for number in ports:
            found = self._forwards.pop(number, None)
            if found is None:
                raise Refused(f"listener '{local}' not found")
            found[1].close()

    async def _forwarded(
        self, remote: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """A connection to a forwarded port: taken first, dropped where nobody is behind it."""
        served = remote == self.phone.options.agent_socket and self.phone.faults.state == "device"
        try:
            if served:
                with self.stream(writer):
                    await self.agent.bridge(reader, writer, self.took)
        except ConnectionError:
            pass  # the client is gone, or the phone is
        finally:
            writer.close()

    def _cut(self) -> None:
        """Every stream of the phone, and every forward, goes with it."""
        for writer in self._streams:
            self.counts.streams_cut += 1
            writer.close()
        for _, server in self._forwards.values():
            server.close()
        self._forwards.clear()

    async def _reboot(self) -> None:
        faults = self.phone.faults
        self.phone.agent.stop()
        self.phone.booted = False
        self._set(state="absent")
        await asyncio.sleep(faults.reboot_s)
        self._set(state="device")
        await asyncio.sleep(faults.boot_s)
        self.phone.booted = True

    def _later(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _okay(text: str) -> bytes:
    data = text.encode()
    return b"OKAY" + b"%04x" % len(data) + data
