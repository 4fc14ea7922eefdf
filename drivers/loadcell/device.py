"""A load cell amplifier or force gauge that sends text (`hil.contracts.Force`)."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from drivers.loadcell.codec import NEWTONS, parse_line
from drivers.textline import AsciiText, TextLine
from drivers.transport.link import open_link
from drivers.transport.options import need_port
from hil.clock import NS_PER_MS, NS_PER_S, Clock, Deadline
from hil.config import device_parameters
from hil.contracts import (
    NEVER,
    BenchContext,
    Capability,
    DeviceSpec,
    Finding,
    FloatArray,
    ForceSample,
    Identity,
    SafeProof,
    Scalar,
)
from hil.errors import DeadlineMissed, DeviceFault, HarnessError, LinkLost
from hil.failure import on_failure

_FIRST_NS = 2 * NS_PER_S
_TARE_LINES = 20


class LoadCellParameters(BaseModel):
    """`parameters` of driver `load-cell`.

    Each line of the device holds one value for each of `channels`, in this order, in `unit`
    unless the line itself names one. `ask` is sent for each value where the device does not
    send by itself. `scale` and `offset_n` make newtons of a raw amplifier's numbers:
    n = scale * value + offset_n. `rest_n` is how much a load may move while it is tared.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    baud: int = Field(115_200, gt=0)
    channels: tuple[str, ...] = Field(("force",), min_length=1)
    unit: str = "N"
    separator: str = Field(",", min_length=1)
    ask: AsciiText | None = None
    line_end: AsciiText = "\n"
    scale: float = 1.0
    offset_n: float = 0.0
    most_n: float = Field(gt=0, description="rated load; beyond 1.5 times it is a finding")
    rest_n: float = Field(0.5, gt=0)
    stale_ms: float = Field(200.0, gt=0)

    @model_validator(mode="after")
    def _known(self) -> LoadCellParameters:
        if self.unit not in NEWTONS:
            raise ValueError(f"unit {self.unit!r} is not known; known are {', '.join(NEWTONS)}")
        if len(set(self.channels)) != len(self.channels):
            raise ValueError("channels: a name stands there twice")
        return self


@dataclass(slots=True)
class _Newest:
    """The newest values in N, shape (n,), and when the host had them; NEVER before the first."""

    newtons: FloatArray
    stamp_ns: int = NEVER
    counters: dict[str, int] = field(
        default_factory=lambda: {"values": 0, "bad_lines": 0, "overloads": 0}
    )


