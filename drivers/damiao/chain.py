"""A chain of Damiao motors on one CAN bus as a `Joints` device, in SI units."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass

import numpy as np

from drivers.can.bus import CanBus
from drivers.damiao.bus import Address, MotorBus
from drivers.damiao.chain_health import READ_ANEW, ChainState, findings, firmware
from drivers.damiao.chain_motion import (
    decoded,
    hold_codes,
    joint_values,
    payloads,
    target_codes,
    targets,
)
from drivers.damiao.chain_safe import prove_off
from drivers.damiao.chain_setup import Setup, read_numbers, survey
from drivers.damiao.chain_status import refuse_faults, refuse_unpowered
from drivers.damiao.codec import Feedback, MotorStatus, Special
from drivers.damiao.line import adopt_line, open_line
from drivers.damiao.parameters import ChainParameters
from drivers.damiao.registers import Register, load_registers
from drivers.damiao.robots import Robot, load_robot
from drivers.enabling import refuse_unenabled
from drivers.joints import between, refuse_silent
from drivers.transport.latency import adapter_latency
from drivers.transport.options import need_port
from hil.clock import NS_PER_MS, Clock, Deadline
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
)
from hil.errors import DeadlineMissed, DeviceFault, HarnessError, LinkLost
from hil.failure import on_failure

_QUIET_NS = 20 * NS_PER_MS
_ENABLE_ROUNDS = 3
_WATCHDOG_ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class _Session:
    """What exists only between open and close."""

    bus: MotorBus
    setup: Setup


class DamiaoChain:
    """Joints on one bus (`hil.contracts.Joints`, `Rescue`, `SelfWatching`).

    Motors run in MIT mode: each pulls towards its target with the torque kp * error - kd *
    velocity. They speak only when spoken to, and each frame for a motor starts its time-out
    anew, those of `read` too: a host that reads and does not command keeps it from tripping.
    """

    capabilities = frozenset({Capability.JOINTS})

    def __init__(
        self, spec: DeviceSpec, robot: Robot, parameters: ChainParameters, clock: Clock
    ) -> None:
        self.role = spec.role
        self._spec = spec
        self._robot = robot
        self._parameters = parameters
        self._clock = clock
        self._registers: Mapping[str, Register] = load_registers()
        self._session: _Session | None = None
        self._enabled = False

    @property
    def names(self) -> tuple[str, ...]:
        return self._robot.names

    @property
    def limits(self) -> JointLimits:
        """The joints' range; once open, no wider than what the motors can be told."""
        limits = self._robot.limits
        if self._session is None:
            return limits
        robot, setup = self._robot, self._session.setup
        return between(limits, targets(robot, setup, setup.low), targets(robot, setup, setup.high))

    def open(self, deadline: Deadline) -> None:
        """Take the bus, find every motor and read how it is set up; nothing is changed.

        Errors: those of `open_can`; DeviceFault naming everything that is wrong at once.
        """
        if self._session is not None:
            raise HarnessError(f"{self.role} is open already")
        bus = self._motors(open_line(self._spec, self._parameters, self._clock, deadline))
        with on_failure(bus.close):
            setup = survey(bus, self._robot, self._registers, deadline)
        self._session = _Session(bus, setup)
        self._enabled = False

    def identity(self, deadline: Deadline) -> Identity:
        """What open read, and that every motor still answers. Errors: DeviceFault."""
        session = self._opened()
        self._states(deadline, "identity")
        numbers = session.setup.numbers
        versions = sorted({firmware(numbers, motor) for motor in self._robot.ids})
        detail: dict[str, Scalar] = {
            "line_checksum": False,  # CAN has one; the serial way to the adapter has none
            "motors": len(self._robot.ids),
            "port": session.bus.description,
            "adapter": session.bus.adapter,
        }
        for joint in self._robot.joints:
            detail[f"motor.{joint.name}"] = joint.motor
        return Identity(self._robot.model, firmware=", ".join(versions), detail=detail)

    def health(self, deadline: Deadline) -> Sequence[Finding]:
        session = self._opened()
        try:
            channel = session.bus.findings(deadline)
            heard = session.bus.refresh(self._robot.ids, deadline)
            numbers = {
                name: read_numbers(
                    session.bus, self._registers[name], list(heard), deadline, attempts=2
                )
                for name in READ_ANEW
            }
        except (LinkLost, DeadlineMissed) as error:
            return [Finding("link", False, error.message, error.remedy)]
        state = ChainState(decoded(self._robot, session.setup, heard), numbers)
        motors = findings(self._robot, session.setup, self._registers, state)
        return [*adapter_latency(self._spec.address), *channel, *motors]

    def ping(self, deadline: Deadline) -> None:
        """One motor's state, asked once more after a silence where answers to calls that were
        given up still fill the line. Errors: DeadlineMissed, LinkLost."""
        motor, bus = self._robot.ids[0], self._opened().bus
        if bus.refresh([motor], deadline):
            return
        bus.drain(_QUIET_NS, deadline)
        if not bus.refresh([motor], deadline):
            raise DeadlineMissed(
                f"motor {motor} on {self._opened().bus.description} did not answer in time",
                "check its id, its cable and its supply",
            )

    def counters(self) -> Mapping[str, int]:
        if self._session is None:
            return {}
        counted = self._session.bus.counters()
        return {
            **self._session.bus.can_counters(),
            "requests": counted.requests,
            "late_answers": counted.late_answers,
            "unowed_answers": counted.unowed_answers,
            "wrong_id": counted.wrong_id,
            "wrong_length": counted.wrong_length,
            "foreign_frames": counted.foreign_frames,
            **{
                f"lost_answers.{joint.name}": counted.lost_answers.get(joint.id, 0)
                for joint in self._robot.joints
            },
        }

    def enable(self, deadline: Deadline) -> None:
        """Power on, with the present position as the target, so that nothing jumps.

        Lost communication, which the time-out of an earlier run leaves behind, is cleared; any
        other fault is not. Errors: DeviceFault naming the joints that were silent, report a
        fault or did not come on; LinkLost, DeadlineMissed. No command is taken then.
        """
        bus, setup = self._opened().bus, self._opened().setup
        self._enabled = False
        states = self._states(deadline, "enable")
        refuse_faults(self.role, self._robot, states, but=MotorStatus.LOST_COMM)
        lost = [motor for motor, s in states.items() if s.status == MotorStatus.LOST_COMM]
        if lost:
            bus.special(lost, Special.CLEAR_ERROR, deadline)
        hold = payloads(self._robot, setup, hold_codes(self._robot, setup, states))
        for _ in range(_ENABLE_ROUNDS):
            bus.command(hold, deadline)  # before, for a motor that keeps what it was told off
            bus.special(self._robot.ids, Special.ENABLE, deadline)
            bus.command(hold, deadline)
            states = self._states(deadline, "enable")
            if all(state.status == MotorStatus.ON for state in states.values()):
                self._enabled = True
                return
        refuse_unpowered(self.role, self._robot, states)

    def read(self, deadline: Deadline) -> JointSample:
        """Ask every motor for its state and take what comes until the deadline.

        An age counts from when a motor was asked, so it is an upper bound; a joint that did not
        answer has the age of its last answer. Effort is torque over the motor's peak torque.
        """
        session = self._opened()
        heard = session.bus.refresh(self._robot.ids, deadline)
        states = decoded(self._robot, session.setup, heard)
        position, velocity, effort = joint_values(self._robot, session.setup, states)
        stamp_ns = self._clock.now_ns()
        ages = np.array([self._age_ns(motor, stamp_ns) for motor in self._robot.ids])
        return JointSample(stamp_ns, position, velocity, effort, ages)

    def command(self, position: FloatArray, deadline: Deadline) -> FloatArray:
        """One frame a motor with its target, clipped to `limits` and cut off to a whole step.

        The answer says what was sent; that it arrived shows at the next read. Errors:
        DeviceFault where a motor's last answer says that it is not on; HarnessError where it is
        not enabled, for a wrong shape or a target that is not finite; LinkLost, DeadlineMissed.
        """
        session = self._opened()
        refuse_unenabled(self.role, self._enabled)
        if position.shape != (len(self._robot.ids),) or not np.isfinite(position).all():
            raise HarnessError(f"{self.role}: {position!r} is no set of joint targets")
        heard = {m: h for m in self._robot.ids if (h := session.bus.newest(m)) is not None}
        refuse_unpowered(self.role, self._robot, decoded(self._robot, session.setup, heard))
        codes = target_codes(self._robot, session.setup, position)
        session.bus.command(payloads(self._robot, session.setup, codes), deadline)
        return targets(self._robot, session.setup, codes)

    def arm_watchdog(self, timeout_s: float, deadline: Deadline) -> float:
        """Set the motors' CAN time-out (register 9, steps of 50 us, lost without power).

        A motor that hears nothing for so long switches itself off and says so (lost comm).
        0 would mean no time-out and is refused. Errors: DeviceFault naming the joints that did
        not take it; HarnessError; LinkLost, DeadlineMissed.
        """
        register = self._registers["can_timeout"]
        steps = round(timeout_s / register.scale)
        if steps < 1:
            raise HarnessError(f"{self.role}: a time-out of {timeout_s} s would be none")
        self._set_timeout(steps, deadline)
        return steps * register.scale

    def disarm_watchdog(self, deadline: Deadline) -> None:
        """Set the time-out to 0, which is none. Errors: as `arm_watchdog`."""
        self._set_timeout(0, deadline)

    def _set_timeout(self, steps: int, deadline: Deadline) -> None:
        register = self._registers["can_timeout"]
        bus = self._opened().bus
        value = register.encode(steps)
        bus.write_register(register.number, dict.fromkeys(self._robot.ids, value), deadline)
        back = read_numbers(bus, register, self._robot.ids, deadline, _WATCHDOG_ATTEMPTS)
        wrong = [joint.name for joint in self._robot.joints if back.get(joint.id) != steps]
        if wrong:
            raise DeviceFault(f"{self.role}: CAN time-out not taken by {', '.join(wrong)}")

    def make_safe(self, deadline: Deadline) -> SafeProof:
        """All motors off, read back. A lost link gives a proof that says so."""
        self._enabled = False
        bus = self._session.bus if self._session else None
        return prove_off(self.role, bus, self._robot, self._clock, deadline)

    def rescue(self, deadline: Deadline) -> SafeProof:
        """As `make_safe`, on a bus that nobody has open: the first thing the adapter hears is
        the command that switches the motors off."""
        bus = self._motors(adopt_line(self._spec, self._parameters, self._clock, deadline))
        with closing(bus):
            return prove_off(self.role, bus, self._robot, self._clock, deadline)

    def close(self) -> None:
        if self._session is not None:
            self._session.bus.close()
            self._session = None

    def _motors(self, can: CanBus) -> MotorBus:
        """The motors on a bus that has just been taken."""
        with on_failure(can.close):
            addresses = [Address(joint.id, joint.master_id) for joint in self._robot.joints]
            answer_ns = round(self._parameters.answer_timeout_ms * NS_PER_MS)
            return MotorBus(can, addresses, self._parameters.bus, answer_ns, self._clock)

    def _opened(self) -> _Session:
        if self._session is None:
            raise HarnessError(f"{self.role} is not open")
        return self._session

    def _states(self, deadline: Deadline, what: str) -> dict[int, Feedback]:
        """Every motor's state, asked for at most twice. Errors: DeviceFault (silent ones)."""
        session = self._opened()
        heard = session.bus.refresh(self._robot.ids, deadline)
        missing = [motor for motor in self._robot.ids if motor not in heard]
        if missing:
            heard |= session.bus.refresh(missing, deadline)
        silent = [joint.name for joint in self._robot.joints if joint.id not in heard]
        refuse_silent(self.role, what, silent)
        return decoded(self._robot, session.setup, heard)

    def _age_ns(self, motor: int, stamp_ns: int) -> int:
        heard = self._opened().bus.newest(motor)
        return NEVER if heard is None else stamp_ns - heard.measured_ns


def build(spec: DeviceSpec, context: BenchContext) -> DamiaoChain:
    """Factory of driver `damiao-chain`; touches no port. Errors: BadInput."""
    parameters = device_parameters(spec, ChainParameters)
    need_port(spec)
    robot = load_robot(parameters.robot, spec.base).adjusted(parameters.joints)
    return DamiaoChain(spec, robot, parameters, context.clock)
