"""One Modbus RTU line: questions out, answers in, each within its deadline.

The protocol has no sequence numbers: of two equal questions, the late answer to the first
cannot be told from the answer to the second. So a question that was not answered keeps the line
for as long again as an answer may take, and what comes in that time is dropped and counted. A
device that is later than that can still mislead; drivers that read in a loop vary the question.
"""

from __future__ import annotations

from dataclasses import dataclass

from drivers.modbus.codec import (
    answer_of,
    answer_size,
    echo_of,
    encode,
    function_of,
    request_frame,
)
from drivers.modbus.framing import AnswerDecoder
from drivers.modbus.line import BusCounters, ModbusRefusal, Timing
from drivers.modbus.messages import (
    EXCEPTION,
    MAX_FRAME,
    Answer,
    ExceptionCode,
    Frame,
    Refused,
    Registers,
    Request,
    exception_name,
)
from drivers.transport.base import Transport
from hil.clock import Clock, Deadline
from hil.errors import DeadlineMissed, HarnessError

_FLOOD_BYTES = MAX_FRAME
"""More noise than this while one answer is awaited is called a flood."""


@dataclass(slots=True)
class _Wait:
    """What came while one answer was awaited."""

    unit: int
    request: Request
    damaged_before: int
    noise_before: int
    came: str = ""  # in place of the answer, the last of it


