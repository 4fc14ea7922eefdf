"""One emulated servo of any model: instructions in, answers out, and a drive command a step.

Pure logic with neither I/O nor a clock. What differs between models is in their control tables.
The position loop itself is closed by the plant; the servo gives it a set-point that keeps the
goal speed and acceleration registers, a torque limit, and whether the motor is powered.

Choices where the maker's manual is silent, or where this is less than the real thing:

* Positions only. Other values of the mode register are taken and read back, and leave the motor
  unpowered; so do angle limits of 0 and 0 in models without that register, which makes them
  wheels. Gains, dead zones, start-up force, phase and angular resolution are stored and have no
  effect.
* After power-up there is no goal: switching torque on holds the present position until a
  goal is written. A goal written with torque off switches it on where the model does that, and is
  kept where not.
* Without a goal speed a move takes the goal time, in models where that register is a time, and
  otherwise as long as the motor needs.
* An encoder counts on past the end of its turn; a potentiometer reads its first or last count
  where the joint has left its range.
* `load` is torque over stall torque; the real register is the drive's duty cycle.
* Torque enable 128 sets the offset so that the present position reads the middle count, in models
  with an offset. It obeys the lock as any write to that register does, and leaves torque as it
  was.
* RESET restores the EEPROM part except id and baud rate, so that the servo stays reachable.
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
from hil.clock import NS_PER_S
from hil.errors import BadInput
from sim.emulated.feetech.memory import Memory
from sim.emulated.feetech.motor import MotorModel, figures_of
from sim.emulated.feetech.protection import Protection, Thresholds
from sim.robots.profile import MotionProfile
from sim.twin.emulator import Body, Drive

CALIBRATE = 128
MOVING_COUNTS_S = 10  # slower than this a servo says that it stands
SPARED_BY_RESET = frozenset({"id", "baud_rate"})
_WHOLE_TURN_DEG = 360.0
_PACE = frozenset({"goal_position", "goal_speed", "goal_time"})


@dataclass(frozen=True, slots=True)
class Mounting:
    """Where a servo sits: its id, the count at 0 rad, and +1 or -1 for counts that grow or
    shrink with the joint's angle."""

    id: int
    zero_count: int
    sign: int


