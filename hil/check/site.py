"""From a rig file to the devices that can be tried; what is missing does not hide the rest."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from hil.errors import HilError
from hil.plugins import SERVICES, load
from hil.rig import Bench, assemble
from rigs.schema import Device, Rig


@dataclass(frozen=True, slots=True)
class Site:
    """What of a rig was found: its bench, with those devices that could be built.

    `addresses` are those of devices whose port was found, "" of one that has none. `lost` says
    why a port was not found, `unbuilt` why a driver did not take what the rig file says, both
    by role.
    """

    rig: Rig
    bench: Bench
    addresses: Mapping[str, str]
    lost: Mapping[str, HilError]
    unbuilt: Mapping[str, Exception]


def find_site(
    rig: Rig, path: Path, served: Mapping[str, str], stopping: Callable[[], bool]
) -> Site:
    """Resolve every port and build every device that can be; nothing is opened.

    `served` are the addresses of the twin's ports. The bench is the caller's to leave.
    """
    addresses, lost = _resolve(rig, served)
    there = [device for device in rig.devices if device.role in addresses]
    unbuilt: dict[str, Exception] = {}
    try:
        bench = _build(rig, there, path, addresses, stopping)
    except Exception:  # noqa: BLE001  one of them will not be built: which, is asked one by one
        unbuilt = _unbuilt(rig, there, path, addresses)
        there = [device for device in there if device.role not in unbuilt]
        bench = _build(rig, there, path, addresses, stopping)
    return Site(rig, bench, addresses, lost, unbuilt)


def _resolve(rig: Rig, served: Mapping[str, str]) -> tuple[dict[str, str], dict[str, HilError]]:
    resolve = load(SERVICES, "ports")
    addresses: dict[str, str] = {}
    lost: dict[str, HilError] = {}
    for device in rig.devices:
        try:
            addresses[device.role] = resolve(device.port, served) if device.port else ""
        except HilError as error:
            lost[device.role] = error
    return addresses, lost


def _unbuilt(
    rig: Rig, devices: list[Device], path: Path, addresses: Mapping[str, str]
) -> dict[str, Exception]:
    found: dict[str, Exception] = {}
    for device in devices:
        try:
            with _build(rig, [device], path, addresses, lambda: False):
                continue  # built and given up again: a factory touches nothing
        except Exception as error:  # noqa: BLE001  a driver's defect is a finding as well
            found[device.role] = error
    return found


def _build(
    rig: Rig,
    devices: list[Device],
    path: Path,
    addresses: Mapping[str, str],
    stopping: Callable[[], bool],
) -> Bench:
    """A bench of some of the rig's devices. Errors: BadInput; whatever a factory raises."""
    return assemble(rig.model_copy(update={"devices": devices}), path, addresses, stopping)
