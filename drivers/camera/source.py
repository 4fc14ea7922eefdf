"""Where pictures come from: what an address means, and how it may be shown."""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from drivers.transport.holders import holders
from hil.errors import BadInput, DeviceNotFound

_USER = re.compile(r"(?<=://)[^/@\s]*@")
_SYSFS = Path("/sys/class/video4linux")
_RIGHTS = (
    "add your user to the group that owns it (usually video) and log in again, or install a udev"
    ' rule: SUBSYSTEM=="video4linux", ATTRS{idVendor}=="...", GROUP="video"'
)


class Kind(StrEnum):
    """Ways to a camera."""

    V4L2 = "v4l2"
    HTTP = "http"
    RTSP = "rtsp"


@dataclass(frozen=True, slots=True)
class Source:
    """`target` is for OpenCV; `shown` for people: user and password of a URL are left out."""

    kind: Kind
    target: str
    shown: str


def parse_source(address: str) -> Source:
    """What `address` names: a device path, or an http(s) or rtsp(s) URL. No I/O.

    Errors: BadInput for anything else.
    """
    if address.startswith("/"):
        return Source(Kind.V4L2, address, address)
    parts = urlsplit(address)
    kinds = {"http": Kind.HTTP, "https": Kind.HTTP, "rtsp": Kind.RTSP, "rtsps": Kind.RTSP}
    if parts.scheme not in kinds or not parts.hostname:
        raise BadInput(
            f"{redacted(address)!r} is no camera",
            "a device path, http://HOST/PATH (MJPEG) or rtsp://HOST/PATH is one",
        )
    place = parts.netloc.rpartition("@")[2]
    shown = urlunsplit((parts.scheme, place, parts.path, "", ""))
    return Source(kinds[parts.scheme], address, shown)


def redacted(text: str) -> str:
    """`text` without user names and passwords of the URLs in it."""
    return _USER.sub("", text)


def check_device(path: str) -> None:
    """Whether this process may open the camera at `path`.

    Errors: DeviceNotFound, BadInput with the rule that grants the right.
    """
    try:
        mode = os.stat(path).st_mode
    except OSError as error:
        listed = ", ".join(map(str, sorted(Path("/dev/v4l/by-path").glob("*")))) or "none"
        raise DeviceNotFound(
            f"there is no camera {path}: {error.strerror}", f"cameras of this host: {listed}"
        ) from error
    if not stat.S_ISCHR(mode):
        raise BadInput(f"{path} is no camera: it is not a character device")
    if not os.access(path, os.R_OK | os.W_OK):
        raise BadInput(f"no permission to open {path}", _RIGHTS)


def users_of(path: str) -> str:
    """Other processes that have the device at `path` open, for a message; empty for none."""
    others = [str(one) for one in holders(path) if one.pid != os.getpid()]
    return ", ".join(others)


def usb_facts(path: str, sysfs: Path = _SYSFS) -> dict[str, str]:
    """What the kernel knows of a V4L2 camera: `name`; on USB `serial`, `vid`, `pid`, `firmware`
    and `bus` as well. What it does not know is not there."""
    node = sysfs / Path(os.path.realpath(path)).name
    facts = {"name": _line(node / "name")}
    interface = (node / "device").resolve()
    device = interface.parent
    if (device / "idVendor").exists():
        files = {"serial": "serial", "vid": "idVendor", "pid": "idProduct"}
        facts |= {key: _line(device / file) for key, file in files.items()}
        facts["firmware"] = _line(device / "bcdDevice")
        facts["bus"] = interface.name
    return {key: value for key, value in facts.items() if value}


def _line(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
