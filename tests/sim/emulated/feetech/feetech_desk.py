"""An emulated servo on a desk: registers by name, time and joint moved by hand."""

from __future__ import annotations

from drivers.feetech.codec import PING, READ, WRITE, Packet
from drivers.feetech.registers import Table
from sim.emulated.feetech.servo import Servo
from sim.twin.emulator import Body, Drive

DT = 1e-3


class Desk:
    """A servo on the table: registers by name, and a joint that follows its set-point."""

    def __init__(self, servo: Servo) -> None:
        self.servo = servo
        self.table: Table = servo.table
        self.body = Body(0.0, 0.0, 0.0)

    def get(self, name: str) -> int:
        register = self.table[name]
        answer = self.servo.handle(
            Packet(self.servo.id, READ, bytes((register.address, register.size)))
        )
        assert answer is not None
        return self.table.decode(name, answer.params, base=register.address)

    def set(self, name: str, value: int) -> Packet | None:
        register = self.table[name]
        raw = value.to_bytes(register.size, self.table.byte_order)
        return self.servo.handle(Packet(self.servo.id, WRITE, bytes((register.address,)) + raw))

    def run(self, seconds: float, torque: float = 0.0, follow: bool = True) -> Drive:
        for _ in range(round(seconds / DT)):
            drive = self.servo.step(DT, self.body)
            position = drive.target if follow else self.body.position
            speed = (position - self.body.position) / DT
            self.body = Body(position, speed, torque)
        return drive

    def errors(self) -> int:
        answer = self.servo.handle(Packet(self.servo.id, PING))
        assert answer is not None
        return answer.code
