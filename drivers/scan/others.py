"""What else is connected: CAN interfaces, cameras, HID devices, Android devices."""

from __future__ import annotations

import socket
from pathlib import Path

from drivers.estop.hid import hid_devices
from hil.clock import Deadline, WallClock

_ARPHRD_CAN = "280"
"""linux/if_arp.h."""

_ADB = ("127.0.0.1", 5037)
_ADB_WITHIN_S = 0.5


def other_devices(
    net: Path = Path("/sys/class/net"), cameras: Path = Path("/dev/v4l/by-path")
) -> dict[str, list[str]]:
    """Lines by kind; kinds of which there is nothing are empty."""
    return {
        "CAN interface": [f"url = can:socketcan:{name}" for name in _can_interfaces(net)],
        "camera": sorted(str(link) for link in cameras.iterdir()) if cameras.is_dir() else [],
        "HID device": [str(device) for device in hid_devices()],
        "Android device": _android_devices(),
    }


def _can_interfaces(net: Path) -> list[str]:
    if not net.is_dir():
        return []
    return sorted(entry.name for entry in net.iterdir() if _type(entry) == _ARPHRD_CAN)


def _type(entry: Path) -> str:
    try:
        return (entry / "type").read_text(encoding="ascii").strip()
    except OSError:
        return ""  # gone while it was listed


def _android_devices() -> list[str]:
    """What a running adb server lists; none is started."""
    deadline = Deadline.after_s(WallClock(), _ADB_WITHIN_S)
    try:
        with socket.create_connection(_ADB, _ADB_WITHIN_S) as link:
            link.settimeout(max(deadline.remaining_s(), 0.01))
            link.sendall(b"000chost:devices")
            answer = bytearray()
            while not deadline.expired and (data := link.recv(4096)):
                answer += data
    except OSError:
        return []
    listed = answer[8:].decode("utf-8", errors="replace") if answer[:4] == b"OKAY" else ""
    return [line.replace("\t", ", ") for line in listed.splitlines() if line]
