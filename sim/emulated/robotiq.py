"""Emulator `robotiq-gripper`: a Robotiq gripper behind its three registers each way.

No physics: the fingers run at the speed asked for, at once, and stop at whatever is in their
way. What it models:

* activation: fingers go open, closed and open again in `activation_s`; an object in the way does
  not disturb it;
* an object of a given width between the fingers, or a ring around them, which stops them and
  shows as contact; taken away, the fingers go on;
* motor current: a little while moving, by the force asked for in the first moments of a
  contact, then none, since the drive holds by itself;
* faults: those that a test plants; 5 and 7 for what is asked too early; 9 when nothing was
  heard for a second, until the next command; major ones stop the fingers until a reset.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from drivers.modbus.messages import ExceptionCode
from drivers.modbus.robotiq_status import (
    IN,
    OUT,
    REGISTERS,
    Action,
    Activation,
    Contact,
    Status,
    action_of,
    registers_of,
    registers_to,
)
from drivers.modbus.robotiq_table import GripperTable, load_gripper
from hil.clock import NS_PER_MS, NS_PER_S, NS_PER_US
from hil.config import validate
from hil.errors import BadInput
from sim.emulated.modbus_server import ModbusServer, Values
from sim.twin.emulator import Hosted, Scalar

FUNCTIONS = frozenset({3, 4, 6, 16, 23})

_TICK_NS = 10 * NS_PER_MS
_UNHEARD_NS = NS_PER_S
_SQUEEZE_NS = 50 * NS_PER_MS
_MOVING_CURRENT = 16  # 160 mA, as in the manual's example
_TOO_EARLY, _NOT_ACTIVATED, _UNHEARD, _ACTIVATION_FAILED = 0x05, 0x07, 0x09, 0x0D
_NONE = Action(activate=False, go=False)

_Width = Annotated[float, Field(ge=0)]


class RobotiqOptions(BaseModel):
    """Options of emulator `robotiq-gripper`."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    model: str = "2f-85"
    unit: int = Field(default=9, ge=1, le=247)
    baud: int = Field(default=115_200, gt=0)
    activation_s: float = Field(default=1.5, ge=0, le=30)
    activated: bool = False
    think_us: int = Field(default=500, ge=0, le=1_000_000)
    object_m: _Width | None = Field(default=None, description="width between the fingers")


