"""One emulated motor of the X series: instructions in, answers out, a drive command a step.

Pure logic with neither I/O nor a clock. Choices where the maker's manual is silent, or where
this is less than the real thing:

* Operating modes 3, 4 and 5 move; in the others the motor stays unpowered. Gains, PWM slope,
  thresholds, startup configuration and reverse mode are stored and have no effect. Indirect
  addresses do not exist.
* A write is carried out whole or not at all, and what is wrong is looked for in the order
  access, length, range, limit.
* Hardware errors stay until the motor is rebooted. Those named in the shutdown register switch
  the torque off, and torque on is then refused with a result error.
* A tripped watchdog stops the motor where it is; the torque stays on.
"""

from __future__ import annotations

from drivers.dynamixel import instructions as ins
from drivers.dynamixel.codec2 import (
    ALERT,
    BROADCAST,
    STATUS,
    ErrorCode,
    HardwareError,
    Instruction,
    Packet,
)
from drivers.servo.registers import Table
from sim.emulated.dynamixel.memory2 import Memory2
from sim.emulated.dynamixel.motor import Actuator, Bounds, Mounting, Orders, limit
from sim.twin.emulator import Body, Drive

CURRENT_POSITION = 5
POSITION_MODES = (3, 4, CURRENT_POSITION)
_WATCHDOG_STEP_NS = 20_000_000
_MOVING_RAD_S = 0.02
_NO_ID = 253
_GOALS = frozenset({"goal_pwm", "goal_current", "goal_velocity", "goal_position"})


