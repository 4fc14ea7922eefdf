"""A six-axis force and torque sensor of Bota Systems that streams (`hil.contracts.Sensor`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from pydantic import BaseModel, ConfigDict, Field

from drivers.bota import codec
from drivers.bota.codec import AnswerDecoder, Decoder
from drivers.bota.stream import Newest
from drivers.transport.base import Transport
from drivers.transport.link import open_link
from drivers.transport.options import need_port
from hil.clock import NS_PER_MS, NS_PER_S, Clock, Deadline
from hil.config import device_parameters
from hil.contracts import (
    BenchContext,
    Capability,
    DeviceSpec,
    Finding,
    Identity,
    SafeProof,
    Scalar,
    SensorFacts,
    SensorSample,
)
from hil.errors import DeadlineMissed, DeviceFault, HarnessError, LinkLost
from hil.failure import on_failure

LABELS = ("fx", "fy", "fz", "tx", "ty", "tz")
UNIT = "N N N N·m N·m N·m"

_ANSWER_NS = NS_PER_S
_FRAME_NS = 200 * NS_PER_MS
_MOST_READS = 16
_CABLE = "check its cable, its supply, and that nobody else reads from it"


class BotaParameters(BaseModel):
    """`parameters` of driver `bota-ft`.

    `filter_length` is that of the sensor's sinc filter: it gives 51200 / `filter_length` samples
    a second, the more of them the noisier. `fir` switches its FIR filter on, which smooths and
    comes later.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    filter_length: int = Field(64, ge=codec.SHORTEST, le=codec.LONGEST)
    fir: bool = False


@dataclass(frozen=True, slots=True)
class _Session:
    """What exists only between open and close."""

    line: Transport
    decoder: Decoder
    newest: Newest


