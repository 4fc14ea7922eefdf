"""The registers of a hand, by whichever protocol it speaks: signed 16-bit values and octets."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import Protocol

from drivers.modbus import eb90
from drivers.modbus.bus import ModbusBus
from drivers.modbus.codec import answer_size, encode, request_frame
from drivers.modbus.eb90_bus import Eb90Bus
from drivers.modbus.messages import ReadRegisters, Registers, Request, WriteRegisters
from hil.clock import Deadline
from hil.errors import HarnessError


class HandLink(Protocol):
    """One hand on a line. Errors of every call that waits: DeadlineMissed, LinkLost; DeviceFault
    where the protocol lets a hand refuse."""

    @property
    def description(self) -> str: ...

    def read_shorts(
        self, address: int, count: int, deadline: Deadline, *, urgent: bool = False
    ) -> tuple[int, ...]:
        """`count` signed values."""
        ...

    def read_octets(self, address: int, count: int, deadline: Deadline) -> bytes:
        """`count` bytes, an even number."""
        ...

    def write_shorts(
        self, address: int, values: Sequence[int], deadline: Deadline, *, urgent: bool = False
    ) -> None:
        """Write signed values; acknowledged."""
        ...

    def counters(self) -> Mapping[str, int]: ...

    def close(self) -> None: ...


class ModbusHand:
    """By Modbus RTU: holding registers (functions 3 and 16)."""

    def __init__(self, bus: ModbusBus, unit: int) -> None:
        self._bus = bus
        self._unit = unit

    @property
    def description(self) -> str:
        return self._bus.description

    def read_shorts(
        self, address: int, count: int, deadline: Deadline, *, urgent: bool = False
    ) -> tuple[int, ...]:
        return struct.unpack(f">{count}h", self._read(address, count, deadline, urgent))

    def read_octets(self, address: int, count: int, deadline: Deadline) -> bytes:
        return self._read(address, count // 2, deadline, False)

    def write_shorts(
        self, address: int, values: Sequence[int], deadline: Deadline, *, urgent: bool = False
    ) -> None:
        self._bus.ask(self._unit, _write(address, values), deadline, urgent=urgent)

    @staticmethod
    def read_cost(count: int) -> int:
        """Bytes on the wire, both ways, of reading `count` signed values."""
        return _cost(ReadRegisters(0, count))

    @staticmethod
    def write_cost(count: int) -> int:
        """Bytes on the wire, both ways, of writing them."""
        return _cost(_write(0, [0] * count))

    def counters(self) -> Mapping[str, int]:
        return self._bus.counters()

    def close(self) -> None:
        self._bus.close()

    def _read(self, address: int, count: int, deadline: Deadline, urgent: bool) -> bytes:
        request = ReadRegisters(address, count)
        answer = self._bus.ask(self._unit, request, deadline, urgent=urgent)
        if not isinstance(answer, Registers):
            raise HarnessError(f"{request} was answered with {answer}")
        return struct.pack(f">{count}H", *answer.values)


class Eb90Hand:
    """By the maker's own protocol. Experimental: see `drivers.modbus.eb90`."""

    def __init__(self, bus: Eb90Bus, unit: int) -> None:
        self._bus = bus
        self._unit = unit

    @property
    def description(self) -> str:
        return self._bus.description

    def read_shorts(
        self, address: int, count: int, deadline: Deadline, *, urgent: bool = False
    ) -> tuple[int, ...]:
        data = self._bus.read(self._unit, address, 2 * count, deadline, urgent=urgent)
        return struct.unpack(f"<{count}h", data)

    def read_octets(self, address: int, count: int, deadline: Deadline) -> bytes:
        return self._bus.read(self._unit, address, count, deadline)

    def write_shorts(
        self, address: int, values: Sequence[int], deadline: Deadline, *, urgent: bool = False
    ) -> None:
        data = struct.pack(f"<{len(values)}h", *values)
        self._bus.write(self._unit, address, data, deadline, urgent=urgent)

    @staticmethod
    def read_cost(count: int) -> int:
        """Bytes on the wire, both ways, of reading `count` signed values."""
        return (eb90.OVERHEAD + 1) + (eb90.OVERHEAD + 2 * count)

    @staticmethod
    def write_cost(count: int) -> int:
        """Bytes on the wire, both ways, of writing them."""
        return (eb90.OVERHEAD + 2 * count) + (eb90.OVERHEAD + 1)

    def counters(self) -> Mapping[str, int]:
        return self._bus.counters()

    def close(self) -> None:
        self._bus.close()


def _write(address: int, values: Sequence[int]) -> WriteRegisters:
    return WriteRegisters(address, tuple(value & 0xFFFF for value in values))


def _cost(request: Request) -> int:
    return len(encode(request_frame(1, request))) + answer_size(request)
