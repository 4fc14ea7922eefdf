"""The bus over a real pseudo-terminal, against a unit whose line can be spoilt."""

from __future__ import annotations

import pytest
from modbus_bench import CLOCK, FILE, Rigged, soon

from drivers.modbus.bus import ModbusBus
from drivers.modbus.codec import answer_frame, encode
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
from hil.clock import Deadline
from hil.errors import DeadlineMissed, DeviceFault, HarnessError, LinkLost
from sim.emulated.modbus_server import ModbusServer

UNIT = FILE.unit
READ = ReadRegisters(0, 2)


def test_every_function_does_what_it_says(bus: ModbusBus, rigged: Rigged) -> None:
    steps = [
        (WriteRegister(0, 0x1234), Done()),
        (WriteRegisters(0, (0x00FF, 5)), Done()),
        (READ, Registers((0x00FF, 5))),
        (MaskRegister(0, 0xF0F0, 0x0505), Done()),
        (ReadRegisters(0, 1), Registers((0x00F0 | 0x0505,))),
        (ReadWrite(0, 2, 0, (7, 8)), Registers((7, 8))),
        (ReadRegisters(10, 2, function=4), Registers((0, 0))),
        (WriteBit(1, True), Done()),
        (ReadBits(0, 2), Bits((False, True))),
        (WriteBits(0, (True, False)), Done()),
        (ReadBits(0, 2), Bits((True, False))),
    ]
    for request, expected in steps:
        assert bus.ask(UNIT, request, soon()) == expected
    assert bus.counters() | {"requests": len(steps)} == dict.fromkeys(bus.counters(), 0) | {
        "requests": len(steps)
    }
    assert rigged.pump.status()["lamp"] is True


@pytest.mark.parametrize(
    ("request_", "name", "code"),
    [
        (ReadRegisters(99, 1), "illegal address", 2),
        (WriteRegister(2, 1), "illegal address", 2),
        (ReadBits(0, 1, function=2), "illegal address", 2),
    ],
)
def test_exceptions_are_named(bus: ModbusBus, request_: object, name: str, code: int) -> None:
    with pytest.raises(ModbusRefusal, match=f"unit 7 .* refuses function .*: {name}") as caught:
        bus.ask(UNIT, request_, soon())  # type: ignore[arg-type]
    assert caught.value.code == code
    assert isinstance(caught.value, DeviceFault)
    assert bus.counters()[f"exceptions.{name}"] == 1


class Prompt:
    """A line whose unit answers at once; when it was written to and read, and until when a
    read was ready to wait with nothing to come."""

    description = "a prompt line"
    low_latency = False
    untimed = ""

    def __init__(self) -> None:
        self.written_ns: list[int] = []
        self.read_ns: list[int] = []
        self.waits_ns: list[int] = []
        self._answer = b""

    def write(self, data: bytes, deadline: Deadline) -> None:
        self.written_ns.append(CLOCK.now_ns())
        self._answer = encode(answer_frame(UNIT, READ, Registers((1, 2))))

    def read(self, deadline: Deadline) -> bytes:
        answer, self._answer = self._answer, b""
        if answer:
            self.read_ns.append(CLOCK.now_ns())
        else:
            self.waits_ns.append(deadline.at_ns - CLOCK.now_ns())
            CLOCK.sleep_until(deadline.at_ns)
        return answer

    def discard(self) -> int:
        return 0

    def close(self) -> None: ...


def test_the_gap_is_kept_between_requests() -> None:
    line = Prompt()
    master = ModbusBus(line, CLOCK, Timing(115_200))
    for _ in range(5):
        assert master.ask(UNIT, READ, soon()) == Registers((1, 2))
    silent_ns = [
        written - read for read, written in zip(line.read_ns, line.written_ns[1:], strict=False)
    ]
    assert len(silent_ns) == 4
    assert min(silent_ns) >= master.timing.gap_ns


def test_the_gap_costs_nothing_once_it_has_passed() -> None:
    line = Prompt()
    master = ModbusBus(line, CLOCK, Timing(115_200))
    master.ask(UNIT, READ, soon())
    CLOCK.sleep_until(CLOCK.now_ns() + 2 * master.timing.gap_ns)
    line.waits_ns.clear()
    master.ask(UNIT, READ, soon())
    assert all(wait <= 0 for wait in line.waits_ns)


