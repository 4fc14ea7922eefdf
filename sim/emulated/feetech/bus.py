"""Emulated servos of any models on one half-duplex bus: bytes in, answers with due times out.

Pure arithmetic on stamps: no descriptor, no clock. What the timing models, and what not:

* A request is complete when its last byte would have crossed the wire, ten bit times a byte
  after it was written (or after the request before it). It is carried out when it is handed
  over, up to that time early; the plant's step is longer than that at usual baud rates.
* An answer starts a return delay after the request and takes ten bit times a byte. Servos have
  no processing time besides the return delay.
* SYNC READ is answered in the order of the ids asked, each a return delay after the one
  before. A servo that keeps silent leaves its slot empty and the next ones answer after the
  gap, as if each knew how long its predecessors take.
* Broadcast PING is answered in slots by id, slot k beginning k answer times after the return
  delay. Models that know of no slots answer all at once, and the host reads what the line makes
  of it: low wins, bit by bit. What comes of two or more of them never has a right checksum.
* Servos set to another baud rate than the line neither understand nor answer.
* Other collisions are not emulated: see `sim.twin.pacing.PacedOutput`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import reduce
from operator import and_
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from drivers.feetech.arm_table import load_arm
from drivers.feetech.codec import (
    BROADCAST,
    MAX_PARAMS,
    PING,
    SYNC_READ,
    SYNC_WRITE,
    Decoder,
    Packet,
    ServoError,
    encode,
)
from drivers.feetech.registers import load_table
from drivers.modelfiles import refuse_unknown
from sim.emulated.feetech.faults import BusFaults, parse_control
from sim.emulated.feetech.motor import MotorModel
from sim.emulated.feetech.servo import Mounting, Servo
from sim.emulated.motors import TorqueAccount, power_cycle
from sim.twin.emulator import Body, Drive, Hosted, Scalar
from sim.twin.pacing import Transmission, wire_ns

_EMPTY_ANSWER = 6  # bytes of a packet without parameters
_FORGET_NS = 50_000_000  # a request broken off this long ago is noise


class BusOptions(BaseModel):
    """Options of emulator `feetech-bus`."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    joints: str = Field(min_length=1, description="arm or hand whose servos sit on the bus")
    baud: Literal[1_000_000, 500_000, 250_000, 128_000, 115_200, 76_800, 57_600, 38_400] = 1_000_000
    supply_v: float | None = Field(
        default=None, ge=0, le=25, description="at no load; each servo's own if left out"
    )
    swapped: dict[str, str] = Field(
        default_factory=dict, description="by joint: model of a servo that is not the arm's own"
    )


@dataclass(slots=True)
class BusCounters:
    """What the bus met since it was made."""

    requests: int = 0
    answers: int = 0
    unheard_bytes: int = 0  # sent at a baud rate that no servo is set to


