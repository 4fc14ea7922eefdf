"""What a bus sends after a request: one slot after the other, some of them empty."""

from __future__ import annotations

from dataclasses import dataclass

from sim.emulated.dynamixel.faults import BusFaults
from sim.twin.pacing import Transmission, wire_ns


@dataclass(frozen=True, slots=True)
class Slot:
    """The turn of one motor: how long it waits before, what it sends, and how many bytes long
    its turn is. A motor that keeps silent leaves its slot empty, and the next ones answer after
    the gap, as if each knew how long its predecessors take."""

    motor: int
    wait_ns: int
    data: bytes
    size: int


def transmissions(
    slots: list[Slot], complete_ns: int, baud: int, faults: BusFaults
) -> list[Transmission]:
    """The slots on the wire, with the delays of faulty motors on top."""
    answers: list[Transmission] = []
    cursor_ns = complete_ns
    for slot in slots:
        cursor_ns += slot.wait_ns
        if slot.data:
            late_ns = faults.delay_us.get(slot.motor, 0) * 1_000
            answers.append(Transmission(cursor_ns + late_ns, baud, slot.data))
        cursor_ns += wire_ns(slot.size, baud)
    return answers


def spoiled(data: bytes) -> bytes:
    """An answer whose CRC or checksum is wrong."""
    return data[:-1] + bytes((data[-1] ^ 0xFF,))