@pytest.mark.parametrize(
    ("baud", "gap_ns"), [(9600, 4_010_417), (19_200, 2_005_208), (115_200, 1_750_000)]
)
def test_length_of_the_gap(baud: int, gap_ns: int) -> None:
    assert Timing(baud).gap_ns == gap_ns


@pytest.mark.parametrize(
    ("faults", "said", "counter"),
    [
        ({"silent": True}, "it kept silent", "lost_answers"),
        ({"deaf": True}, "it kept silent", "lost_answers"),
        ({"corrupt": 9}, "damaged", "damaged_answers"),
        ({"unit": 8}, "unit 8 answered in its place", "wrong_unit"),
        ({"truncate": 4}, "broke off after 4 of 9 bytes", "broken_answers"),
        ({"truncate": 1}, "broke off after 1 of 9 bytes", "broken_answers"),
        ({"delay_us": 5_000_000}, "it kept silent", "lost_answers"),
    ],
)
def test_each_fault_has_its_name_within_the_deadline(
    bus: ModbusBus, rigged: Rigged, faults: dict, said: str, counter: str
) -> None:
    rigged.pump.control({"faults": faults})
    deadline = soon()
    with pytest.raises(DeadlineMissed, match=said):
        bus.ask(UNIT, READ, deadline)
    assert not deadline.expired  # the line's own times bound a wait, too
    assert bus.counters()[counter] == 1
    assert bus.counters()["lost_answers"] == 1
    rigged.pump.control({"faults": {}})
    if "delay_us" not in faults:
        assert bus.ask(UNIT, READ, soon()) == Registers((0, 0))


def test_short_deadline_is_kept(bus: ModbusBus, rigged: Rigged) -> None:
    rigged.pump.control({"faults": {"silent": True}})
    deadline = soon(5)
    with pytest.raises(DeadlineMissed):
        bus.ask(UNIT, READ, deadline)
    assert deadline.expired


def test_wrong_baud_rate_is_silence_with_a_hint(rigged: Rigged, box: ModbusServer) -> None:
    slow = rigged.bus(box, baud=57_600)
    with pytest.raises(DeadlineMissed) as caught:
        slow.ask(UNIT, READ, soon())
    assert "baud rate" in caught.value.remedy
    assert rigged.pump.status()["unheard_bytes"] == 8


def test_late_answer_is_dropped_counted_and_never_taken_for_the_next(
    bus: ModbusBus, rigged: Rigged
) -> None:
    rigged.pump.control({"set": {"plain": 111}, "faults": {"delay_us": 150_000}})
    with pytest.raises(DeadlineMissed):
        bus.ask(UNIT, READ, soon())
    rigged.pump.control({"set": {"plain": 222}, "faults": {}})
    assert bus.ask(UNIT, READ, soon()) == Registers((222, 0))
    assert bus.counters()["late_answers"] == 1
    assert bus.counters()["stale_bytes"] == 9


def test_late_answer_that_came_frees_the_line_at_once(bus: ModbusBus, rigged: Rigged) -> None:
    rigged.pump.control({"faults": {"delay_us": 110_000}})
    with pytest.raises(DeadlineMissed):
        bus.ask(UNIT, READ, soon())
    held_ns = bus._free_ns
    rigged.pump.control({"faults": {}})
    bus.ask(UNIT, READ, soon())
    assert bus._free_ns < held_ns + bus.timing.answer_ns


def test_line_held_for_a_late_answer_still_keeps_the_deadline(
    bus: ModbusBus, rigged: Rigged
) -> None:
    rigged.pump.control({"faults": {"silent": True}})
    with pytest.raises(DeadlineMissed):
        bus.ask(UNIT, READ, soon())
    requests = bus.counters()["requests"]
    deadline = soon(1)
    with pytest.raises(DeadlineMissed, match="not silent in time"):
        bus.ask(UNIT, READ, deadline)
    assert deadline.expired
    assert bus.counters()["requests"] == requests


def test_what_is_urgent_leaves_all_the_same(bus: ModbusBus, rigged: Rigged) -> None:
    rigged.pump.control({"faults": {"silent": True}})
    with pytest.raises(DeadlineMissed):
        bus.ask(UNIT, READ, soon())
    rigged.pump.control({"faults": {}})
    with pytest.raises(DeadlineMissed):
        bus.ask(UNIT, WriteRegister(0, 42), soon(0), urgent=True)
    bus.ask(UNIT, READ, soon())
    assert rigged.pump.status()["plain"] == 42


