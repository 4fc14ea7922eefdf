"""Making a Robotiq gripper safe: motion stopped, proved by reading it back.

A gripper has no torque to switch off. What it offers is rGTO = 0, which stops the fingers where
they are; what they hold stays held, since the drive does not run back by itself (the Hand-E has
a brake for it). Resetting (rACT = 0) is no better: bringing a reset gripper back means a full
stroke both ways, which drops what it holds. Automatic release opens the fingers: it moves, and
drops. Two states need another way:

* a gripper that is not activated does not move, and must not be written rACT = 1, which would
  start its activation stroke: nothing is sent;
* while activation is under way rGTO stops nothing: it is reset.

So the state is asked first, which is one trip of 15 bytes. A gripper known to be activated is
told to stop even where that question is not answered.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from drivers.modbus.bus import ModbusBus
from drivers.modbus.messages import ReadRegisters, Registers, WriteRegisters
from drivers.modbus.robotiq_status import (
    ACTIVATE,
    IN,
    OUT,
    REGISTERS,
    RESET,
    Activation,
    Status,
    registers_to,
    status_of,
)
from drivers.proof import reached
from hil.clock import NS_PER_MS, Clock, Deadline
from hil.contracts import SafeProof, Scalar
from hil.errors import DeadlineMissed, DeviceFault

_ROUNDS = 8
_ROUND_NS = 60 * NS_PER_MS
_APART_NS = 15 * NS_PER_MS
"""Between two looks at the position that shall show whether it stands still."""


@dataclass(frozen=True, slots=True)
class Target:
    """The gripper to be stopped: its bus, its id, and whether it is known to be activated."""

    bus: ModbusBus
    unit: int
    active: bool


def prove_stopped(role: str, target: Target | None, clock: Clock, deadline: Deadline) -> SafeProof:
    """Stop the fingers, and the proof; without a line, or with a lost one, it says so."""
    started_ns = clock.now_ns()
    found, state = reached(target, lambda line: _stop(line, clock, deadline))
    status, still = found or (None, False)
    safe = still and status is not None and status.at_rest
    if not state and safe and status is not None:
        state = "stopped, holds where it is" if status.activated else "not activated, at rest"
    state = state or "not proved stopped"
    return SafeProof(role, safe, state, _readings(status), started_ns, clock.now_ns())


def _stop(target: Target, clock: Clock, deadline: Deadline) -> tuple[Status | None, bool]:
    """The last status, and whether two in a row were at rest with the fingers in one place.

    Bounded in rounds and by the deadline; the first question leaves even where that has passed.
    Errors: LinkLost.
    """
    before: Status | None = None
    last: Status | None = None
    for attempt in range(_ROUNDS):
        if attempt and deadline.expired:
            break
        now = deadline.sooner(_ROUND_NS)
        status = _status(target, now, urgent=attempt == 0)
        last = status or last
        if status is None or not status.at_rest:
            before = None
            _write_stop(target, status, now)
            continue
        if before is not None and before.position == status.position:
            return status, True
        before = status
        clock.sleep_until(min(deadline.at_ns, clock.now_ns() + _APART_NS))
    return last, False


def _write_stop(target: Target, status: Status | None, deadline: Deadline) -> None:
    """Tell it to stop, in the way that its state asks for; the next reading will tell."""
    active = target.active if status is None else status.activated
    if not active:
        return  # rACT = 1 would make it move
    action = ACTIVATE  # activated, and going nowhere
    if status is not None:
        activating = status.activation == Activation.UNDER_WAY
        action = RESET if activating else replace(ACTIVATE, position=status.echo)
    try:
        target.bus.ask(
            target.unit, WriteRegisters(OUT, registers_to(action)), deadline, urgent=True
        )
    except (DeadlineMissed, DeviceFault):
        return  # counted by the bus


def _status(target: Target, deadline: Deadline, *, urgent: bool) -> Status | None:
    request = ReadRegisters(IN, REGISTERS)
    try:
        answer = target.bus.ask(target.unit, request, deadline, urgent=urgent)
    except (DeadlineMissed, DeviceFault):
        return None  # counted by the bus
    return status_of(answer.values) if isinstance(answer, Registers) else None


def _readings(status: Status | None) -> dict[str, Scalar]:
    if status is None:
        return {"status": "no answer"}
    return {
        "gACT": int(status.activated),
        "gGTO": int(status.going),
        "gSTA": status.activation,
        "gOBJ": status.contact,
        "gFLT": status.fault,
        "gPO": status.position,
    }
