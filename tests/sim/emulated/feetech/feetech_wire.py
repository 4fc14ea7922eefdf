"""An emulated bus without a wire: packets in by hand, packets and their instants out."""

from __future__ import annotations

from collections.abc import Mapping

from drivers.feetech.codec import READ, Decoder, Packet, encode
from drivers.feetech.registers import load_table
from sim.emulated.feetech.bus import ServoBus
from sim.emulated.feetech.motor import MotorModel
from sim.emulated.feetech.servo import Mounting, Servo
from sim.twin.pacing import Transmission

BAUD = 1_000_000
BYTE_NS = 10_000
START = 5_000_000_000
STATE = bytes((56, 15))
MODELS = ("sts3215", "scs0009")


def make_bus(ids: tuple[int, ...] = (1, 2, 3), model: str = "sts3215") -> ServoBus:
    return mixed_bus(dict.fromkeys(ids, model))


def mixed_bus(models: Mapping[int, str]) -> ServoBus:
    servos = {}
    for servo_id, model in models.items():
        table = load_table(model)
        mounting = Mounting(servo_id, table.counts_per_turn // 2, 1)
        servos[f"joint {servo_id}"] = Servo(table, mounting, BAUD, MotorModel())
    return ServoBus(servos, BAUD)


def ask(bus: ServoBus, packet: Packet, now_ns: int = START) -> list[Transmission]:
    return bus.receive(encode(packet), now_ns, BAUD)


def packets(answers: list[Transmission]) -> list[Packet]:
    return Decoder().feed(b"".join(answer.data for answer in answers))


def value(bus: ServoBus, servo_id: int, address: int, length: int) -> int:
    (answer,) = packets(ask(bus, Packet(servo_id, READ, bytes((address, length)))))
    return int.from_bytes(answer.params, bus.servos[0].table.byte_order)
