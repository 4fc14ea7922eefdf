"""Protocol 2.0 on the emulated bus: who answers what, in which order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from drivers.dynamixel import instructions as ins
from drivers.dynamixel.codec2 import (
    BROADCAST,
    OVERHEAD,
    STATUS,
    Decoder,
    Instruction,
    Packet,
    encode,
    encode_fast,
)
from drivers.dynamixel.crc import crc16
from sim.emulated.dynamixel.faults import BusFaults
from sim.emulated.dynamixel.servo2 import Servo2
from sim.emulated.dynamixel.slots import Slot, spoiled

_STATUS_SIZE = OVERHEAD + 1
_PING_SIZE = _STATUS_SIZE + 3
_FAST_START = 8
_FAST_BLOCK = 4
_ONE_BY_ONE = (Instruction.SYNC_READ, Instruction.BULK_READ)
_TOGETHER = (Instruction.FAST_SYNC_READ, Instruction.FAST_BULK_READ)


@dataclass(slots=True)
class Wire2:
    """Requests in, slots out; the motors are those that hear the line's rate."""

    decoder: Decoder

    def feed(self, data: bytes) -> list[tuple[Packet, int]]:
        """Instructions completed by `data`, each with its size in bytes."""
        packets = self.decoder.feed(data)
        return [(p, len(encode(p))) for p in packets if p.instruction != STATUS]

    def finish(self) -> None:
        """Whatever is unfinished is noise."""
        self.decoder.finish()

    def serve(self, packet: Packet, motors: Sequence[Servo2], faults: BusFaults) -> list[Slot]:
        """Carry out one instruction."""
        code, params = packet.instruction, packet.params
        by_id = {motor.id: motor for motor in motors}
        if code in _ONE_BY_ONE or code in _TOGETHER:
            sync = code in (Instruction.SYNC_READ, Instruction.FAST_SYNC_READ)
            spans = ins.spans_of_sync_read(params) if sync else ins.spans_of_bulk_read(params)
            read = self._together if code in _TOGETHER else self._one_by_one
            return read(spans or [], by_id, faults)
        if code in (Instruction.SYNC_WRITE, Instruction.BULK_WRITE):
            sync = code == Instruction.SYNC_WRITE
            writes = ins.writes_of_sync_write(params) if sync else ins.writes_of_bulk_write(params)
            for target, address, data in writes or []:
                for motor in motors:
                    if target != BROADCAST and motor.obeys(target):
                        motor.write(address, data)
            return []
        slots: list[Slot] = []
        for motor in sorted(motors, key=lambda motor: motor.id):
            if not motor.obeys(packet.id):
                continue
            sender, wait_ns = motor.id, motor.return_delay_ns
            slots.append(self._slot(sender, wait_ns, motor.handle(packet), _PING_SIZE, faults))
        return slots

    def _one_by_one(
        self, spans: list[ins.Span], by_id: dict[int, Servo2], faults: BusFaults
    ) -> list[Slot]:
        slots: list[Slot] = []
        for servo, address, length in spans:
            motor = by_id.get(servo)
            size = _STATUS_SIZE + length
            if motor is None or not motor.reads_answered:
                slots.append(Slot(servo, 0, b"", size))
                continue
            error, data = motor.read(address, length)
            answer = Packet(servo, STATUS, data, error)
            slots.append(self._slot(servo, motor.return_delay_ns, answer, size, faults))
        return slots

    def _together(
        self, spans: list[ins.Span], by_id: dict[int, Servo2], faults: BusFaults
    ) -> list[Slot]:
        """One packet of all. The chain breaks at the first who is silent: the others wait for
        its block. The header announces all blocks nevertheless."""
        blocks: list[tuple[int, int, bytes]] = []
        broken_at = len(spans)
        for place, (servo, address, length) in enumerate(spans):
            motor = by_id.get(servo)
            if motor is None or servo in faults.silent or not motor.reads_answered:
                broken_at = min(broken_at, place)
                blocks.append((servo, 0, bytes(length)))
                continue
            error, data = motor.read(address, length)
            blocks.append((faults.name(servo), error, data or bytes(length)))
        if not blocks or broken_at == 0:
            return []
        frame = bytearray(encode_fast(blocks))
        end = _FAST_START
        for (_, _, data), (owner, _, _) in zip(blocks[:broken_at], spans, strict=False):
            end += len(data) + _FAST_BLOCK
            if faults.take_corruption(owner):
                frame[end - 1] ^= 0xFF
        first = spans[0][0]
        late = max((faults.delay_us.get(span[0], 0), span[0]) for span in spans)[1]
        wait_ns = by_id[first].return_delay_ns
        return [Slot(late, wait_ns, bytes(frame[:end]), len(frame))]

    @staticmethod
    def _slot(
        motor: int, wait_ns: int, answer: Packet | None, size: int, faults: BusFaults
    ) -> Slot:
        if answer is None or motor in faults.silent:
            return Slot(motor, wait_ns, b"", size if answer else 0)
        data = encode(replace(answer, id=faults.name(answer.id)))
        data = spoiled(data) if faults.take_corruption(motor) else data
        return Slot(motor, wait_ns, data, len(data))


def noise(state: int, count: int) -> tuple[bytes, int]:
    """`count` bytes that look random, from a state and with the next one."""
    out = bytearray()
    for _ in range(count):
        state = crc16(state.to_bytes(2, "little"), state ^ 0x5A5A)
        out.append(state & 0xFF)
    return bytes(out), state
