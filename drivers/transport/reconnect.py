"""Finding a device again after its link was lost, by identity and never by its path.

For tools that look at a rig. In a run a lost link ends the episode: what was measured before
and after a reconnect is not one measurement.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from drivers.discovery import Candidate, candidates, resolve
from hil.clock import NS_PER_MS, Deadline
from hil.contracts import Device, Identity
from hil.errors import (
    BadInput,
    DeadlineMissed,
    DeviceFault,
    DeviceNotFound,
    HilError,
    LinkLost,
    ProtocolError,
    RigError,
)
from hil.failure import on_failure
from rigs.schema import Port

_LOOK_NS = 50 * NS_PER_MS
_TRY_NS = 2000 * NS_PER_MS


class Return(StrEnum):
    """What came back."""

    SAME = "same device"
    OTHER = "other device"  # it answers, and its model, serial number or firmware differ
    FAULTY = "device with faults"  # it answers, and its driver refuses its state
    SILENT = "silent"  # the port is back, and nothing there speaks the device's protocol
    REFUSED = "port refused"  # the port is back, and cannot be opened: taken, or no rights
    ABSENT = "absent"  # the port is not back, or is ambiguous


@dataclass(frozen=True, slots=True)
class Reconnection:
    """How an attempt to find a device again ended.

    `device` is open where `outcome` is SAME, and None otherwise. `address` is where the port
    was found last, empty where it was not. `identity` is what answered, `detail` says in words
    what differs or what is in the way.
    """

    outcome: Return
    address: str
    detail: str
    device: Device | None = None
    identity: Identity | None = None


def reconnect(
    port: Port,
    known: Identity,
    build: Callable[[str], Device],
    deadline: Deadline,
    twin_ports: Mapping[str, str] | None = None,
    scan: Callable[[], Sequence[Candidate]] = candidates,
) -> Reconnection:
    """Wait for the port to come back, open its device again, and compare who answers.

    Args:
        port: identity of the port in the rig file.
        known: who answered before.
        build: makes the device, closed, for the address of today.
        twin_ports: addresses of the running twin's ports by name.
        scan: lists the ports of the host.

    What may pass (the port is not there yet, is taken by a program that looks at new ports,
    has not been given its rights yet, the device still starts) is tried again until the
    deadline. An answer of any kind ends the wait. Errors: BadInput where the identity itself
    cannot be used.
    """
    while True:
        last = _try(port, known, build, deadline, twin_ports or {}, scan)
        if last.outcome in (Return.SAME, Return.OTHER, Return.FAULTY) or deadline.expired:
            return last
        deadline.clock.sleep_until(deadline.sooner(_LOOK_NS).at_ns)


def _try(
    port: Port,
    known: Identity,
    build: Callable[[str], Device],
    deadline: Deadline,
    twin_ports: Mapping[str, str],
    scan: Callable[[], Sequence[Candidate]],
) -> Reconnection:
    try:
        address = resolve(port, twin_ports, scan)
    except DeviceNotFound as error:
        return Reconnection(Return.ABSENT, "", error.message)
    device = build(address)
    try:
        with on_failure(device.close):
            device.open(deadline.sooner(_TRY_NS))
            found = device.identity(deadline.sooner(_TRY_NS))
    except HilError as error:
        return Reconnection(_outcome(error), address, error.message)
    differs = differences(known, found)
    if differs:
        device.close()
        return Reconnection(Return.OTHER, address, differs, identity=found)
    return Reconnection(Return.SAME, address, "", device, found)


def _outcome(error: HilError) -> Return:
    match error:
        case DeviceNotFound() | LinkLost():
            return Return.ABSENT
        case DeviceFault():
            return Return.FAULTY
        case DeadlineMissed() | ProtocolError():
            return Return.SILENT
        case BadInput() | RigError():
            return Return.REFUSED
        case _:
            raise error


def differences(known: Identity, found: Identity) -> str:
    """In words: what of an identity is not as it was; empty for the same device.

    A serial number that one of the two does not tell decides nothing.
    """
    pairs = [
        ("model", known.model, found.model),
        ("firmware", known.firmware, found.firmware),
    ]
    if known.serial and found.serial:
        pairs.append(("serial", known.serial, found.serial))
    return "; ".join(f"{name} {now!r}, was {was!r}" for name, was, now in pairs if was != now)
