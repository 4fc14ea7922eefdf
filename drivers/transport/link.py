"""The one door through which a driver opens its line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pydantic import BaseModel

from drivers.transport.base import Transport
from drivers.transport.capture import CapturedTransport
from drivers.transport.faults import FaultyTransport
from drivers.transport.line import Line, Parity, StopBits
from drivers.transport.options import link_options
from drivers.transport.posix import open_serial
from drivers.transport.remote import open_loop, open_rfc2217
from drivers.transport.replay import Replay
from drivers.transport.sink import WireSink, open_sink
from drivers.transport.tcp import open_tcp
from drivers.transport.urls import PortUrl, is_url, parse_url
from drivers.transport.wire import header_line, read_capture
from hil.clock import Clock, Deadline
from hil.config import validate
from hil.contracts import DeviceSpec
from hil.errors import BadInput
from hil.failure import on_failure
from rigs.link import Fault

OPEN_WITHIN_S = 8.0


def open_link(
    spec: DeviceSpec,
    baud: int,
    clock: Clock,
    *,
    parity: Parity = "none",
    stop_bits: StopBits = 1,
    deadline: Deadline | None = None,
) -> Link:
    """Open the line of a device and register it in `spec.control`.

    Args:
        spec: its `address` is a device path, `rfc2217://HOST:PORT`, `socket://HOST:PORT`,
            `loop://` or `replay:///PATH`; its `link` says what is captured and which faults
            are put in.
        baud: rate in bit/s; the server's own behind `socket://`.
        clock: clock of the deadlines to come; virtual for a replay only.
        parity, stop_bits: where the line is not 8N1.
        deadline: for a network port, `OPEN_WITHIN_S` unless given.

    Errors: BadInput (options, rate, rights, address), DeviceNotFound, RigError (in use),
    LinkLost, DeadlineMissed.
    """
    options = link_options(spec)
    line = Line(baud, parity, stop_bits)
    port = _open_port(spec, line, clock, deadline or Deadline.after_s(clock, OPEN_WITHIN_S))
    plain = spec.control.plain
    with on_failure(port.close):
        opened_ns = clock.now_ns()
        header = header_line(
            spec.role,
            port.description,
            "virtual" if clock.virtual else "CLOCK_MONOTONIC",
            opened_ns,
        )
        capture = False if plain else options.capture
        sink = open_sink(capture, options.capture_mb, spec.base, header)
        link = Link(port, clock, sink)
    with on_failure(link.close):
        if options.faults and not plain:
            link.fit(options.faults, options.seed, opened_ns)
    spec.control.link = link
    return link


def _open_port(spec: DeviceSpec, line: Line, clock: Clock, deadline: Deadline) -> Transport:
    if not is_url(spec.address):
        return open_serial(spec.address, line, clock)
    url = parse_url(spec.address)
    if url.scheme == "replay":
        return _open_replay(spec, url, clock)
    if clock.virtual:
        raise BadInput(f"{url.text} needs a wall clock", "use a twin or real rig for this port")
    match url.scheme:
        case "rfc2217":
            return open_rfc2217(url, line, deadline)
        case "socket":
            return open_tcp(url, deadline)
        case "loop":
            return open_loop(url, line)


def _open_replay(spec: DeviceSpec, url: PortUrl, clock: Clock) -> Replay:
    timing = url.options.get("timing", "none")
    if timing not in ("none", "captured"):
        raise BadInput(f"port url {url.text!r}: timing is none or captured, not {timing!r}")
    path = spec.base / url.path
    capture = read_capture(path)
    return Replay(capture, clock, keep_time=timing == "captured", name=f"replay of {path}")


class Link:
    """The line of one device: a `Transport` for its driver, a `hil.contracts.OpenLink` for the
    harness.

    Layers are there only while they are in use: the port, faults of the rig file, faults of the
    scenario, capture on top.
    """

    def __init__(self, port: Transport, clock: Clock, sink: WireSink | None) -> None:
        self.port = port
        self._clock = clock
        self._sink = sink
        self._closed = False
        self._fitted: FaultyTransport | None = None
        self._planted: FaultyTransport | None = None
        self._top = self._stack()

    @property
    def description(self) -> str:
        return self._top.description

    @property
    def low_latency(self) -> bool:
        return self.port.low_latency

    @property
    def untimed(self) -> str:
        return self.port.untimed

    def write(self, data: bytes, deadline: Deadline) -> None:
        self._top.write(data, deadline)

    def read(self, deadline: Deadline) -> bytes:
        return self._top.read(deadline)

    def discard(self) -> int:
        return self._top.discard()

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._top.close()
        if self._sink is not None:
            self._sink.close()

    def fit(self, faults: Sequence[Fault], seed: int, origin_ns: int) -> None:
        """Put in the faults of the rig file; they stay until `calm`."""
        self._fitted = FaultyTransport(self.port, faults, seed, origin_ns, self._clock)
        self._top = self._stack()

    def plant_faults(
        self, faults: Sequence[Mapping[str, object]], seed: int, origin_ns: int
    ) -> None:
        plain = {"faults": [dict(fault) for fault in faults]}
        checked = validate(plain, _Planted, "faults of a scenario").faults
        inner = self._fitted or self.port
        self._planted = FaultyTransport(inner, checked, seed, origin_ns, self._clock)
        self._top = self._stack()

    def lift_faults(self) -> Mapping[str, int]:
        planted, self._planted = self._planted, None
        self._top = self._stack()
        return {} if planted is None else _ended(planted)

    def fault_counts(self) -> Mapping[str, int]:
        return {} if self._fitted is None else self._fitted.counts()

    def calm(self) -> None:
        self._planted = self._fitted = None
        self._top = self._stack()

    def take_wire(self) -> bytes:
        return b"" if self._sink is None else self._sink.take()

    def begin_wire(self) -> None:
        if self._sink is not None:
            self._sink.restart()

    def _stack(self) -> Transport:
        below = self._planted or self._fitted or self.port
        if self._sink is None:
            return below
        return CapturedTransport(below, self._sink.buffer, self._clock)


class _Planted(BaseModel):
    faults: list[Fault]


def _ended(faults: FaultyTransport) -> Mapping[str, int]:
    counts = dict(faults.counts())
    held = faults.drop_held()
    return {**counts, "held_bytes_dropped": held} if held else counts
