"""An emulated bus on a desk: packets in and out by hand, time and joints moved by hand."""

from __future__ import annotations

from collections.abc import Sequence

from drivers.dynamixel import codec1, codec2
from drivers.dynamixel.registers import load_motor
from sim.emulated.dynamixel.bus import BusOptions, DynamixelBus, build
from sim.twin.emulator import Body, Drive

MS = 1_000_000
DT = 0.001


class Desk:
    """Joints that go where they are driven, at once; nothing happens unless it is said."""

    def __init__(self, **options: object) -> None:
        given = options or {"robot": "koch"}
        self.bus: DynamixelBus = build(BusOptions.model_validate(given))
        self.now_ns = 1_000_000_000
        self.line_baud = self.bus.baud
        self.bodies = [Body(0.0, 0.0, 0.0) for _ in self.bus.joints]
        self.drives: Sequence[Drive] = []
        self.sent_ns: list[int] = []
        self.raw = b""

    def ask(self, packet: codec2.Packet) -> list[codec2.Packet]:
        """Send one instruction of protocol 2; the answers."""
        return codec2.Decoder().feed(self.say(codec2.encode(packet)))

    def ask1(self, packet: codec1.Packet) -> list[codec1.Packet]:
        """Send one instruction of protocol 1; the answers."""
        return codec1.Decoder().feed(self.say(codec1.encode(packet)))

    def say(self, data: bytes) -> bytes:
        """Raw bytes to the bus; the raw bytes that come back."""
        answers = self.bus.receive(data, self.now_ns, self.line_baud)
        self.sent_ns = [answer.start_ns - self.now_ns for answer in answers]
        self.raw = b"".join(answer.data for answer in answers)
        self.now_ns += 10 * MS
        return self.raw

    def steps(self, count: int, torque: float = 0.0) -> None:
        """So many steps of the plant, whose motors bear `torque` N m."""
        for _ in range(count):
            self.drives = self.bus.step(DT, self.bodies)
            self.bodies = [
                Body(
                    drive.target if drive.enabled else body.position,
                    (drive.target - body.position) / DT if drive.enabled else 0.0,
                    torque,
                )
                for body, drive in zip(self.bodies, self.drives, strict=True)
            ]

    def wait(self, milliseconds: float) -> None:
        """Time passes, and what is due happens."""
        self.now_ns += round(milliseconds * MS)
        due_ns = self.bus.due_ns()
        if due_ns is not None and due_ns <= self.now_ns:
            self.raw = b"".join(sent.data for sent in self.bus.wake(self.now_ns))


def register(model: str, name: str) -> tuple[int, int]:
    """Address and size."""
    found = load_motor(model)[name]
    return found.address, found.size
