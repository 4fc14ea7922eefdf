"""An emulated relay board of either family that `drivers.relay` speaks to."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict, Field

from drivers.relay.codec import Model
from hil.config import validate
from sim.emulated.textual import TextDevice
from sim.twin.emulator import Hosted, Scalar
from sim.twin.pacing import Transmission

_COMMAND_BYTES = 4


class RelayOptions(BaseModel):
    """Options of emulator `usb-relay`."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    model: Model = "numato"
    baud: int = Field(9600, gt=0)
    channels: int = Field(4, ge=1, le=16)


class _Stuck(BaseModel):
    model_config = ConfigDict(extra="forbid")
    stuck: set[int] = Field(default_factory=set)


class RelayBoard:
    """Relays that switch at once (`sim.twin.emulator.Emulator`).

    `control(stuck=[...])` names channels whose contacts no longer move; everything else is a
    fault of the line.
    """

    def __init__(self, options: RelayOptions) -> None:
        self._options = options
        self._on = [False] * options.channels
        self._stuck: set[int] = set()
        self._pending = bytearray()
        self._text = TextDevice(options.baud, self._carry_out)

    @property
    def baud(self) -> int:
        return self._options.baud

    def receive(self, data: bytes, now_ns: int, line_baud: int) -> list[Transmission]:
        if self._options.model == "numato":
            return self._text.receive(data, now_ns, line_baud)
        if line_baud != self.baud:
            return []
        self._pending += data
        answers = [self._text.transmit(line, now_ns) for line in self._binary()]
        return [] if self._text.faults.silent else answers

    def due_ns(self) -> int | None:
        return None

    def wake(self, now_ns: int) -> list[Transmission]:
        return []

    def status(self) -> Mapping[str, Scalar]:
        states: dict[str, Scalar] = {f"relay_{n}": on for n, on in enumerate(self._on)}
        return {**self._text.status(), **states}

    def control(self, args: Mapping[str, object]) -> None:
        asked = dict(args)
        stuck = {"stuck": asked.pop("stuck", [])}
        self._stuck = validate(stuck, _Stuck, "control of usb-relay").stuck
        self._text.control(asked)

    def _switch(self, channel: int, on: bool) -> None:
        if channel not in self._stuck:
            self._on[channel] = on

    def _carry_out(self, line: str) -> list[str]:
        """A command of the text family: the echo, and what it answers."""
        words = line.split()
        echo = [f">{line}"]
        if len(words) != 3 or words[0] != "relay":
            return echo
        channel = int(words[2], 36) if words[2].isalnum() and len(words[2]) == 1 else -1
        if not 0 <= channel < len(self._on):
            return echo
        if words[1] == "read":
            return [*echo, "on" if self._on[channel] else "off"]
        if words[1] in ("on", "off"):
            self._switch(channel, words[1] == "on")
        return echo

    def _binary(self) -> list[str]:
        """Commands of the four-byte family that have come whole; what is none is passed over."""
        answers: list[str] = []
        while self._pending:
            if self._pending[0] == 0xFF:
                answers += [f"CH{n + 1}: {'ON' if on else 'OFF'}" for n, on in enumerate(self._on)]
                del self._pending[0]
            elif self._pending[0] != 0xA0:
                del self._pending[0]
            elif len(self._pending) < _COMMAND_BYTES:
                break
            else:
                command = bytes(self._pending[:_COMMAND_BYTES])
                del self._pending[:_COMMAND_BYTES]
                channel = command[1] - 1
                right = sum(command[:3]) & 0xFF == command[3]
                if right and 0 <= channel < len(self._on) and command[2] in (0, 1):
                    self._switch(channel, bool(command[2]))
        return answers


EMULATOR = Hosted(RelayOptions, RelayBoard)