class BotaSensor:
    """Forces and torques in the sensor's own frame, weight of what hangs on it included."""

    capabilities = frozenset({Capability.FORCE_TORQUE})

    def __init__(self, spec: DeviceSpec, parameters: BotaParameters, clock: Clock) -> None:
        self.role = spec.role
        self._spec, self._parameters, self._clock = spec, parameters, clock
        self._at_once = Deadline(clock, 0)
        self._session: _Session | None = None

    @property
    def facts(self) -> SensorFacts:
        rate_hz = codec.CLOCK_HZ / self._parameters.filter_length
        return SensorFacts(Capability.FORCE_TORQUE, LABELS, UNIT, rate_hz)

    def open(self, deadline: Deadline) -> None:
        """Take the port, set the sensor up, and hear one frame.

        Errors: those of `open_link`; DeadlineMissed (silent), DeviceFault (refuses a command).
        """
        if self._session is not None:
            raise HarnessError(f"{self.role} is open already")
        line = open_link(self._spec, codec.BAUD, self._clock)
        with on_failure(line.close):
            self._set_up(line, deadline)
            session = _Session(line, Decoder(), Newest())
            self._hear(session, deadline)
        self._session = session

    def identity(self, deadline: Deadline) -> Identity:
        """How it is set up: it tells its name and number at power-up only."""
        session = self._opened()
        detail: dict[str, Scalar] = {
            "port": session.line.description,
            "rate_hz": self.facts.rate_hz,
            "filter_length": self._parameters.filter_length,
            "fir": self._parameters.fir,
        }
        return Identity("Bota Systems force and torque sensor", detail=detail)

    def health(self, deadline: Deadline) -> Sequence[Finding]:
        session = self._opened()
        try:
            self._hear(session, deadline)
        except (DeadlineMissed, LinkLost) as error:
            return [Finding("stream", False, error.message, error.remedy or _CABLE)]
        frame = session.newest.frame
        status = 0 if frame is None else frame.status
        return [
            Finding("stream", True, f"{self.facts.rate_hz:.0f} frames a second asked"),
            _clear(status, codec.INVALID, "measurement", "have it checked: it may be damaged"),
            _clear(status, codec.OVERRANGE, "range", "take the load off"),
            _clear(status, codec.RAW, "calibration", "open it again, which switches it on"),
            _clear(status, codec.SKIPPING, "filter", "raise filter_length"),
        ]

    def ping(self, deadline: Deadline) -> None:
        """Hear one frame more. Errors: DeadlineMissed, LinkLost."""
        self._hear(self._opened(), deadline)

    def counters(self) -> Mapping[str, int]:
        session = self._session
        if session is None:
            return {}
        return {**asdict(session.decoder.counters), **asdict(session.newest.counters)}

    def sample(self, deadline: Deadline) -> SensorSample:
        """The newest values there are; reads what has come and waits for nothing.

        An age counts from when the frame was read, and more where it has waited to be. Values
        beyond the sensor's range are those at its end, and counted. Errors: LinkLost.
        """
        session = self._opened()
        for _ in range(_MOST_READS):
            if not self._look(session, self._at_once):
                break
        return session.newest.sample(self._clock.now_ns())

    def make_safe(self, deadline: Deadline) -> SafeProof:
        """It drives nothing: it is safe while it can be heard."""
        started_ns = self._clock.now_ns()
        readings: dict[str, Scalar] = {}
        try:
            session = self._opened()
            self._hear(session, deadline.sooner(_FRAME_NS))
        except (DeadlineMissed, LinkLost, HarnessError) as error:
            readings["error"] = error.message
        else:
            values = session.newest.sample(self._clock.now_ns()).value.tolist()
            readings.update(zip(LABELS, values, strict=True))
        heard = "error" not in readings
        state = "measures only, drives nothing" if heard else "unknown"
        return SafeProof(self.role, heard, state, readings, started_ns, self._clock.now_ns())

    def close(self) -> None:
        if self._session is not None:
            self._session.line.close()
            self._session = None

    def _set_up(self, line: Transport, deadline: Deadline) -> None:
        wanted = self._parameters
        filtering = codec.filtering(wanted.filter_length, fir=wanted.fir)
        for command in (codec.CONFIGURE, codec.communication(), filtering, codec.RUN):
            self._tell(line, command, deadline.sooner(_ANSWER_NS))

    def _tell(self, line: Transport, command: bytes, deadline: Deadline) -> None:
        """One command, and its answer. Errors: as `open`."""
        name = command[:1].decode("ascii")
        line.write(command, deadline)
        answers = AnswerDecoder()
        while not deadline.expired:
            for answer in answers.feed(line.read(deadline)):
                if answer.command != name:
                    continue  # of a command before, which somebody did not wait for
                if answer.code:
                    raise DeviceFault(
                        f"{self.role}: the sensor refuses {command.decode('ascii')!r}"
                        f" with code {answer.code}",
                        "switch it off and on, and try again",
                    )
                return
        raise DeadlineMissed(f"{self.role}: no answer to {command.decode('ascii')!r}", _CABLE)

    def _hear(self, session: _Session, deadline: Deadline) -> None:
        """Wait for a new frame. Errors: DeadlineMissed, LinkLost."""
        soon = deadline.sooner(_FRAME_NS)
        before = session.newest.heard
        while session.newest.heard == before:
            if soon.expired:
                raise DeadlineMissed(
                    f"{self.role}: no frame of a force sensor on {session.line.description}", _CABLE
                )
            self._look(session, soon)

    def _look(self, session: _Session, deadline: Deadline) -> bool:
        """Take what comes first by the deadline; whether anything came."""
        data = session.line.read(deadline)
        session.newest.take(session.decoder.feed(data), self._clock.now_ns())
        return bool(data)

    def _opened(self) -> _Session:
        if self._session is None:
            raise HarnessError(f"{self.role} is not open")
        return self._session


def build(spec: DeviceSpec, context: BenchContext) -> BotaSensor:
    """Factory of driver `bota-ft`; touches no port. Errors: BadInput."""
    parameters = device_parameters(spec, BotaParameters)
    need_port(spec)
    return BotaSensor(spec, parameters, context.clock)


def _clear(status: int, bit: int, name: str, remedy: str) -> Finding:
    """A finding about one bit of the status."""
    if status & bit:
        return Finding(name, False, "the sensor reports it", remedy)
    return Finding(name, True, "in order")
