"""What a motor under Protocol 2.0 lets be written into its registers."""

from __future__ import annotations

from drivers.dynamixel.codec2 import ErrorCode
from drivers.servo.registers import Register
from sim.emulated.servo.memory import RegisterFile

_WITHIN = {
    "goal_pwm": "pwm_limit",
    "goal_current": "current_limit",
    "goal_velocity": "velocity_limit",
}
"""Goals, and the registers that bound them both ways."""

_POSITION_MODE = 3


class Memory2(RegisterFile):
    """Registers with the rules of the bus: access, length, range and limit."""

    def check(
        self, address: int, data: bytes, *, torque_on: bool
    ) -> tuple[ErrorCode, dict[str, int]]:
        """What a write would do: the error that the motor answers, or the values by name."""
        touched = self.touches(address, len(data))
        if not touched or any(
            register.access == "r" or (register.eeprom and torque_on) for register in touched
        ):
            return ErrorCode.ACCESS, {}
        registers = self.whole(address, len(data))
        if registers is None:
            return ErrorCode.DATA_LENGTH, {}
        values = {r.name: self.table.decode(r.name, data, address) for r in registers}
        for register in registers:
            error = self._judge(register, values[register.name], values)
            if error:
                return error, {}
        return ErrorCode.NONE, values

    def store(self, values: dict[str, int]) -> None:
        """Carry out a write that was checked; what is EEPROM is kept."""
        for name, value in values.items():
            (self.keep if self.table[name].eeprom else self.put)(name, value)

    def _judge(self, register: Register, value: int, values: dict[str, int]) -> ErrorCode:
        highest = register.highest
        if highest is not None and not register.lowest <= value <= highest:
            return ErrorCode.DATA_RANGE
        name = register.name
        if name == "baud_rate" and value not in self.table.baud:
            return ErrorCode.DATA_RANGE
        if name == "operating_mode" and value not in self.table.modes:
            return ErrorCode.DATA_RANGE
        bound = _WITHIN.get(name)
        if bound is not None and abs(value) > self._now(bound, values):
            return ErrorCode.DATA_LIMIT
        if name == "goal_position" and self.get("operating_mode") == _POSITION_MODE:
            low = self._now("min_position_limit", values)
            if not low <= value <= self._now("max_position_limit", values):
                return ErrorCode.DATA_LIMIT
        return ErrorCode.NONE

    def _now(self, name: str, values: dict[str, int]) -> int:
        """A register as it will be once the write is through."""
        return values.get(name, self.get(name))
