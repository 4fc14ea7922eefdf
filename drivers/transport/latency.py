"""The latency timer of USB serial adapters, which the operating system shows as a file."""

from __future__ import annotations

from pathlib import Path

USB_SERIAL = Path("/sys/bus/usb-serial/devices")


def latency_timer_ms(port: str, folder: Path = USB_SERIAL) -> int | None:
    """How long the adapter behind `port` may keep received bytes back, in ms.

    FTDI adapters start with 16, which every read then costs. None where the adapter has no
    such setting (CDC, CH343, a pseudo-terminal): its real latency has to be measured.
    """
    try:
        return int((folder / Path(port).name / "latency_timer").read_text(encoding="ascii"))
    except FileNotFoundError:
        return None
