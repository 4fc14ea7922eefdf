"""Two other implementations drive the emulated devices, and serve the bus."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import minimalmodbus
import pymodbus_unit
import pytest
from modbus_bench import CLOCK, FILE, Rigged, soon
from pymodbus.client import ModbusSerialClient
from pymodbus.exceptions import ModbusIOException

from drivers.modbus.bus import ModbusBus
from drivers.modbus.line import ModbusRefusal, Timing
from drivers.modbus.messages import (
    Bits,
    Done,
    MaskRegister,
    ReadBits,
    ReadRegisters,
    ReadWrite,
    Registers,
    WriteBit,
    WriteBits,
    WriteRegister,
    WriteRegisters,
)
from drivers.modbus.robotiq_status import Activation, Contact, status_of
from drivers.transport.posix import open_serial
from hil.errors import DeadlineMissed
from sim.emulated.modbus_server import ModbusServer
from sim.emulated.robotiq import EMULATOR as ROBOTIQ

UNIT = FILE.unit


@pytest.fixture
def pymodbus(rigged: Rigged, box: ModbusServer) -> Iterator[ModbusSerialClient]:
    client = ModbusSerialClient(rigged.line(box), baudrate=FILE.baud, timeout=2, retries=0)
    assert client.connect()
    yield client
    client.close()


@pytest.fixture
def minimal(rigged: Rigged, box: ModbusServer) -> Iterator[minimalmodbus.Instrument]:
    instrument = minimalmodbus.Instrument(rigged.line(box), UNIT)
    instrument.serial.baudrate = FILE.baud
    instrument.serial.timeout = 1
    yield instrument
    instrument.serial.close()


def test_pymodbus_drives_every_function(pymodbus: ModbusSerialClient, rigged: Rigged) -> None:
    words = {"device_id": UNIT}
    assert not pymodbus.write_register(0, 0x1234, **words).isError()
    assert not pymodbus.write_registers(0, [0x00FF, 5], **words).isError()
    assert pymodbus.read_holding_registers(0, count=2, **words).registers == [0x00FF, 5]
    assert not pymodbus.mask_write_register(
        address=0, and_mask=0xF0F0, or_mask=0x0505, **words
    ).isError()
    assert pymodbus.read_holding_registers(0, count=1, **words).registers == [0x05F5]
    both = pymodbus.readwrite_registers(
        read_address=0, read_count=2, write_address=0, values=[7, 8], **words
    )
    assert both.registers == [7, 8]
    rigged.pump.control({"set": {"wide": 1.5}})
    assert pymodbus.read_input_registers(10, count=2, **words).registers == [0x3FC0, 0]
    assert not pymodbus.write_coil(1, True, **words).isError()
    assert pymodbus.read_coils(0, count=2, **words).bits[:2] == [False, True]
    assert not pymodbus.write_coils(0, [True, False], **words).isError()
    assert rigged.pump.status()["lamp"] is True
    refused = pymodbus.read_holding_registers(99, count=1, **words)
    assert (refused.isError(), refused.exception_code) == (True, 2)
    assert pymodbus.read_discrete_inputs(0, count=1, **words).exception_code == 2
    assert rigged.pump.status()["noise_bytes"] == 0


def test_pymodbus_hears_of_a_function_that_nobody_knows(pymodbus: ModbusSerialClient) -> None:
    assert pymodbus.read_device_information(device_id=UNIT).exception_code == 1


def test_pymodbus_gets_no_answer_from_another_unit(
    pymodbus: ModbusSerialClient, rigged: Rigged
) -> None:
    pymodbus.comm_params.timeout_connect = 0.1
    with pytest.raises(ModbusIOException):
        pymodbus.read_holding_registers(0, count=1, device_id=UNIT + 1)
    assert rigged.pump.status()["requests"] == 0


def test_minimalmodbus_drives_the_unit(minimal: minimalmodbus.Instrument, rigged: Rigged) -> None:
    minimal.write_register(0, 0x1234, functioncode=6)
    minimal.write_registers(0, [1, 2])
    assert minimal.read_registers(0, 2) == [1, 2]
    minimal.write_bit(0, 1)
    assert minimal.read_bits(0, 2, functioncode=1) == [1, 0]
    rigged.pump.control({"set": {"wide": -2.25}})
    assert minimal.read_float(10, functioncode=4) == -2.25
    with pytest.raises(minimalmodbus.IllegalRequestError):
        minimal.read_register(99)
    rigged.pump.control({"faults": {"corrupt": 1}})
    with pytest.raises(minimalmodbus.InvalidResponseError):
        minimal.read_register(0)
    rigged.pump.control({"faults": {"unit": 9}})
    with pytest.raises(minimalmodbus.InvalidResponseError):
        minimal.read_register(0)


def test_pymodbus_operates_the_gripper(rigged: Rigged) -> None:
    """Activation, a grip of an object and its release, by the registers of the manual."""
    options = ROBOTIQ.options.model_validate({"activation_s": 0.2, "object_m": 0.04})
    path = rigged.line(ROBOTIQ.build(options))
    client = ModbusSerialClient(path, baudrate=115_200, timeout=2, retries=0)
    assert client.connect()

    def status() -> object:
        return status_of(client.read_input_registers(2000, count=3, device_id=9).registers)

    deadline = soon(10_000)
    client.write_registers(1000, [0, 0, 0], device_id=9)
    client.write_registers(1000, [0x0100, 0, 0], device_id=9)
    assert status().activation == Activation.UNDER_WAY
    while status().activation != Activation.COMPLETE:
        assert not deadline.expired
    client.write_registers(1000, [0x0900, 0x00FF, 0xFFFF], device_id=9)
    while status().contact == Contact.MOVING:
        assert not deadline.expired
    assert status().contact == Contact.WHILE_CLOSING
    both = client.readwrite_registers(
        read_address=2000, read_count=3, write_address=1000, values=[0x0900, 0, 0xFFFF], device_id=9
    )
    assert status_of(both.registers).echo == 0
    while status().contact == Contact.MOVING:
        assert not deadline.expired
    assert status().contact == Contact.AT_POSITION
    client.close()


@pytest.fixture(scope="module")
def served() -> Iterator[str]:
    """The path to a unit served by pymodbus, in a process of its own."""
    program = [sys.executable, str(Path(pymodbus_unit.__file__))]
    with subprocess.Popen(
        program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.stdin.close()
        process.wait(10)


@pytest.fixture
def master(served: str) -> Iterator[ModbusBus]:
    port = open_serial(served, pymodbus_unit.BAUD, CLOCK)
    timing = Timing(pymodbus_unit.BAUD, answer_ns=1_000_000_000)
    bus = ModbusBus(port, CLOCK, timing)
    deadline = soon(20_000)
    while True:  # until the server serves
        try:
            bus.ask(pymodbus_unit.UNIT, ReadRegisters(0, 1), soon(500))
            break
        except DeadlineMissed:
            assert not deadline.expired
    yield bus
    bus.close()


def test_pymodbus_serves_the_bus(master: ModbusBus) -> None:
    steps = [
        (ReadRegisters(10, 3), Registers((10, 11, 12))),
        (ReadRegisters(40, 2, function=4), Registers((40, 41))),
        (WriteRegister(3, 77), Done()),
        (WriteRegisters(4, (5, 6)), Done()),
        (ReadRegisters(3, 3), Registers((77, 5, 6))),
        (MaskRegister(3, 0x000F, 0x00F0), Done()),
        (ReadRegisters(3, 1), Registers((77 & 0x0F | 0xF0,))),
        (ReadWrite(3, 2, 3, (9, 8)), Registers((9, 8))),
        (WriteBit(3, True), Done()),
        (WriteBits(5, (True, False, True)), Done()),
        (ReadBits(3, 6), Bits((True, False, True, False, True, False))),
        (ReadBits(0, 9, function=2), Bits((True,) * 9)),
    ]
    before = master.counters()
    for request, expected in steps:
        assert master.ask(pymodbus_unit.UNIT, request, soon()) == expected
    after = master.counters()
    assert {name for name in after if after[name] != before.get(name)} == {"requests"}
    with pytest.raises(ModbusRefusal, match="illegal address"):
        master.ask(pymodbus_unit.UNIT, ReadRegisters(200, 1), soon())