class ModbusBus:
    """Master of one line. Owns the transport; not for use from two threads."""

    def __init__(self, transport: Transport, clock: Clock, timing: Timing) -> None:
        self._transport = transport
        self._clock = clock
        self.timing = timing
        self._decoder = AnswerDecoder()
        self._counters = BusCounters()
        self._free_ns = clock.now_ns()
        self._straggler: tuple[int, int] | None = None  # unit and function of a lost answer

    @property
    def description(self) -> str:
        """Where the bus is connected."""
        return self._transport.description

    def ask(
        self,
        unit: int,
        request: Request,
        deadline: Deadline,
        *,
        attempts: int = 1,
        urgent: bool = False,
    ) -> Answer:
        """Ask one unit and wait for its answer, at most as long as the line's times allow.

        Args:
            attempts: how often to ask, within the one deadline, where no good answer comes or
                the unit is busy. Every request of this protocol may be repeated.
            urgent: wait no longer than one gap before sending, even where the line is not
                silent or a late answer may still come; for what makes safe.

        Returns an answer that fits the request, never `Refused`. Errors: DeadlineMissed saying
        what came in place of the answer, ModbusRefusal (a DeviceFault) naming the exception,
        LinkLost, HarnessError for a request that the protocol does not allow.
        """
        frame = request_frame(unit, request)
        for left in reversed(range(attempts)):
            try:
                return self._ask_once(frame, request, deadline, urgent)
            except DeadlineMissed:
                if not left or deadline.expired:
                    raise
            except ModbusRefusal as error:
                if not left or deadline.expired or error.code != ExceptionCode.BUSY:
                    raise
            self._counters.retries += 1
        raise HarnessError(f"{attempts} attempts at a request")

    def registers(
        self, unit: int, request: Request, deadline: Deadline, *, attempts: int = 1
    ) -> tuple[int, ...]:
        """As `ask`, for requests that are answered with registers: their unsigned values."""
        answer = self.ask(unit, request, deadline, attempts=attempts)
        if not isinstance(answer, Registers):
            raise HarnessError(f"{request} is not answered with registers")
        return answer.values

    def counters(self) -> dict[str, int]:
        """Counters of bus and decoder by name; exceptions as "exceptions.NAME"."""
        counted = self._counters
        plain = {name: getattr(counted, name) for name in counted.__slots__ if name != "exceptions"}
        return {
            **plain,
            "damaged_answers": self._decoder.damaged,
            "noise_bytes": self._decoder.noise_bytes,
            **{f"exceptions.{name}": count for name, count in counted.exceptions.items()},
        }

    def close(self) -> None:
        """Release the transport; never raises."""
        self._transport.close()

    def _ask_once(self, frame: Frame, request: Request, deadline: Deadline, urgent: bool) -> Answer:
        self._await_silence(frame.unit, deadline, urgent)
        data = encode(frame)
        wait = _Wait(frame.unit, request, self._decoder.damaged, self._decoder.noise_bytes)
        self._decoder.expect(frame.unit, request)
        self._counters.requests += 1
        self._straggler = (frame.unit, function_of(request))
        self._transport.write(data, deadline)
        sent_ns = self._clock.now_ns() + self.timing.wire_ns(len(data))
        answered_ns = sent_ns + self.timing.wire_ns(answer_size(request)) + self.timing.answer_ns
        until = Deadline(self._clock, min(deadline.at_ns, answered_ns))
        answer = self._await_answer(wait, until)
        now_ns = self._clock.now_ns()
        if answer is None:
            self._free_ns = now_ns + self.timing.gap_ns
            if not self._damaged(wait):
                self._free_ns = max(self._free_ns, answered_ns + self.timing.answer_ns)
            raise self._lost(wait)
        self._straggler = None
        self._free_ns = now_ns + self.timing.gap_ns
        if isinstance(answer, Refused):
            raise self._refused(wait, answer.code)
        return answer

    def _await_silence(self, unit: int, deadline: Deadline, urgent: bool) -> None:
        """Wait for the gap before a request, dropping what still comes.

        Costs nothing but one look where the gap has passed anyway. Who is in a hurry waits no
        longer than one gap, whatever the line does. Errors: DeadlineMissed where the line does
        not fall silent in time, LinkLost.
        """
        patience_ns = self._clock.now_ns() + self.timing.gap_ns if urgent else deadline.at_ns
        while True:
            until = Deadline(self._clock, min(self._free_ns, patience_ns))
            data = self._transport.read(until)
            if data:
                self._take_stale(data)
            now_ns = self._clock.now_ns()
            if (not data and now_ns >= self._free_ns) or (urgent and now_ns >= patience_ns):
                break
            if now_ns >= patience_ns:
                raise DeadlineMissed(
                    f"{self.description}: not silent in time to ask unit {unit}",
                    "look for a device that sends by itself, a second master, or a slow answer",
                )
        self._finish_stale()

    def _take_stale(self, data: bytes) -> None:
        self._counters.stale_bytes += len(data)
        self._decoder.forget()
        self._decoder.feed(data)
        gap_ends_ns = self._clock.now_ns() + self.timing.gap_ns
        if self._count_late():
            self._free_ns = gap_ends_ns  # the straggler has come, nobody else is waited for
        else:
            self._free_ns = max(self._free_ns, gap_ends_ns)

    def _finish_stale(self) -> None:
        self._decoder.finish()
        self._count_late()
        self._straggler = None

    def _count_late(self) -> bool:
        """Count frames that nobody awaits; whether the one that was lost is among them."""
        strays = self._decoder.take_strays()
        self._counters.late_answers += len(strays)
        heads = {(stray.unit, stray.function & ~EXCEPTION) for stray in strays}
        return self._straggler in heads

    def _await_answer(self, wait: _Wait, until: Deadline) -> Answer | None:
        while True:
            data = self._transport.read(until)
            frame = self._decoder.feed(data)
            self._note_strays(wait)
            if frame is None and (not data or until.expired):
                frame = self._give_up(wait)
            elif frame is None:
                if self._damaged(wait):  # it has come, and nothing more is to be expected
                    until = until.sooner(self.timing.gap_ns)
                continue
            return None if frame is None else answer_of(wait.request, frame)

    def _damaged(self, wait: _Wait) -> bool:
        return self._decoder.damaged > wait.damaged_before

    def _give_up(self, wait: _Wait) -> Frame | None:
        """Look at what is left unfinished; the answer may stand behind a false start."""
        unfinished = self._decoder.pending
        frame = self._decoder.finish()
        self._note_strays(wait)
        if frame is None and unfinished:
            self._counters.broken_answers += 1
            whole = answer_size(wait.request)
            wait.came = f"its answer broke off after {unfinished} of {whole} bytes"
        return frame

    def _note_strays(self, wait: _Wait) -> None:
        for stray in self._decoder.take_strays():
            if stray.unit != wait.unit:
                self._counters.wrong_unit += 1
                wait.came = f"unit {stray.unit} answered in its place"
            elif stray.function & ~EXCEPTION != function_of(wait.request):
                self._counters.wrong_function += 1
                wait.came = f"it answered function {stray.function & ~EXCEPTION}"
            elif echo_of(wait.request):
                self._counters.wrong_echo += 1
                wait.came = "it acknowledged something else"
            else:
                self._counters.wrong_length += 1
                wait.came = "it answered with another length"

    def _lost(self, wait: _Wait) -> DeadlineMissed:
        self._counters.lost_answers += 1
        noise = self._decoder.noise_bytes - wait.noise_before
        if self._damaged(wait):
            came, remedy = "its answer came damaged (CRC)", "check cable, termination and earth"
        elif wait.came:
            came, remedy = wait.came, "check cable and adapter, and that every unit has its own id"
        elif noise > _FLOOD_BYTES:
            came = f"{noise} bytes flooded the line in its place"
            remedy = "look for a device that sends by itself"
        elif noise:
            came = f"{noise} bytes came that are no answer"
            remedy = "check baud rate, parity and stop bits, and the cable"
        else:
            came = "it kept silent"
            remedy = "check its id and baud rate, its cable and its supply"
        return DeadlineMissed(
            f"unit {wait.unit} on {self.description} did not answer function"
            f" {function_of(wait.request)} in time: {came}",
            remedy,
        )

    def _refused(self, wait: _Wait, code: int) -> ModbusRefusal:
        name = exception_name(code)
        self._counters.exceptions[name] = self._counters.exceptions.get(name, 0) + 1
        return ModbusRefusal(
            f"unit {wait.unit} on {self.description} refuses function"
            f" {function_of(wait.request)}: {name} (exception {code})",
            code,
        )
