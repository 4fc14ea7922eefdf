"""Driver `robotiq-gripper`: Robotiq 2F-85, 2F-140 and Hand-E on RS-485, in SI units."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, replace

from drivers.enabling import refuse_unenabled
from drivers.modbus.bus import ModbusBus
from drivers.modbus.codec import answer_size, request_frame
from drivers.modbus.line import Timing
from drivers.modbus.messages import ReadRegisters, ReadWrite, Request, WriteRegisters
from drivers.modbus.robotiq_parameters import RobotiqParameters
from drivers.modbus.robotiq_safe import Target, prove_stopped
from drivers.modbus.robotiq_status import (
    ACTIVATE,
    IN,
    OUT,
    REGISTERS,
    RESET,
    Action,
    Activation,
    Status,
    fault_text,
    findings,
    registers_to,
    status_of,
)
from drivers.modbus.robotiq_table import FULL, GripperTable, load_gripper
from drivers.transport.latency import adapter_latency
from drivers.transport.link import open_link
from drivers.transport.options import need_port
from hil.clock import NS_PER_MS, Clock, Deadline
from hil.config import device_parameters
from hil.contracts import (
    NEVER,
    BenchContext,
    Capability,
    DeviceSpec,
    Finding,
    GripperCommand,
    GripperLimits,
    GripperSample,
    Identity,
    SafeProof,
    WireUse,
)
from hil.errors import DeadlineMissed, DeviceFault, HarnessError, HilError
from hil.failure import on_failure

_POLL_NS = 20 * NS_PER_MS
"""Between two looks at an activation under way, which takes seconds."""

_FRAME_OVERHEAD = 4  # unit, function, CRC


@dataclass(frozen=True, slots=True)
class _Known:
    """A status, when it came, and whether a command brought it."""

    status: Status
    stamp_ns: int
    with_command: bool


class RobotiqGripper:
    """A Robotiq gripper (`hil.contracts.Gripper`).

    Opening, speed and force are linear approximations (`drivers.modbus.robotiq_table`). Effort
    is the motor current as a fraction of the register's 2.55 A, which is a measure of effort
    and not of gripping force.
    """

    capabilities = frozenset({Capability.GRIPPER})

    def __init__(
        self, spec: DeviceSpec, table: GripperTable, parameters: RobotiqParameters, clock: Clock
    ) -> None:
        self.role = spec.role
        self._spec = spec
        self._table = table
        self._parameters = parameters
        self._clock = clock
        self._bus: ModbusBus | None = None
        self._known: _Known | None = None
        self._enabled = False
        self._reads = 0

    @property
    def limits(self) -> GripperLimits:
        return self._table.limits

    def open(self, deadline: Deadline) -> None:
        """Take the line and read the status once; nothing moves.

        Errors: those of `open_link`; DeadlineMissed (no gripper answers), DeviceFault.
        """
        if self._bus is not None:
            raise HarnessError(f"{self.role} is open already")
        bus = self._connect()
        with on_failure(bus.close):
            self._known = None
            self._note(self._ask_status(bus, deadline))
        self._bus = bus
        self._enabled = False

    def identity(self, deadline: Deadline) -> Identity:
        """The model of the rig file: a gripper does not say which one it is."""
        self._note(self._ask_status(self._opened(), deadline))
        return Identity(
            self._table.title,
            detail={
                "port": self._opened().description,
                "unit": self._parameters.unit,
                "count_open": self._table.counts.open,
                "count_closed": self._table.counts.closed,
            },
        )

    def health(self, deadline: Deadline) -> list[Finding]:
        try:
            status = self._note(self._ask_status(self._opened(), deadline)).status
        except HilError as error:
            return [Finding("answers", False, error.message, error.remedy)]
        adapter = adapter_latency(self._spec.address)
        return [Finding("answers", True, "status read"), *adapter, *findings(status)]

    def ping(self, deadline: Deadline) -> None:
        """Read the first status register. Errors: DeadlineMissed, LinkLost, DeviceFault."""
        self._opened().ask(self._parameters.unit, ReadRegisters(IN, 1), deadline)

    def counters(self) -> Mapping[str, int]:
        return self._bus.counters() if self._bus else {}

    def enable(self, deadline: Deadline) -> None:
        """Activate it: the fingers make a full stroke both ways, which takes seconds.

        One that is active and has no major fault is left as it is, so that what it holds stays
        held. Errors: DeviceFault with what the gripper says is wrong, DeadlineMissed, LinkLost;
        no command is taken then.
        """
        self._enabled = False
        self._activate(deadline)
        self._enabled = True

    def _activate(self, deadline: Deadline) -> None:
        """What `enable` asks of the gripper. Errors: as `enable`."""
        status = self._note(self._ask_status(self._opened(), deadline)).status
        if status.ready:
            return
        if status.activation != Activation.UNDER_WAY or status.major:
            self._write(RESET, deadline)
            self._poll(lambda now: not now.activated and not now.major, "be reset", deadline)
            self._write(ACTIVATE, deadline)
        self._poll(self._active, "become active", deadline)

    def read(self, deadline: Deadline) -> GripperSample:
        """One trip, or none where a command's status is young enough (`status_max_age_ms`).

        A gripper that keeps silent gives an absent sample with the age of its last answer.
        Errors: LinkLost; DeviceFault where it refuses to be read.
        """
        bus = self._opened()
        if self._known is not None and self._young(self._known):
            self._known = replace(self._known, with_command=False)  # used up
            return self._sample(self._known)
        try:
            known = self._note(self._ask_status(bus, deadline))
        except DeadlineMissed:
            return self._absent()  # counted by the bus
        return self._sample(known)

    def command(self, wanted: GripperCommand, deadline: Deadline) -> GripperCommand:
        """Send a target and, with it, ask for the status, in one trip.

        Errors: HarnessError where it is not enabled (a gripper that was stopped stays active, and
        moves at the next target) or for a target that is not finite; DeviceFault where the
        gripper is no longer active or reports a major fault; DeadlineMissed, LinkLost.
        """
        self._opened()
        refuse_unenabled(self.role, self._enabled)
        values = (wanted.opening_m, wanted.speed_m_s, wanted.force_n)
        if not all(map(math.isfinite, values)):
            raise HarnessError(f"{self.role}: {wanted} is no target")
        self._require_ready(self._known.status if self._known else None)
        position, speed, force = self._table.to_registers(wanted)
        self._write(Action(True, True, position, speed, force), deadline)
        if self._parameters.read_with_command and self._known is not None:
            self._require_ready(self._known.status)
        return self._table.to_command(position, speed, force)

    def make_safe(self, deadline: Deadline) -> SafeProof:
        """Stop the fingers where they are, what they hold stays held; read back that they
        stand still (`drivers.modbus.robotiq_safe`)."""
        self._enabled = False
        return prove_stopped(self.role, self._target(self._bus), self._clock, deadline)

    def rescue(self, deadline: Deadline) -> SafeProof:
        """As `make_safe`, on a line that nobody has open."""
        with closing(self._connect()) as bus:
            return prove_stopped(self.role, self._target(bus), self._clock, deadline)

    def close(self) -> None:
        if self._bus is not None:
            self._bus.close()
            self._bus = None

    def wire_uses(self) -> Mapping[str, WireUse]:
        """Bytes of `read` and `command`; the silent gap before each request is not in them."""
        status = ReadRegisters(IN, REGISTERS)
        return {
            "read": self._wire_use(status),
            "command": self._wire_use(self._write_request(Action(True, True))),
        }

    def _wire_use(self, request: Request) -> WireUse:
        asked = len(request_frame(self._parameters.unit, request).body) + _FRAME_OVERHEAD
        return WireUse(asked + answer_size(request), self._parameters.baud)

    def _connect(self) -> ModbusBus:
        parameters = self._parameters
        answer_ns = round(parameters.answer_timeout_ms * NS_PER_MS)
        link = open_link(self._spec, parameters.baud, self._clock)
        with on_failure(link.close):
            return ModbusBus(link, self._clock, Timing(parameters.baud, answer_ns=answer_ns))

    def _opened(self) -> ModbusBus:
        if self._bus is None:
            raise HarnessError(f"{self.role} is not open")
        return self._bus

    def _target(self, bus: ModbusBus | None) -> Target | None:
        active = self._known is not None and self._known.status.activated
        return None if bus is None else Target(bus, self._parameters.unit, active)

    def _ask_status(self, bus: ModbusBus, deadline: Deadline) -> Status:
        """By the model's functions in turns: a late answer to the read before has another
        function then, and is not taken for a fresh one."""
        functions = self._table.status_functions
        self._reads += 1
        request = ReadRegisters(IN, REGISTERS, functions[self._reads % len(functions)])
        return status_of(bus.registers(self._parameters.unit, request, deadline))

    def _write_request(self, action: Action) -> WriteRegisters | ReadWrite:
        out = registers_to(action)
        if self._parameters.read_with_command:
            return ReadWrite(IN, REGISTERS, OUT, out)
        return WriteRegisters(OUT, out)

    def _write(self, action: Action, deadline: Deadline) -> None:
        """Errors: DeadlineMissed, DeviceFault, LinkLost."""
        bus, unit, request = self._opened(), self._parameters.unit, self._write_request(action)
        if isinstance(request, ReadWrite):
            self._note(status_of(bus.registers(unit, request, deadline)), with_command=True)
        else:
            bus.ask(unit, request, deadline)

    def _poll(self, wanted: Callable[[Status], bool], what: str, deadline: Deadline) -> None:
        """Read the status until it is as `wanted`; one lost answer is none of many.

        Errors: DeadlineMissed, LinkLost, and those of `wanted`.
        """
        bus = self._opened()
        while True:
            lost = ""
            try:
                if wanted(self._note(self._ask_status(bus, deadline)).status):
                    return
            except DeadlineMissed as error:
                lost = f" ({error.message})"
            if deadline.expired:
                raise DeadlineMissed(
                    f"{self.role}: did not {what} in time{lost}", "activation takes some seconds"
                )
            self._clock.sleep_until(min(deadline.at_ns, self._clock.now_ns() + _POLL_NS))

    def _active(self, status: Status) -> bool:
        """Whether activation is over. Errors: DeviceFault where it failed."""
        if status.major:
            raise DeviceFault(
                f"{self.role}: did not become active: {fault_text(status)}",
                "clear the way of its fingers and check its supply",
            )
        return status.ready

    def _note(self, status: Status, *, with_command: bool = False) -> _Known:
        self._known = _Known(status, self._clock.now_ns(), with_command)
        return self._known

    def _require_ready(self, status: Status | None) -> None:
        if status is not None and status.ready:
            return
        said = "it is not activated"
        if status is None:
            said = "it has not answered yet"
        elif status.major or status.activation == Activation.UNDER_WAY:
            said = fault_text(status) or "its activation is under way"
        raise DeviceFault(
            f"{self.role}: takes no commands: {said}", "enable it; that moves its fingers"
        )

    def _young(self, known: _Known) -> bool:
        most_ns = round(self._parameters.status_max_age_ms * NS_PER_MS)
        return known.with_command and most_ns > 0 and self._age_ns(known) <= most_ns

    def _sample(self, known: _Known) -> GripperSample:
        status = known.status
        return GripperSample(
            stamp_ns=self._clock.now_ns(),
            opening_m=self._table.to_opening(status.position),
            effort=status.current / FULL,
            moving=status.moving,
            holding=status.holding,
            age_ns=self._age_ns(known),
        )

    def _absent(self) -> GripperSample:
        age_ns = NEVER if self._known is None else self._age_ns(self._known)
        return GripperSample(self._clock.now_ns(), math.nan, math.nan, False, None, age_ns)

    def _age_ns(self, known: _Known) -> int:
        return self._clock.now_ns() - known.stamp_ns


def build(spec: DeviceSpec, context: BenchContext) -> RobotiqGripper:
    """Factory of driver `robotiq-gripper`; touches no port. Errors: BadInput."""
    parameters = device_parameters(spec, RobotiqParameters)
    need_port(spec)
    table = load_gripper(parameters.model).with_counts(parameters.counts)
    return RobotiqGripper(spec, table, parameters, context.clock)