class GripperControl(BaseModel):
    """What can be done to the gripper. A width of None takes the thing away."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    object_m: _Width | None = Field(default=None, description="between the fingers")
    ring_m: _Width | None = Field(default=None, description="around them, for an inner grip")
    fault: int = Field(default=0, ge=0, le=15)
    controller_fault: int = Field(default=0, ge=0, le=15)
    activation_fails: bool = False
    power_cycle: bool = False


class Fingers:
    """The gripper itself (`sim.emulated.modbus_server.Bank`). Position in counts."""

    def __init__(self, table: GripperTable, activation_s: float, activated: bool) -> None:
        self._table = table
        self._activation_ns = round(activation_s * NS_PER_S)
        self._control = GripperControl()
        self._now_ns = self._heard_ns = self._driven_ns = 0
        self._count = float(table.counts.open)
        self._power_up()
        if activated:
            self._action = replace(_NONE, activate=True)
            self._activation = Activation.COMPLETE

    def _power_up(self) -> None:
        self._action = _NONE
        self._activation = Activation.RESET
        self._began_ns = 0
        self._began_count = self._count
        self._contact = Contact.AT_POSITION
        self._contact_ns = 0
        self._fault = self._minor = 0

    def read(self, space: str, address: int, count: int) -> Values:
        """Status by both functions, and what was written, by function 3."""
        if space in ("holding", "input") and IN <= address <= address + count <= IN + REGISTERS:
            if self._now_ns - self._heard_ns > _UNHEARD_NS:
                self._minor = _UNHEARD
            self._heard_ns = self._now_ns
            return registers_of(self._status())[address - IN :][:count]
        if space == "holding" and OUT <= address <= address + count <= OUT + REGISTERS:
            self._heard_ns = self._now_ns
            return registers_to(self._action)[address - OUT :][:count]
        return ExceptionCode.ILLEGAL_ADDRESS

    def write(self, space: str, address: int, values: Sequence[int]) -> ExceptionCode | None:
        """Take an action, or a part of one."""
        if space != "holding" or not OUT <= address <= address + len(values) <= OUT + REGISTERS:
            return ExceptionCode.ILLEGAL_ADDRESS
        registers = list(registers_to(self._action))
        registers[address - OUT : address - OUT + len(values)] = values
        self._heard_ns = self._now_ns
        self._minor = 0
        self._act(action_of(registers))
        return None

    def _act(self, action: Action) -> None:
        before, self._action = self._action, action
        if not action.activate:
            self._activation = Activation.RESET
            self._fault = 0
        elif not before.activate:
            self._activation = Activation.UNDER_WAY
            self._began_ns, self._began_count = self._now_ns, self._count
        elif self._driving and (not before.go or action.position != before.position):
            self._contact = Contact.MOVING

    @property
    def _major(self) -> bool:
        return self._fault >= 0x0A

    @property
    def _driving(self) -> bool:
        """Whether fingers go to a position."""
        ready = self._activation == Activation.COMPLETE and not self._major
        return ready and self._action.activate and self._action.go

    @property
    def _activating(self) -> bool:
        return self._activation == Activation.UNDER_WAY and not self._major

    def advance(self, now_ns: int) -> None:
        """Let the fingers move up to this instant."""
        passed_ns, self._now_ns = max(0, now_ns - self._now_ns), now_ns
        if self._activating:
            self._activate()
        elif self._driving:
            self._move(passed_ns / NS_PER_S)
        if self._activating or self._driving:
            self._driven_ns = now_ns

    def _activate(self) -> None:
        """Open, closed, open: a third of the time each."""
        low, high = self._table.counts.open, self._table.counts.closed
        gone = (self._now_ns - self._began_ns) / self._activation_ns if self._activation_ns else 1
        legs = (self._began_count, low, high, low)
        leg = min(int(gone * 3), 2)
        share = min(gone * 3 - leg, 1.0)
        self._count = legs[leg] + (legs[leg + 1] - legs[leg]) * share
        if gone < 1:
            return
        if self._control.activation_fails:
            self._fault = _ACTIVATION_FAILED
        else:
            self._activation = Activation.COMPLETE
            self._contact = Contact.AT_POSITION

    def _move(self, passed_s: float) -> None:
        low, high = self._ends()
        counts = self._table.counts
        target = min(max(self._action.position, counts.open), counts.closed)
        within = min(max(target, low), high)
        step = self._counts_per_s() * passed_s
        self._count += min(max(within - self._count, -step), step)
        before = self._contact
        if self._count != within:
            self._contact = Contact.MOVING
        elif target == within:
            self._contact = Contact.AT_POSITION
        else:
            closing = target > within
            self._contact = Contact.WHILE_CLOSING if closing else Contact.WHILE_OPENING
            if before != self._contact:
                self._contact_ns = self._now_ns

    def _ends(self) -> tuple[float, float]:
        """How far the fingers can open and close with what is in their way, in counts."""
        counts, control = self._table.counts, self._control
        low = counts.open if control.ring_m is None else self._count_at(control.ring_m)
        high = counts.closed if control.object_m is None else self._count_at(control.object_m)
        return low, high

    def _count_at(self, opening_m: float) -> float:
        counts = self._table.counts
        return counts.closed - (counts.closed - counts.open) * opening_m / self._table.stroke_m

    def _counts_per_s(self) -> float:
        asked = self._table.to_command(0, self._action.speed, 0).speed_m_s
        counts = self._table.counts
        return asked * (counts.closed - counts.open) / self._table.stroke_m

    def due_ns(self) -> int | None:
        """While something moves."""
        moves = self._activating or (self._driving and self._contact == Contact.MOVING)
        return self._now_ns + _TICK_NS if moves else None

    def _status(self) -> Status:
        return Status(
            activated=self._action.activate,
            going=self._driving,
            activation=self._activation,
            contact=self._contact,
            fault=self._shown_fault(),
            controller_fault=self._control.controller_fault,
            echo=self._action.position,
            position=round(self._count),
            current=self._current(),
        )

    def _shown_fault(self) -> int:
        if self._fault:
            return self._fault
        if self._action.go and not self._action.activate:
            return _NOT_ACTIVATED
        if self._action.go and self._activating:
            return _TOO_EARLY
        return self._minor

    def _current(self) -> int:
        if self._activating or (self._driving and self._contact == Contact.MOVING):
            return _MOVING_CURRENT
        touched = self._contact in (Contact.WHILE_CLOSING, Contact.WHILE_OPENING)
        squeezing = self._driving and touched and self._now_ns - self._contact_ns < _SQUEEZE_NS
        return max(_MOVING_CURRENT, self._action.force // 2) if squeezing else 0

    def status(self) -> dict[str, Scalar]:
        """What it drives, where its fingers are and what it shows."""
        shown = self._status()
        return {
            "torque_on": int(self._activating or self._driving),
            "torque_off_ns": self._driven_ns,
            "opening_m": self._table.to_opening(self._count),
            "count": self._count,
            "activation": int(shown.activation),
            "going": shown.going,
            "contact": int(shown.contact),
            "fault": shown.fault,
        }

    def control(self, args: Mapping[str, object]) -> None:
        """As `GripperControl`; what is not named stays as it is. Errors: BadInput."""
        asked = validate(dict(args), GripperControl, "control of the gripper")
        changed = {name: getattr(asked, name) for name in asked.model_fields_set}
        wide = changed.get("object_m")
        if wide is not None and self._count_at(wide) < self._count:
            raise BadInput(f"object_m = {wide:g}: the fingers are not open that wide")
        narrow = changed.get("ring_m")
        if narrow is not None and self._count_at(narrow) > self._count:
            raise BadInput(f"ring_m = {narrow:g}: the fingers are open wider than that")
        self._control = self._control.model_copy(update=changed)
        if "fault" in changed:
            self._fault = asked.fault
        if asked.power_cycle:
            self._power_up()


def build(options: RobotiqOptions) -> ModbusServer:
    """One gripper on a line of its own. Errors: BadInput."""
    fingers = Fingers(load_gripper(options.model), options.activation_s, options.activated)
    if options.object_m is not None:
        fingers.control({"object_m": options.object_m})
    think_ns = options.think_us * NS_PER_US
    return ModbusServer(options.unit, fingers, options.baud, think_ns, FUNCTIONS)


EMULATOR = Hosted(RobotiqOptions, build)
