"""An arm of Feetech servos as a `Joints` device, in SI units."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace

import numpy as np

from drivers.feetech.arm_health import ArmMemory, adapter_latency, findings
from drivers.feetech.arm_safe import prove_torque_off
from drivers.feetech.arm_setup import Setup, eeprom_length, firmware, set_motion, survey
from drivers.feetech.arm_table import ArmTable, Scale, load_arm
from drivers.feetech.bus import FeetechBus, SyncRead
from drivers.feetech.parameters import ArmParameters
from drivers.transport.latency import latency_timer_ms
from drivers.transport.posix import SerialPort, open_serial
from hil.clock import NS_PER_MS, NS_PER_S, Clock, Deadline
from hil.config import device_parameters
from hil.contracts import (
    NEVER,
    BenchContext,
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
from hil.errors import BadInput, DeviceFault, HarnessError, LinkLost

__all__ = ["FeetechArm", "build", "load_arm"]

_BITS_PER_BYTE = 10  # 8N1
_PACKET_OVERHEAD = 6

_READ_LENGTHS = (6, 7)
"""Bytes asked from present_position on, by turns: position, speed and load are 6. An answer
that belongs to the read before has the wrong length and is not taken for a fresh one."""


@dataclass(frozen=True, slots=True)
class _Session:
    """What exists only between open and close."""

    port: SerialPort
    bus: FeetechBus
    setup: Setup


class FeetechArm:
    """Joints on one Feetech bus (`hil.contracts.Joints`)."""

    capabilities = frozenset({Capability.JOINTS})

    def __init__(
        self, role: str, address: str, arm: ArmTable, parameters: ArmParameters, clock: Clock
    ) -> None:
        self.role = role
        self._address = address
        self._arm = arm
        self._scale: Scale = arm.scale
        self._parameters = parameters
        self._clock = clock
        self._session: _Session | None = None
        self._answered_ns: dict[int, int] = {}
        self._reads = 0

    @property
    def names(self) -> tuple[str, ...]:
        return self._arm.names

    @property
    def limits(self) -> JointLimits:
        """The joints' range; once open, no wider than the servos' own angle limits."""
        limits = self._arm.limits
        if self._session is None:
            return limits
        setup = self._session.setup
        ends = np.stack(
            [self._scale.to_radians(setup.count_low), self._scale.to_radians(setup.count_high)]
        )
        return replace(limits, lower=ends.min(axis=0), upper=ends.max(axis=0))

    def open(self, deadline: Deadline) -> None:
        """Take the port, find every servo, and set goal speed and acceleration (RAM).

        Nothing is energised and no EEPROM is written. Errors: those of `open_serial`;
        DeviceFault naming everything that is wrong with the servos at once.
        """
        if self._session is not None:
            raise HarnessError(f"{self.role} is open already")
        port = open_serial(self._address, self._parameters.baud, self._clock)
        bus = FeetechBus(port, self._clock)
        try:
            setup = survey(bus, self._arm, deadline)
            set_motion(bus, self._arm, setup, self._parameters, deadline)
        except BaseException:
            bus.close()
            raise
        self._session = _Session(port, bus, setup)
        self._answered_ns = {}

    def identity(self, deadline: Deadline) -> Identity:
        """Ask every servo for model and firmware. Errors: DeviceFault (one is silent)."""
        session = self._opened()
        length = self._arm.servo["model_number"].end
        memory = self._sync_read(0, length, deadline)
        self._require_all(memory, "identity")
        versions = {firmware(self._arm.servo, memory.payloads[servo]) for servo in self._arm.ids}
        detail: dict[str, Scalar] = {
            "servo": self._arm.servo.model,
            "servos": len(self._arm.ids),
            "port": session.bus.description,
            "low_latency": session.port.low_latency,
        }
        for name in ("return_delay", "status_return_level"):
            for joint in self._arm.joints:
                found = self._arm.servo.decode(name, session.setup.eeprom[joint.id])
                detail[f"{name}.{joint.name}"] = found
        return Identity(self._arm.model, firmware=", ".join(sorted(versions)), detail=detail)

    def health(self, deadline: Deadline) -> Sequence[Finding]:
        table = self._arm.servo
        base = table["torque_enable"].address
        try:
            eeprom = self._sync_read(0, eeprom_length(table), deadline)
            ram = self._sync_read(base, table["present_current"].end - base, deadline)
        except LinkLost as error:
            return [Finding("link", False, error.message, error.remedy)]
        adapter = adapter_latency(latency_timer_ms(self._address))
        return [*adapter, *findings(self._arm, ArmMemory(eeprom.payloads, ram.payloads, base))]

    def ping(self, deadline: Deadline) -> None:
        self._opened().bus.ping(self._arm.ids[0], deadline)

    def counters(self) -> Mapping[str, int]:
        if self._session is None:
            return {}
        bus = self._session.bus
        counted = bus.counters()
        return {
            "requests": counted.requests,
            "checksum_errors": bus.checksum_errors,
            "resync_bytes": bus.resync_bytes,
            "late_answers": counted.late_answers,
            "stale_bytes": counted.stale_bytes,
            "wrong_id": counted.wrong_id,
            "wrong_length": counted.wrong_length,
            **{
                f"lost_answers.{joint.name}": counted.lost_answers.get(joint.id, 0)
                for joint in self._arm.joints
            },
        }

    def enable(self, deadline: Deadline) -> None:
        """Torque on, with the present position as the goal, so that nothing jumps.

        Errors: DeviceFault naming the joints that were silent or did not take it; LinkLost.
        """
        bus = self._opened().bus
        position, torque, goal = (
            self._arm.servo[name] for name in ("present_position", "torque_enable", "goal_position")
        )
        present = self._sync_read(position.address, position.size, deadline)
        self._require_all(present, "enable")
        bus.sync_write(goal.address, present.payloads, deadline)
        on = self._arm.servo.encode("torque_enable", 1)
        bus.sync_write(torque.address, dict.fromkeys(self._arm.ids, on), deadline)
        back = self._sync_read(torque.address, torque.size, deadline)
        off = [j.name for j in self._arm.joints if back.payloads.get(j.id) != on]
        if off:
            raise DeviceFault(f"{self.role}: torque did not come on at {', '.join(off)}")

    def read(self, deadline: Deadline) -> JointSample:
        """One sync read of position, speed and load; six servos take 0.9 ms of wire at 1 Mbaud.

        An age counts from when the host had the answer; the measurement itself is older by
        the time on the wire. Effort is the duty of the motor voltage, which is the fraction of
        stall torque only at standstill.
        """
        setup = self._opened().setup
        table = self._arm.servo
        base = table["present_position"].address
        self._reads += 1
        answer = self._sync_read(base, _READ_LENGTHS[self._reads % 2], deadline)
        self._answered_ns.update(answer.stamps)
        counts = np.full((3, len(self._arm.ids)), np.nan)
        for place, servo in enumerate(self._arm.ids):
            memory = answer.payloads.get(servo)
            if memory is not None:
                counts[:, place] = (
                    table.decode("present_position", memory, base),
                    table.decode("present_speed", memory, base),
                    table.decode("present_load", memory, base),
                )
        stamp_ns = self._clock.now_ns()
        return JointSample(
            stamp_ns=stamp_ns,
            position=self._scale.to_radians(counts[0]),
            velocity=self._scale.to_radians_per(counts[1] * setup.speed_unit),
            effort=counts[2] * table["present_load"].scale * self._scale.sign,
            age_ns=np.array([self._age_ns(servo, stamp_ns) for servo in self._arm.ids]),
        )

    def command(self, position: FloatArray, deadline: Deadline) -> FloatArray:
        """One sync write of goal positions, clipped to `limits` and rounded to whole counts.

        Nobody acknowledges a sync write, so the answer says what was sent, not what arrived.
        Errors: HarnessError for a wrong shape or a target that is not finite.
        """
        session = self._opened()
        if position.shape != (len(self._arm.ids),) or not np.isfinite(position).all():
            raise HarnessError(f"{self.role}: {position!r} is no set of joint targets")
        setup = session.setup
        counts = np.clip(self._scale.to_counts(position), setup.count_low, setup.count_high)
        table = self._arm.servo
        goals = {
            servo: table.encode("goal_position", int(count))
            for servo, count in zip(self._arm.ids, counts, strict=True)
        }
        session.bus.sync_write(table["goal_position"].address, goals, deadline)
        return self._scale.to_radians(counts)

    def make_safe(self, deadline: Deadline) -> SafeProof:
        """Torque off everywhere, read back. A lost link gives a proof that says so."""
        bus = self._session.bus if self._session else None
        return prove_torque_off(self.role, bus, self._arm, self._clock, deadline)

    def rescue(self, deadline: Deadline) -> SafeProof:
        """As `make_safe`, on a port that nobody has open: the servos are not asked who they
        are before their torque is off."""
        port = open_serial(self._address, self._parameters.baud, self._clock)
        with closing(FeetechBus(port, self._clock)) as bus:
            return prove_torque_off(self.role, bus, self._arm, self._clock, deadline)

    def close(self) -> None:
        if self._session is not None:
            self._session.bus.close()
            self._session = None

    def _opened(self) -> _Session:
        if self._session is None:
            raise HarnessError(f"{self.role} is not open")
        return self._session

    def _sync_read(self, address: int, length: int, deadline: Deadline) -> SyncRead:
        wait_ns = self._answer_ns(length)
        return self._opened().bus.sync_read(
            self._arm.ids, address, length, deadline.sooner(wait_ns)
        )

    def wire_uses(self) -> Mapping[str, WireUse]:
        """Bytes of `read`, the longer of the two that take turns, and of `command`."""
        servos, baud = len(self._arm.ids), self._parameters.baud
        goals = servos * (1 + self._arm.servo["goal_position"].size)
        return {
            "read": WireUse(self._sync_read_bytes(max(_READ_LENGTHS)), baud, _BITS_PER_BYTE),
            "command": WireUse(_PACKET_OVERHEAD + 2 + goals, baud, _BITS_PER_BYTE),
        }

    def _answer_ns(self, length: int) -> int:
        """Time for one sync read: request and answers on the wire, and the grace on top."""
        bits = self._sync_read_bytes(length) * _BITS_PER_BYTE
        wire_ns = bits * NS_PER_S // self._parameters.baud
        return wire_ns + round(self._parameters.answer_timeout_ms * NS_PER_MS)

    def _sync_read_bytes(self, length: int) -> int:
        """Bytes of one sync read of all servos: the request and every answer."""
        servos = len(self._arm.ids)
        return _PACKET_OVERHEAD + 2 + servos + servos * (_PACKET_OVERHEAD + length)

    def _require_all(self, answer: SyncRead, what: str) -> None:
        silent = [joint.name for joint in self._arm.joints if joint.id in answer.lost]
        if silent:
            raise DeviceFault(
                f"{self.role}: {what}: no answer from {', '.join(silent)}",
                "check supply and cables",
            )

    def _age_ns(self, servo: int, stamp_ns: int) -> int:
        answered_ns = self._answered_ns.get(servo)
        return NEVER if answered_ns is None else stamp_ns - answered_ns


def build(spec: DeviceSpec, context: BenchContext) -> FeetechArm:
    """Factory of driver `feetech-arm`; touches no port. Errors: BadInput."""
    parameters = device_parameters(spec, ArmParameters)
    if not spec.address:
        raise BadInput(f"device {spec.role!r} (driver {spec.driver}) needs a port in the rig file")
    arm = load_arm(parameters.model).calibrated(parameters.calibration)
    return FeetechArm(spec.role, spec.address, arm, parameters, context.clock)