def test_doubled_answers_do_no_harm(bus: ModbusBus, rigged: Rigged) -> None:
    rigged.pump.control({"faults": {"duplicate": True}})
    for value in range(5):
        bus.ask(UNIT, WriteRegister(0, value), soon())
        assert bus.ask(UNIT, ReadRegisters(0, 1), soon()) == Registers((value,))
    assert bus.counters()["late_answers"] + bus.counters()["wrong_echo"] >= 4


def test_flood_is_named_and_the_line_comes_back(bus: ModbusBus, rigged: Rigged) -> None:
    rigged.pump.control({"faults": {"silent": True, "flood_bytes_s": 100_000}})
    for _ in range(2):
        deadline = soon(150)
        with pytest.raises(DeadlineMissed, match=r"flooded|not silent in time"):
            bus.ask(UNIT, READ, deadline)
    assert bus.counters()["noise_bytes"] > 1000
    rigged.pump.control({"faults": {}})
    assert bus.ask(UNIT, READ, soon()) == Registers((0, 0))


def test_urgent_request_goes_into_a_flood(bus: ModbusBus, rigged: Rigged) -> None:
    rigged.pump.control({"faults": {"silent": True, "flood_bytes_s": 100_000}})
    with pytest.raises(DeadlineMissed):
        bus.ask(UNIT, READ, soon(60))
    deadline = soon(2000)
    with pytest.raises(DeadlineMissed):
        bus.ask(UNIT, WriteRegister(0, 9), deadline, urgent=True)
    assert not deadline.expired
    assert rigged.pump.status()["plain"] == 9


def test_nothing_is_asked_twice_unless_told(bus: ModbusBus, rigged: Rigged) -> None:
    rigged.pump.control({"faults": {"corrupt": 2}})
    with pytest.raises(DeadlineMissed):
        bus.ask(UNIT, READ, soon())
    assert rigged.pump.status()["requests"] == 1
    assert bus.ask(UNIT, READ, soon(), attempts=2) == Registers((0, 0))
    assert rigged.pump.status()["requests"] == 3
    assert bus.counters()["retries"] == 1


def test_attempts_end_with_the_deadline(bus: ModbusBus, rigged: Rigged) -> None:
    rigged.pump.control({"faults": {"silent": True}})
    deadline = soon(350)
    with pytest.raises(DeadlineMissed):
        bus.ask(UNIT, READ, deadline, attempts=1000)
    assert rigged.pump.status()["requests"] < 6


def test_busy_unit_is_asked_again_where_told(bus: ModbusBus, rigged: Rigged) -> None:
    rigged.pump.control({"faults": {"exception": 6}})
    with pytest.raises(ModbusRefusal, match="busy"):
        bus.ask(UNIT, READ, soon(), attempts=3)
    assert rigged.pump.status()["requests"] == 3
    rigged.pump.control({"faults": {"exception": 4}})
    with pytest.raises(ModbusRefusal, match="device failure"):
        bus.ask(UNIT, READ, soon(), attempts=3)
    assert rigged.pump.status()["requests"] == 4


def test_another_unit_is_not_there(bus: ModbusBus) -> None:
    with pytest.raises(DeadlineMissed, match="unit 3"):
        bus.ask(3, READ, soon())


@pytest.mark.parametrize("after", range(10))
def test_unplugged_at_every_byte_of_an_answer(bus: ModbusBus, rigged: Rigged, after: int) -> None:
    rigged.pump.unplug(after)
    deadline = soon()
    if after == 9:  # the whole answer
        assert bus.ask(UNIT, READ, deadline) == Registers((0, 0))
    with pytest.raises(LinkLost):
        bus.ask(UNIT, READ, deadline)
    assert not deadline.expired
    with pytest.raises(LinkLost):
        bus.ask(UNIT, READ, soon())


def test_request_that_the_protocol_forbids_never_leaves(bus: ModbusBus, rigged: Rigged) -> None:
    with pytest.raises(HarnessError):
        bus.ask(UNIT, ReadRegisters(0, 200), soon())
    assert rigged.pump.received == b""
