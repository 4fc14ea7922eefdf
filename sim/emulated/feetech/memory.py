"""Register file of one emulated servo: working copy, EEPROM, lock, access and ranges."""

from __future__ import annotations

from sim.emulated.servo.memory import RegisterFile


class Memory(RegisterFile):
    """Control table in action, of whatever model.

    The lock follows the maker's manual: with lock = 0 a write to the EEPROM part is kept
    over a power cycle; with lock = 1 it acts at once but is gone with the power. A write to
    a read-only or missing address is ignored, and a missing address reads 0. A value out of
    its register's range is moved to the nearest bound: the manual gives the ranges but not
    what firmware does about them.
    """

    def manufacture(self, name: str, value: int) -> None:
        """Set an EEPROM register for good, as the works or a set-up tool did.

        Errors: HarnessError for a value that the register cannot hold.
        """
        self.table.encode(name, value)
        self.keep(name, value)

    def value_or(self, name: str, otherwise: float) -> float:
        """Value of a register in its unit; `otherwise` where the model has none of that name."""
        return self.value(name) if name in self.table else otherwise

    def put(self, name: str, value: int) -> None:
        """Set a register from inside the servo, whatever its access; saturates."""
        register = self.table[name]
        if register.highest is not None:
            value = min(max(value, register.lowest), register.highest)
        super().put(name, value)

    def write(self, address: int, data: bytes) -> set[str]:
        """Write from the bus; returns the names of the registers that took it."""
        locked = self.get("lock") != 0
        end = address + len(data)
        taken = [one for one in self.touches(address, len(data)) if one.access == "rw"]
        for register in taken:
            first, last = max(register.address, address), min(register.end, end)
            self._bytes[first:last] = data[first - address : last - address]
            self.put(register.name, self.get(register.name))
            if register.eeprom and not locked:
                self.keep(register.name, self.get(register.name))
        return {register.name for register in taken}

    def set(self, name: str, value: int) -> None:
        """A write to one register as it comes from the bus: access, range and lock hold."""
        register = self.table[name]
        self.write(register.address, self.table.encode(name, value))
