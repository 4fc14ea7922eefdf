"""From a device's address to the CAN bus of its motors."""

from __future__ import annotations

from drivers.can.bus import CanBus
from drivers.can.open import SCHEME, adopt_can, open_can
from drivers.damiao.bridge import DamiaoBridge
from drivers.damiao.parameters import ChainParameters
from drivers.transport.link import open_link
from hil.clock import Clock, Deadline
from hil.contracts import DeviceSpec
from hil.errors import BadInput
from hil.failure import on_failure


def open_line(
    spec: DeviceSpec, parameters: ChainParameters, clock: Clock, deadline: Deadline
) -> CanBus:
    """The bus, with its channel open. Errors: those of `open_can`."""
    if _bridged(spec, parameters):
        return _bridge(spec, parameters, clock, deadline)
    return open_can(spec, parameters.bus, parameters.line_baud, clock, deadline)


def adopt_line(
    spec: DeviceSpec, parameters: ChainParameters, clock: Clock, deadline: Deadline
) -> CanBus:
    """The bus as whoever had it left it: nothing is asked or set up.

    Errors: those of `open_can`.
    """
    if _bridged(spec, parameters):
        return _bridge(spec, parameters, clock, deadline)
    return adopt_can(spec, parameters.bus, parameters.line_baud, clock, deadline)


def _bridged(spec: DeviceSpec, parameters: ChainParameters) -> bool:
    return parameters.adapter == "damiao-bridge" and not spec.address.startswith(SCHEME)


def _bridge(
    spec: DeviceSpec, parameters: ChainParameters, clock: Clock, deadline: Deadline
) -> DamiaoBridge:
    if parameters.data_bit_rate is not None:
        raise BadInput(
            f"device {spec.role!r}: data_bit_rate: the bridge's protocol has no FD frames",
            "leave it out, or use an slcan or socketcan adapter that can",
        )
    link = open_link(spec, parameters.line_baud, clock, deadline=deadline)
    with on_failure(link.close):
        return DamiaoBridge(link, clock)
