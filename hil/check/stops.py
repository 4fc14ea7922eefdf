"""Emergency stops: what they say now, and whether pressing them is seen."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from hil.check.model import About, Part, Result
from hil.check.person import Person, await_until
from hil.clock import NS_PER_MS, NS_PER_S, Clock, Deadline
from hil.contracts import EmergencyStop, TellsCause

_WITHIN_NS = 5 * NS_PER_MS
_PATIENCE_S = 30.0
_RELEASE = "release the button, and reset it by hand; if it is silent, check its cable"
_DEAD = "check its contacts and its cable: a run would not be stopped by it"


def check_stop(
    button: EmergencyStop,
    person: Person | None,
    wanted: bool,
    clock: Clock,
    stop: Callable[[], bool],
) -> Iterator[Result]:
    """What an open emergency stop says, and, where that is `wanted` and a person is there, that
    it is seen to be pressed and released. Errors: LinkLost, DeadlineMissed."""
    about = About(Part.STOP, button.role)
    if button.pressed(Deadline.after(clock, _WITHIN_NS)):
        yield about.bad("state", _cause(button), _RELEASE, {"pressed": True})
        return
    yield about.ok("state", "released", {"pressed": False})
    if not wanted:
        yield about.note("tried", "not tried: with --stop you are asked to press it")
    elif person is None or not person.present:
        yield about.note("tried", "not tried: nobody is at a terminal to press it")
    else:
        yield _tried(about, button, person, clock, stop)


def _tried(
    about: About,
    button: EmergencyStop,
    person: Person,
    clock: Clock,
    stop: Callable[[], bool],
) -> Result:
    def pressed() -> bool:
        return button.pressed(Deadline.after(clock, _WITHIN_NS))

    person.say(f"press the emergency stop {button.role!r} now (within {_PATIENCE_S:g} s)")
    began_ns = clock.now_ns()
    if not await_until(pressed, clock, _PATIENCE_S, stop):
        if stop():
            return about.skipped("tried", "the check was asked to end")
        return about.bad("tried", f"not seen to be pressed within {_PATIENCE_S:g} s", _DEAD)
    seen = f"seen after {(clock.now_ns() - began_ns) / NS_PER_S:.1f} s: {_cause(button)}"
    person.say("seen; release it, and reset it by hand")
    if not await_until(lambda: not pressed(), clock, _PATIENCE_S, stop):
        detail = f"{seen}; not released within {_PATIENCE_S:g} s"
        return about.bad("tried", detail, _RELEASE)
    return about.ok("tried", f"{seen}, and released again")


def _cause(button: EmergencyStop) -> str:
    """Why it is pressed, in its own words where it has some."""
    return (button.cause if isinstance(button, TellsCause) else "") or "pressed"
