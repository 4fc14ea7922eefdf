"""A USB relay board (`hil.contracts.Switches`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict

from pydantic import BaseModel, ConfigDict, Field

from drivers.relay.codec import Board, Model, board
from drivers.textline import TextLine
from drivers.transport.link import open_link
from drivers.transport.options import need_port
from hil.clock import NS_PER_MS, Clock, Deadline
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
from hil.errors import BadInput, DeadlineMissed, DeviceFault, HarnessError, LinkLost
from hil.failure import on_failure

_TRAIL_NS = 40 * NS_PER_MS


class Relay(BaseModel):
    """One relay: its channel on the board, from 0, and whether it is on in the safe state."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    channel: int = Field(ge=0, le=31)
    safe_on: bool = False


class RelayParameters(BaseModel):
    """`parameters` of driver `usb-relay`: the family of the board, and its relays by name."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    model: Model
    baud: int = Field(9600, gt=0)
    relays: dict[str, Relay] = Field(min_length=1)


class RelayBoard:
    """Relays by name. Every switch is read back."""

    capabilities = frozenset({Capability.SWITCHES})

    def __init__(self, spec: DeviceSpec, parameters: RelayParameters, clock: Clock) -> None:
        self.role = spec.role
        self._spec, self._parameters, self._clock = spec, parameters, clock
        self._board: Board = board(parameters.model)
        self._line: TextLine | None = None
        self._refused = 0

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._parameters.relays)

    def open(self, deadline: Deadline) -> None:
        """Take the port and read every relay; none is switched."""
        if self._line is not None:
            raise HarnessError(f"{self.role} is open already")
        transport = open_link(self._spec, self._parameters.baud, self._clock)
        self._line = TextLine(transport, self._clock, self._board.end)
        with on_failure(self.close):
            self.states(deadline)

    def identity(self, deadline: Deadline) -> Identity:
        """The family of the board; boards have no identity of their own to tell."""
        self.ping(deadline)
        port = self._opened().description
        return Identity(f"{self._parameters.model} relay board", detail={"port": port})

    def health(self, deadline: Deadline) -> Sequence[Finding]:
        try:
            states = self.states(deadline)
        except (DeadlineMissed, LinkLost) as error:
            return [Finding("link", False, error.message, error.remedy or "check its cable")]
        told = ", ".join(f"{name} {'on' if on else 'off'}" for name, on in states.items())
        return [Finding("relays", True, told)]

    def ping(self, deadline: Deadline) -> None:
        self._read(next(iter(self._parameters.relays.values())).channel, deadline)

    def counters(self) -> Mapping[str, int]:
        line = asdict(self._line.counters) if self._line is not None else {}
        return {"refused": self._refused, **line}

    def switch(self, name: str, on: bool, deadline: Deadline) -> bool:
        relay = self._parameters.relays.get(name)
        if relay is None:
            raise BadInput(
                f"{self.role} has no relay {name!r}", f"its relays are {', '.join(self.names)}"
            )
        self._opened().send(self._board.switch(relay.channel, on), deadline)
        state = self._read(relay.channel, deadline)
        if state is not on:
            self._refused += 1
            raise DeviceFault(f"{self.role}: relay {name} did not switch {'on' if on else 'off'}")
        return state

    def states(self, deadline: Deadline) -> Mapping[str, bool]:
        return {
            name: self._read(relay.channel, deadline)
            for name, relay in self._parameters.relays.items()
        }

    def make_safe(self, deadline: Deadline) -> SafeProof:
        """Every relay to its safe position, read back."""
        started_ns = self._clock.now_ns()
        readings: dict[str, Scalar] = {}
        wrong = []
        for name, relay in self._parameters.relays.items():
            try:
                readings[name] = self.switch(name, relay.safe_on, deadline)
            except (DeadlineMissed, LinkLost, DeviceFault) as error:
                readings[name] = error.message
                wrong.append(name)
        state = f"not proved: {', '.join(wrong)}" if wrong else "every relay in its safe position"
        ended_ns = self._clock.now_ns()
        return SafeProof(self.role, not wrong, state, readings, started_ns, ended_ns)

    def close(self) -> None:
        if self._line is not None:
            self._line.close()
            self._line = None

    def _read(self, channel: int, deadline: Deadline) -> bool:
        """State of one channel."""
        line = self._opened()
        line.send(self._board.ask(channel), deadline)
        state = line.find(lambda text: self._board.state(text, channel), deadline)
        if self._board.trails and not line.settle(_TRAIL_NS, deadline):
            raise DeadlineMissed(f"{self.role} goes on talking")
        return state

    def _opened(self) -> TextLine:
        if self._line is None:
            raise LinkLost(f"{self.role} is not open")
        return self._line


def build(spec: DeviceSpec, context: BenchContext) -> RelayBoard:
    """Factory of driver `usb-relay`. Errors: BadInput."""
    need_port(spec)
    return RelayBoard(spec, device_parameters(spec, RelayParameters), context.clock)
