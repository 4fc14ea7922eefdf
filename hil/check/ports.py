"""The port of one device, before anything is opened: where it is, and who may use it."""

from __future__ import annotations

import grp
import os
import pwd
import re
import stat
from collections.abc import Iterator
from pathlib import Path

from hil.check.model import About, Part, Result
from rigs.link import untimed
from rigs.rights import how_to_get_rights, udev_rules
from rigs.schema import Port

RIGHTS = "rights"
"""Name of the finding on who may use a device file."""

_SYSTEM = Path("/")
_USB_INTERFACE = re.compile(r"\d+-[\d.]+:\d+\.\d+")


def check_port(
    port: Port,
    role: str,
    address: str,
    timer_ms: int | None,
    limit_ms: int,
    system: Path = _SYSTEM,
) -> Iterator[Result]:
    """What can be said of a port whose address was found.

    `timer_ms` is the latency timer of its adapter, None where it has none; `limit_ms` what the
    rig file allows.
    """
    about = About(Part.PORT, role)
    place = usb_place(address, system)
    plugged = f", plugged in at {place}" if place else ""
    yield about.ok("port", f"{identity(port)} is {address}{plugged}", {"address": address})
    why = untimed(port.url or "")
    if why:
        yield about.note("time", f"no claim on time can be certified: {why}")
    if is_device_file(address):
        yield check_rights(about, address)
    if timer_ms is not None:
        yield _latency_timer(about, address, timer_ms, limit_ms)


def check_rights(about: About, path: str) -> Result:
    """Whether this user may read and write a device file."""
    facts = os.stat(path)
    owner, group = _user(facts.st_uid), _group(facts.st_gid)
    shown = f"{stat.filemode(facts.st_mode)} {owner}:{group}"
    if os.access(path, os.R_OK | os.W_OK):
        return about.ok(RIGHTS, f"you may read and write it ({shown})")
    detail = f"you ({_user(os.geteuid())}) may not read and write {path} ({shown})"
    return about.bad(RIGHTS, detail, how_to_get_rights())


def _latency_timer(about: About, address: str, timer_ms: int, limit_ms: int) -> Result:
    """FTDI adapters hold received bytes back for as long, and every read pays for it."""
    detail = f"{timer_ms} ms, limit {limit_ms} ms"
    if timer_ms <= limit_ms:
        return about.ok("latency timer", detail, {"timer_ms": timer_ms})
    name = Path(address).resolve().name
    remedy = (
        f"for now: echo {limit_ms} | sudo tee /sys/bus/usb-serial/devices/{name}/latency_timer;"
        f" for good: install {udev_rules()}, whose first lines say how"
    )
    return about.bad("latency timer", detail, remedy, {"timer_ms": timer_ms})


def identity(port: Port) -> str:
    """A port as the rig file names it."""
    named = port.model_dump(exclude_none=True)
    return ", ".join(f"{key} {value!r}" for key, value in named.items())


def is_device_file(address: str) -> bool:
    """Whether an address is a character device of this host."""
    try:
        return stat.S_ISCHR(os.stat(address).st_mode)
    except OSError:
        return False


def usb_place(address: str, system: Path = _SYSTEM) -> str:
    """Where on USB a serial port is, as the kernel writes it ("1-1.2:1.0": bus 1, port 1 of the
    root hub, port 2 of the hub there, interface 0); empty for a port that is not on USB."""
    name = Path(address).name
    device = (system / "sys/class/tty" / name / "device").resolve()
    places = [part for part in device.parts if _USB_INTERFACE.fullmatch(part)]
    return places[-1] if places else ""


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:  # a user that this host does not know by name
        return str(uid)


def _group(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)
