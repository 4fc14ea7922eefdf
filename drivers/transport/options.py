"""What a rig file says of a device's line, checked."""

from __future__ import annotations

from hil.config import validate
from hil.contracts import DeviceSpec
from hil.errors import BadInput
from rigs.link import LinkTable


def link_options(spec: DeviceSpec) -> LinkTable:
    """What the rig file asks of a device's link. Errors: BadInput naming the keys."""
    place = f"device {spec.role!r} (driver {spec.driver})"
    return validate(dict(spec.link), LinkTable, place, "link")


def need_port(spec: DeviceSpec, example: str = '{ usb_serial = "..." }') -> None:
    """Errors: BadInput where the rig file names no port for the device; `example` is one that
    would do."""
    if not spec.address:
        raise BadInput(
            f"device {spec.role!r} (driver {spec.driver}) needs a port in the rig file",
            f"for example port = {example}; `hil scan` lists what is connected to this host",
        )
