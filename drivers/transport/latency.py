"""The latency timer of USB serial adapters, which the operating system shows as a file."""

from __future__ import annotations

from pathlib import Path

from drivers.transport.urls import is_url
from hil.contracts import Finding
from rigs.rights import udev_rules

USB_SERIAL = Path("/sys/bus/usb-serial/devices")

_LEAST_MS = 1
"""The least an adapter can be set to."""


def latency_timer_ms(port: str, folder: Path = USB_SERIAL) -> int | None:
    """How long the adapter behind `port` may keep received bytes back, in ms.

    FTDI adapters start with 16, which every read then costs. None where the adapter has no
    such setting (CDC, CH343, a pseudo-terminal, a port behind a URL): its real latency has to
    be measured.
    """
    if is_url(port):
        return None
    try:
        return int(_timer(port, folder).read_text(encoding="ascii"))
    except FileNotFoundError:
        return None


def adapter_latency(port: str, folder: Path = USB_SERIAL) -> list[Finding]:
    """Whether the adapter behind `port` holds answers back; nothing where it has no such timer."""
    timer_ms = latency_timer_ms(port, folder)
    if timer_ms is None:
        return []
    quick = timer_ms <= _LEAST_MS
    remedy = (
        f"every answer waits for it: write {_LEAST_MS} to {_timer(port, folder)}, for good by the"
        f" rules in {udev_rules()}"
    )
    return [Finding("usb latency", quick, f"{timer_ms} ms", "" if quick else remedy)]


def _timer(port: str, folder: Path) -> Path:
    """The file that holds it; a stable name of a port is followed to its device."""
    return folder / Path(port).resolve().name / "latency_timer"
