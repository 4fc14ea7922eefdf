"""Protocol 1.0 on the emulated bus: who answers what, in which order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from drivers.dynamixel.codec1 import (
    BROADCAST,
    BULK_READ,
    OVERHEAD,
    SYNC_WRITE,
    Decoder,
    Packet,
    encode,
)
from sim.emulated.dynamixel.faults import BusFaults
from sim.emulated.dynamixel.servo1 import Servo1
from sim.emulated.dynamixel.slots import Slot, spoiled


@dataclass(slots=True)
class Wire1:
    """Requests in, slots out; the motors are those that hear the line's rate."""

    decoder: Decoder

    def feed(self, data: bytes) -> list[tuple[Packet, int]]:
        """Instructions completed by `data`, each with its size in bytes."""
        return [(packet, OVERHEAD + len(packet.params)) for packet in self.decoder.feed(data)]

    def finish(self) -> None:
        """Whatever is unfinished is noise."""
        self.decoder.finish()

    def serve(self, packet: Packet, motors: Sequence[Servo1], faults: BusFaults) -> list[Slot]:
        """Carry out one instruction."""
        by_id = {motor.id: motor for motor in motors}
        if packet.code == BULK_READ:
            return self._bulk_read(packet.params, by_id, faults)
        if packet.code == SYNC_WRITE:
            self._sync_write(packet.params, by_id)
            return []
        slots: list[Slot] = []
        for motor in sorted(motors, key=lambda motor: motor.id):
            if packet.id in (motor.id, BROADCAST):
                sender, wait_ns = motor.id, motor.return_delay_ns
                slots.append(self._slot(sender, wait_ns, motor.handle(packet), OVERHEAD, faults))
        return slots

    def _bulk_read(self, params: bytes, by_id: dict[int, Servo1], faults: BusFaults) -> list[Slot]:
        slots: list[Slot] = []
        for at in range(1, len(params) - 2, 3):
            length, servo, address = params[at : at + 3]
            motor = by_id.get(servo)
            size = OVERHEAD + length
            if motor is None:
                slots.append(Slot(servo, 0, b"", size))
            else:
                answer = motor.read(address, length)
                slots.append(self._slot(servo, motor.return_delay_ns, answer, size, faults))
        return slots

    @staticmethod
    def _sync_write(params: bytes, by_id: dict[int, Servo1]) -> None:
        if len(params) < 2:
            return
        address, length = params[0], params[1]
        for start in range(2, len(params) - length, length + 1):
            motor = by_id.get(params[start])
            if motor is not None:
                motor.write(address, params[start + 1 : start + 1 + length])

    @staticmethod
    def _slot(
        motor: int, wait_ns: int, answer: Packet | None, size: int, faults: BusFaults
    ) -> Slot:
        if answer is None or motor in faults.silent:
            return Slot(motor, wait_ns, b"", size if answer else 0)
        data = encode(replace(answer, id=faults.name(answer.id)))
        data = spoiled(data) if faults.take_corruption(motor) else data
        return Slot(motor, wait_ns, data, len(data))
