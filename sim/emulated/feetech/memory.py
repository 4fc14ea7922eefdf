"""Register file of one emulated servo: working copy, EEPROM, lock, access and ranges."""

from __future__ import annotations

from collections.abc import Iterable

from drivers.feetech.registers import Register, Table


class Memory:
    """Control table in action.

    The lock follows the maker's manual: with lock = 0 a write to the EEPROM part is kept
    over a power cycle; with lock = 1 it acts at once but is gone with the power. A write to
    a read-only or missing address is ignored, and a missing address reads 0. A value out of
    its register's range is moved to the nearest bound: the manual gives the ranges but not
    what firmware does about them.
    """

    def __init__(self, table: Table) -> None:
        self._table = table
        self._owner: list[Register | None] = [None] * table.size
        for register in table.registers.values():
            self._owner[register.address : register.end] = [register] * register.size
        self._kept: dict[str, int] = {}
        self._bytes = table.image()

    def power_cycle(self) -> None:
        """RAM registers to their defaults, EEPROM registers to what was kept."""
        self._bytes = self._table.image()
        for name, value in self._kept.items():
            self.put(name, value)

    def manufacture(self, name: str, value: int) -> None:
        """Set an EEPROM register for good, as the works or a set-up tool did.

        Errors: HarnessError for a value that the register cannot hold.
        """
        self._store(self._table[name], self._table.encode(name, value))
        self._kept[name] = value

    def restore_defaults(self, but: Iterable[str]) -> None:
        """EEPROM registers to their defaults for good, except those named."""
        spared = set(but)
        for register in self._table.registers.values():
            if register.eeprom and register.name not in spared:
                self.manufacture(register.name, register.default)

    def get(self, name: str) -> int:
        """Value of a register, with its sign."""
        return self._table.decode(name, self._bytes)

    def put(self, name: str, value: int) -> None:
        """Set a register from inside the servo, whatever its access; saturates."""
        register = self._table[name]
        if register.sign_bit is None:
            lowest, highest = 0, (1 << 8 * register.size) - 1
        else:
            highest = (1 << register.sign_bit) - 1
            lowest = -highest
        bounds = register.highest
        if bounds is not None:
            lowest, highest = max(lowest, register.lowest), min(highest, bounds)
        self._store(register, self._table.encode(name, min(max(value, lowest), highest)))

    def read(self, address: int, length: int) -> bytes:
        """`length` bytes from `address` on; 0 where there is nothing."""
        return bytes(self._bytes[address : address + length]).ljust(length, b"\0")

    def write(self, address: int, data: bytes) -> set[str]:
        """Write from the bus; returns the names of the registers that took it."""
        locked = self.get("lock") != 0
        touched: dict[str, Register] = {}
        for position, value in enumerate(data, start=address):
            register = self._owner[position] if position < len(self._owner) else None
            if register is not None and register.access == "rw":
                self._bytes[position] = value
                touched[register.name] = register
        for name, register in touched.items():
            self.put(name, self.get(name))
            if register.eeprom and not locked:
                self._kept[name] = self.get(name)
        return set(touched)

    def set(self, name: str, value: int) -> None:
        """A write to one register as it comes from the bus: access, range and lock hold."""
        register = self._table[name]
        self.write(register.address, self._table.encode(name, value))

    def _store(self, register: Register, data: bytes) -> None:
        self._bytes[register.address : register.end] = data
