"""The person in front of the check: told things, given time to step back, asked to press."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from hil.clock import NS_PER_MS, NS_PER_S, Clock

_LOOK_NS = 20 * NS_PER_MS


@dataclass(frozen=True, slots=True)
class Person:
    """How to speak to whoever started the check; `hurry` leaves out the countdown, `present` is
    whether somebody is at a terminal who can be asked to do something."""

    say: Callable[[str], None]
    hurry: bool = False
    present: bool = True

    def warn(self, text: str, seconds: int, clock: Clock, stop: Callable[[], bool]) -> bool:
        """Say what is about to happen and count down; False where the person asked to stop."""
        self.say(text)
        for left in range(0 if self.hurry else seconds, 0, -1):
            self.say(f"  in {left} s; Ctrl-C to leave it")
            await_until(lambda: False, clock, 1.0, stop)
            if stop():
                return False
        return not stop()


def await_until(
    true: Callable[[], bool], clock: Clock, seconds: float, stop: Callable[[], bool]
) -> bool:
    """Look every 20 ms until `true` is, for at most `seconds`; whether it was. A request to stop
    ends the wait."""
    until_ns = clock.now_ns() + round(seconds * NS_PER_S)
    while clock.now_ns() < until_ns and not stop():
        if true():
            return True
        clock.sleep_until(min(clock.now_ns() + _LOOK_NS, until_ns))
    return False