class ServoBus:
    """The servos by the joint that each drives, and the state of the wire
    (`sim.twin.emulator.JointEmulator`). `baud` is what the servos were set up for."""

    def __init__(self, servos: Mapping[str, Servo], baud: int = 1_000_000) -> None:
        self.baud = baud
        self.joints = tuple(servos)
        self.servos = tuple(servos.values())
        self.faults = BusFaults()
        self._counters = BusCounters()
        self._torque = TorqueAccount()
        self._decoder = Decoder()
        self._line_baud = 0
        self._request_end_ns = 0

    def step(self, dt: float, bodies: Sequence[Body]) -> list[Drive]:
        """Every servo sees its joint and gives its orders."""
        return [servo.step(dt, body) for servo, body in zip(self.servos, bodies, strict=True)]

    def due_ns(self) -> None:
        """Servos speak only when they are asked."""

    def wake(self, now_ns: int) -> list[Transmission]:
        """Nothing is ever due."""
        return []

    def status(self) -> dict[str, Scalar]:
        """Counters of bus and decoder by name."""
        decoder = self._decoder.counters
        return {
            **asdict(self._counters),
            **asdict(self._torque),
            "checksum_errors": decoder.checksum_errors,
            "resync_bytes": decoder.resync_bytes,
        }

    def control(self, args: Mapping[str, object]) -> None:
        """`faults`: what is wrong with the bus from now on, as `BusFaults`; `power_cycle`: ids
        that are switched off and on. Errors: BadInput."""
        asked = parse_control(args)
        power_cycle(self.servos, asked.power_cycle)
        if asked.faults is not None:
            self.plant_faults(asked.faults)

    def plant_faults(self, faults: BusFaults) -> None:
        """Put `faults` in place of those before."""
        self.faults = faults
        for servo in self.servos:
            servo.inject(ServoError(faults.errors.get(servo.id, 0)))

    def receive(self, data: bytes, now_ns: int, line_baud: int) -> list[Transmission]:
        """Bytes that the host wrote at `now_ns` with its port at `line_baud`.

        Returns the answers in the order of their requests.
        """
        if line_baud != self._line_baud or now_ns - self._request_end_ns > _FORGET_NS:
            self._decoder.finish()
        self._line_baud = line_baud
        if not any(servo.baud == line_baud for servo in self.servos):
            self._counters.unheard_bytes += len(data)
            return []
        self._request_end_ns = max(now_ns, self._request_end_ns) + wire_ns(len(data), line_baud)
        packets = self._decoder.feed(data)
        answers: list[Transmission] = []
        behind = sum(_size(packet) for packet in packets)
        for packet in packets:
            behind -= _size(packet)
            answers += self._serve(packet, self._request_end_ns - wire_ns(behind, line_baud))
        self._counters.requests += len(packets)
        self._counters.answers += len(answers)
        self._torque.note(sum(servo.torque_on for servo in self.servos), now_ns)
        return answers

    def _serve(self, packet: Packet, complete_ns: int) -> list[Transmission]:
        if packet.code == SYNC_READ:
            return self._sync_read(packet.params, complete_ns)
        if packet.code == SYNC_WRITE:
            self._sync_write(packet.params)
            return []
        if packet.code == PING and packet.id == BROADCAST:
            return self._broadcast_ping(complete_ns)
        answers: list[Transmission] = []
        for servo in self._listening():
            if packet.id in (servo.id, BROADCAST):
                start_ns = complete_ns + servo.return_delay_ns
                answers += self._send(servo.handle(packet), start_ns)
        return answers

    def _sync_read(self, params: bytes, complete_ns: int) -> list[Transmission]:
        if len(params) < 3:
            return []
        address, length, ids = params[0], params[1], params[2:]
        if length > MAX_PARAMS:
            return []  # no answer could carry it
        by_id = {servo.id: servo for servo in self._listening() if servo.table.sync_read}
        answers: list[Transmission] = []
        slot_ns = complete_ns
        for servo_id in ids:
            servo = by_id.get(servo_id)
            slot_ns += servo.return_delay_ns if servo else 0
            if servo is not None:
                answers += self._send(servo.read(address, length), slot_ns)
            slot_ns += wire_ns(_EMPTY_ANSWER + length, self._line_baud)
        return answers

    def _sync_write(self, params: bytes) -> None:
        if len(params) < 2:
            return
        address, length = params[0], params[1]
        by_id = {servo.id: servo for servo in self._listening()}
        for start in range(2, len(params) - length, length + 1):
            servo = by_id.get(params[start])
            if servo is not None:
                servo.write(address, params[start + 1 : start + 1 + length])

    def _broadcast_ping(self, complete_ns: int) -> list[Transmission]:
        slot_ns = wire_ns(_EMPTY_ANSWER, self._line_baud)
        answers: list[Transmission] = []
        at_once: list[Transmission] = []
        for servo in sorted(self._listening(), key=lambda servo: servo.id):
            start_ns = complete_ns + servo.return_delay_ns
            answer = servo.handle(Packet(BROADCAST, PING))
            if servo.table.broadcast_ping:
                answers += self._send(answer, start_ns + servo.id * slot_ns)
            else:
                at_once += self._send(answer, start_ns)
        return [*_merged(at_once), *answers]

    def _listening(self) -> list[Servo]:
        return [servo for servo in self.servos if servo.baud == self._line_baud]

    def _send(self, answer: Packet | None, start_ns: int) -> Iterable[Transmission]:
        """One answer as the faults leave it: as it is, late, spoiled or not at all."""
        if answer is None or answer.id in self.faults.silent:
            return ()
        data = encode(answer)
        if self.faults.take_corruption(answer.id):
            data = data[:-1] + bytes((data[-1] ^ 0xFF,))
        late_ns = self.faults.delay_us.get(answer.id, 0) * 1_000
        return (Transmission(start_ns + late_ns, self._line_baud, data),)


def _size(packet: Packet) -> int:
    return _EMPTY_ANSWER + len(packet.params)


def _merged(answers: Sequence[Transmission]) -> list[Transmission]:
    """Answers of one length that are sent at the same time, as the host reads them."""
    if len(answers) < 2:
        return list(answers)
    columns = zip(*(answer.data for answer in answers), strict=True)
    start_ns = min(answer.start_ns for answer in answers)
    data = bytes(reduce(and_, column) for column in columns)
    return [Transmission(start_ns, answers[0].baud, data)]


def build(options: BusOptions) -> ServoBus:
    """The servos of arm `options.joints`, each for the joint of its name. Errors: BadInput."""
    arm = load_arm(options.joints)
    refuse_unknown("swapped", options.swapped, f"the {arm.model}", "joints", arm.names)
    model = MotorModel(options.supply_v)
    servos = {}
    for row, own in zip(arm.joints, arm.tables, strict=True):
        table = load_table(options.swapped[row.name]) if row.name in options.swapped else own
        mounting = Mounting(row.id, row.zero_count, row.sign)
        servos[row.name] = Servo(table, mounting, options.baud, model)
    return ServoBus(servos, options.baud)


EMULATOR = Hosted(BusOptions, build)
