"""Registers of one emulated motor: what it holds, and what it keeps without power."""

from __future__ import annotations

import math
from collections.abc import Mapping

from drivers.damiao.codec import Ranges
from drivers.damiao.motors import MotorModel
from drivers.damiao.registers import Register, load_registers

# protections and gains of a motor as delivered; where no public figure was found, plausible ones
_FACTORY: Mapping[str, float] = {
    "under_voltage": 15.0,
    "over_voltage": 52.0,
    "over_temperature": 100.0,
    "over_current": 0.98,
    "acceleration": 50.0,
    "deceleration": -50.0,
    "max_speed": 200.0,
    "control_mode": 1,
    "hardware_version": 1,
    "software_version": 1,
    "sub_version": 1,
    "serial_number": 1,
    "current_bandwidth": 1000.0,
    "speed_kp": 0.004,
    "speed_ki": 0.002,
    "position_kp": 54.0,
    "position_ki": 0.5,
    "gear_efficiency": 1.0,
    "speed_damping": 4.0,
    "speed_filter": 200.0,
    "current_gain": 1000.0,
    "speed_gain": 100.0,
    "can_bit_rate": 4,
}


class Memory:
    """All registers; `zero` is the angle that the motor calls 0, kept like a register."""

    def __init__(self, model: MotorModel, own: Mapping[str, float]) -> None:
        self._registers: Mapping[str, Register] = load_registers()
        self._by_number = {register.number: register for register in self._registers.values()}
        self._values = dict.fromkeys(self._by_number, bytes(4))
        ranges = model.ranges[0]
        ends = {
            "position_range": ranges.position,
            "velocity_range": ranges.velocity,
            "torque_range": ranges.torque,
        }
        facts = {name: value for name, value in model.facts.items() if name in self._registers}
        for name, value in {**_FACTORY, **facts, **ends, **own}.items():
            self.put(name, value)
        self.zero = 0.0
        self._flash = dict(self._values)
        self._flash_zero = self.zero

    def get(self, name: str) -> float:
        """A register, in steps of its scale."""
        register = self._registers[name]
        return register.decode(self._values[register.number])

    def put(self, name: str, value: float) -> None:
        """Set a register, read only or not."""
        register = self._registers[name]
        self._values[register.number] = register.encode(value)

    @property
    def ranges(self) -> Ranges:
        """Registers 21 to 23."""
        return Ranges(
            self.get("position_range"), self.get("velocity_range"), self.get("torque_range")
        )

    def read(self, number: int) -> bytes | None:
        """Four bytes; None for a register that there is not."""
        return self._values.get(number)

    def write(self, number: int, value: bytes) -> None:
        """What a client writes: nothing happens to a register that it may only read, or where
        the value cannot be one."""
        register = self._by_number.get(number)
        if register is None or register.access == "r":
            return
        given = register.decode(value)
        ends = ("position_range", "velocity_range", "torque_range")
        if not math.isfinite(given) or (register.name in ends and given <= 0):
            return
        self._values[number] = value

    def shift_zero(self, angle: float) -> None:
        """Call the present `angle` 0 from now on, power or not."""
        self.zero += angle
        self._flash_zero = self.zero

    def store(self) -> None:
        """Keep everything as it is now."""
        self._flash = dict(self._values)

    def power_cycle(self) -> None:
        """Fall back to what was kept."""
        self._values, self.zero = dict(self._flash), self._flash_zero
