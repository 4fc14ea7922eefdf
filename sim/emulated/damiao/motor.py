"""One emulated Damiao motor: payloads in, payloads out, and a drive command a step.

Pure logic with neither I/O nor a clock. Choices where the maker's manual is silent, or where
this is less than the real thing:

* MIT mode only. In another mode the motor does not move, and does not answer commands.
* The law torque = kp (p - actual) + kd (v - actual) + t is worked out here once a step of the
  plant and given to it as set-point and torque limit: the position at which the law's torque
  would be nought, and no more torque than the law gives. Where the law brakes, the set-point is
  where the joint is. Near the set-point the plant's own servo decides, which may be softer or
  stiffer than kp; that keeps stiff gains stable at the plant's step. With kp = 0 the set-point
  is a turn away in the direction of the torque, and the limit is the torque.
* A command that comes while the motor is off is answered and forgotten.
* The time-out runs while the motor is on; every frame that is for the motor starts it anew.
  Once it trips, and after any other fault, the motor is off until the error is cleared and it
  is enabled again. Switching it off does not clear the error.
* Registers and zero are written only while the motor is off, but for the time-out, which may
  be written at any time; a store obeys only while it is off.
* Torque told is the plant's; temperatures follow I^2 R with one plausible time constant.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from drivers.damiao.codec import (
    Feedback,
    MitCommand,
    MotorStatus,
    Operation,
    RegisterMessage,
    Special,
    decode_mit,
    encode_feedback,
    is_fault,
)
from drivers.damiao.motors import MotorModel
from hil.clock import NS_PER_US
from sim.emulated.damiao.memory import Memory
from sim.twin.emulator import Body, Drive

AMBIENT = 25.0
"""deg C."""

_TURN = 2 * math.pi
_MIT_MODE = 1
_TIMEOUT = 9
_TIMEOUT_STEP_NS = 50 * NS_PER_US
_THERMAL_RESISTANCE = 1.5  # K/W, plausible
_THERMAL_TIME_S = 150.0
_IDLE = MitCommand(0.0)


@dataclass(frozen=True, slots=True)
class Mounting:
    """How a motor sits on its joint: it reads `offset` rad where the joint is at 0, and grows
    with it where `sign` is +1."""

    sign: int
    offset: float


class Motor:
    """One motor with its registers. Angles of bodies and drives are the joint's; `stores` counts
    what was written to its flash."""

    def __init__(self, memory: Memory, model: MotorModel, mounting: Mounting) -> None:
        self._memory = memory
        self._model = model
        self._mounting = mounting
        self._body = Body(0.0, 0.0, 0.0)
        self._supply: float | None = None
        self.stores = 0
        self.power_cycle()

    def power_cycle(self) -> None:
        """Off and on again: stored registers, no error, cold."""
        self._memory.power_cycle()
        self._status = MotorStatus.OFF
        self._command = _IDLE
        self._heard_ns = 0
        self._rotor = AMBIENT

    @property
    def id(self) -> int:
        return int(self._memory.get("id"))

    @property
    def master_id(self) -> int:
        return int(self._memory.get("master_id"))

    @property
    def on(self) -> bool:
        """Whether it drives its joint."""
        return self._status == MotorStatus.ON

    @property
    def bit_rate_code(self) -> int:
        """Register 35."""
        return int(self._memory.get("can_bit_rate"))

    def trips_ns(self) -> int | None:
        """When its time-out trips unless it hears something; None where it does not run."""
        steps = int(self._memory.get("can_timeout"))
        return self._heard_ns + steps * _TIMEOUT_STEP_NS if self.on and steps else None

    def watch(self, now_ns: int) -> None:
        """Let the time-out trip if it is due."""
        trips_ns = self.trips_ns()
        if trips_ns is not None and now_ns >= trips_ns:
            self._fail(MotorStatus.LOST_COMM)

    def power(self, volts: float) -> None:
        """What the supply gives from now on."""
        self._supply = volts
        self._check_supply()

    def obey(self, special: Special, now_ns: int) -> bytes:
        """A command without arguments; returns the state after it."""
        self._heard_ns = now_ns
        ends = special is Special.DISABLE and self.on
        clears = special is Special.CLEAR_ERROR and is_fault(self._status)
        if special is Special.ENABLE and self._status == MotorStatus.OFF:
            self._status, self._command = MotorStatus.ON, _IDLE
            self._check_supply()
        elif ends or clears:
            self._status = MotorStatus.OFF
        elif special is Special.SET_ZERO and not self.on:
            self._memory.shift_zero(self._position())
        return self.state()

    def control(self, payload: bytes, now_ns: int) -> bytes | None:
        """A command in MIT mode; returns the state, or None where the motor is in another."""
        self._heard_ns = now_ns
        command = decode_mit(payload, self._memory.ranges)
        if command is None or self._memory.get("control_mode") != _MIT_MODE:
            return None
        if self.on:
            self._command = command
        return self.state()

    def register(self, message: RegisterMessage, now_ns: int) -> bytes | RegisterMessage | None:
        """A message about registers; returns a state, the answer, or None for no answer."""
        self._heard_ns = now_ns
        if message.operation is Operation.REFRESH:
            return self.state()
        if message.operation is Operation.STORE:
            if not self.on:
                self._memory.store()
                self.stores += 1
            return message
        motor = message.motor  # a new id holds from the next frame on
        if message.operation is Operation.WRITE and (not self.on or message.register == _TIMEOUT):
            self._memory.write(message.register, message.value)
        value = self._memory.read(message.register)
        if value is None:
            return None
        return RegisterMessage(motor, message.operation, message.register, value)

    def state(self, motor: int | None = None, status: int | None = None) -> bytes:
        """Payload of its state; another id and status where they are given."""
        mos = AMBIENT + (self._rotor - AMBIENT) / 2
        sign = self._mounting.sign
        return encode_feedback(
            Feedback(
                motor=(self.id if motor is None else motor) & 0xF,
                status=self._status if status is None else status,
                position=self._position(),
                velocity=self._body.velocity * sign,
                torque=self._body.torque * sign if self.on else 0.0,
                mos_temperature=round(mos),
                rotor_temperature=round(self._rotor),
            ),
            self._memory.ranges,
        )

    def step(self, dt: float, body: Body) -> Drive:
        """Advance by `dt` s from where the joint is; returns the plant's orders."""
        self._body = body
        self._warm(dt, body.torque if self.on else 0.0)
        if self._rotor >= self._memory.get("over_temperature"):
            self._fail(MotorStatus.ROTOR_OVERHEAT)
        if not self.on or self._memory.get("control_mode") != _MIT_MODE:
            return Drive(body.position, 0.0, enabled=False)
        return self._drive()

    def _drive(self) -> Drive:
        """The MIT law as set-point and torque limit; see the module's docstring."""
        command, sign = self._command, self._mounting.sign
        position, velocity = self._position(), self._body.velocity * sign
        torque = (
            command.kp * (command.position - position)
            + command.kd * (command.velocity - velocity)
            + command.torque
        )
        peak = self._model.peak_torque or self._memory.ranges.torque
        limit = min(abs(torque), peak)
        if command.kp > 0:
            shift = (command.kd * command.velocity + command.torque) / command.kp
            pull = command.position + shift - position
        else:
            pull = math.copysign(_TURN, torque) if torque else 0.0
        away = pull if pull * torque > 0 else 0.0
        return Drive(self._body.position + sign * away, limit, enabled=True)

    def _position(self) -> float:
        """What the motor calls its position, rad."""
        mounting = self._mounting
        return mounting.offset + mounting.sign * self._body.position - self._memory.zero

    def _warm(self, dt: float, torque: float) -> None:
        constant = self._memory.get("torque_constant")
        current = torque / constant if constant else 0.0
        heat = current * current * self._memory.get("phase_resistance")
        settled = AMBIENT + _THERMAL_RESISTANCE * heat
        self._rotor += (settled - self._rotor) * dt / _THERMAL_TIME_S

    def _check_supply(self) -> None:
        if self._supply is not None and self.on:
            if self._supply < self._memory.get("under_voltage"):
                self._fail(MotorStatus.UNDER_VOLTAGE)
            elif self._supply > self._memory.get("over_voltage"):
                self._fail(MotorStatus.OVER_VOLTAGE)

    def _fail(self, status: MotorStatus) -> None:
        if self.on:
            self._status, self._command = status, _IDLE
