"""The `link` options of a device, checked."""

from __future__ import annotations

from hil.config import validate
from hil.contracts import DeviceSpec
from rigs.link import LinkTable


def link_options(spec: DeviceSpec) -> LinkTable:
    """What the rig file asks of a device's link. Errors: BadInput naming the keys."""
    place = f"device {spec.role!r} (driver {spec.driver})"
    return validate(dict(spec.link), LinkTable, place, "link")
