"""From the identity of a port in a rig file to the device path of today."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from serial.tools import list_ports

from drivers.can.interface import split_address
from drivers.transport.urls import parse_url
from hil.errors import BadInput, DeviceNotFound
from rigs.schema import Port

_BY_PATH = Path("/dev/serial/by-path")
_CAMERAS_BY_PATH = Path("/dev/v4l/by-path")
_UNSTABLE = ("ttyUSB", "ttyACM", "video")
_STREAMS = ("http", "https", "rtsp", "rtsps")


@dataclass(frozen=True, slots=True)
class Candidate:
    """A serial port as the host lists it.

    `location` is the USB topology ("1-1.2:1.0"), `interface` the USB interface number where
    the device has several, `by_path` its stable names by where it is plugged in.
    """

    device: str
    vid: int | None = None
    pid: int | None = None
    serial: str = ""
    product: str = ""
    location: str = ""
    interface: int | None = None
    by_path: tuple[str, ...] = ()

    def __str__(self) -> str:
        usb = (
            f"{self.vid:04x}:{self.pid:04x}"
            if self.vid is not None and self.pid is not None
            else "no USB id"
        )
        parts = [self.device, usb, f"serial {self.serial or '-'}", self.product or "-"]
        parts.append(f"at {self.location or '-'}")
        if self.interface is not None:
            parts.append(f"interface {self.interface}")
        parts += [f"by_path {name}" for name in self.by_path]
        return ", ".join(parts)


def candidates() -> list[Candidate]:
    """The serial ports of this host, sorted by device path."""
    links = _links(_BY_PATH)
    ports = [
        Candidate(
            device=port.device,
            vid=port.vid,
            pid=port.pid,
            serial=port.serial_number or "",
            product=port.product or "",
            location=port.location or "",
            interface=_interface(port.location or ""),
            by_path=tuple(name for name, target in links if target == port.device),
        )
        for port in list_ports.comports()
    ]
    return sorted(ports, key=lambda port: port.device)


def resolve(
    port: Port,
    twin_ports: Mapping[str, str],
    scan: Callable[[], Sequence[Candidate]] = candidates,
) -> str:
    """Device path of a port; the URL itself of one that is opened by URL.

    Args:
        port: identity from the rig file.
        twin_ports: addresses of the running twin's ports by name.
        scan: lists the ports of the host.

    Errors: DeviceNotFound where nothing or more than one thing fits, with every candidate;
    BadInput for a URL that cannot be used.
    """
    if port.twin is not None:
        return _twin(port.twin, twin_ports)
    if port.url is not None:
        return _url(port.url, scan)
    if port.by_path is not None and (_CAMERAS_BY_PATH / port.by_path).exists():
        return str(_CAMERAS_BY_PATH / port.by_path)
    found = scan()
    matching = [candidate for candidate in found if _matches(port, candidate)]
    if len(matching) != 1:
        raise _not_found(port, matching, found)
    return matching[0].device


def _matches(port: Port, candidate: Candidate) -> bool:
    if port.by_path is not None:
        return Path(port.by_path).name in candidate.by_path
    same_interface = port.interface is None or port.interface == candidate.interface
    return candidate.serial == port.usb_serial and same_interface


def _not_found(
    port: Port, matching: Sequence[Candidate], found: Sequence[Candidate]
) -> DeviceNotFound:
    wanted = ", ".join(
        f"{key} = {value!r}" for key, value in port.model_dump(exclude_none=True).items()
    )
    count = "no port" if not matching else f"{len(matching)} ports"
    listed = [f"\n  {'*' if candidate in matching else '-'} {candidate}" for candidate in found]
    if not matching:
        remedy = "plug it in, or name one of the ports above in the rig file"
    else:
        remedy = "add its interface, or name the port by by_path (marked * above)"
    return DeviceNotFound(
        f"{wanted} names {count} of this host; candidates:{''.join(listed) or ' none'}", remedy
    )


def _twin(name: str, twin_ports: Mapping[str, str]) -> str:
    if name not in twin_ports:
        served = ", ".join(sorted(twin_ports)) or "none"
        raise DeviceNotFound(f"the twin serves no port {name!r}; candidates: {served}")
    return twin_ports[name]


def _url(url: str, scan: Callable[[], Sequence[Candidate]]) -> str:
    parts = urlsplit(url)
    if parts.scheme == "can":
        split_address(url)  # BadInput where it is malformed
        return url
    if parts.scheme in _STREAMS:
        return url
    if parts.scheme != "file":
        return parse_url(url).text
    path = Path(unquote(parts.path))
    if parts.netloc or not path.is_absolute():
        raise BadInput(f"port url {url!r} is not of the form file:///dev/...")
    if path.name.startswith(_UNSTABLE):
        raise BadInput(
            f"port url {url!r}: {path.name} can be another device after the next plugging-in",
            "use usb_serial or by_path; ports of this host:" + _lines(scan()),
        )
    if not path.exists():
        raise DeviceNotFound(f"port url {url!r}: there is no {path}; candidates:{_lines(scan())}")
    return str(path)


def _lines(found: Sequence[Candidate]) -> str:
    return "".join(f"\n  - {candidate}" for candidate in found) or " none"


def _interface(location: str) -> int | None:
    """USB interface number out of "1-1.2:1.0"; pyserial adds it where there are several."""
    _, colon, place = location.partition(":")
    number = place.rpartition(".")[2]
    return int(number) if colon and number.isdecimal() else None


def _links(folder: Path) -> list[tuple[str, str]]:
    """Names in a folder of links and the device paths they lead to."""
    if not folder.is_dir():
        return []
    return [(link.name, str(link.resolve())) for link in sorted(folder.iterdir())]
