"""The adb server as a client sees it: one connection a request, each kept to its deadline.

An own client and not `adbutils`: that waits without a limit in places, starts a server of its
own, and brings binaries, a picture library and an HTTP client. It proves this one in the tests.
"""

from __future__ import annotations

from drivers.android.wire import (
    DIGITS,
    FAIL,
    OKAY,
    Forward,
    Listed,
    forwards,
    length,
    listed,
    request,
)
from drivers.transport.base import Transport
from drivers.transport.tcp import open_tcp
from drivers.transport.urls import parse_url
from hil.clock import Clock, Deadline
from hil.errors import BadInput, DeadlineMissed, DeviceFault, LinkLost, ProtocolError
from hil.failure import on_failure

USUAL = "socket://127.0.0.1:5037"
_LOOPBACK = "tcp:0"
"""A port of the server's choice, on its host's loopback."""


class Conversation:
    """One connection to the server, or through it to a service of a phone."""

    def __init__(self, transport: Transport, place: str) -> None:
        self._transport = transport
        self._place = place
        self._buffer = b""

    def send(self, data: bytes, deadline: Deadline) -> None:
        """Errors: DeadlineMissed, LinkLost."""
        self._transport.write(data, deadline)

    def ask(self, service: str, deadline: Deadline) -> None:
        """Ask for a service and hear that it is there.

        Errors: DeviceFault with the server's words where it refuses, ProtocolError,
        DeadlineMissed, LinkLost.
        """
        self.send(request(service), deadline)
        self.status(service, deadline)

    def status(self, what: str, deadline: Deadline) -> None:
        """Hear OKAY. Errors: as `ask`."""
        said = self.exactly(DIGITS, deadline)
        if said == OKAY:
            return
        if said == FAIL:
            reason = self.text(deadline).strip() or "without a reason"
            raise DeviceFault(f"{self._place}: {what} refused: {reason}")
        raise ProtocolError(f"{self._place}: answered {said!r}, expected OKAY or FAIL")

    def text(self, deadline: Deadline) -> str:
        """A string with its length in front. Errors: ProtocolError, DeadlineMissed, LinkLost."""
        digits = self.exactly(DIGITS, deadline)
        size = length(digits)
        if size is None:
            raise ProtocolError(f"{self._place}: {digits!r} is no length")
        return self.exactly(size, deadline).decode(errors="replace")

    def exactly(self, size: int, deadline: Deadline) -> bytes:
        """So many bytes. Errors: DeadlineMissed, LinkLost."""
        while len(self._buffer) < size:
            self._buffer += self._read(deadline)
        data, self._buffer = self._buffer[:size], self._buffer[size:]
        return data

    def some(self, deadline: Deadline) -> bytes:
        """What comes next, at least one byte. Errors: DeadlineMissed, LinkLost."""
        if self._buffer:
            data, self._buffer = self._buffer, b""
            return data
        return self._read(deadline)

    def has_said(self, clock: Clock) -> bool:
        """Whether something has come that was not read yet; no wait. Errors: LinkLost."""
        if not self._buffer:
            self._buffer = self._transport.read(Deadline(clock, 0))
        return bool(self._buffer)

    def close(self) -> None:
        """Hang up; may be called twice."""
        self._transport.close()

    def _read(self, deadline: Deadline) -> bytes:
        data = self._transport.read(deadline)
        if not data:
            raise DeadlineMissed(f"{self._place}: no answer in time")
        return data

    def __enter__(self) -> Conversation:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class AdbServer:
    """The server at `address` (`socket://HOST:PORT`). Nothing is kept between calls.

    Errors of every call: LinkLost where no server runs or it hangs up, DeadlineMissed,
    ProtocolError for what no adb server says, DeviceFault for what it refuses.
    """

    def __init__(self, address: str) -> None:
        """Errors: BadInput for an address of another form."""
        self._url = parse_url(address)
        if self._url.scheme != "socket":
            raise BadInput(f"{address!r} is no adb server; its form is socket://HOST:PORT")

    @property
    def place(self) -> str:
        """For messages."""
        return f"adb server at {self._url.host}:{self._url.port}"

    @property
    def on_this_host(self) -> bool:
        """Whether what the server forwards can be reached from here."""
        return self._url.host in ("127.0.0.1", "localhost", "::1")

    def version(self, deadline: Deadline) -> int:
        """The server's own version; 41 since 2018."""
        said = length(self._asked("host:version", deadline).encode())
        if said is None:
            raise ProtocolError(f"{self.place}: its version is no number")
        return said

    def devices(self, deadline: Deadline) -> list[Listed]:
        """Every device the server knows, in whatever state."""
        return listed(self._asked("host:devices", deadline))

    def features(self, serial: str, deadline: Deadline) -> frozenset[str]:
        """What server and device can both do."""
        text = self._asked(f"host-serial:{serial}:features", deadline)
        return frozenset(text.strip().split(","))

    def forward(self, serial: str, remote: str, deadline: Deadline) -> int:
        """Forward a free TCP port of the server's host to `remote` of the phone; returns it."""
        with self._connected(deadline) as link:
            service = f"host-serial:{serial}:forward:{_LOOPBACK};{remote}"
            link.ask(service, deadline)
            link.status(service, deadline)  # the first said that the server heard
            port = link.text(deadline)
        if not port.isdecimal():
            raise ProtocolError(f"{self.place}: forwarded to port {port!r}")
        return int(port)

    def forwards(self, deadline: Deadline) -> list[Forward]:
        """Every forward there is, of any phone."""
        return forwards(self._asked("host:list-forward", deadline))

    def unforward(self, serial: str, port: int, deadline: Deadline) -> None:
        """Remove a forward."""
        with self._connected(deadline) as link:
            service = f"host-serial:{serial}:killforward:tcp:{port}"
            link.ask(service, deadline)
            link.status(service, deadline)

    def reconnect(self, serial: str, deadline: Deadline) -> str:
        """Close the server's connection to a device so that it makes a new one; its words."""
        return self._asked(f"host-serial:{serial}:reconnect", deadline)

    def wait_for(self, serial: str, state: str, deadline: Deadline) -> None:
        """Wait until a device is in `state` ("device", "disconnect", "recovery").

        A wait for "device" is over at once while the phone has not yet begun to reboot: wait
        for "disconnect" first.
        """
        with self._connected(deadline) as link:
            service = f"host-serial:{serial}:wait-for-any-{state}"
            link.ask(service, deadline)
            link.status(service, deadline)

    def service(self, serial: str, name: str, deadline: Deadline) -> Conversation:
        """A conversation with a service of the phone itself; the caller closes it."""
        link = self._connected(deadline)
        with on_failure(link.close):
            link.ask(f"host:transport:{serial}", deadline)
            link.ask(name, deadline)
        return link

    def _asked(self, service: str, deadline: Deadline) -> str:
        with self._connected(deadline) as link:
            link.ask(service, deadline)
            return link.text(deadline)

    def _connected(self, deadline: Deadline) -> Conversation:
        try:
            return Conversation(open_tcp(self._url, deadline), self.place)
        except LinkLost as error:
            raise LinkLost(
                f"no {self.place}: {error.message}", "start it: `adb start-server`"
            ) from error
