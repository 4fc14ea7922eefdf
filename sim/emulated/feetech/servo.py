"""One emulated STS3215: instructions in, answers out, and a drive command a step.

Pure logic with neither I/O nor a clock. The position loop itself is closed by the plant; the
servo gives it a set-point that keeps the goal speed and acceleration registers, a torque
limit, and whether the motor is powered.

Choices where the maker's manual is silent, or where this is less than the real thing:

* Mode 0 (position) only. Other values of the mode register are taken and read back, and
  leave the motor unpowered. Gains (21-23, 37, 39), dead zones, start-up force, goal time and
  angular resolution are stored and have no effect.
* After power-up there is no goal: switching torque on holds the present position until a
  goal is written. A goal written with torque off is kept and does not switch torque on.
* `load` is torque over stall torque; the real register is the drive's duty cycle.
* Torque enable 128 sets the offset so that the present position reads 2048. It obeys the
  lock as any write to register 31 does, and leaves torque as it was.
* RESET restores the EEPROM part except id and baud rate, so that the servo stays reachable,
  and the voltage bound of its variant.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from drivers.feetech.codec import (
    ACTION,
    BROADCAST,
    MAX_PARAMS,
    PING,
    READ,
    REG_WRITE,
    RESET,
    WRITE,
    Packet,
    ServoError,
)
from drivers.feetech.registers import Table
from sim.emulated.feetech.memory import Memory
from sim.emulated.feetech.motor import STALL_TORQUE, TOP_SPEED_COUNTS, Motor, MotorModel
from sim.emulated.feetech.protection import CURRENT_UNIT, Protection, Thresholds
from sim.robots.profile import MotionProfile
from sim.twin.emulator import Body, Drive

BAUDS = (1_000_000, 500_000, 250_000, 128_000, 115_200, 76_800, 57_600, 38_400)
"""Bit/s by code of the baud register."""

CALIBRATE = 128
MIDDLE = 2048
MOVING_COUNTS_S = 10  # slower than this a servo says that it stands
MAX_VOLTAGE = 140  # 0.1 V; the 12 V variant
SPARED_BY_RESET = ("id", "baud_rate", "max_voltage")


@dataclass(frozen=True, slots=True)
class Mounting:
    """Where a servo sits: its id, the count at 0 rad, and +1 or -1 for counts that grow or
    shrink with the joint's angle."""

    id: int
    zero_count: int
    sign: int


