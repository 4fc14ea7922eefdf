"""An emulated Modbus RTU unit: the server in front of any bank of registers and coils.

A request is taken by its length, or by the silent gap where its function is unknown. It is
carried out when it is handed over; its answer starts a gap and the device's thinking time after
the request has crossed the wire. Requests of other units and damaged ones are passed over in
silence, as the protocol has it; broadcasts (unit 0) are carried out and not answered.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from drivers.modbus.codec import answer_frame, encode, request_of
from drivers.modbus.framing import Decoder, frame_in, request_size
from drivers.modbus.line import Timing
from drivers.modbus.messages import (
    EXCEPTION,
    READ_COILS,
    READ_HOLDING,
    Answer,
    Bits,
    Done,
    ExceptionCode,
    Frame,
    MaskRegister,
    ReadBits,
    ReadRegisters,
    ReadWrite,
    Refused,
    Registers,
    Request,
    WriteBit,
    WriteBits,
    WriteRegister,
    WriteRegisters,
)
from hil.config import validate
from sim.emulated.modbus_line import LineFaults, RequestLine
from sim.twin.emulator import Scalar
from sim.twin.pacing import Transmission

BROADCAST = 0

Values = Sequence[int] | ExceptionCode


class Bank(Protocol):
    """The device behind the server; "coil", "discrete", "holding" and "input" are its spaces."""

    def read(self, space: str, address: int, count: int) -> Values:
        """`count` words or bits from `address` on, or why not."""
        ...

    def write(self, space: str, address: int, values: Sequence[int]) -> ExceptionCode | None:
        """Take words or bits, or say why not."""
        ...

    def advance(self, now_ns: int) -> None:
        """Bring the device to this instant."""
        ...

    def due_ns(self) -> int | None:
        """When `advance` shall be called next by itself."""
        ...

    def status(self) -> Mapping[str, Scalar]:
        """The truth about the device."""
        ...

    def control(self, args: Mapping[str, object]) -> None:
        """Do something to it. Errors: BadInput."""
        ...


def carry_out(request: Request, bank: Bank) -> Answer:
    """Ask a bank for what `request` wants."""
    match request:
        case ReadBits(address, count, function):
            space = "coil" if function == READ_COILS else "discrete"
            found = _read(bank, space, address, count)
            return found if isinstance(found, Refused) else Bits(tuple(map(bool, found)))
        case ReadRegisters(address, count, function):
            space = "holding" if function == READ_HOLDING else "input"
            return _registers(bank, address, count, space)
        case WriteBit(address, on):
            return _done(bank.write("coil", address, (int(on),)))
        case WriteBits(address, bits):
            return _done(bank.write("coil", address, tuple(map(int, bits))))
        case WriteRegister(address, value):
            return _done(bank.write("holding", address, (value,)))
        case WriteRegisters(address, values):
            return _done(bank.write("holding", address, values))
        case MaskRegister(address, and_mask, or_mask):
            before = _read(bank, "holding", address, 1)
            if isinstance(before, Refused):
                return before
            masked = before[0] & and_mask | or_mask & ~and_mask & 0xFFFF
            return _done(bank.write("holding", address, (masked,)))
        case ReadWrite(address, count, write_address, words):
            done = _done(bank.write("holding", write_address, words))
            return done if isinstance(done, Refused) else _registers(bank, address, count)


def _read(bank: Bank, space: str, address: int, count: int) -> Sequence[int] | Refused:
    values = bank.read(space, address, count)
    return Refused(values) if isinstance(values, ExceptionCode) else values


def _registers(bank: Bank, address: int, count: int, space: str = "holding") -> Answer:
    values = _read(bank, space, address, count)
    return values if isinstance(values, Refused) else Registers(tuple(values))


def _done(refused: ExceptionCode | None) -> Answer:
    return Done() if refused is None else Refused(refused)


class ModbusServer:
    """One unit on a line of its own (`sim.twin.emulator.Emulator`).

    `functions` are those that it knows (None: all); `think_ns` how long it takes to answer.
    """

    def __init__(
        self,
        unit: int,
        bank: Bank,
        baud: int,
        think_ns: int = 0,
        functions: frozenset[int] | None = None,
    ) -> None:
        self._unit = unit
        self._bank = bank
        self._line = RequestLine(baud, _under_another_id)
        self._gap_ns = Timing(baud).gap_ns
        self._think_ns = think_ns
        self._functions = functions
        self._decoder = Decoder(request_size)

    @property
    def baud(self) -> int:
        """Rate that the device is set to."""
        return self._line.baud

    def receive(self, data: bytes, now_ns: int, line_baud: int) -> list[Transmission]:
        """Requests that `data` completes are carried out, each at once."""
        self._bank.advance(now_ns)
        answers = self._serve(self._decoder.finish()) if self._gap_over(now_ns) else []
        if self._line.hear(len(data), now_ns, line_baud):
            answers += self._serve(self._decoder.feed(data))
        return answers

    def due_ns(self) -> int | None:
        """When the gap ends a request of unknown length, the bank or a flood wants to go on."""
        gap_ns = self._line.quiet_ns + self._gap_ns if self._decoder.pending else None
        wanted = (gap_ns, self._bank.due_ns(), self._line.due_ns())
        return min((due_ns for due_ns in wanted if due_ns is not None), default=None)

    def wake(self, now_ns: int) -> list[Transmission]:
        """Whatever of that is due."""
        self._bank.advance(now_ns)
        answers = self._line.wake(now_ns)
        if self._gap_over(now_ns):
            answers += self._serve(self._decoder.finish())
        return answers

    def status(self) -> dict[str, Scalar]:
        """Counters of line and decoder, and the bank's own account."""
        framing = self._decoder.counters
        return {
            **self._line.status(),
            "damaged_requests": framing.damaged,
            "noise_bytes": framing.noise_bytes,
            **self._bank.status(),
        }

    def control(self, args: Mapping[str, object]) -> None:
        """`faults`: what is wrong with the line from now on, as `LineFaults`; everything else
        is for the device itself. Errors: BadInput."""
        rest = dict(args)
        if "faults" in rest:
            self._line.faults = validate(rest.pop("faults"), LineFaults, "faults of the line")
        if rest:
            self._bank.control(rest)

    def _gap_over(self, now_ns: int) -> bool:
        """Whether what is unfinished has been followed by silence."""
        return self._decoder.pending > 0 and now_ns >= self._line.quiet_ns + self._gap_ns

    def _serve(self, frames: Sequence[Frame]) -> list[Transmission]:
        answers: list[Transmission] = []
        for frame in frames:
            if frame.unit not in (self._unit, BROADCAST):
                continue
            self._line.counters.requests += 1
            answer = self._answer(frame)
            if frame.unit != BROADCAST:
                start_ns = self._line.quiet_ns + self._gap_ns + self._think_ns
                answers += self._line.reply(encode(answer), start_ns)
        return answers

    def _answer(self, frame: Frame) -> Frame:
        code = self._line.faults.exception
        request = request_of(frame)
        if code is None and self._functions is not None and frame.function not in self._functions:
            code = ExceptionCode.ILLEGAL_FUNCTION
        if code is None and isinstance(request, ExceptionCode):
            code = request
        if code is not None or isinstance(request, ExceptionCode):
            return Frame(frame.unit, frame.function | EXCEPTION, bytes((code or 0,)))
        return answer_frame(frame.unit, request, carry_out(request, self._bank))


def _under_another_id(data: bytes, unit: int) -> bytes:
    frame = frame_in(data, len(data))
    return encode(Frame(unit, frame.function, frame.body))
