"""An emergency stop that is a USB HID device, read through hidraw (`EmergencyStop`).

A HID button sends a report when something changes and is silent otherwise, so that silence says
nothing. Until its state is known it counts as pressed; a device that is unplugged is LinkLost.
Where the kernel can ask the device for its present report (HIDIOCGINPUT), it is asked when it is
opened and at every health check. Unlike the streaming box of `docs/estop-box.md` it cannot show
that it still works: say so to whoever relies on it.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from hil.clock import Clock, Deadline
from hil.config import device_parameters
from hil.contracts import (
    BenchContext,
    Capability,
    DeviceSpec,
    Finding,
    Identity,
    SafeProof,
    Scalar,
)
from hil.errors import BadInput, DeviceNotFound, HarnessError, LinkLost, RigError
from hil.failure import on_failure

HIDRAW = Path("/sys/class/hidraw")
_MOST_REPORTS = 64
_NOT_OFFERED = frozenset({errno.ENOTTY, errno.EINVAL, errno.EPIPE, errno.ENOSYS})


class HidParameters(BaseModel):
    """`parameters` of driver `hid-estop`.

    The device by `vendor_id`, `product_id` and, where there are several, `serial`; or by
    `path` for a device file with a stable name. Of each report of `report_bytes`, the button is
    released where byte `byte` and `mask` give `released`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    vendor_id: int | None = Field(None, ge=0, le=0xFFFF)
    product_id: int | None = Field(None, ge=0, le=0xFFFF)
    serial: str | None = None
    path: str | None = None
    report_bytes: int = Field(ge=1, le=64)
    byte: int = Field(ge=0, le=63)
    mask: int = Field(0xFF, ge=1, le=0xFF)
    released: int = Field(0, ge=0, le=0xFF)


@dataclass(frozen=True, slots=True)
class HidDevice:
    """A hidraw device as the kernel lists it."""

    path: str
    vendor_id: int
    product_id: int
    name: str
    serial: str

    def __str__(self) -> str:
        ids = f"{self.vendor_id:04x}:{self.product_id:04x}"
        return f"{self.path}, {ids}, {self.name or '-'}, serial {self.serial or '-'}"


def hid_devices(folder: Path = HIDRAW) -> list[HidDevice]:
    """The hidraw devices of this host, from sysfs; those that cannot be read are left out."""
    if not folder.is_dir():
        return []
    found = (_described(entry) for entry in sorted(folder.iterdir()))
    return [device for device in found if device is not None]


def _described(entry: Path) -> HidDevice | None:
    try:
        text = (entry / "device" / "uevent").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None  # unplugged while it was listed
    facts = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    try:
        _, vendor, product = (int(part, 16) for part in facts["HID_ID"].split(":"))
    except (KeyError, ValueError):
        return None
    return HidDevice(
        f"/dev/{entry.name}",
        vendor,
        product,
        facts.get("HID_NAME", ""),
        facts.get("HID_UNIQ", ""),
    )


