"""Emulator `inspire-hand`: an Inspire hand behind Modbus RTU, or behind the maker's own protocol.

The latter rests on public drivers, not on a hand: it shows that driver and codec agree with
themselves, and nothing of real hands.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from drivers.modbus import eb90
from drivers.modbus.eb90 import FROM_HAND, TO_HAND, Decoder, Packet
from drivers.modbus.hand_table import load_hand
from drivers.modbus.messages import ExceptionCode
from hil.clock import NS_PER_US
from hil.config import validate
from hil.errors import BadInput
from sim.emulated.inspire_hand import Hand
from sim.emulated.modbus_line import LineFaults, RequestLine
from sim.emulated.modbus_server import ModbusServer, Values
from sim.twin.emulator import Emulator, Hosted, Scalar
from sim.twin.pacing import Transmission

FUNCTIONS = frozenset({3, 4, 6, 16})
_FORGET_NS = 50_000_000  # a request broken off this long ago is noise


class HandOptions(BaseModel):
    """Options of emulator `inspire-hand`; `unit` and `baud` override those of the model."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    model: str = "rh56dfx"
    protocol: Literal["modbus", "eb90"] = "modbus"
    unit: int | None = Field(default=None, ge=1, le=247)
    baud: int | None = Field(default=None, gt=0)
    think_us: int = Field(default=1000, ge=0, le=1_000_000)
    refresh_ms: float | None = Field(default=None, gt=0, le=1000)


class HandBank:
    """The hand's bytes as Modbus registers (`sim.emulated.modbus_server.Bank`)."""

    def __init__(self, hand: Hand) -> None:
        self._hand = hand
        self.advance, self.due_ns = hand.advance, hand.due_ns
        self.status, self.control = hand.status, hand.control

    def read(self, space: str, address: int, count: int) -> Values:
        """Words of one group."""
        data = self._hand.load(address, 2 * count) if space in ("holding", "input") else None
        if data is None:
            return ExceptionCode.ILLEGAL_ADDRESS
        order: Literal["little", "big"] = "little" if self._hand.wide(address) else "big"
        return [int.from_bytes(data[at : at + 2], order) for at in range(0, len(data), 2)]

    def write(self, space: str, address: int, values: Sequence[int]) -> ExceptionCode | None:
        """Take words of one group."""
        data = b"".join(value.to_bytes(2, "little") for value in values)
        taken = space == "holding" and self._hand.store(address, data)
        return None if taken else ExceptionCode.ILLEGAL_ADDRESS


class Eb90Server:
    """A hand that speaks the maker's own protocol (`sim.twin.emulator.Emulator`).

    What it has no register for it passes over in silence.
    """

    def __init__(self, unit: int, hand: Hand, baud: int, think_ns: int) -> None:
        self._unit = unit
        self._hand = hand
        self._line = RequestLine(baud, _under_another_id)
        self._think_ns = think_ns
        self._decoder = Decoder(TO_HAND)

    @property
    def baud(self) -> int:
        """Rate that the hand is set to."""
        return self._line.baud

    def receive(self, data: bytes, now_ns: int, line_baud: int) -> list[Transmission]:
        """Requests that `data` completes are carried out, each at once."""
        if now_ns > self._line.quiet_ns + _FORGET_NS:
            self._decoder.finish()
        if not self._line.hear(len(data), now_ns, line_baud):
            return []
        self._hand.advance(now_ns)
        answers: list[Transmission] = []
        for packet in self._decoder.feed(data):
            if packet.id == self._unit:
                self._line.counters.requests += 1
                answers += self._serve(packet)
        return answers

    def _serve(self, packet: Packet) -> list[Transmission]:
        answer: bytes | None = None
        if packet.command == eb90.READ and len(packet.data) == 1:
            answer = self._hand.load(packet.address, packet.data[0])
        elif packet.command == eb90.WRITE and self._hand.store(packet.address, packet.data):
            answer = b"\x01"
        if answer is None:
            return []
        back = Packet(packet.id, packet.command, packet.address, answer)
        start_ns = self._line.quiet_ns + self._think_ns
        return self._line.reply(eb90.encode(back, FROM_HAND), start_ns)

    def due_ns(self) -> int | None:
        """While something moves, and for a flood."""
        wanted = (self._hand.due_ns(), self._line.due_ns())
        return min((due_ns for due_ns in wanted if due_ns is not None), default=None)

    def wake(self, now_ns: int) -> list[Transmission]:
        """Whatever of that is due."""
        self._hand.advance(now_ns)
        return self._line.wake(now_ns)

    def status(self) -> dict[str, Scalar]:
        """Counters of line and decoder, and the hand's own account."""
        decoder = self._decoder.counters
        return {
            **self._line.status(),
            "damaged_requests": decoder.damaged,
            "noise_bytes": decoder.noise_bytes,
            **self._hand.status(),
        }

    def control(self, args: Mapping[str, object]) -> None:
        """`faults` as `LineFaults`; everything else as `HandControl`. Errors: BadInput."""
        rest = dict(args)
        if "faults" in rest:
            faults = validate(rest.pop("faults"), LineFaults, "faults of the line")
            if faults.exception is not None:
                raise BadInput("faults.exception: this protocol has no exceptions")
            self._line.faults = faults
        if rest:
            self._hand.control(rest)


def _under_another_id(data: bytes, unit: int) -> bytes:
    (packet,) = Decoder(FROM_HAND).feed(data)
    return eb90.encode(Packet(unit, packet.command, packet.address, packet.data), FROM_HAND)


def build(options: HandOptions) -> Emulator:
    """One hand on a line of its own. Errors: BadInput."""
    table = load_hand(options.model)
    hand = Hand(table, table.refresh_ms if options.refresh_ms is None else options.refresh_ms)
    unit, baud = options.unit or table.unit, options.baud or table.baud
    think_ns = options.think_us * NS_PER_US
    if options.protocol == "eb90":
        return Eb90Server(unit, hand, baud, think_ns)
    return ModbusServer(unit, HandBank(hand), baud, think_ns, FUNCTIONS)


EMULATOR = Hosted(HandOptions, build)