class Servo:
    """One servo as it came from the works, set up for its place and its bus.

    Errors: HarnessError for an id that the control table does not allow.
    """

    def __init__(self, table: Table, mounting: Mounting, baud: int, model: MotorModel) -> None:
        self._turn = table.counts_per_turn
        self._zero = mounting.zero_count
        self._sign = mounting.sign
        self._count = mounting.sign * 2 * math.pi / self._turn  # rad, signed
        self._memory = Memory(table)
        self._memory.manufacture("id", mounting.id)
        self._memory.manufacture("baud_rate", BAUDS.index(baud))
        self._memory.manufacture("max_voltage", MAX_VOLTAGE)
        self._model = model
        self._body = Body(0.0, 0.0, 0.0)
        self.power_cycle()

    def power_cycle(self) -> None:
        """Off and on again: RAM, latched errors, goal and temperature start anew."""
        memory = self._memory
        memory.power_cycle()
        memory.put("torque_limit", memory.get("max_torque"))
        self._motor = Motor(self._model)
        self._protection = Protection()
        self._profile = MotionProfile(self._body.position)
        self._driven = False
        self._goal: float | None = None
        self._pending: tuple[int, bytes] | None = None
        self._apply_settings()

    @property
    def id(self) -> int:
        return self._memory.get("id")

    @property
    def baud(self) -> int:
        return BAUDS[self._memory.get("baud_rate")]

    @property
    def return_delay_ns(self) -> int:
        return self._memory.get("return_delay") * 2_000

    @property
    def torque_on(self) -> bool:
        """Whether its torque is switched on; a servo may still have cut its motor itself."""
        return self._torque_on

    def inject(self, errors: ServoError) -> None:
        """Fault injection: these error bits on top of the servo's own findings."""
        self._protection.injected = errors

    def handle(self, packet: Packet) -> Packet | None:
        """Carry out one instruction that is for this servo or for all.

        Returns the answer, or None where the servo keeps silent: broadcasts other than
        PING, status level 0, an instruction that it does not know or cannot parse. A new id
        holds from the next instruction on; the answer to its write bears the old one.
        """
        params = packet.params
        sender = self.id
        if packet.code == PING:
            return Packet(sender, self._error_byte, b"")
        if packet.code == READ:
            if packet.id == BROADCAST or len(params) != 2 or params[1] > MAX_PARAMS:
                return None  # a broadcast, or more than an answer can carry
            return self.read(params[0], params[1])
        if not self._carry_out(packet.code, params):
            return None
        silent = packet.id == BROADCAST or self._memory.get("status_return_level") == 0
        return None if silent else Packet(sender, self._error_byte, b"")

    def read(self, address: int, length: int) -> Packet:
        """Answer to READ and SYNC READ."""
        self._publish()
        return Packet(self.id, self._error_byte, self._memory.read(address, length))

    def write(self, address: int, data: bytes) -> None:
        """WRITE, and this servo's part of SYNC WRITE."""
        torque_before = self._memory.get("torque_enable")
        touched = self._memory.write(address, data)
        if "torque_enable" in touched:
            self._switch_torque(torque_before)
        if "goal_position" in touched:
            self._set_goal()
        if touched - {"goal_position"}:
            self._apply_settings()

    def step(self, dt: float, body: Body) -> Drive:
        """Advance by `dt` seconds from the joint's state; returns the plant's orders."""
        self._body = body
        # what the plant reports of an unpowered joint is the gearbox, not the motor
        self._motor.step(dt, body.torque if self._driven else 0.0)
        self._protection.step(dt, self._motor, self._limits)
        self._driven = self._torque_on and self._protection.powered(self._limits)
        if not self._driven:
            self._profile.restart(body.position)
            return Drive(body.position, 0.0, enabled=False)
        goal = self._profile.position if self._goal is None else self._goal
        target = self._profile.step(goal, self._speed, self._acceleration, dt)
        fraction = min(self._torque_fraction, self._protection.torque_fraction(self._limits))
        return Drive(target, fraction * STALL_TORQUE, enabled=True)

    def _carry_out(self, code: int, params: bytes) -> bool:
        if code == WRITE and len(params) >= 2:
            self.write(params[0], params[1:])
        elif code == REG_WRITE and len(params) >= 2:
            self._pending = (params[0], params[1:])
        elif code == ACTION:
            if self._pending is not None:
                self.write(*self._pending)
                self._pending = None
        elif code == RESET:
            self._memory.restore_defaults(but=SPARED_BY_RESET)
            self._apply_settings()
        else:
            return False
        return True

    @property
    def _error_byte(self) -> int:
        return int(self._protection.errors)

    def _switch_torque(self, before: int) -> None:
        value = self._memory.get("torque_enable")
        if value == CALIBRATE:
            half = self._turn // 2
            offset = (self._encoder() - MIDDLE + half) % self._turn - half
            self._memory.put("torque_enable", before)
            self._memory.set("position_offset", max(offset, 1 - half))
            return
        self._protection.release()
        if not before:
            self._profile.restart(self._body.position)

    def _set_goal(self) -> None:
        low, high = self._memory.get("min_angle_limit"), self._memory.get("max_angle_limit")
        counts = self._memory.get("goal_position")
        if low < high:
            counts = min(max(counts, low), high)
        offset = self._memory.get("position_offset")
        turns = (self._encoder() - offset) // self._turn
        self._goal = (counts + offset + turns * self._turn - self._zero) * self._count
        self._protection.goal_reversed(self._goal - self._body.position)

    def _apply_settings(self) -> None:
        """Registers that a step needs, in SI units; a step then decodes nothing."""
        memory = self._memory
        self._limits = Thresholds.of(memory)
        self._torque_on = memory.get("torque_enable") == 1 and memory.get("mode") == 0
        self._torque_fraction = memory.get("torque_limit") / 1000
        speed = abs(memory.get("goal_speed")) or TOP_SPEED_COUNTS
        self._speed = min(speed, TOP_SPEED_COUNTS) * abs(self._count)
        acceleration = memory.get("acceleration") * 100
        self._acceleration = acceleration * abs(self._count) or math.inf

    def _encoder(self) -> int:
        """Magnetic encoder before the offset, in counts, unwrapped."""
        return self._zero + round(self._body.position / self._count)

    def _publish(self) -> None:
        """Bring the read-only registers up to date; done when somebody reads."""
        memory, motor = self._memory, self._motor
        speed = round(self._body.velocity / self._count)
        present = (self._encoder() - memory.get("position_offset")) % self._turn
        memory.put("present_position", present)
        memory.put("present_speed", speed)
        memory.put("present_load", round(motor.load * self._sign * 1000))
        memory.put("present_voltage", round(motor.voltage * 10))
        memory.put("present_temperature", round(motor.temperature))
        memory.put("present_current", round(motor.current * self._sign / CURRENT_UNIT))
        memory.put("moving", int(abs(speed) > MOVING_COUNTS_S))
        memory.put("async_write_flag", int(self._pending is not None))
        memory.put("status", self._error_byte)