class HidStop:
    """The button in one role. `cause` (`hil.contracts.TellsCause`) says why it is pressed."""

    capabilities = frozenset({Capability.EMERGENCY_STOP})

    def __init__(
        self, role: str, parameters: HidParameters, clock: Clock, folder: Path = HIDRAW
    ) -> None:
        self.role = role
        self.cause = ""
        self._parameters, self._clock, self._folder = parameters, clock, folder
        self._fd = -1
        self._path = ""
        self._about: HidDevice | None = None
        self._released: bool | None = None
        self._counters = {"reports": 0, "bad_reports": 0}

    def open(self, deadline: Deadline) -> None:
        """Find and open it. Errors: DeviceNotFound with every candidate, BadInput (no right to
        open it), LinkLost (it goes meanwhile), RigError."""
        if self._fd >= 0:
            raise HarnessError(f"{self.role} is open already")
        self._path = self._parameters.path or self._find()
        try:
            self._fd = os.open(self._path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError as error:
            raise DeviceNotFound(f"there is no {self._path}", self._candidates()) from error
        except PermissionError as error:
            raise BadInput(
                f"no permission to open {self._path}",
                "install a udev rule for its vendor and product id (rigs/udev has an example)",
            ) from error
        except OSError as error:
            raise RigError(f"{self._path} cannot be opened: {error.strerror}") from error
        with on_failure(self.close):
            self._released = None
            self._ask()

    def pressed(self, deadline: Deadline) -> bool:
        """Reads what is there and waits for nothing. Errors: LinkLost."""
        self._take()
        if self._released is None:
            self.cause = "its state is not known: no report has come yet"
        else:
            self.cause = "" if self._released else "pressed"
        return bool(self.cause)

    def identity(self, deadline: Deadline) -> Identity:
        self._opened()
        about = self._about
        detail: dict[str, Scalar] = {"port": self._path}
        if about is None:
            return Identity("HID emergency stop", detail=detail)
        detail["usb_id"] = f"{about.vendor_id:04x}:{about.product_id:04x}"
        return Identity(about.name or "HID emergency stop", serial=about.serial, detail=detail)

    def health(self, deadline: Deadline) -> Sequence[Finding]:
        try:
            self._ask()
            pressed = self.pressed(deadline)
        except LinkLost as error:
            return [Finding("link", False, error.message, error.remedy)]
        remedy = "release the button" if self._released is False else "press and release it once"
        told = self.cause or "released"
        return [Finding("button", not pressed, told, remedy if pressed else "")]

    def ping(self, deadline: Deadline) -> None:
        """Whether the device is still there; it cannot be made to answer. Errors: LinkLost."""
        self._take()

    def counters(self) -> Mapping[str, int]:
        return dict(self._counters)

    def make_safe(self, deadline: Deadline) -> SafeProof:
        """It energises nothing: safe while it can be read and its state is known."""
        started_ns = self._clock.now_ns()
        try:
            self.pressed(deadline)
        except LinkLost as error:
            told: dict[str, Scalar] = {"error": error.message}
            ended_ns = self._clock.now_ns()
            return SafeProof(self.role, False, "unknown", told, started_ns, ended_ns)
        known = self._released is not None
        state = self.cause or "released"
        told = {"released": bool(self._released)} if known else {"error": state}
        return SafeProof(self.role, known, state, told, started_ns, self._clock.now_ns())

    def close(self) -> None:
        if self._fd >= 0:
            fd, self._fd = self._fd, -1
            with contextlib.suppress(OSError):
                os.close(fd)

    def _find(self) -> str:
        wanted = self._parameters
        fits = [
            one
            for one in hid_devices(self._folder)
            if (one.vendor_id, one.product_id) == (wanted.vendor_id, wanted.product_id)
            and (wanted.serial is None or one.serial == wanted.serial)
        ]
        if len(fits) != 1:
            many = f"{len(fits)} HID devices fit" if fits else "no HID device fits"
            raise DeviceNotFound(f"{self.role}: {many} the rig file", self._candidates())
        self._about = fits[0]
        return fits[0].path

    def _candidates(self) -> str:
        listed = "".join(f"\n  - {one}" for one in hid_devices(self._folder)) or " none"
        return f"HID devices of this host:{listed}"

    def _ask(self) -> None:
        """Ask for the present report, where kernel and device offer that."""
        size = self._parameters.report_bytes
        buffer = bytearray(1 + size)  # report number 0, then the report
        request = (3 << 30) | (len(buffer) << 16) | (ord("H") << 8) | 0x0A  # HIDIOCGINPUT
        try:
            fcntl.ioctl(self._opened(), request, buffer)
        except OSError as error:
            if error.errno in _NOT_OFFERED:
                return
            raise self._lost(error) from error
        self._report(bytes(buffer[1:]))

    def _take(self) -> None:
        size = self._parameters.report_bytes
        for _ in range(_MOST_REPORTS):
            try:
                data = os.read(self._opened(), size)
            except BlockingIOError:
                return
            except OSError as error:
                raise self._lost(error) from error
            if not data:
                raise LinkLost(f"{self._path} is gone", "plug the emergency stop in again")
            self._report(data)

    def _report(self, data: bytes) -> None:
        wanted = self._parameters
        self._counters["reports"] += 1
        if len(data) != wanted.report_bytes or wanted.byte >= len(data):
            self._counters["bad_reports"] += 1
            self._released = None
            return
        self._released = data[wanted.byte] & wanted.mask == wanted.released

    def _opened(self) -> int:
        if self._fd < 0:
            raise LinkLost(f"{self.role} is not open")
        return self._fd

    def _lost(self, error: OSError) -> LinkLost:
        said = error.strerror or str(error)
        return LinkLost(f"{self._path} is gone: {said}", "plug the emergency stop in again")


def build(spec: DeviceSpec, context: BenchContext) -> HidStop:
    """Factory of driver `hid-estop`. Errors: BadInput."""
    parameters = device_parameters(spec, HidParameters)
    if parameters.path is None and None in (parameters.vendor_id, parameters.product_id):
        raise BadInput(
            f"device {spec.role!r} (driver {spec.driver}) is named by vendor_id and product_id,"
            " or by path",
            "`hil scan` lists the HID devices of this host",
        )
    return HidStop(spec.role, parameters, context.clock)
