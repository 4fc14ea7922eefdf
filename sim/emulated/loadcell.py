"""An emulated load cell amplifier: numbers as text, in a stream or on demand.

Noise is Gaussian, from a seed; the load is what `control` says, and steps at once.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from hil.clock import NS_PER_S
from hil.config import validate
from sim.emulated.textual import TextDevice
from sim.twin.emulator import Hosted, Scalar
from sim.twin.pacing import Transmission

_CATCH_UP = 20


class LoadCellOptions(BaseModel):
    """Options of emulator `load-cell`; `ask` makes it answer that line in place of a stream."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    baud: int = Field(115_200, gt=0)
    rate_hz: float = Field(80.0, gt=0, le=1000)
    ask: str | None = None
    channels: int = Field(1, ge=1, le=16)
    unit: str = ""
    load: tuple[float, ...] = ()
    noise: float = Field(0.0, ge=0)
    seed: int = 0


class _Load(BaseModel):
    model_config = ConfigDict(extra="forbid")
    load: tuple[float, ...] | None = None
    overload: bool = False


class LoadCell:
    """The amplifier (`sim.twin.emulator.Emulator`)."""

    def __init__(self, options: LoadCellOptions) -> None:
        self._options = options
        self._load = np.resize(options.load or (0.0,), options.channels).astype(float)
        self._overload = False
        self._rng = np.random.default_rng(options.seed)
        self._period_ns = round(NS_PER_S / options.rate_hz)
        self._next_ns: int | None = None
        self._text = TextDevice(options.baud, self._carry_out)

    @property
    def baud(self) -> int:
        return self._options.baud

    def receive(self, data: bytes, now_ns: int, line_baud: int) -> list[Transmission]:
        return self._text.receive(data, now_ns, line_baud)

    def due_ns(self) -> int | None:
        return None if self._options.ask is not None else self._next_ns or 0

    def wake(self, now_ns: int) -> list[Transmission]:
        """The lines of the stream that are due; after a long pause of the host only the last."""
        due_ns = now_ns if self._next_ns is None else self._next_ns
        late = (now_ns - due_ns) // self._period_ns
        first_ns = due_ns + max(0, late - _CATCH_UP) * self._period_ns
        self._next_ns = due_ns + (late + 1) * self._period_ns
        sent = [
            self._text.transmit(self._line(), at_ns)
            for at_ns in range(first_ns, now_ns + 1, self._period_ns)
        ]
        return [] if self._text.faults.silent else sent

    def status(self) -> Mapping[str, Scalar]:
        loads: dict[str, Scalar] = {f"load_{n}": float(x) for n, x in enumerate(self._load)}
        return {**self._text.status(), **loads}

    def control(self, args: Mapping[str, object]) -> None:
        """`load` (one a channel) and `overload`; everything else is a fault of the line."""
        asked = dict(args)
        own = {name: asked.pop(name) for name in ("load", "overload") if name in asked}
        wanted = validate(own, _Load, "control of load-cell")
        if wanted.load is not None:
            self._load = np.resize(wanted.load, self._options.channels).astype(float)
        self._overload = wanted.overload
        self._text.control(asked)

    def _carry_out(self, line: str) -> list[str]:
        return [self._line()] if line.strip() == self._options.ask else []

    def _line(self) -> str:
        if self._overload:
            return ",".join(["OL"] * self._options.channels)
        noisy = self._load + self._rng.normal(0, self._options.noise, self._options.channels)
        unit = f" {self._options.unit}" if self._options.unit else ""
        return ",".join(f"{value:.4f}{unit}" for value in noisy)


EMULATOR = Hosted(LoadCellOptions, LoadCell)
