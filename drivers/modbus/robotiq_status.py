"""Registers of Robotiq grippers as plain data: what is written to them, what they report.

Three registers each way, high byte first. Out, from 0x03E8: action request, two reserved bytes,
position, speed, force. In, from 0x07D0: gripper status, a reserved byte, fault status, echo of
the position asked, position, motor current. Source: instruction manuals of 2F-85, 2F-140 and
Hand-E, chapter Control.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from hil.contracts import Finding

OUT: Final = 0x03E8
IN: Final = 0x07D0
REGISTERS: Final = 3

_ACT, _GTO = 0x01, 0x08
_FIRST_MAJOR = 0x0A
_RELEASING = 0x0B
AMPERES_PER_COUNT: Final = 0.010


class Activation(IntEnum):
    """gSTA."""

    RESET = 0
    UNDER_WAY = 1
    UNUSED = 2
    COMPLETE = 3


class Contact(IntEnum):
    """gOBJ; has a meaning only while gGTO is set."""

    MOVING = 0
    WHILE_OPENING = 1
    WHILE_CLOSING = 2
    AT_POSITION = 3


@dataclass(frozen=True, slots=True)
class Fault:
    """One code of the fault byte. A major fault needs a reset (rACT 0, then 1); a passing one
    says nothing bad of the gripper."""

    text: str
    remedy: str
    passing: bool = False


GRIPPER_FAULTS: Final = {
    0x05: Fault("action delayed until activation is complete", "wait for activation", True),
    0x07: Fault("asked to act without being activated", "activate it first", True),
    0x08: Fault("too hot inside (85 °C)", "let it cool below 80 °C"),
    0x09: Fault("heard nothing for a second", "", True),
    0x0A: Fault("supply voltage too low", "check its supply, then reset it"),
    0x0B: Fault("automatic release under way", "wait for its end, then reset it"),
    0x0C: Fault("internal fault", "reset it; ask the maker if it comes back"),
    0x0D: Fault("activation failed", "clear the way of its fingers, then reset it"),
    0x0E: Fault("overcurrent", "find what blocks it, then reset it"),
    0x0F: Fault("automatic release is over", "reset it"),
}

CONTROLLER_FAULTS: Final = {
    0x04: Fault("24 V not detected", "check the supply of the controller"),
    0x05: Fault("no gripper detected", "check the cable of the gripper"),
    0x09: Fault("still starting", "wait for it", True),
    0x0C: Fault("emergency stop engaged", "release the emergency stop"),
    0x0E: Fault("overcurrent", "find what draws the current"),
}


@dataclass(frozen=True, slots=True)
class Status:
    """One reading of the three input registers; counts as they came."""

    activated: bool
    going: bool
    activation: int
    contact: int
    fault: int
    controller_fault: int
    echo: int
    position: int
    current: int

    @property
    def ready(self) -> bool:
        """Whether it takes position requests."""
        return self.activated and self.activation == Activation.COMPLETE and not self.major

    @property
    def major(self) -> bool:
        """Whether only a reset brings it back."""
        return self.fault >= _FIRST_MAJOR

    @property
    def at_rest(self) -> bool:
        """Whether nothing is asked of the drive: no position, activation or release."""
        busy = self.activation == Activation.UNDER_WAY or self.fault == _RELEASING
        return not self.going and not busy

    @property
    def moving(self) -> bool:
        """Whether its fingers are on their way, as far as it says."""
        if self.activation == Activation.UNDER_WAY or self.fault == _RELEASING:
            return True
        return self.ready and self.going and self.contact == Contact.MOVING

    @property
    def holding(self) -> bool | None:
        """Whether something is between its fingers; None where it does not say."""
        if not self.ready or not self.going or self.contact == Contact.MOVING:
            return None
        return self.contact != Contact.AT_POSITION


def status_of(registers: Sequence[int]) -> Status:
    """The status in three input registers."""
    first, second, third = registers
    state, faults = first >> 8, second >> 8
    return Status(
        activated=bool(state & _ACT),
        going=bool(state & _GTO),
        activation=state >> 4 & 3,
        contact=state >> 6,
        fault=faults & 0x0F,
        controller_fault=faults >> 4,
        echo=second & 0xFF,
        position=third >> 8,
        current=third & 0xFF,
    )


def registers_of(status: Status) -> tuple[int, int, int]:
    """The three input registers of a status."""
    state = status.contact << 6 | status.activation << 4
    state |= _GTO * status.going | _ACT * status.activated
    faults = status.controller_fault << 4 | status.fault
    return state << 8, faults << 8 | status.echo, status.position << 8 | status.current


@dataclass(frozen=True, slots=True)
class Action:
    """What is written to the output registers; automatic release is never asked for."""

    activate: bool
    go: bool
    position: int = 0
    speed: int = 0
    force: int = 0


RESET: Final = Action(activate=False, go=False)
ACTIVATE: Final = Action(activate=True, go=False)


def registers_to(action: Action) -> tuple[int, int, int]:
    """The three output registers of an action."""
    request = _ACT * action.activate | _GTO * action.go
    return request << 8, action.position, action.speed << 8 | action.force


def action_of(registers: Sequence[int]) -> Action:
    """The action in three output registers."""
    first, second, third = registers
    request = first >> 8
    return Action(
        bool(request & _ACT), bool(request & _GTO), second & 0xFF, third >> 8, third & 0xFF
    )


def fault_text(status: Status) -> str:
    """What is wrong, in words; empty for nothing."""
    said = [
        fault.text
        for fault in (_gripper_fault(status), _controller_fault(status))
        if fault is not None
    ]
    return "; ".join(said)


def findings(status: Status) -> list[Finding]:
    """Health of a gripper: its activation, and its fault byte decoded."""
    names = {
        Activation.RESET: "not activated",
        Activation.UNDER_WAY: "activation under way",
        Activation.COMPLETE: "activated",
    }
    activation = names.get(Activation(status.activation), "activation unknown")
    found = [Finding("activation", True, activation)]
    for name, fault in (
        ("gripper fault", _gripper_fault(status)),
        ("controller fault", _controller_fault(status)),
    ):
        if fault is None:
            found.append(Finding(name, True, "none"))
        else:
            found.append(
                Finding(name, fault.passing, fault.text, "" if fault.passing else fault.remedy)
            )
    return found


def _gripper_fault(status: Status) -> Fault | None:
    return _named(status.fault, GRIPPER_FAULTS)


def _controller_fault(status: Status) -> Fault | None:
    return _named(status.controller_fault, CONTROLLER_FAULTS)


def _named(code: int, faults: dict[int, Fault]) -> Fault | None:
    unknown = Fault(f"unknown fault 0x{code:02X}", "look it up in the gripper's manual")
    return faults.get(code, unknown) if code else None
