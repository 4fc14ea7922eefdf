"""A chain of servos on one bus as a `Joints` device, in SI units; families plug into it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass

import numpy as np

from drivers.enabling import refuse_unenabled
from drivers.joints import between, refuse_silent
from drivers.servo.answers import SyncRead
from drivers.servo.bus import ServoBus
from drivers.servo.family import Family, Setup, View
from drivers.servo.health import findings
from drivers.servo.joints import JointTable
from drivers.servo.parameters import ServoParameters
from drivers.servo.safe import prove_torque_off
from drivers.servo.state import StateBlock, shared
from drivers.servo.survey import survey, write_checked
from drivers.transport.base import Transport
from drivers.transport.latency import adapter_latency
from drivers.transport.link import open_link
from hil.clock import NS_PER_MS, NS_PER_S, Clock, Deadline
from hil.contracts import (
    NEVER,
    Capability,
    DeviceSpec,
    Finding,
    FloatArray,
    Identity,
    JointLimits,
    JointSample,
    SafeProof,
    Scalar,
    WireUse,
)
from hil.errors import DeviceFault, HarnessError, LinkLost
from hil.failure import on_failure
from hil.kinematics import ToolPoint

_BITS_PER_BYTE = 10  # 8N1


@dataclass(frozen=True, slots=True)
class _Session:
    """What exists only between open and close."""

    port: Transport
    bus: ServoBus
    setup: Setup


class ServoChain:
    """Joints on one bus (`hil.contracts.Joints`, `Rescue`, `WireTimes`).

    Errors: BadInput where the servos of the robot do not fit into one chain.
    """

    capabilities = frozenset({Capability.JOINTS})

    def __init__(
        self,
        spec: DeviceSpec,
        robot: JointTable,
        family: Family,
        parameters: ServoParameters,
        clock: Clock,
    ) -> None:
        self.role = spec.role
        self._spec = spec
        self._robot = robot
        self._family = family
        self._parameters = parameters
        self._clock = clock
        self._ids = robot.ids
        self._scale = robot.scale
        self._tool_point = robot.tool_point
        self._block = StateBlock.of(robot.tables, family.words.velocity, family.words.efforts)
        self._goal = shared(robot.tables, "goal_position")
        shared(robot.tables, "torque_enable")
        self._session: _Session | None = None
        self._enabled = False
        self._answered_ns: dict[int, int] = {}
        self._reads = 0

    @property
    def names(self) -> tuple[str, ...]:
        return self._robot.names

    @property
    def limits(self) -> JointLimits:
        """The joints' range; once open, no wider than the servos' own limits."""
        limits = self._robot.limits
        if self._session is None:
            return limits
        setup, to_radians = self._session.setup, self._scale.to_radians
        return between(limits, to_radians(setup.count_low), to_radians(setup.count_high))

    @property
    def tool_point(self) -> ToolPoint | None:
        """For the envelope's workspace: the tool point (3,), m, base frame, at joint positions
        (n,), rad. None where the robot's file has no chain."""
        return self._tool_point

    def open(self, deadline: Deadline) -> None:
        """Take the port, find every servo, and set what a run needs (RAM).

        Nothing is energised, and no EEPROM is written unless the rig file says so.
        Errors: those of `open_link`; DeviceFault naming everything that is wrong with the
        servos at once.
        """
        if self._session is not None:
            raise HarnessError(f"{self.role} is open already")
        port, bus = self._connect()
        with on_failure(bus.close):
            self._family.set_up(bus, self._robot, deadline)
            setup = survey(bus, self._robot, self._family, deadline)
            self._family.prepare(bus, self._robot, setup, deadline)
        self._session = _Session(port, bus, setup)
        self._enabled = False
        self._answered_ns = {}

    def identity(self, deadline: Deadline) -> Identity:
        """Ask every servo for model and firmware. Errors: DeviceFault (one is silent)."""
        session = self._opened()
        memory = self._read_all(0, self._eeprom_size, deadline)
        self._require_all(memory, "identity")
        rows = list(zip(self._robot.joints, self._robot.tables, strict=True))
        versions = {
            self._family.firmware(table, memory.payloads[joint.id]) for joint, table in rows
        }
        detail: dict[str, Scalar] = {
            "servo": ", ".join(sorted({table.model for table in self._robot.tables})),
            "servos": len(rows),
            "port": session.bus.description,
            "low_latency": session.port.low_latency,
        }
        for name in self._family.words.identity:
            for joint, table in rows:
                detail[f"{name}.{joint.name}"] = table.decode(name, memory.payloads[joint.id])
        return Identity(self._robot.model, firmware=", ".join(sorted(versions)), detail=detail)

    def health(self, deadline: Deadline) -> Sequence[Finding]:
        base, length = self._health_ram
        try:
            eeprom = self._read_all(0, self._eeprom_size, deadline)
            ram = self._read_all(base, length, deadline)
        except LinkLost as error:
            return [Finding("link", False, error.message, error.remedy)]
        adapter = adapter_latency(self._spec.address)
        view = View(self._robot, eeprom.payloads, ram.payloads, base)
        return [*adapter, *findings(self._family, view)]

    def ping(self, deadline: Deadline) -> None:
        self._opened().bus.ping(self._ids[0], deadline)

    def counters(self) -> Mapping[str, int]:
        if self._session is None:
            return {}
        bus = self._session.bus
        lost = {f"lost_answers.{joint.name}": bus.lost(joint.id) for joint in self._robot.joints}
        return {**bus.faults(), **lost}

    def enable(self, deadline: Deadline) -> None:
        """Torque on, with the present position as the goal, so that nothing jumps.

        Errors: DeviceFault naming the joints that were silent or did not take it; LinkLost. No
        command is taken then, not even where it was enabled before.
        """
        self._enabled = False
        self._energise(deadline)
        self._enabled = True

    def _energise(self, deadline: Deadline) -> None:
        """What `enable` does to the servos. Errors: as `enable`."""
        bus = self._opened().bus
        self._family.before_torque(bus, self._robot, deadline)
        position = self._block.position
        present = self._read_all(position.address, position.size, deadline)
        self._require_all(present, "enable")
        goals = {joint.id: self._held(present, joint.id) for joint in self._robot.joints}
        bus.sync_write(self._goal.address, goals, deadline)
        on = {
            servo: table.encode("torque_enable", 1) for servo, table in self._robot.servos.items()
        }
        try:
            write_checked(bus, self._robot, "torque_enable", on, deadline)
        except DeviceFault as error:
            raise DeviceFault(f"{self.role}: torque did not come on: {error.message}") from error

    def read(self, deadline: Deadline) -> JointSample:
        """One read of position, velocity and effort of all joints.

        An age counts from when the host had the answer; the measurement itself is older by
        the time on the wire. Effort is what the servo reports, a duty or a current, as a
        fraction of that at stall, which is the fraction of the stall torque only at standstill.
        """
        setup = self._opened().setup
        # An answer that belongs to the read before has the wrong length and is not taken.
        self._reads += 1
        length = self._block.length + self._reads % 2
        answer = self._read_all(self._block.base, length, deadline)
        self._answered_ns.update(answer.stamps)
        state = self._block.decode(answer.payloads, self._ids, length)
        stamp_ns = self._clock.now_ns()
        return JointSample(
            stamp_ns=stamp_ns,
            position=self._scale.to_radians(state[0]),
            velocity=state[1] * setup.velocity_unit,
            effort=state[2] * setup.effort_unit,
            age_ns=np.array([self._age_ns(servo, stamp_ns) for servo in self._ids]),
        )

    def command(self, position: FloatArray, deadline: Deadline) -> FloatArray:
        """One sync write of goal positions, clipped to `limits` and rounded to whole counts.

        Nobody acknowledges a sync write, so the answer says what was sent, not what arrived.
        Errors: HarnessError where it is not enabled (Feetech servos switch their torque on with
        a goal), for a wrong shape or a target that is not finite.
        """
        session = self._commandable()
        if position.shape != (len(self._ids),) or not np.isfinite(position).all():
            raise HarnessError(f"{self.role}: {position!r} is no set of joint targets")
        setup = session.setup
        counts = np.clip(self._scale.to_counts(position), setup.count_low, setup.count_high)
        goals = dict(zip(self._ids, self._goal.encode(counts), strict=True))
        session.bus.sync_write(self._goal.address, goals, deadline)
        return self._scale.to_radians(counts)

    def make_safe(self, deadline: Deadline) -> SafeProof:
        """Torque off everywhere, read back. A lost link gives a proof that says so."""
        self._enabled = False
        bus = self._session.bus if self._session else None
        return prove_torque_off(self.role, bus, self._robot, self._clock, deadline)

    def rescue(self, deadline: Deadline) -> SafeProof:
        """As `make_safe`, on a port that nobody has open: the servos are not asked who they
        are before their torque is off."""
        _, bus = self._connect()
        with closing(bus):
            return prove_torque_off(self.role, bus, self._robot, self._clock, deadline)

    def close(self) -> None:
        if self._session is not None:
            self._session.bus.close()
            self._session = None

    def wire_uses(self) -> Mapping[str, WireUse]:
        """Bytes of `read`, the longer of the two that take turns, and of `command`."""
        servos, baud = len(self._ids), self._parameters.baud
        bus = self._opened().bus
        return {
            "read": WireUse(bus.read_bytes(servos, self._block.length + 1), baud, _BITS_PER_BYTE),
            "command": WireUse(bus.write_bytes(servos, self._goal.size), baud, _BITS_PER_BYTE),
        }

    @property
    def robot(self) -> JointTable:
        """Joints and control tables."""
        return self._robot

    @property
    def bus(self) -> ServoBus:
        """The bus, once open. Errors: HarnessError."""
        return self._opened().bus

    @property
    def setup(self) -> Setup:
        """What open found. Errors: HarnessError."""
        return self._opened().setup

    def _connect(self) -> tuple[Transport, ServoBus]:
        port = open_link(self._spec, self._parameters.baud, self._clock)
        with on_failure(port.close):
            return port, self._family.bus(port, self._clock, self._robot)

    def _opened(self) -> _Session:
        if self._session is None:
            raise HarnessError(f"{self.role} is not open")
        return self._session

    def _commandable(self) -> _Session:
        """Errors: HarnessError where it is not open or not enabled."""
        session = self._opened()
        refuse_unenabled(self.role, self._enabled)
        return session

    def _read_all(self, address: int, length: int, deadline: Deadline) -> SyncRead:
        """A read of all servos: the time on the wire, and the grace on top."""
        bus, servos = self._opened().bus, self._ids
        bits = bus.read_bytes(len(servos), length) * _BITS_PER_BYTE
        wire_ns = bits * NS_PER_S // self._parameters.baud
        grace_ns = round(self._parameters.answer_timeout_ms * NS_PER_MS)
        return bus.read_all(servos, address, length, deadline.sooner(wire_ns + grace_ns))

    @property
    def _eeprom_size(self) -> int:
        return max(table.eeprom_size for table in self._robot.tables)

    @property
    def _health_ram(self) -> tuple[int, int]:
        """Base and length of the RAM that health looks at."""
        words = self._family.words
        names = (words.voltage, words.temperature, *words.looked_at)
        tables = self._robot.tables
        base = tables[0]["torque_enable"].address
        ends = [table[name].end for table in tables for name in names if name in table]
        return base, max(ends) - base

    def _held(self, present: SyncRead, servo: int) -> bytes:
        """The goal that keeps a servo where it is."""
        table = self._robot.servos[servo]
        address = table["present_position"].address
        counts = table.decode("present_position", present.payloads[servo], address)
        return table.encode("goal_position", counts)

    def _require_all(self, answer: SyncRead, what: str) -> None:
        silent = [joint.name for joint in self._robot.joints if joint.id in answer.lost]
        refuse_silent(self.role, what, silent)

    def _age_ns(self, servo: int, stamp_ns: int) -> int:
        answered_ns = self._answered_ns.get(servo)
        return NEVER if answered_ns is None else stamp_ns - answered_ns
