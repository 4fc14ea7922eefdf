"""What happens between two ticks: the sign of life, and the first reason to stop."""

from __future__ import annotations

from contextlib import closing

import numpy as np
import pytest
from fakes import FakeDevice

from hil.clock import Deadline, VirtualClock
from hil.contracts import Capability, EmergencyStop, TellsCause
from hil.errors import HarnessError
from hil.loop.ticklog import TickNote
from hil.record.format import TICK
from hil.run.attendance import Asked, Attendance, Watched, tick_log, ticking
from hil.run.board import TickBoard
from hil.run.messages import Go, Stop
from hil.run.worker import Inbox
from hil.safety import StopRequest
from hil.watchdog.line import Line, line_pair


class Pulse:
    def __init__(self) -> None:
        self.said: list[int | str] = []

    def beat(self) -> None:
        self.said.append("beat")

    def expect(self, allowance_ns: int) -> None:
        self.said.append(allowance_ns)


def test_every_look_is_a_sign_of_life_and_ticks_allow_less_silence() -> None:
    pulse = Pulse()
    stop = Attendance(lambda: None, VirtualClock(), Watched(pulse, grace_ns=100, idle_ns=9000))
    with ticking(stop, 20):
        assert not stop()
        assert not stop()
    with pytest.raises(ZeroDivisionError), ticking(stop, 30):
        raise ZeroDivisionError
    assert pulse.said == [120, "beat", "beat", 9000, 130, 9000]


def test_the_first_cause_stays_with_its_time_and_kind() -> None:
    clock = VirtualClock()
    asked: list[Asked] = []
    stop = Attendance(lambda: asked[-1] if asked else None, clock)
    assert not stop()
    clock.advance(50)
    asked.append(Asked("suspended", 30, void=True))
    assert stop()
    asked.append(Asked("SIGINT", 40))
    stop.request("later")
    assert stop()
    assert (stop.cause, stop.at_ns, stop.void) == ("suspended", 30, True)


def test_a_request_without_a_time_counts_from_when_it_was_noticed() -> None:
    clock = VirtualClock()
    clock.advance(77)
    stop = Attendance(lambda: None, clock)
    stop.request("by hand")
    assert (stop.at_ns, stop.void) == (77, False)


class Button(FakeDevice):
    """Pressed at once; `cause` is added where it can say why."""

    capabilities = frozenset({Capability.EMERGENCY_STOP})

    def pressed(self, deadline: Deadline) -> bool:
        return True


@pytest.mark.parametrize(
    ("cause", "said"),
    [
        (None, "emergency stop button pressed"),
        ("silent for 62 ms", "emergency stop button: silent for 62 ms"),
    ],
)
def test_the_cause_of_a_stop_is_the_button_s_own_where_it_has_one(
    cause: str | None, said: str
) -> None:
    clock = VirtualClock()
    button = Button("button", clock)
    assert isinstance(button, EmergencyStop)
    if cause is not None:
        button.cause = cause  # type: ignore[attr-defined]
        assert isinstance(button, TellsCause)
    stop = Attendance(lambda: None, clock)
    stop.watch_buttons([button])
    assert stop()
    assert stop.cause == said


def test_a_plain_stop_request_is_attended_by_nobody() -> None:
    stop = StopRequest()
    with ticking(stop, 20):
        assert not stop()
    assert len(tick_log(stop, 3)) == 0


def test_the_inbox_takes_the_first_request_and_the_end_of_the_harness() -> None:
    ours, theirs = line_pair()
    with closing(Line(theirs.detach())) as harness, closing(ours):
        inbox = Inbox(ours)
        assert inbox.asked() is None
        harness.send(Stop("SIGINT", 5))
        harness.send(Stop("SIGTERM", 6))
        assert inbox.asked() == Asked("SIGINT", 5)
        assert inbox.asked() == Asked("SIGINT", 5)
    ours, theirs = line_pair()
    theirs.close()
    with closing(ours):
        assert Inbox(ours).asked() == Asked("the harness is gone")


def test_a_harness_that_says_something_else_is_a_defect() -> None:
    ours, theirs = line_pair()
    with closing(Line(theirs.detach())) as harness, closing(ours):
        harness.send(Go())
        with pytest.raises(HarnessError, match="in the middle of a run"):
            Inbox(ours).asked()


def test_ticks_are_seen_from_outside_up_to_the_last_whole_one() -> None:
    stop = Attendance(lambda: None, VirtualClock())
    with closing(TickBoard.create()) as board:
        stop.board = board
        assert len(board.logged()) == 0
        for ticks in (4, 2):  # a second attempt does not show what is left of the first
            log = tick_log(stop, 5)
            for tick in range(ticks):
                log.append(tick, 0, (10 + tick, 11, 12, 13, 14, 15), TickNote())
            seen = board.logged()
            assert seen.dtype == TICK
            np.testing.assert_array_equal(seen, log.rows()[:-1])
        board.clear()
        assert len(board.logged()) == 0, "an attempt that has not ticked yet"
