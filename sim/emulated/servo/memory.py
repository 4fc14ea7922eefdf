"""Registers of one emulated servo: what they hold now, and what outlives the power."""

from __future__ import annotations

from drivers.servo.registers import Register, Table


class RegisterFile:
    """A control table with values. What may be written from the bus is the family's business."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self._owner: list[Register | None] = [None] * table.size
        for register in table.registers.values():
            self._owner[register.address : register.end] = [register] * register.size
        self._kept: dict[str, int] = {}
        self._bytes = table.image()

    def power_cycle(self) -> None:
        """RAM registers to their defaults, EEPROM registers to what was kept."""
        self._bytes = self.table.image()
        for name, value in self._kept.items():
            self.put(name, value)

    def restore_defaults(self, spared: frozenset[str]) -> None:
        """EEPROM registers to their defaults for good, except those named."""
        for name, register in self.table.registers.items():
            if register.eeprom and name not in spared:
                self.keep(name, register.default)

    def keep(self, name: str, value: int) -> None:
        """Set an EEPROM register for good. It is not asked whether the bus might do that."""
        self.put(name, value)
        self._kept[name] = self.get(name)

    def get(self, name: str) -> int:
        """Value of a register, with its sign."""
        return self.table.decode(name, self._bytes)

    def value(self, name: str) -> float:
        """Value of a register in its unit."""
        return self.get(name) * self.table[name].scale

    def put(self, name: str, value: int) -> None:
        """Set a register from inside the servo; saturates at what its bytes can hold."""
        register = self.table[name]
        bits = 8 * register.size
        if register.sign_bit is not None:
            most = (1 << register.sign_bit) - 1
            magnitude = min(abs(value), most)
            raw = magnitude | (1 << register.sign_bit if value < 0 else 0)
        elif register.signed:
            raw = max(-(1 << bits - 1), min(value, (1 << bits - 1) - 1)) & (1 << bits) - 1
        else:
            raw = max(0, min(value, (1 << bits) - 1))
        self._bytes[register.address : register.end] = raw.to_bytes(
            register.size, self.table.byte_order
        )

    def read(self, address: int, length: int) -> bytes:
        """`length` bytes from `address` on; 0 where there is nothing."""
        return bytes(self._bytes[address : address + length]).ljust(length, b"\0")

    def whole(self, address: int, length: int) -> list[Register] | None:
        """The registers that a write of `length` bytes covers; None where it leaves the table,
        touches a gap or takes only a part of one."""
        registers: list[Register] = []
        at = address
        while at < address + length:
            owner = self._owner[at] if at < len(self._owner) else None
            if owner is None or owner.address != at or owner.end > address + length:
                return None
            registers.append(owner)
            at = owner.end
        return registers

    def touches(self, address: int, length: int) -> list[Register]:
        """Every register of which a span has at least a byte."""
        owners = self._owner[address : address + length]
        return list(dict.fromkeys(owner for owner in owners if owner is not None))
