"""One emulated AX or MX motor under Protocol 1.0: instructions in, answers out, a drive a step.

Pure logic with neither I/O nor a clock. Choices where the maker's manual is silent, or where
this is less than the real thing:

* Only joint mode moves: in wheel mode (both angle limits 0) and multi-turn mode the motor stays
  unpowered. Gains, compliance, punch and the resolution divider are stored and have no effect.
* A write that touches a read-only or missing address, takes part of a register or leaves a
  range is not carried out, and answered with the range bit; a goal outside the angle limits
  with the angle-limit bit.
* A goal switches the torque on, as in the real ones.
* Findings that the shutdown register names set the torque limit to 0, as the manual says, and
  stay until the power is cycled.
"""

from __future__ import annotations

import math

from drivers.dynamixel.codec1 import (
    ACTION,
    BROADCAST,
    MAX_PARAMS,
    PING,
    READ,
    REG_WRITE,
    RESET,
    WRITE,
    ErrorBit,
    Packet,
)
from drivers.servo.registers import Table
from sim.emulated.dynamixel.motor import Actuator, Bounds, Mounting, Orders, limit
from sim.emulated.servo.memory import RegisterFile
from sim.twin.emulator import Body, Drive

_MOVING_RAD_S = 0.02


class Servo1:
    """One motor as it came from the works, set up for its place and its bus.

    Args as for `sim.emulated.dynamixel.servo2.Servo2`.
    """

    def __init__(
        self, table: Table, mounting: Mounting, supply: float | None, settings: dict[str, int]
    ) -> None:
        self._memory = RegisterFile(table)
        for name, value in {**settings, "id": mounting.id}.items():
            self._memory.keep(name, value)
        self._actuator = Actuator(table, mounting, supply)
        self._injected = ErrorBit.NONE
        self.power_cycle()

    def power_cycle(self) -> None:
        """Off and on again: RAM, errors and goals start anew."""
        memory = self._memory
        memory.power_cycle()
        memory.put("torque_limit", memory.get("max_torque"))
        self._actuator.restart()
        self._errors = ErrorBit.NONE
        self._pending: tuple[int, bytes] | None = None
        memory.put("goal_position", self._actuator.counts)
        self._settle()

    @property
    def id(self) -> int:
        return self._memory.get("id")

    @property
    def baud(self) -> int:
        return self._memory.table.baud.get(self._memory.get("baud_rate"), 0)

    @property
    def return_delay_ns(self) -> int:
        return self._memory.get("return_delay_time") * 2_000

    @property
    def torque_on(self) -> bool:
        return bool(self._memory.get("torque_enable"))

    def inject(self, errors: ErrorBit, voltage: float | None, model: int | None) -> None:
        """Fault injection: error bits, a supply in V, a model number in place of its own."""
        self._injected = errors
        self._actuator.supply(voltage)
        self._memory.put("model_number", model or self._memory.table.model_number)
        self._watch_itself()

    def handle(self, packet: Packet) -> Packet | None:
        """Carry out one instruction for this motor or for all; the answer, or None where it
        keeps silent: every broadcast but PING, and what the status return level leaves out."""
        sender, level = self.id, self._memory.get("status_return_level")
        if packet.code == PING:
            return Packet(sender, self._errors)
        params, broadcast = packet.params, packet.id == BROADCAST
        if packet.code == READ:
            if broadcast or level < 1 or len(params) != 2:
                return None
            return self.read(params[0], params[1])
        error = self._carry_out(packet.code, params)
        return None if broadcast or level < 2 else Packet(sender, self._errors | error)

    def read(self, address: int, length: int) -> Packet | None:
        """Answer to READ and BULK READ; None where no packet could carry it."""
        if length > MAX_PARAMS:
            return None
        self._publish()
        return Packet(self.id, self._errors, self._memory.read(address, length))

    def write(self, address: int, data: bytes) -> ErrorBit:
        """WRITE, and this motor's part of SYNC WRITE."""
        memory = self._memory
        registers = memory.whole(address, len(data))
        if not registers:
            return ErrorBit.RANGE
        values = {r.name: memory.table.decode(r.name, data, address) for r in registers}
        for register in registers:
            value, highest = values[register.name], register.highest
            locked = register.eeprom and memory.get("lock")
            if register.access == "r" or locked:
                return ErrorBit.RANGE
            if highest is not None and not register.lowest <= value <= highest:
                return ErrorBit.RANGE
        goal = values.get("goal_position")
        if goal is not None and self._joint_mode and not self._allowed(goal):
            return ErrorBit.ANGLE_LIMIT
        if memory.get("lock"):
            values["lock"] = 1  # only the power takes it off
        for register in registers:
            (memory.keep if register.eeprom else memory.put)(register.name, values[register.name])
        self._react(values)
        self._settle()
        return ErrorBit.NONE

    def step(self, dt: float, body: Body) -> Drive:
        """Advance by `dt` seconds from the joint's state; returns the plant's orders."""
        drive = self._actuator.step(dt, body, self._orders)
        self._watch_itself()
        return drive

    def _settle(self) -> None:
        """Registers that a step needs, in SI units; a step then decodes nothing."""
        memory = self._memory
        acceleration = math.inf
        if "goal_acceleration" in memory.table:
            acceleration = limit(memory, "goal_acceleration")
        self._bounds = Bounds.of(memory)
        self._orders = Orders(
            speed=limit(memory, "moving_speed"),
            acceleration=acceleration,
            torque=memory.get("torque_limit") / 1023,
            powered=self.torque_on and self._joint_mode and memory.get("torque_limit") > 0,
        )

    @property
    def _joint_mode(self) -> bool:
        return self._memory.get("cw_angle_limit") < self._memory.get("ccw_angle_limit")

    def _allowed(self, goal: int) -> bool:
        memory = self._memory
        return memory.get("cw_angle_limit") <= goal <= memory.get("ccw_angle_limit")

    def _react(self, values: dict[str, int]) -> None:
        memory, actuator = self._memory, self._actuator
        if "goal_position" in values:
            actuator.aim(values["goal_position"])
            memory.put("torque_enable", 1)
        elif values.get("torque_enable") == 1:
            actuator.hold()
            memory.put("goal_position", actuator.counts)

    def _carry_out(self, code: int, params: bytes) -> ErrorBit:
        if code == WRITE and len(params) > 1:
            return self.write(params[0], params[1:])
        if code == REG_WRITE and len(params) > 1:
            self._pending = (params[0], params[1:])
            return ErrorBit.NONE
        if code == ACTION and self._pending is not None:
            pending, self._pending = self._pending, None
            return self.write(*pending)
        if code == RESET and not params:
            self._memory.restore_defaults(frozenset({"id", "baud_rate"}))
            self.power_cycle()
            return ErrorBit.NONE
        return ErrorBit.INSTRUCTION

    def _watch_itself(self) -> None:
        found = self._actuator.watched(self._bounds, self._injected)
        if not found:
            return
        self._errors |= found
        if self._errors & ErrorBit(self._memory.get("shutdown")):
            self._memory.put("torque_limit", 0)
            self._settle()

    def _publish(self) -> None:
        """Bring the read-only registers up to date; done when somebody reads."""
        memory, actuator, table = self._memory, self._actuator, self._memory.table
        velocity = actuator.body.velocity * actuator.sign
        now = {
            "present_position": actuator.counts,
            "present_speed": velocity / table["present_speed"].scale,
            "present_load": actuator.motor.load * actuator.sign / table["present_load"].scale,
            "present_voltage": actuator.motor.voltage * 10,
            "present_temperature": actuator.motor.temperature,
            "registered": self._pending is not None,
            "moving": abs(velocity) > _MOVING_RAD_S,
        }
        for name, value in now.items():
            memory.put(name, round(value))
