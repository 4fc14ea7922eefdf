"""Making a chain of motors safe: all switched off, proved by what they answer."""

from __future__ import annotations

from drivers.damiao.bus import MotorBus
from drivers.damiao.codec import MotorStatus, Special, is_fault, status_name
from drivers.damiao.robots import Robot
from drivers.proof import reached
from hil.clock import NS_PER_MS, Clock, Deadline
from hil.contracts import SafeProof, Scalar
from hil.errors import DeadlineMissed, LinkLost, RigError

_ROUNDS = 4
_ROUND_NS = 80 * NS_PER_MS
_RESTART_NS = 700 * NS_PER_MS

Statuses = dict[int, int | None]
"""Upper four bits of each motor's answer by id; None where it was not heard."""


def prove_off(
    role: str, bus: MotorBus | None, robot: Robot, clock: Clock, deadline: Deadline
) -> SafeProof:
    """Every motor off, and the proof; without a bus, or with a lost link, one that says so.

    A motor that reports a fault has switched itself off, says its maker, and counts as off.
    """
    started_ns = clock.now_ns()
    statuses: Statuses = dict.fromkeys(robot.ids)
    _, state = reached(bus, lambda open_bus: switch_off(open_bus, statuses, clock, deadline))
    safe = all(is_off(status) for status in statuses.values())
    readings = {f"status.{joint.name}": _reading(statuses[joint.id]) for joint in robot.joints}
    state = state or ("motors off" if safe else "motors not proved off")
    return SafeProof(role, safe, state, readings, started_ns, clock.now_ns())


def is_off(status: int | None) -> bool:
    """Whether an answer shows that the motor is not powered."""
    return status is not None and (status == MotorStatus.OFF or is_fault(status))


def switch_off(bus: MotorBus, statuses: Statuses, clock: Clock, deadline: Deadline) -> None:
    """Switch motors off and fill in what they answer afterwards.

    First all at once, then those not proved yet, a bounded number of times; where nobody at all
    answers, the adapter's channel is opened anew in between. The first commands leave even
    where the deadline has passed. Errors: LinkLost.
    """
    for attempt in range(_ROUNDS):
        unproved = [motor for motor, status in statuses.items() if not is_off(status)]
        if not unproved or (attempt and deadline.expired):
            break
        if attempt and all(status is None for status in statuses.values()):
            _restart(bus, deadline.sooner(_RESTART_NS))
        statuses.update(_round(bus, unproved, clock, deadline.sooner(_ROUND_NS)))


def _round(bus: MotorBus, motors: list[int], clock: Clock, deadline: Deadline) -> Statuses:
    found: Statuses = dict.fromkeys(motors)
    told_ns = clock.now_ns()
    try:
        bus.special(motors, Special.DISABLE, deadline)
        for motor, heard in bus.refresh(motors, deadline).items():
            if heard.measured_ns >= told_ns:  # an answer that may be older proves nothing
                found[motor] = heard.payload[0] >> 4
    except DeadlineMissed:
        pass  # what was heard is what counts
    return found


def _restart(bus: MotorBus, deadline: Deadline) -> None:
    try:
        bus.restart(deadline)
    except LinkLost:
        raise
    except RigError:
        pass  # the proof will say that nobody answered


def _reading(status: int | None) -> Scalar:
    return "no answer" if status is None else status_name(status)
