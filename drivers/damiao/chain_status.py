"""What the states of a chain's motors do not allow. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from drivers.damiao.codec import Feedback, MotorStatus, is_fault, status_name
from drivers.damiao.robots import Robot
from hil.errors import DeviceFault


def refuse_faults(
    role: str, robot: Robot, states: Mapping[int, Feedback], but: MotorStatus
) -> None:
    """Errors: DeviceFault naming the joints whose motors report a fault other than `but`."""
    bad = {m: s for m, s in states.items() if is_fault(s.status) and s.status != but}
    if bad:
        raise DeviceFault(
            f"{role}: motors report a fault: {_named(robot, bad)}",
            "remove the cause, then cycle their power",
        )


def refuse_unpowered(role: str, robot: Robot, states: Mapping[int, Feedback]) -> None:
    """Errors: DeviceFault naming the joints whose motors say that they are not on."""
    off = {m: s for m, s in states.items() if s.status != MotorStatus.ON}
    if off:
        raise DeviceFault(
            f"{role}: motors are not on: {_named(robot, off)}",
            "lost comm: the host was silent for longer than the motors' time-out; anything else:"
            " remove the cause, then cycle their power",
        )


def _named(robot: Robot, states: Mapping[int, Feedback]) -> str:
    names = dict(zip(robot.ids, robot.names, strict=True))
    return ", ".join(f"{names[motor]} ({status_name(s.status)})" for motor, s in states.items())
