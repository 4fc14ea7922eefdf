from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from modbus_bench import FILE, Rigged

from drivers.modbus.bus import ModbusBus
from sim.emulated.modbus import FileBank
from sim.emulated.modbus_server import ModbusServer


@pytest.fixture
def rigged() -> Iterator[Rigged]:
    with ExitStack() as stack:
        yield Rigged(stack)


@pytest.fixture
def box() -> ModbusServer:
    """A unit with two writable registers, a fixed one, a wide input, and two coils."""
    return ModbusServer(FILE.unit, FileBank(FILE), FILE.baud, think_ns=200_000)


@pytest.fixture
def bus(rigged: Rigged, box: ModbusServer) -> ModbusBus:
    return rigged.bus(box)
