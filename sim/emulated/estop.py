"""An emulated emergency stop box: a button with two contacts, and the controller behind it.

It does what `docs/estop-box.md` asks of a box. It looks at its contacts once a frame, so that a
press is up to 10 ms old when it is told. It does not listen, and cannot tell a client whose line
has another rate.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from drivers.estop.codec import BAUD, PERIOD_MS, Frame, encode
from hil.clock import NS_PER_MS
from hil.config import validate
from sim.twin.emulator import Hosted, Scalar
from sim.twin.pacing import Transmission

DISCREPANCY_MS = 500
"""How long the two contacts may differ."""

_PERIOD_NS = PERIOD_MS * NS_PER_MS
_CATCH_UP = 100
"""Frames that are sent late where the host was held up; older ones are lost."""


class EstopOptions(BaseModel):
    """Options of emulator `estop-box`: whether somebody has reset it since it was powered up."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    start: Literal["ready", "latched"] = "ready"


class EstopControl(BaseModel):
    """What can be done to the box.

    press, release: the button. reset: by hand. silence, speak: it sends nothing, or again.
    freeze, thaw: it sends the same frame over and over. stick, unstick: `channel`'s contact
    stays as `closed` says. corrupt: the next `count` frames have a wrong CRC. restart: power
    off and on.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    do: Literal[
        "press",
        "release",
        "reset",
        "silence",
        "speak",
        "freeze",
        "thaw",
        "stick",
        "unstick",
        "corrupt",
        "restart",
    ]
    channel: Literal["a", "b"] = "a"
    closed: bool = True
    count: int = Field(default=1, ge=0)


class Mechanism:
    """Button, contacts, latch and fault: what the frame's flags tell."""

    def __init__(self) -> None:
        self.pressed = False
        self.stuck: dict[str, bool] = {}
        self.power_up()

    def power_up(self) -> None:
        """A box comes up latched, and knows no fault yet."""
        self.latched = True
        self.fault = False
        self._differ_since_ns: int | None = None
        self._both_opened = True

    def closed(self, channel: str) -> bool:
        """Whether a contact is closed; both are while the button is not pressed."""
        return self.stuck.get(channel, not self.pressed)

    def sample(self, now_ns: int) -> tuple[bool, bool]:
        """Look at both contacts; a contact that opens latches."""
        a, b = self.closed("a"), self.closed("b")
        self.latched = self.latched or not (a and b)
        self._both_opened = self._both_opened or not (a or b)
        if a == b:
            self._differ_since_ns = None
        elif self._differ_since_ns is None:
            self._differ_since_ns = now_ns
        elif now_ns - self._differ_since_ns > DISCREPANCY_MS * NS_PER_MS and not self.fault:
            self.fault, self._both_opened = True, False
        return a, b

    def reset(self) -> None:
        """By hand: without effect while a contact is open, and after a fault until both have
        been seen to open, which shows that both can."""
        if self.closed("a") and self.closed("b") and (self._both_opened or not self.fault):
            self.latched = self.fault = False


class EstopBox:
    """The box on its line (`sim.twin.emulator.Emulator`)."""

    baud = BAUD

    def __init__(self, options: EstopOptions) -> None:
        self._mechanism = Mechanism()
        self._mechanism.latched = options.start == "latched"
        self._next_ns: int | None = None
        self._power_up()

    def receive(self, data: bytes, now_ns: int, line_baud: int) -> list[Transmission]:
        """A box does not listen."""
        return []

    def due_ns(self) -> int:
        """When the next frame leaves: at once at first, then on a grid of its own."""
        return self._next_ns or 0

    def wake(self, now_ns: int) -> list[Transmission]:
        """The frames that are due, each with the stamp of its own instant."""
        due_ns = now_ns if self._next_ns is None else self._next_ns
        late = (now_ns - due_ns) // _PERIOD_NS
        first_ns = due_ns + max(0, late - _CATCH_UP) * _PERIOD_NS
        sent = [
            Transmission(at_ns, BAUD, data)
            for at_ns in range(first_ns, now_ns + 1, _PERIOD_NS)
            if (data := self._frame(at_ns))
        ]
        self._next_ns = due_ns + (late + 1) * _PERIOD_NS
        return sent

    def status(self) -> Mapping[str, Scalar]:
        mechanism = self._mechanism
        return {
            "button_pressed": mechanism.pressed,
            "latched": mechanism.latched,
            "fault": mechanism.fault,
            "silent": self._silent,
            "frozen": self._frozen,
            "frames": self._frames,
        }

    def control(self, args: Mapping[str, object]) -> None:
        """As `EstopControl` says. Errors: BadInput."""
        asked = validate(dict(args), EstopControl, "control of the emergency stop box")
        mechanism = self._mechanism
        match asked.do:
            case "press" | "release":
                mechanism.pressed = asked.do == "press"
            case "reset":
                mechanism.reset()
            case "silence" | "speak":
                self._silent = asked.do == "silence"
            case "freeze" | "thaw":
                self._frozen = asked.do == "freeze"
            case "stick":
                mechanism.stuck[asked.channel] = asked.closed
            case "unstick":
                mechanism.stuck.pop(asked.channel, None)
            case "corrupt":
                self._spoil = asked.count
            case "restart":
                mechanism.power_up()
                self._power_up()

    def _power_up(self) -> None:
        self._sequence = 0
        self._started_ns: int | None = None
        self._silent = False
        self._frozen = False
        self._last = b""
        self._spoil = 0
        self._frames = 0

    def _frame(self, at_ns: int) -> bytes:
        """What leaves at `at_ns`; empty while it is silent. The box itself goes on meanwhile."""
        self._started_ns = at_ns if self._started_ns is None else self._started_ns
        a_closed, b_closed = self._mechanism.sample(at_ns)
        uptime_ms = (at_ns - self._started_ns) // NS_PER_MS % 65536
        frame = Frame(
            a_closed,
            b_closed,
            self._mechanism.latched,
            self._mechanism.fault,
            self._sequence,
            uptime_ms,
        )
        self._sequence = (self._sequence + 1) % 256
        if self._silent:
            return b""
        self._frames += 1
        if not (self._frozen and self._last):
            self._last = encode(frame)
        data = self._last
        if self._spoil:
            self._spoil -= 1
            return data[:-1] + bytes((data[-1] ^ 0xFF,))
        return data


EMULATOR = Hosted(EstopOptions, EstopBox)
