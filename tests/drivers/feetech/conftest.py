from collections.abc import Iterator

import pytest
from servo_chain import ServoChain

from drivers.feetech.bus import FeetechBus
from drivers.feetech.registers import load_table
from drivers.transport.posix import open_serial
from hil.clock import WallClock


@pytest.fixture
def clock() -> WallClock:
    return WallClock()


@pytest.fixture
def chain() -> Iterator[ServoChain]:
    """Six servos of the 7.4 V variant as they come from the works, standing at 2048 + 10 * id."""
    table = load_table("sts3215")
    memories = {}
    for servo in range(1, 7):
        memory = table.image()
        memory[table["id"].address] = servo
        for name, value in (
            ("max_voltage", 80),
            ("present_position", 2048 + 10 * servo),
            ("present_voltage", 74),
            ("present_temperature", 31),
        ):
            memory[table[name].address : table[name].end] = table.encode(name, value)
        memories[servo] = memory
    servos = ServoChain(memories)
    yield servos
    servos.unplug()


@pytest.fixture
def bus(chain: ServoChain, clock: WallClock) -> Iterator[FeetechBus]:
    master = FeetechBus(open_serial(chain.path, 1_000_000, clock), clock)
    yield master
    master.close()
