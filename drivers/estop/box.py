"""A button behind a microcontroller that streams its state (`hil.contracts.EmergencyStop`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from pydantic import BaseModel, ConfigDict, Field

from drivers.estop.codec import BAUD, PERIOD_MS, VERSION, Decoder
from drivers.estop.rules import Listener
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
)
from hil.errors import DeadlineMissed, DeviceFault, HarnessError, LinkLost
from hil.failure import on_failure

_FIRST_FRAME_NS = NS_PER_S
_LOST_SHARE = 0.01
_CABLE = "check its cable, and its supply; docs/estop-box.md says what it has to send"


class BoxParameters(BaseModel):
    """`parameters` of driver `estop-box`.

    `stale_ms` is the greatest age of the newest frame, of which one is sent every 10 ms, before
    silence counts as pressed.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    stale_ms: float = Field(default=50.0, ge=3 * PERIOD_MS, le=1000)


@dataclass(frozen=True, slots=True)
class _Session:
    """What exists only between open and close."""

    line: Transport
    decoder: Decoder
    listener: Listener


class EstopBox:
    """The button in one role. `cause` (`hil.contracts.TellsCause`) says why it is pressed."""

    capabilities = frozenset({Capability.EMERGENCY_STOP})

    def __init__(self, spec: DeviceSpec, parameters: BoxParameters, clock: Clock) -> None:
        self.role = spec.role
        self.cause = ""
        self._spec = spec
        self._clock = clock
        self._stale_ns = round(parameters.stale_ms * NS_PER_MS)
        self._at_once = Deadline(clock, 0)
        self._session: _Session | None = None

    def open(self, deadline: Deadline) -> None:
        """Take the port and hear one frame; a pressed button opens as well as any.

        Errors: those of `open_link`; DeadlineMissed where nothing is heard within 1 s,
        DeviceFault where it is another version of the protocol.
        """
        if self._session is not None:
            raise HarnessError(f"{self.role} is open already")
        line = open_link(self._spec, BAUD, self._clock)
        with on_failure(line.close):
            session = _Session(line, Decoder(), Listener(self._stale_ns))
            if not self._hear(session, deadline.sooner(_FIRST_FRAME_NS)):
                raise self._unheard(session)
        self._session = session

    def pressed(self, deadline: Deadline) -> bool:
        """Reads what is there and waits for nothing. Errors: LinkLost."""
        session = self._opened()
        self._look(session, self._at_once)
        self.cause = session.listener.cause(self._clock.now_ns())
        return bool(self.cause)

    def identity(self, deadline: Deadline) -> Identity:
        """What the newest frame tells of the box; it has no name and no serial number."""
        session = self._opened()
        newest = session.listener.newest
        detail: dict[str, Scalar] = {
            "port": session.line.description,
            "stale_ms": self._stale_ns / NS_PER_MS,
        }
        if newest is not None:
            detail["uptime_ms"] = newest.uptime_ms
        return Identity("emergency stop box", firmware=f"protocol {VERSION}", detail=detail)

    def health(self, deadline: Deadline) -> Sequence[Finding]:
        try:
            pressed = self.pressed(deadline)
        except LinkLost as error:
            return [Finding("link", False, error.message, error.remedy)]
        counts = self.counters()
        bad = counts["lost_frames"] + counts["crc_errors"]
        return [
            Finding(
                "button",
                not pressed,
                self.cause or "released",
                "release the button and reset it by hand; if it is silent, check its cable",
            ),
            Finding(
                "stream",
                bad <= _LOST_SHARE * max(counts["frames"], 1),
                f"{bad} of {counts['frames'] + bad} frames lost or spoiled",
                "check cable and ground of the box, and what else its host does",
            ),
        ]

    def ping(self, deadline: Deadline) -> None:
        """Hear one frame more. Errors: DeadlineMissed, LinkLost."""
        session = self._opened()
        if not self._hear(session, deadline):
            raise self._unheard(session)

    def counters(self) -> Mapping[str, int]:
        session = self._session
        if session is None:
            return {}
        return {**asdict(session.decoder.counters), **asdict(session.listener.counters)}

    def make_safe(self, deadline: Deadline) -> SafeProof:
        """A button energises nothing: it is safe when it can still be read, pressed or not.

        It has as long to be heard as it may be silent in a run, so that a dead one does not
        hold up those that are made safe after it. One that is not open, or whose link is lost,
        gives a proof that says so.
        """
        started_ns = self._clock.now_ns()
        try:
            state, readings = self._proved(deadline)
        except LinkLost as error:
            state, readings = "", {"error": error.message}
        ended_ns = self._clock.now_ns()
        return SafeProof(self.role, bool(state), state or "unknown", readings, started_ns, ended_ns)

    def close(self) -> None:
        if self._session is not None:
            self._session.line.close()
            self._session = None

    def _look(self, session: _Session, deadline: Deadline) -> None:
        """Take what there is, or what comes first by the deadline."""
        listener = session.listener
        paused = listener.paused(self._clock.now_ns())
        data = session.line.read(deadline)
        if paused:
            session.line.discard()  # as old as what was read, or younger by a part of the pause
        frames = session.decoder.feed(data) if data else ()
        listener.take(frames, self._clock.now_ns())

    def _hear(self, session: _Session, deadline: Deadline) -> bool:
        """Whether a new frame came by the deadline."""
        before = session.listener.heard
        while session.listener.heard == before:
            if deadline.expired:
                return False
            self._look(session, deadline)
        return True

    def _proved(self, deadline: Deadline) -> tuple[str, dict[str, Scalar]]:
        """State and newest frame where a new one comes in time; else no state, and why.

        Errors: LinkLost.
        """
        session = self._opened()
        self._look(session, self._at_once)
        heard = self._hear(session, deadline.sooner(self._stale_ns))
        state = session.listener.cause(self._clock.now_ns()) or "released"
        newest = session.listener.newest
        if heard and newest is not None:
            return state, dict(asdict(newest))
        return "", {"state": state}

    def _unheard(self, session: _Session) -> DeadlineMissed | DeviceFault:
        where = f"{self.role}: emergency stop box on {session.line.description}"
        counters = session.decoder.counters
        if counters.foreign_frames:
            return DeviceFault(
                f"{where} does not speak version {VERSION} of its protocol", "update its program"
            )
        if counters.noise_bytes:
            return DeadlineMissed(f"{where} sends what is no frame of it", _CABLE)
        return DeadlineMissed(f"{where} is silent", _CABLE)

    def _opened(self) -> _Session:
        if self._session is None:
            raise LinkLost(f"{self.role} is not open")
        return self._session


def build(spec: DeviceSpec, context: BenchContext) -> EstopBox:
    """Factory of driver `estop-box`. Errors: BadInput for parameters it does not have."""
    need_port(spec)
    return EstopBox(spec, device_parameters(spec, BoxParameters), context.clock)
