"""When the button wants the rig to stop: every rule on stamps, with neither wire nor clock."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.estop.codec import Frame
from drivers.estop.rules import Listener
from hil.clock import NS_PER_MS

STALE_MS = 50
GOOD = Frame(True, True, False, False, 0, 0)
PRESSED = replace(GOOD, a_closed=False, b_closed=False, latched=True)


class Box:
    """Frames of a box that sends one every 10 ms of its own, faster or slower, clock."""

    def __init__(self, rate: float = 1.0) -> None:
        self.listener = Listener(STALE_MS * NS_PER_MS)
        self.rate = rate
        self.sent = 0

    def frames(self, until_ms: float, like: Frame = GOOD) -> list[Frame]:
        """Those that have been sent until then, and not been asked for yet."""
        found = []
        while self.sent * 10 <= until_ms * self.rate:
            found.append(replace(like, sequence=self.sent % 256, uptime_ms=self.sent * 10 % 65536))
            self.sent += 1
        return found

    def look(self, at_ms: float, frames: list[Frame]) -> str:
        now_ns = round(at_ms * NS_PER_MS)
        self.listener.take(frames, now_ns)
        return self.listener.cause(now_ns)


@pytest.mark.parametrize(
    ("flags", "cause"),
    [
        ((True, True, False, False), ""),
        ((False, False, True, False), "pressed"),
        ((False, False, False, False), "pressed"),
        ((True, False, True, False), "pressed (A closed, B open so far)"),
        ((False, True, True, True), "channels disagree (A open, B closed)"),
        ((True, True, True, True), "fault in the box (A closed, B closed)"),
        ((False, False, True, True), "fault in the box (A open, B open)"),
        ((True, True, True, False), "latched, to be reset by hand"),
    ],
)
def test_every_state_has_its_words(flags: tuple[bool, bool, bool, bool], cause: str) -> None:
    frame = Frame(*flags, sequence=3, uptime_ms=30)
    assert Box().look(0, [frame]) == cause
    assert frame.released == (cause == "")


def test_a_box_that_was_never_heard_is_pressed() -> None:
    assert Box().look(0, []) == "not heard yet"


def test_silence_counts_from_the_newest_frame() -> None:
    box = Box()
    assert box.look(3, box.frames(3)) == ""
    assert box.look(53, []) == ""
    assert box.look(65, []) == "silent for 62 ms"
    assert box.look(66, box.frames(66)) == ""


def test_a_stream_that_repeats_itself_is_not_alive() -> None:
    box = Box()
    last = box.frames(0)
    assert box.look(0, last) == ""
    for at_ms in range(10, 60, 10):
        assert box.look(at_ms, last) == ""
    assert box.look(62, last) == "its stream stands still for 62 ms"
    assert box.listener.counters.repeated_frames == 6


def test_a_sequence_without_a_clock_is_not_alive() -> None:
    box = Box()
    for sequence in range(6):
        assert box.look(10 * sequence, [replace(GOOD, sequence=sequence)]) == ""
    assert box.look(60, [replace(GOOD, sequence=6)]) == "its stream stands still for 60 ms"


def test_no_press_is_lost_between_two_looks() -> None:
    box = Box()
    box.look(0, box.frames(0))
    frames = [*box.frames(10), *box.frames(20, PRESSED), *box.frames(40)]
    assert box.look(40, frames) == "pressed"
    assert box.look(50, []) == "pressed", "until something else is heard"
    assert box.look(60, box.frames(60)) == ""


def test_frames_that_waited_are_known_to_be_old() -> None:
    """Nobody looks for 2 s, and the box has died after the first of them."""
    box = Box()
    box.look(0, box.frames(0))
    waited = box.frames(1000)
    assert box.look(2000, waited) == "silent for 875 ms", "1000 ms less an eighth to spare"


@pytest.mark.parametrize("rate", [0.95, 1.0, 1.05])
@pytest.mark.parametrize("every_ms", [2, 20, 100, 3000, 6000])
def test_a_living_box_is_never_silent_however_seldom_it_is_looked_at(
    rate: float, every_ms: int
) -> None:
    box = Box(rate)
    for at_ms in range(0, 70_000, every_ms):
        assert box.look(at_ms, box.frames(at_ms)) == "" or at_ms == 0
    assert box.listener.counters.lost_frames == 0


@given(st.lists(st.integers(1, 90), min_size=1, max_size=60), st.integers(0, 9))
def test_silence_is_noticed_in_time_and_not_before(gaps: list[int], phase: int) -> None:
    """At any pattern of looks; the box dies at 1000 ms."""
    box = Box()
    at_ms = phase
    for gap in gaps:
        at_ms += gap
        cause = box.look(at_ms, box.frames(min(at_ms, 1000)))
        age_ms = at_ms - min(at_ms, 1000) // 10 * 10
        if age_ms <= STALE_MS:
            assert cause == ""
        if age_ms > STALE_MS + 10 + max(gaps) / 8:
            assert "silent for" in cause or "stands still" in cause


def test_a_long_pause_gives_the_box_time_to_be_heard_and_no_more() -> None:
    box = Box()
    box.look(0, box.frames(0))
    oldest = box.frames(5000)
    box.frames(60_000)  # dropped by the host
    assert box.look(60_000, oldest) == ""
    assert box.look(60_020, box.frames(60_020)) == ""
    counters = box.listener.counters
    assert (counters.pauses, counters.lost_frames) == (1, 0)
    dead = Box()
    dead.look(0, dead.frames(0))
    assert dead.look(60_000, dead.frames(5000)) == ""
    assert dead.look(60_060, []) == "silent for 60 ms"


def test_lost_frames_are_counted_over_the_turn_of_the_sequence() -> None:
    box = Box()
    box.look(0, [replace(GOOD, sequence=254, uptime_ms=65_530)])
    assert box.look(40, [replace(GOOD, sequence=2, uptime_ms=34)]) == ""
    assert box.listener.counters.lost_frames == 3
    assert box.listener.heard == 2