class LoadCell:
    """One line of one or more channels. It drives nothing."""

    capabilities = frozenset({Capability.FORCE})

    def __init__(self, spec: DeviceSpec, parameters: LoadCellParameters, clock: Clock) -> None:
        self.role = spec.role
        self._spec, self._parameters, self._clock = spec, parameters, clock
        self._line: TextLine | None = None
        self._zero = np.zeros(len(parameters.channels))
        self._newest = _Newest(np.full(len(parameters.channels), np.nan))

    @property
    def names(self) -> tuple[str, ...]:
        return self._parameters.channels

    def open(self, deadline: Deadline) -> None:
        """Take the port and hear one value. Errors: those of `open_link`, DeadlineMissed."""
        if self._line is not None:
            raise HarnessError(f"{self.role} is open already")
        end = self._parameters.line_end.encode("ascii")
        self._newest = _Newest(np.full(len(self.names), np.nan))
        link = open_link(self._spec, self._parameters.baud, self._clock)
        self._line = TextLine(link, self._clock, end)
        with on_failure(self.close):
            self._next(deadline.sooner(_FIRST_NS))

    def identity(self, deadline: Deadline) -> Identity:
        """What the rig file says of it: such devices do not tell who they are."""
        detail: dict[str, Scalar] = {
            "port": self._opened().description,
            "channels": ", ".join(self.names),
            "scale": self._parameters.scale,
            "rated_n": self._parameters.most_n,
        }
        return Identity("load cell", detail=detail)

    def health(self, deadline: Deadline) -> Sequence[Finding]:
        try:
            newtons = self._next(deadline)
        except (DeadlineMissed, LinkLost) as error:
            return [Finding("stream", False, error.message, error.remedy or "check its cable")]
        most = 1.5 * self._parameters.most_n
        told = ", ".join(f"{n} {value:.2f} N" for n, value in zip(self.names, newtons, strict=True))
        over = not bool((np.abs(newtons) <= most).all())
        remedy = "take the load off; a cell that was overloaded has to be calibrated again"
        return [Finding("load", not over, told, remedy if over else "")]

    def ping(self, deadline: Deadline) -> None:
        """Hear one value more. Errors: DeadlineMissed, LinkLost."""
        self._next(deadline)

    def counters(self) -> Mapping[str, int]:
        line = asdict(self._line.counters) if self._line is not None else {}
        return {**self._newest.counters, **line}

    def read(self, deadline: Deadline) -> ForceSample:
        """The newest values; of a device that has to be asked, one question and its answer.

        An overload is absent. Values older than `stale_ms` are absent too, with their age. An
        age counts from when the driver took the line: a stream has to be read as often as it
        comes.
        """
        if self._parameters.ask is None:
            self._take(self._opened().pending())
        else:
            with contextlib.suppress(DeadlineMissed):  # what is known is old, and its age says so
                self._next(deadline)
        now_ns = self._clock.now_ns()
        newest = self._newest
        age_ns = NEVER if newest.stamp_ns == NEVER else now_ns - newest.stamp_ns
        stale = age_ns == NEVER or age_ns > self._parameters.stale_ms * NS_PER_MS
        values = np.full(len(self.names), np.nan) if stale else newest.newtons - self._zero
        return ForceSample(now_ns, values, np.full(len(self.names), age_ns, dtype=np.int64))

    def tare(self, deadline: Deadline) -> FloatArray:
        """The mean of twenty values becomes zero. Errors: DeviceFault where they differ by more
        than `rest_n`, DeadlineMissed, LinkLost."""
        taken = np.array([self._next(deadline) for _ in range(_TARE_LINES)])
        moved = float(np.ptp(taken, axis=0).max())
        if not moved <= self._parameters.rest_n:
            raise DeviceFault(
                f"{self.role}: the load is not at rest: it moved by {moved:.3g} N,"
                f" allowed are {self._parameters.rest_n:g} N",
                "take away what shakes it, or raise rest_n",
            )
        self._zero = taken.mean(axis=0)
        return self._zero.copy()

    def make_safe(self, deadline: Deadline) -> SafeProof:
        started_ns = self._clock.now_ns()
        readings: dict[str, Scalar]
        try:
            newtons = self._next(deadline.sooner(_FIRST_NS))
        except (DeadlineMissed, LinkLost) as error:
            readings = {"error": error.message}
        else:
            readings = dict(zip(self.names, newtons.tolist(), strict=True))
        safe = "error" not in readings
        state = "passive" if safe else "unknown"
        return SafeProof(self.role, safe, state, readings, started_ns, self._clock.now_ns())

    def close(self) -> None:
        if self._line is not None:
            self._line.close()
            self._line = None

    def _next(self, deadline: Deadline) -> FloatArray:
        """One value of every channel that comes from now on, N, before tare."""
        line = self._opened()
        if self._parameters.ask is None:
            self._take(line.pending())
        else:
            line.tell(self._parameters.ask, deadline)
        return line.find(self._accept, deadline)

    def _take(self, lines: Sequence[str]) -> None:
        for text in lines:
            self._accept(text)

    def _accept(self, text: str) -> FloatArray | None:
        wanted, newest = self._parameters, self._newest
        values = parse_line(text, len(self.names), wanted.unit, wanted.separator)
        if values is None:
            newest.counters["bad_lines"] += 1
            return None
        newtons = np.array(values) * wanted.scale + wanted.offset_n
        over = ~np.isfinite(newtons)
        newest.counters["overloads"] += int(over.any())
        newest.counters["values"] += 1
        newtons[over] = np.nan
        newest.newtons, newest.stamp_ns = newtons, self._clock.now_ns()
        return newtons

    def _opened(self) -> TextLine:
        if self._line is None:
            raise LinkLost(f"{self.role} is not open")
        return self._line


def build(spec: DeviceSpec, context: BenchContext) -> LoadCell:
    """Factory of driver `load-cell`. Errors: BadInput."""
    need_port(spec)
    return LoadCell(spec, device_parameters(spec, LoadCellParameters), context.clock)
