"""What a plan may ask of the links of a rig, checked before anything is opened."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hil.errors import BadInput, CapabilityMissing
from hil.plugins import EMULATORS, load, names
from rigs.link import Corrupt, Fault, untimed
from rigs.schema import Port, Rig
from scenarios.schema import Claim, Scenario, SuccessClaim


def untimed_links(rig: Rig, scenario: Scenario) -> str:
    """Why nothing can be said of time on this rig, in words; empty where it can.

    It counts what stands between the loop and the devices that the scenario needs: over a
    network, the network's delays would be taken for theirs.
    """
    found = (
        f"device {device.role!r}: {why}"
        for device in rig.devices
        if device.role in scenario.needs
        and device.port is not None
        and (why := _untimed_port(rig, device.port))
    )
    return "; ".join(found)


def _untimed_port(rig: Rig, port: Port) -> str:
    """Of a twin's port, its emulator says so, where the device it stands for is no nearer."""
    if port.url is not None:
        return untimed(port.url)
    served = rig.twin.ports.get(port.twin) if rig.twin and port.twin else None
    if served is None or served.emulator not in names(EMULATORS):
        return ""  # nothing to ask; the twin will say what it does not know
    why = str(getattr(load(EMULATORS, served.emulator), "untimed", ""))
    return why and f"port {port.twin!r} of the twin {why}"


def refuse_untimed(
    rig: Rig, scenarios: Mapping[str, Scenario], claims: Mapping[str, Sequence[Claim]]
) -> None:
    """Errors: BadInput where time is claimed on links over which it cannot be certified, naming
    devices and claims."""
    for id_, scenario in scenarios.items():
        why = untimed_links(rig, scenario)
        timed = [_name(one) for one in claims[id_] if not isinstance(one, SuccessClaim)]
        if why and timed:
            raise BadInput(
                f"scenario {id_!r} on rig {rig.name!r}: {', '.join(timed)} cannot be certified:"
                f" {why}",
                "reach the device by a line of its own (serial or USB), use a profile that claims"
                " success alone, or use `hil run`, which certifies nothing",
            )


def _name(claim: Claim) -> str:
    match claim:
        case SuccessClaim():
            return f"success probability {claim.p:g}"
        case _ if claim.kind == "latency":
            return f"p{100 * claim.quantile:g} of {claim.metric} within {claim.bound_us} us"
        case _:
            return f"at most {100 * claim.max_fraction:g} % late"


def refuse_faults(rig: Rig, scenario: Scenario) -> None:
    """Errors: CapabilityMissing where a scenario puts faults into a link that the rig does not
    have; BadInput where faults could move a real joint to where nobody sent it."""
    for device in rig.devices:
        _refuse_flipped_commands(
            rig, scenario, device.role, device.link.faults if device.link else ()
        )
    ported = {device.role for device in rig.devices if device.port is not None}
    for fault in scenario.faults:
        role = fault.role or ""
        if role not in ported:
            raise CapabilityMissing(
                f"scenario {scenario.id!r} puts faults into the link of {role!r}, and rig"
                f" {rig.name!r} has no link there",
                "run it on a twin or real rig whose device in that role has a port",
            )
        _refuse_flipped_commands(rig, scenario, role, [fault])


def _refuse_flipped_commands(
    rig: Rig, scenario: Scenario, role: str, faults: Sequence[Fault]
) -> None:
    flips = any(isinstance(one, Corrupt) and one.direction != "from-device" for one in faults)
    if flips and rig.kind == "real" and scenario.needs.get(role) in ("joints", "gripper"):
        raise BadInput(
            f"scenario {scenario.id!r} on rig {rig.name!r}: kind = 'corrupt' towards {role!r}: of"
            " commands with flipped bits some pass a checksum of 8 bits, and a real joint would"
            " follow",
            "direction = 'from-device' would do, or kind = 'drop'",
        )
