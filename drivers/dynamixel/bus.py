"""Master of one bus of Dynamixel motors under Protocol 2.0.

A FAST SYNC READ is one packet that all motors write between them. It takes less wire and fewer
turns, but when one motor keeps silent, those behind it cannot answer. So while answers are
missing, plain reads take its place, which cost only the silent motor's own value.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from drivers.dynamixel import instructions as ins
from drivers.dynamixel.codec2 import (
    ALERT,
    BROADCAST,
    OVERHEAD,
    STATUS,
    Decoder,
    ErrorCode,
    Packet,
    encode,
)
from drivers.dynamixel.expected import LONGEST, FastAnswers, PlainAnswers
from drivers.dynamixel.fast import FastDecoder
from drivers.servo.answers import BusCounters, SyncRead
from drivers.servo.exchange import Exchange
from drivers.servo.framing import FrameCounters
from drivers.transport.base import Transport
from hil.clock import Clock, Deadline
from hil.errors import DeadlineMissed, DeviceFault

_STATUS_OVERHEAD = OVERHEAD + 1
_FAST_OVERHEAD = 8  # header, id, length, instruction of the one answer
_FAST_BLOCK = 4  # error, id, CRC
_PING_LENGTH = 3
_PLANS_KEPT = 16


@dataclass(frozen=True, slots=True)
class Found:
    """Who answered a ping."""

    id: int
    model_number: int
    firmware: int


@dataclass(slots=True)
class StatusCounters:
    """What this protocol adds to the faults of a bus.

    `alerts` are answers with the alert bit, whose data are good; `refusals` those with an
    error number; `echoes` packets of the host that came back; `plain_instead` reads that were
    not fast since answers were missing.
    """

    alerts: int = 0
    refusals: int = 0
    echoes: int = 0
    fast_reads: int = 0
    plain_instead: int = 0
    broken_fast_reads: int = 0


@dataclass(frozen=True, slots=True)
class _Plan:
    """What a read sends, and how its answer usually looks."""

    frame: bytes
    expected: PlainAnswers | FastAnswers | None


class _StatusDecoder:
    """The answers in a stream that may hold the host's own packets too."""

    def __init__(self, counters: StatusCounters) -> None:
        self._decoder = Decoder()
        self._counted = counters

    @property
    def counters(self) -> FrameCounters:
        return self._decoder.counters

    @property
    def pending(self) -> int:
        return self._decoder.pending

    def feed(self, data: bytes) -> list[Packet]:
        return self._sorted(self._decoder.feed(data))

    def finish(self) -> list[Packet]:
        return self._sorted(self._decoder.finish())

    def _sorted(self, packets: list[Packet]) -> list[Packet]:
        answers = [p for p in packets if p.instruction == STATUS and p.id != BROADCAST]
        if len(answers) < len(packets):
            self._counted.echoes += len(packets) - len(answers)
        return answers


