"""From a device's address to an open CAN bus."""

from __future__ import annotations

from drivers.can.bus import BusSettings, CanBus
from drivers.can.interface import open_interface
from drivers.can.slcan import SlcanBus, check_rates, open_slcan
from drivers.transport.link import open_link
from hil.clock import Clock, Deadline
from hil.contracts import DeviceSpec
from hil.failure import on_failure

SCHEME = "can:"
"""How an address begins that python-can is asked for; every other one is a serial line."""


def open_can(
    spec: DeviceSpec, settings: BusSettings, baud: int, clock: Clock, deadline: Deadline
) -> CanBus:
    """The bus at `spec.address`: "can:INTERFACE:CHANNEL" through python-can, any other address
    as the serial line of an slcan adapter at `baud`.

    Errors: BadInput, DeviceNotFound, RigError, DeadlineMissed, LinkLost.
    """
    if spec.address.startswith(SCHEME):
        return open_interface(spec.address, settings, clock)
    check_rates(settings)
    transport = open_link(spec, baud, clock, deadline=deadline)
    return open_slcan(transport, settings, clock, deadline)


def adopt_can(
    spec: DeviceSpec, settings: BusSettings, baud: int, clock: Clock, deadline: Deadline
) -> CanBus:
    """The bus as whoever had it left it: an slcan adapter is neither asked nor set up, so that
    a stop command can be the first thing it hears.

    Errors: BadInput, DeviceNotFound, RigError, LinkLost.
    """
    if spec.address.startswith(SCHEME):
        return open_interface(spec.address, settings, clock)
    check_rates(settings)
    transport = open_link(spec, baud, clock, deadline=deadline)
    with on_failure(transport.close):
        return SlcanBus(transport, settings, clock)
