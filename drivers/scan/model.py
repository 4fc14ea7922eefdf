"""What a probe is, and what a scan tells."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from drivers.transport.base import Transport
from hil.clock import Clock, Deadline


@dataclass(frozen=True, slots=True)
class Found:
    """What answered.

    `driver` and `parameters` are what a rig file needs for it; `ids` and `models` tell who is
    on a bus, `detail` what else it said.
    """

    family: str
    driver: str
    summary: str
    ids: tuple[int, ...] = ()
    models: tuple[str, ...] = ()
    firmware: str = ""
    parameters: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class OpenLine:
    """A line at one rate, and what came on it by itself before anything was asked."""

    port: Transport
    heard: bytes
    clock: Clock


@dataclass(frozen=True, slots=True)
class Probe:
    """How to find out whether a family answers on a line; entry point of group `hil.probes`.

    `ask` gets the open line at one of `bauds` and a deadline that it keeps. It only asks: nothing
    that a device of any family could take for an order is sent. With `listens`, it sends nothing
    at all. `rank` orders the probes of one rate, so that a more specific question comes first.
    """

    family: str
    bauds: tuple[int, ...]
    ask: Callable[[OpenLine, Deadline], Found | None]
    listens: bool = False
    rank: int = 50


@dataclass(frozen=True, slots=True)
class PortReport:
    """One port of the host.

    `state` is "free", "in use", "no permission", "unplugged", "refused" (it cannot be set up as a
    serial port) or "not asked"; `owners` are the
    processes that have it open, as far as this user may see. `baud` is the rate at which
    `found` answered. `remedy` says what to do where something is in the way.
    """

    path: str
    usb_id: str
    serial: str
    interface: int | None
    product: str
    by_path: tuple[str, ...]
    hub_port: str
    latency_timer_ms: int | None
    state: str
    owners: tuple[str, ...] = ()
    baud: int | None = None
    found: Found | None = None
    took_s: float = 0.0
    remedy: str = ""