class DynamixelBus:
    """A `drivers.servo.bus.ServoBus`.

    Attributes:
        fast: whether `read_all` may use FAST SYNC READ; all motors must have the firmware.
    """

    def __init__(self, transport: Transport, clock: Clock) -> None:
        self._counted = StatusCounters()
        self._clock = clock
        self._line: Exchange[Packet] = Exchange(transport, clock, _StatusDecoder(self._counted))
        self._plans: dict[tuple[bool, int, int, tuple[int, ...]], _Plan] = {}
        self._gaps = False
        self._crc_errors = 0
        self._last_request_ns = clock.now_ns()
        self._longest_pause_ns = 0
        self.fast = False

    @property
    def description(self) -> str:
        """Where the bus is connected."""
        return self._line.description

    def ping(self, servo: int, deadline: Deadline) -> int:
        """The error byte of one motor. Errors: DeadlineMissed, LinkLost."""
        return self._ask(ins.ping(servo), _PING_LENGTH, deadline)[0]

    def identify(self, deadline: Deadline) -> list[Found]:
        """Everybody who answers before the deadline, by id; it takes the whole time.

        Errors: LinkLost.
        """
        self._send(encode(ins.ping(BROADCAST)), deadline)
        found = {
            packet.id: Found(
                packet.id, int.from_bytes(packet.params[:2], "little"), packet.params[2]
            )
            for packet in self._line.listen(deadline)
            if len(packet.params) == _PING_LENGTH
        }
        return [found[servo] for servo in sorted(found)]

    def present(self, deadline: Deadline) -> list[int]:
        """Ids of all motors that answer before the deadline, sorted. Errors: LinkLost."""
        return [found.id for found in self.identify(deadline)]

    def read(self, servo: int, address: int, length: int, deadline: Deadline) -> bytes:
        """`length` bytes of one motor's memory. Errors: DeadlineMissed, DeviceFault, LinkLost."""
        return self._ask(ins.read(servo, address, length), length, deadline)[1]

    def write(self, servo: int, address: int, data: bytes, deadline: Deadline) -> int:
        """Write to one motor and wait for its acknowledgement; returns its error byte.

        A motor whose status return level is below 2 obeys without acknowledging, which shows
        as DeadlineMissed. Errors: DeadlineMissed, LinkLost.
        """
        return self._ask(ins.write(servo, address, data), 0, deadline)[0]

    def reboot(self, servo: int, deadline: Deadline) -> None:
        """Start a motor anew, which clears a shutdown. Errors: DeadlineMissed, LinkLost."""
        self._ask(ins.reboot(servo), 0, deadline)

    def sync_read(
        self, servos: Sequence[int], address: int, length: int, deadline: Deadline
    ) -> SyncRead:
        """The same `length` bytes of several motors in one request.

        Returns as soon as all have answered, or at the deadline with those that have.
        Errors: LinkLost.
        """
        plan = self._plan(servos, address, length, fast=False)
        self._send(plan.frame, deadline, length)
        return self._tallied(self._line.collect(servos, length, deadline, plan.expected))

    def fast_sync_read(
        self, servos: Sequence[int], address: int, length: int, deadline: Deadline
    ) -> SyncRead:
        """As `sync_read`, answered by all motors in one packet.

        What stands before a break in it is kept. Errors: LinkLost.
        """
        plan = self._plan(servos, address, length, fast=True)
        self._send(plan.frame, deadline, length)
        self._counted.fast_reads += 1
        decoder = FastDecoder([(servo, length) for servo in servos])
        answer = self._line.collect(servos, length, deadline, plan.expected, decoder)
        self._crc_errors += decoder.crc_errors
        self._line.counters.wrong_id += decoder.wrong_id
        self._line.frames.resync_bytes += decoder.resync_bytes
        self._counted.broken_fast_reads += bool(answer.lost)
        return self._tallied(answer)

    def read_all(
        self, servos: Sequence[int], address: int, length: int, deadline: Deadline
    ) -> SyncRead:
        """A fast read where that is allowed and nobody was missing last time, else a plain one.

        Errors: LinkLost.
        """
        self._counted.plain_instead += self.fast and self._gaps
        fast = self.fast and not self._gaps
        reader = self.fast_sync_read if fast else self.sync_read
        answer = reader(servos, address, length, deadline)
        self._gaps = bool(answer.lost)
        return answer

    def sync_write(self, address: int, values: Mapping[int, bytes], deadline: Deadline) -> None:
        """Write values of one length to several motors in one packet; nobody acknowledges.

        Errors: HarnessError for values of different lengths, DeadlineMissed, LinkLost.
        """
        self._send(encode(ins.sync_write(address, values)), deadline)

    def read_bytes(self, servos: int, length: int) -> int:
        """Bytes on the wire of `read_all`, both ways, when every motor answers. Bytes that are
        stuffed come on top."""
        request = OVERHEAD + 4 + servos
        if self.fast and not self._gaps:
            return request + _FAST_OVERHEAD + servos * (_FAST_BLOCK + length)
        return request + servos * (_STATUS_OVERHEAD + length)

    def write_bytes(self, servos: int, length: int) -> int:
        """Bytes on the wire of `sync_write`."""
        return OVERHEAD + 4 + servos * (1 + length)

    def longest_pause_ns(self) -> int:
        """Longest time that no motor heard anything since the last call, ns."""
        pause_ns = max(self._longest_pause_ns, self._clock.now_ns() - self._last_request_ns)
        self._longest_pause_ns = 0
        return pause_ns

    def counters(self) -> BusCounters:
        """Live counters of the bus."""
        return self._line.counters

    def faults(self) -> Mapping[str, int]:
        """Counters by name since the bus was made; no input or output."""
        counted, frames = self._line.counters, self._line.frames
        return {
            "requests": counted.requests,
            "crc_errors": frames.checksum_errors + self._crc_errors,
            "resync_bytes": frames.resync_bytes,
            "late_answers": counted.late_answers,
            "stale_bytes": counted.stale_bytes,
            "wrong_id": counted.wrong_id,
            "wrong_length": counted.wrong_length,
            **asdict(self._counted),
        }

    def lost(self, servo: int) -> int:
        """How many requests this motor has not answered."""
        return self._line.counters.lost_answers.get(servo, 0)

    def close(self) -> None:
        """Release the transport; never raises."""
        self._line.close()

    def _ask(self, request: Packet, length: int, deadline: Deadline) -> tuple[int, bytes]:
        servo = request.id
        self._send(encode(request), deadline)
        answer = self._tallied(self._line.collect([servo], length, deadline))
        if not answer.lost:
            return answer.errors.get(servo, 0), answer.payloads[servo]
        if servo in answer.errors:
            raise DeviceFault(
                f"servo {servo} on {self.description} refused instruction"
                f" {request.instruction:#04x}: {_named(answer.errors[servo])}"
            )
        raise DeadlineMissed(
            f"servo {servo} on {self.description} did not answer in time",
            "check its id, its cable, its supply and its status return level",
        )

    def _send(self, frame: bytes, deadline: Deadline, length: int | None = None) -> None:
        now_ns = self._clock.now_ns()
        if now_ns - self._last_request_ns > self._longest_pause_ns:
            self._longest_pause_ns = now_ns - self._last_request_ns
        self._last_request_ns = now_ns
        self._line.send(frame, deadline, length)

    def _plan(self, servos: Sequence[int], address: int, length: int, *, fast: bool) -> _Plan:
        """Request and usual answer of a read; those of a tick are always the same two."""
        key = (fast, address, length, tuple(servos))
        plan = self._plans.get(key)
        if plan is None:
            if len(self._plans) >= _PLANS_KEPT:
                self._plans.clear()
            frame = encode(ins.sync_read(servos, address, length, fast=fast))
            plan = self._plans[key] = _Plan(frame, _usual(servos, length, fast=fast))
        return plan

    def _tallied(self, answer: SyncRead) -> SyncRead:
        for error in answer.errors.values():
            self._counted.alerts += error >= ALERT
            self._counted.refusals += error & ~ALERT != 0
        return answer


def _usual(servos: Sequence[int], length: int, *, fast: bool) -> PlainAnswers | FastAnswers | None:
    """How the answers of a tick's read look; what is asked once is not worth the preparation."""
    if length > LONGEST:
        return None
    return FastAnswers(servos, length) if fast else PlainAnswers(servos, length)


def _named(error: int) -> str:
    number = error & ~ALERT
    known = {code.value: code.name.lower().replace("_", " ") for code in ErrorCode}
    return f"{known.get(number, f'error {number}')} error{' and an alert' if error & ALERT else ''}"