class Servo2:
    """One motor as it came from the works, set up for its place and its bus.

    Args:
        supply: V; that of the data sheet where None.
        settings: EEPROM registers by name that differ from their defaults.

    Errors: HarnessError for a table without the maker's figures.
    """

    def __init__(
        self, table: Table, mounting: Mounting, supply: float | None, settings: dict[str, int]
    ) -> None:
        self._memory = Memory2(table)
        for name, value in {**settings, "id": mounting.id}.items():
            self._memory.keep(name, value)
        self._actuator = Actuator(table, mounting, supply)
        self._injected = HardwareError.NONE
        self._heard_ns = 0
        self._elapsed_s = 0.0
        self.trips = 0
        self.power_cycle()

    def power_cycle(self) -> None:
        """Off and on again: RAM, errors and goals start anew."""
        self._memory.power_cycle()
        self._actuator.restart()
        self._errors = HardwareError.NONE
        self._pending: tuple[int, bytes] | None = None
        self._reset_goals()
        self._settle()

    @property
    def id(self) -> int:
        return self._memory.get("id")

    @property
    def baud(self) -> int:
        return self._memory.table.baud[self._memory.get("baud_rate")]

    @property
    def return_delay_ns(self) -> int:
        return self._memory.get("return_delay_time") * 2_000

    @property
    def torque_on(self) -> bool:
        return bool(self._memory.get("torque_enable"))

    @property
    def reads_answered(self) -> bool:
        """Status return level: whether reads are answered."""
        return self._memory.get("status_return_level") >= 1

    @property
    def hardware_errors(self) -> HardwareError:
        return self._errors

    def obeys(self, motor: int) -> bool:
        """Whether an instruction to this id is for it; to its secondary id it never answers."""
        secondary = self._memory.get("secondary_id")
        return motor in (self.id, BROADCAST) or (secondary < _NO_ID and motor == secondary)

    def inject(self, errors: HardwareError, voltage: float | None, model: int | None) -> None:
        """Fault injection: error bits, a supply in V, a model number in place of its own."""
        self._injected = errors
        self._actuator.supply(voltage)
        self._memory.put("model_number", model or self._memory.table.model_number)
        self._watch_itself()

    def hear(self, now_ns: int) -> None:
        """Somebody sent an instruction on the bus, to whomever: the watchdog is fed."""
        self._heard_ns = now_ns

    def watchdog_due_ns(self) -> int | None:
        """When the watchdog will trip; None where it is not armed, or the torque is off."""
        steps = self._memory.get("bus_watchdog")
        if steps <= 0 or not self.torque_on:
            return None
        return self._heard_ns + steps * _WATCHDOG_STEP_NS

    def trip(self) -> None:
        """The watchdog has waited for too long."""
        self.trips += 1
        self._memory.put("bus_watchdog", -1)
        self._memory.put("profile_velocity", 0)
        self._memory.put("profile_acceleration", 0)
        self._actuator.hold()
        self._settle()

    def handle(self, packet: Packet) -> Packet | None:
        """Carry out one instruction that is for this motor or for all.

        Returns the answer, or None where the motor keeps silent: broadcasts other than PING,
        its secondary id, and what the status return level leaves out. A new id holds from the
        next instruction on; the answer to its write bears the old one.
        """
        sender, level = self.id, self._memory.get("status_return_level")
        if packet.instruction == Instruction.PING:
            identity = self._memory.read(0, 2) + self._memory.read(6, 1)
            return self._status(sender, ErrorCode.NONE, identity)
        silent = packet.id != sender
        if packet.instruction == Instruction.READ:
            if silent or level < 1:
                return None
            return self._answer_to_read(packet.params)
        error = self._carry_out(packet)
        return None if silent or level < 2 else self._status(sender, error)

    def read(self, address: int, length: int) -> tuple[int, bytes]:
        """Error byte and data of READ and its relatives; without data where it is refused."""
        if address + length > self._memory.table.size or not length:
            return self._error_byte(ErrorCode.ACCESS), b""
        self._publish()
        return self._error_byte(ErrorCode.NONE), self._memory.read(address, length)

    def write(self, address: int, data: bytes) -> ErrorCode:
        """WRITE, and this motor's part of SYNC WRITE and BULK WRITE."""
        memory = self._memory
        error, values = memory.check(address, data, torque_on=self.torque_on)
        if error:
            return error
        if _GOALS & values.keys() and memory.get("bus_watchdog") < 0:
            return ErrorCode.DATA_RANGE
        if values.get("torque_enable") and self._shut_down:
            return ErrorCode.RESULT
        torque_before = self.torque_on
        memory.store(values)
        self._react(values, torque_before)
        self._settle()
        return ErrorCode.NONE

    def step(self, dt: float, body: Body) -> Drive:
        """Advance by `dt` seconds from the joint's state; returns the plant's orders."""
        self._elapsed_s += dt
        drive = self._actuator.step(dt, body, self._orders)
        self._watch_itself()
        return drive

    def _settle(self) -> None:
        """Registers that a step needs, in SI units; a step then decodes nothing."""
        memory = self._memory
        mode = memory.get("operating_mode")
        torque = memory.value("pwm_limit")
        if "goal_current" in memory.table and memory.table.motor is not None:
            name = "goal_current" if mode == CURRENT_POSITION else "current_limit"
            torque = min(torque, abs(memory.value(name)) / memory.table.motor.stall_current)
        self._bounds = Bounds.of(memory)
        self._orders = Orders(
            speed=limit(memory, "profile_velocity"),
            acceleration=limit(memory, "profile_acceleration"),
            torque=torque,
            powered=self.torque_on and mode in POSITION_MODES,
        )

    def _react(self, values: dict[str, int], torque_before: bool) -> None:
        memory, actuator = self._memory, self._actuator
        if "operating_mode" in values:
            self._reset_goals()
        if "torque_enable" in values and self.torque_on and not torque_before:
            actuator.hold()
            memory.put("goal_position", actuator.counts + memory.get("homing_offset"))
        if "goal_position" in values:
            actuator.aim(values["goal_position"] - memory.get("homing_offset"))

    def _reset_goals(self) -> None:
        """What power-up and a change of mode do to goals and profile."""
        memory = self._memory
        for goal, bound in (
            ("goal_pwm", "pwm_limit"),
            ("goal_current", "current_limit"),
            ("goal_velocity", "velocity_limit"),
        ):
            if goal in memory.table:
                memory.put(goal, memory.get(bound))
        memory.put("profile_velocity", 0)
        memory.put("profile_acceleration", 0)
        memory.put("goal_position", self._actuator.counts + memory.get("homing_offset"))
        self._actuator.hold()

    def _carry_out(self, packet: Packet) -> ErrorCode:
        params = packet.params
        match packet.instruction:
            case Instruction.WRITE if len(params) > 2:
                return self.write(params[0] | params[1] << 8, params[2:])
            case Instruction.REG_WRITE if len(params) > 2:
                address, data = params[0] | params[1] << 8, params[2:]
                error, _ = self._memory.check(address, data, torque_on=self.torque_on)
                if not error:
                    self._pending = (address, data)
                return error
            case Instruction.ACTION:
                if self._pending is None:
                    return ErrorCode.INSTRUCTION
                pending, self._pending = self._pending, None
                return self.write(*pending)
            case Instruction.REBOOT:
                self.power_cycle()
                return ErrorCode.NONE
            case Instruction.CLEAR if params == ins.CLEAR_MULTI_TURN:
                return self._clear()
            case Instruction.FACTORY_RESET if len(params) == 1:
                return self._factory_reset(params[0])
        return ErrorCode.INSTRUCTION

    def _clear(self) -> ErrorCode:
        if self.torque_on and not self._actuator.arrived:
            return ErrorCode.RESULT  # refused while it moves
        self._actuator.wrap()
        return ErrorCode.NONE

    def _factory_reset(self, spare: int) -> ErrorCode:
        spared = {
            ins.RESET_ALL: frozenset[str](),
            ins.RESET_ALL_BUT_ID: frozenset({"id"}),
            ins.RESET_ALL_BUT_ID_AND_BAUD: frozenset({"id", "baud_rate"}),
        }.get(spare)
        if spared is None:
            return ErrorCode.DATA_RANGE
        self._memory.restore_defaults(spared)
        self.power_cycle()
        return ErrorCode.NONE

    def _answer_to_read(self, params: bytes) -> Packet:
        if len(params) != 4:
            return self._status(self.id, ErrorCode.INSTRUCTION)
        error, data = self.read(params[0] | params[1] << 8, params[2] | params[3] << 8)
        return Packet(self.id, STATUS, data, error)

    def _status(self, sender: int, error: ErrorCode, params: bytes = b"") -> Packet:
        return Packet(sender, STATUS, params, self._error_byte(error))

    def _error_byte(self, error: ErrorCode) -> int:
        return error | (ALERT if self._errors else 0)

    @property
    def _shut_down(self) -> bool:
        return bool(self._errors & HardwareError(self._memory.get("shutdown")))

    def _watch_itself(self) -> None:
        found = self._actuator.watched(self._bounds, self._injected)
        if not found:
            return
        self._errors |= found
        if self._shut_down and self.torque_on:
            self._memory.put("torque_enable", 0)
            self._settle()

    def _publish(self) -> None:
        """Bring the read-only registers up to date; done when somebody reads."""
        memory, actuator, table = self._memory, self._actuator, self._memory.table
        motor, offset = actuator.motor, self._memory.get("homing_offset")
        velocity = actuator.body.velocity * actuator.sign
        trajectory, pace = actuator.trajectory
        now = {
            "present_position": actuator.counts + offset,
            "present_velocity": velocity / table["present_velocity"].scale,
            "present_pwm": motor.load * actuator.sign / table["present_pwm"].scale,
            "position_trajectory": trajectory + offset,
            "velocity_trajectory": pace / table["velocity_trajectory"].scale,
            "present_input_voltage": motor.voltage * 10,
            "present_temperature": motor.temperature,
            "realtime_tick": int(self._elapsed_s * 1000) % 32768,
            "moving": abs(velocity) > _MOVING_RAD_S,
            "moving_status": actuator.arrived,
            "registered_instruction": self._pending is not None,
            "hardware_error_status": self._errors,
        }
        if "present_current" in table:
            now["present_current"] = motor.current * actuator.sign / table["present_current"].scale
        else:
            now["present_load"] = motor.load * actuator.sign * 1000
        for name, value in now.items():
            memory.put(name, round(value))
