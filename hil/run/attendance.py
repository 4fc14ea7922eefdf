"""What happens between two ticks, wherever joints move: a sign of life, and whether to stop."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from hil.clock import NS_PER_MS, Clock, Deadline
from hil.contracts import EmergencyStop, TellsCause
from hil.errors import DeadlineMissed, LinkLost
from hil.loop.ticklog import TickLog
from hil.run.board import TickBoard
from hil.safety import StopRequest

_PRESSED_WITHIN_NS = 2 * NS_PER_MS


class Pulse(Protocol):
    """Where the sign of life goes; `hil.watchdog.heart.Heart` is one."""

    def beat(self) -> None: ...

    def expect(self, allowance_ns: int) -> None: ...


class NoPulse:
    """Nobody watches: a simulated rig, or one that a test holds in its own process."""

    def beat(self) -> None:
        """Nobody listens."""

    def expect(self, allowance_ns: int) -> None:
        """Nobody listens."""


@dataclass(frozen=True, slots=True)
class Watched:
    """How long silence may last before the watchdog steps in, in ns.

    `grace_ns` beyond the longest tick while ticks follow each other, `idle_ns` in all else
    (devices open, a scene is arranged, an attempt is handed over: nothing moves meanwhile).
    """

    pulse: Pulse
    grace_ns: int
    idle_ns: int


@dataclass(frozen=True, slots=True)
class Asked:
    """Somebody or something wants the run to end: why, and since when on the run's clock (None:
    since now). `void` where its conditions were not met, and not because somebody asked."""

    cause: str
    at_ns: int | None = None
    void: bool = False


class Attendance(StopRequest):
    """The stop request that loops look at between ticks; looking at it is the sign of life.

    A tick that does not end therefore falls silent, whatever holds it up. `cause`, `at_ns` and
    `void` are those of the first request, as `Asked` has them. Ticks are logged on `board`
    where there is one.
    """

    def __init__(
        self,
        asked: Callable[[], Asked | None],
        clock: Clock,
        watched: Watched | None = None,
    ) -> None:
        super().__init__()
        self._asked = asked
        self._clock = clock
        self.watched = watched or Watched(NoPulse(), 0, 0)
        self.board: TickBoard | None = None
        self._buttons: Sequence[EmergencyStop] = ()
        self.void = False
        self.at_ns: int | None = None

    def watch_buttons(self, buttons: Sequence[EmergencyStop]) -> None:
        """Look at these emergency stops too from now on; they must be open."""
        self._buttons = buttons

    def request(self, cause: str) -> None:
        """Ask the run to end at the next tick."""
        self.take(Asked(cause))

    def take(self, asked: Asked) -> None:
        """Ask the run to end at the next tick; the first one to ask is remembered."""
        if not self.cause:
            self.cause, self.void = asked.cause, asked.void
            self.at_ns = self._clock.now_ns() if asked.at_ns is None else asked.at_ns

    def __call__(self) -> bool:
        self.watched.pulse.beat()
        if not self.cause:
            asked = self._asked()
            if asked is not None:
                self.take(asked)
            self._look_at_buttons()
        return bool(self.cause)

    def allow(self, allowance_ns: int) -> None:
        """Say how long the next sign of life may take from now on; 0: nothing is at stake."""
        self.watched.pulse.expect(allowance_ns)

    def _look_at_buttons(self) -> None:
        for button in self._buttons:
            try:
                pressed = button.pressed(Deadline.after(self._clock, _PRESSED_WITHIN_NS))
            except (LinkLost, DeadlineMissed) as error:
                self.request(f"emergency stop {button.role} cannot be read: {error.message}")
            else:
                if pressed:
                    self.request(_why(button))


def _why(button: EmergencyStop) -> str:
    """The cause of an end that a button asks for, in its own words where it has some."""
    said = f": {button.cause}" if isinstance(button, TellsCause) else " pressed"
    return f"emergency stop {button.role}{said}"


def tick_log(stop: Callable[[], bool], capacity: int) -> TickLog:
    """Room for the ticks of a new attempt, on the board of an `Attendance` that has one."""
    board = stop.board if isinstance(stop, Attendance) else None
    return TickLog(capacity, None if board is None else board.rows(capacity))


@contextmanager
def ticking(stop: Callable[[], bool], tick_ns: int) -> Iterator[None]:
    """While inside, `stop` is looked at every `tick_ns` or sooner; when it is not, and the
    grace has passed too, the watchdog steps in. Without an `Attendance` nobody watches."""
    if not isinstance(stop, Attendance):
        yield
        return
    stop.allow(tick_ns + stop.watched.grace_ns)
    try:
        yield
    finally:
        stop.allow(stop.watched.idle_ns)