class Servo:
    """One servo as it came from the works, set up for its place and its bus; `table` is what it is.

    Errors: HarnessError for an id that the control table does not allow; BadInput for a rate that
    it has no code for, and for a table without the figures of the motor.
    """

    def __init__(self, table: Table, mounting: Mounting, baud: int, model: MotorModel) -> None:
        self.table = table
        self._figures = figures_of(table)
        self._model = model
        self._turn = table.counts_per_turn
        self._wraps = table.range_deg >= _WHOLE_TURN_DEG
        self._zero = mounting.zero_count
        self._sign = mounting.sign
        self._count = mounting.sign * table.radians_per_count  # rad, signed
        self._memory = Memory(table)
        self._memory.manufacture("id", mounting.id)
        self._memory.manufacture("baud_rate", _code(table, baud))
        self._body = Body(0.0, 0.0, 0.0)
        self.power_cycle()

    def power_cycle(self) -> None:
        """Off and on again: RAM, latched errors, goal and temperature start anew."""
        memory = self._memory
        memory.power_cycle()
        if "torque_limit" in self.table:
            memory.put("torque_limit", memory.get("max_torque"))
        self._motor = self._model.fed(self._figures)
        self._protection = Protection()
        self._profile = MotionProfile(self._body.position)
        self._driven = False
        self._goal: float | None = None
        self._pending: tuple[int, bytes] | None = None
        self._apply_settings()
        self._set_pace()

    @property
    def id(self) -> int:
        return self._memory.get("id")

    @property
    def baud(self) -> int:
        return self.table.baud.get(self._memory.get("baud_rate"), 0)

    @property
    def return_delay_ns(self) -> int:
        return round(self._memory.value("return_delay") * NS_PER_S)

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
        if "goal_position" in touched and self.table.goal_switches_torque_on:
            touched |= self._energise()
        if "torque_enable" in touched:
            self._switch_torque(torque_before)
        if touched - _PACE:
            self._apply_settings()
        if "goal_position" in touched:
            self._set_goal()
        if touched & _PACE:
            self._set_pace()

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
        return Drive(target, fraction * self._figures.stall_torque, enabled=True)

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
            self._memory.restore_defaults(SPARED_BY_RESET)
            self._apply_settings()
        else:
            return False
        return True

    @property
    def _error_byte(self) -> int:
        return int(self._protection.errors)

    def _energise(self) -> set[str]:
        """Torque on where it is off; the registers that changed."""
        if self._memory.get("torque_enable"):
            return set()
        self._memory.put("torque_enable", 1)
        return {"torque_enable"}

    def _switch_torque(self, before: int) -> None:
        value = self._memory.get("torque_enable")
        if value == CALIBRATE:
            half = self._turn // 2
            offset = self._encoder() % self._turn - half
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
        counts += self._offset
        if self._wraps:
            counts += (self._encoder() - self._offset) // self._turn * self._turn
        self._goal = (counts - self._zero) * self._count
        self._protection.goal_given(self._goal - self._body.position, self._limits)

    def _set_pace(self) -> None:
        """rad/s of the move that lies ahead."""
        memory, fastest = self._memory, self._figures.no_load_speed
        speed = abs(memory.value("goal_speed") * self._count)
        if not speed and self._goal is not None and self.table["goal_time"].unit == "s":
            seconds = memory.value("goal_time")
            speed = abs(self._goal - self._body.position) / seconds if seconds else 0.0
        self._speed = min(speed or fastest, fastest)

    def _apply_settings(self) -> None:
        """Registers that a step needs, in SI units; a step then decodes nothing."""
        memory = self._memory
        self._limits = Thresholds.of(memory)
        self._torque_on = memory.get("torque_enable") == 1 and self._goes_to_positions
        self._torque_fraction = memory.value_or("torque_limit", memory.value("max_torque"))
        useful = bool(self.table["acceleration"].unit)
        acceleration = memory.value("acceleration") * abs(self._count) if useful else 0.0
        self._acceleration = acceleration or math.inf

    @property
    def _goes_to_positions(self) -> bool:
        memory = self._memory
        if "mode" in self.table:
            return memory.get("mode") == 0
        return memory.get("min_angle_limit") < memory.get("max_angle_limit")

    @property
    def _offset(self) -> int:
        return int(self._memory.value_or("position_offset", 0))

    def _encoder(self) -> int:
        """Encoder or potentiometer before the offset, in counts, without a turn's end."""
        return self._zero + round(self._body.position / self._count)

    def _position(self) -> int:
        """What it says of where it is."""
        counts = self._encoder() - self._offset
        return counts % self._turn if self._wraps else min(max(counts, 0), self._turn - 1)

    def _publish(self) -> None:
        """Bring the read-only registers up to date; done when somebody reads."""
        memory, motor, table = self._memory, self._motor, self.table
        speed = self._body.velocity / self._count
        now = {
            "present_position": self._position(),
            "present_speed": speed,
            "present_load": motor.load * self._sign / table["present_load"].scale,
            "present_voltage": motor.voltage / table["present_voltage"].scale,
            "present_temperature": motor.temperature,
            "moving": abs(speed) > MOVING_COUNTS_S,
            "async_write_flag": self._pending is not None,
            "status": self._error_byte,
        }
        if "present_current" in table:
            now["present_current"] = motor.current * self._sign / table["present_current"].scale
        for name, value in now.items():
            memory.put(name, round(value))


def _code(table: Table, baud: int) -> int:
    """What the baud register holds for a rate."""
    codes = {rate: code for code, rate in table.baud.items()}
    if baud not in codes:
        raise BadInput(
            f"the {table.model} cannot be set to {baud} baud",
            f"it can be set to {', '.join(map(str, sorted(codes)))}",
        )
    return codes[baud]
