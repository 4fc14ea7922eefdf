"""One phone by its serial number: its state, its shell, its files."""

from __future__ import annotations

import hashlib
import shlex
import stat
import time
from dataclasses import dataclass

from drivers.android import states, wire
from drivers.android.server import AdbServer, Conversation
from drivers.android.wire import Decoder, Entry, Stream
from hil.clock import NS_PER_MS, NS_PER_S, Clock, Deadline
from hil.errors import (
    BadInput,
    DeadlineMissed,
    DeviceFault,
    HilError,
    LinkLost,
    ProtocolError,
    RigError,
)

COOL_DOWN_S = 30.0
"""Least time between two reconnects: the phone must be given time to come back by itself."""

_OUTPUT_LIMIT = 1 << 20
_FILE_LIMIT = 1 << 30
_STATE_WITHIN_NS = 500 * NS_PER_MS
_BOOT_LOOK_S = 0.5
_NO_SUCH_COMMAND = 127
_DIGEST_DIGITS = 64


@dataclass(frozen=True, slots=True)
class Ran:
    """What a command of the phone's shell left behind."""

    code: int
    stdout: str
    stderr: str


class Phone:
    """The phone `serial` at a server.

    Errors of every call: those of `AdbServer`; where the phone is not in state "device" any
    more, an error that names the state it is in instead.
    """

    def __init__(self, server: AdbServer, serial: str, clock: Clock) -> None:
        self.serial = serial
        self.server = server
        self.reconnects = 0
        self._clock = clock
        self._reconnected_ns: int | None = None

    def state(self, deadline: Deadline) -> str:
        """Its state by name; `states.ABSENT` where the server does not list it."""
        return self._look(deadline)[0]

    def ready(self, deadline: Deadline) -> None:
        """Wait until it can be used; a phone that is offline is asked to reconnect, once in
        30 s. Errors: as `states.refusal`, at once for a state that does not end by itself.
        """
        state, others = self._look(deadline)
        if state == states.DEVICE:
            return
        if state == states.OFFLINE and self._reconnect(deadline):
            state = "connecting"
        if not states.outcome(state).passing:
            raise states.refusal(self.serial, state, others)
        try:
            self.server.wait_for(self.serial, states.DEVICE, deadline.sooner(_share(deadline)))
        except RigError as error:
            state, others = self._look(deadline)
            if state != states.DEVICE:
                raise states.refusal(self.serial, state, others) from error

    def reboot(self, deadline: Deadline) -> None:
        """Restart it, see it go, and wait until Android says that it has come up again."""
        with self.server.service(self.serial, "reboot:", deadline):
            self.server.wait_for(self.serial, "disconnect", deadline)
        self.server.wait_for(self.serial, states.DEVICE, deadline)
        while self._booted(deadline) != "1":
            if deadline.expired:
                raise states.refusal(self.serial, "connecting")
            time.sleep(min(_BOOT_LOOK_S, deadline.remaining_s()))

    def shell(self, command: str, deadline: Deadline) -> Ran:
        """Run a command, quoted for the phone's shell by the caller, and wait for its end.

        Errors: DeviceFault for more output than 1 MiB; ProtocolError.
        """
        during = f"the command {command!r:.60}"
        decoder = wire.shell_decoder()
        output = {Stream.STDOUT: bytearray(), Stream.STDERR: bytearray()}
        with self._service(f"shell,v2,raw:{command}", deadline) as link:
            while True:
                for packet in decoder.feed(self._heard(link, during, deadline)):
                    if packet.kind == Stream.EXIT:
                        return _ran(packet.data, output)
                    if packet.kind in output:
                        output[Stream(packet.kind)] += packet.data
                    if sum(map(len, output.values())) > _OUTPUT_LIMIT:
                        raise DeviceFault(f"phone {self.serial}: {during} says too much")
                if decoder.too_long:
                    raise ProtocolError(f"phone {self.serial}: a packet of a shell too long")

    def push(self, content: bytes, path: str, mode: int, deadline: Deadline) -> str:
        """Write a file and have its SHA-256 read back from the phone; returns it.

        It appears under its name only once it is whole and its digest is right. Errors: DeviceFault
        where the phone refuses it or has got something else.
        """
        part = f"{path}.part"
        wanted = hashlib.sha256(content).hexdigest()
        self._send(content, part, mode, deadline)
        found = self.digest(part, deadline)
        if found != wanted:
            raise DeviceFault(
                f"phone {self.serial}: {part} has SHA-256 {found}, sent was {wanted}",
                "push again; where it stays so, its storage or the cable is broken",
            )
        moved = self.shell(f"mv -f {shlex.quote(part)} {shlex.quote(path)}", deadline)
        if moved.code:
            raise DeviceFault(f"phone {self.serial}: {part} stays: {moved.stderr.strip()}")
        return found

    def digest(self, path: str, deadline: Deadline) -> str:
        """SHA-256 of a file of the phone; by reading it back where the phone has no tool for
        it. Empty where there is no such file."""
        ran = self.shell(f"sha256sum {shlex.quote(path)}", deadline)
        if ran.code == _NO_SUCH_COMMAND:
            content = self.pull(path, deadline)
            return "" if content is None else hashlib.sha256(content).hexdigest()
        told = ran.stdout.split(maxsplit=1)[:1]
        return told[0] if ran.code == 0 and told and len(told[0]) == _DIGEST_DIGITS else ""

    def pull(self, path: str, deadline: Deadline) -> bytes | None:
        """The content of a file; None where it cannot be read."""
        decoder = wire.sync_decoder()
        content = bytearray()
        with self._service("sync:", deadline) as link:
            link.send(wire.entry(b"RECV", path.encode()), deadline)
            while True:
                for one in self._entries(decoder, link, f"the pull of {path}", deadline):
                    if one.kind == b"DONE":
                        return bytes(content)
                    if one.kind == b"FAIL":
                        return None
                    content += self._data(one)
                if len(content) > _FILE_LIMIT:
                    raise DeviceFault(f"phone {self.serial}: {path} is larger than 1 GiB")

    def properties(self, deadline: Deadline) -> dict[str, str]:
        """Everything that `getprop` tells."""
        return wire.properties(self.shell("getprop", deadline).stdout)

    def lost(self, error: HilError, during: str, deadline: Deadline) -> HilError:
        """The error to raise for `error` during something: it names the phone's state where
        that is the cause."""
        try:
            state, others = self._look(deadline.sooner(_STATE_WITHIN_NS))
        except HilError:
            return error  # the server itself is the trouble, and the error says so
        if state == states.DEVICE:
            return error
        found = states.refusal(self.serial, state, others)
        return LinkLost(f"{found.message}; it went during {during}", found.remedy)

    def _look(self, deadline: Deadline) -> tuple[str, str]:
        there = self.server.devices(deadline)
        state = next((one.state for one in there if one.serial == self.serial), states.ABSENT)
        others = ", ".join(f"{one.serial} ({states.named(one.state)})" for one in there)
        return states.named(state), others or "none"

    def _reconnect(self, deadline: Deadline) -> bool:
        """Ask for a reconnect where the last was long enough ago; whether it was asked."""
        now_ns = self._clock.now_ns()
        last_ns = self._reconnected_ns
        if last_ns is not None and now_ns - last_ns < COOL_DOWN_S * NS_PER_S:
            return False
        self._reconnected_ns = now_ns
        self.reconnects += 1
        self.server.reconnect(self.serial, deadline)
        return True

    def _booted(self, deadline: Deadline) -> str:
        return self.shell("getprop sys.boot_completed", deadline).stdout.strip()

    def _send(self, content: bytes, path: str, mode: int, deadline: Deadline) -> None:
        if "," in path:
            raise BadInput(f"phone {self.serial}: a path with a comma cannot be pushed: {path!r}")
        decoder = wire.sync_decoder()
        target = f"{path},{stat.S_IFREG | mode}".encode()
        with self._service("sync:", deadline) as link:
            try:
                link.send(wire.entry(b"SEND", target), deadline)
                for at in range(0, len(content), wire.MAX_DATA):
                    if link.has_said(self._clock):
                        break  # it refuses already
                    link.send(wire.entry(b"DATA", content[at : at + wire.MAX_DATA]), deadline)
                else:
                    link.send(wire.plain_entry(b"DONE", int(time.time())), deadline)
            except LinkLost as error:
                raise self.lost(error, f"the push of {path}", deadline) from error
            while not (said := self._entries(decoder, link, f"the push of {path}", deadline)):
                continue
        if said[0].kind != b"OKAY":
            reason = said[0].data.decode(errors="replace").strip() or repr(said[0].kind)
            raise DeviceFault(f"phone {self.serial}: {path} cannot be written: {reason}")

    def _data(self, one: Entry) -> bytes:
        if one.kind != b"DATA":
            raise ProtocolError(f"phone {self.serial}: {one.kind!r} in the middle of a file")
        return one.data

    def _service(self, name: str, deadline: Deadline) -> Conversation:
        try:
            return self.server.service(self.serial, name, deadline)
        except (DeviceFault, LinkLost) as error:
            raise self.lost(error, name.partition(":")[0], deadline) from error

    def _entries(
        self, decoder: Decoder[Entry], link: Conversation, during: str, deadline: Deadline
    ) -> list[Entry]:
        found = decoder.feed(self._heard(link, during, deadline))
        if decoder.too_long:
            raise ProtocolError(f"phone {self.serial}: an entry of sync that is too long")
        return found

    def _heard(self, link: Conversation, during: str, deadline: Deadline) -> bytes:
        try:
            return link.some(deadline)
        except DeadlineMissed as error:
            raise DeadlineMissed(f"phone {self.serial}: no answer to {during} in time") from error
        except LinkLost as error:
            raise self.lost(error, during, deadline) from error


def _ran(code: bytes, output: dict[Stream, bytearray]) -> Ran:
    text = {stream: data.decode(errors="replace") for stream, data in output.items()}
    return Ran(code[0] if code else -1, text[Stream.STDOUT], text[Stream.STDERR])


def _share(deadline: Deadline) -> int:
    """Most of the time left; the rest is for saying what is wrong."""
    return deadline.remaining_ns() * 4 // 5
