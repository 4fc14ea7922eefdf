"""The emulated emergency stop box on stamps: what its specification asks of a box."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.estop.codec import Decoder, Frame
from hil.clock import NS_PER_MS
from hil.errors import BadInput
from sim.emulated.estop import EstopBox, EstopOptions
from sim.twin.emulator import Emulator

START_NS = 5_000_000_000
PERIOD_NS = 10 * NS_PER_MS


class Bench:
    """The box, its clock and what it sent."""

    def __init__(self, start: str = "ready") -> None:
        self.box = EstopBox(EstopOptions.model_validate({"start": start}))
        self.now_ns = START_NS
        self.decoder = Decoder()
        self.starts_ns: list[int] = []

    def run(self, ms: int) -> list[Frame]:
        """The frames of the next `ms`, each woken for when it is due."""
        end_ns = self.now_ns + ms * NS_PER_MS
        found: list[Frame] = []
        while (due_ns := max(self.box.due_ns(), self.now_ns)) < end_ns:
            self.now_ns = due_ns
            found += self.wake()
        self.now_ns = end_ns
        return found

    def wake(self) -> list[Frame]:
        sent = self.box.wake(self.now_ns)
        self.starts_ns += [one.start_ns for one in sent]
        return [frame for one in sent for frame in self.decoder.feed(one.data)]

    def do(self, what: str, **args: object) -> None:
        self.box.control({"do": what, **args})


@pytest.fixture
def bench() -> Bench:
    return Bench()


def state(frame: Frame) -> tuple[bool, bool, bool, bool]:
    return frame.a_closed, frame.b_closed, frame.latched, frame.fault


def test_a_frame_every_10_ms_with_sequence_and_uptime(bench: Bench) -> None:
    frames = bench.run(3000)
    hosted: Emulator = bench.box
    assert hosted.baud == 115_200
    assert [frame.sequence for frame in frames] == [n % 256 for n in range(300)]
    assert [frame.uptime_ms for frame in frames] == list(range(0, 3000, 10))
    assert {later - earlier for earlier, later in pairwise(bench.starts_ns)} == {PERIOD_NS}
    assert all(frame.released for frame in frames)


def test_uptime_turns_over(bench: Bench) -> None:
    frames = bench.run(66_000)
    assert [frame.uptime_ms for frame in frames[6552:6556]] == [65520, 65530, 4, 14]


@given(st.lists(st.integers(1, 300), min_size=1, max_size=30))
def test_a_host_that_comes_late_sends_every_frame_at_its_own_time(gaps: list[int]) -> None:
    bench = Bench()
    frames = bench.wake()
    for gap in gaps:
        bench.now_ns += gap * NS_PER_MS
        if bench.box.due_ns() <= bench.now_ns:
            frames += bench.wake()
        assert bench.now_ns < bench.box.due_ns() <= bench.now_ns + PERIOD_NS
    assert [frame.uptime_ms for frame in frames] == [10 * n for n in range(len(frames))]
    assert bench.starts_ns == [START_NS + n * PERIOD_NS for n in range(len(frames))]


def test_a_host_that_comes_much_too_late_drops_the_oldest(bench: Bench) -> None:
    bench.wake()
    bench.now_ns += 60_000 * NS_PER_MS
    frames = bench.wake()
    assert len(frames) == 101
    assert frames[-1].uptime_ms == 60_000
    assert bench.box.due_ns() == bench.now_ns + PERIOD_NS


def test_a_press_latches_until_reset(bench: Bench) -> None:
    bench.run(50)
    bench.do("press")
    assert state(bench.run(10)[0]) == (False, False, True, False)
    bench.do("reset")
    assert state(bench.run(10)[0]) == (False, False, True, False)
    bench.do("release")
    assert state(bench.run(10)[0]) == (True, True, True, False)
    bench.do("reset")
    assert bench.run(10)[0].released


@pytest.mark.parametrize("stuck", ["a", "b"])
def test_contacts_may_differ_for_half_a_second(bench: Bench, stuck: str) -> None:
    bench.do("stick", channel=stuck, closed=True)
    bench.do("press")
    frames = bench.run(600)
    assert [frame.fault for frame in frames] == [False] * 51 + [True] * 9
    assert {(frame.a_closed, frame.b_closed) for frame in frames} == {(stuck == "a", stuck == "b")}
    bench.do("release")
    bench.do("reset")
    assert state(bench.run(10)[0]) == (True, True, True, True)
    bench.do("unstick", channel=stuck)
    bench.do("press")
    bench.run(10)
    bench.do("release")
    bench.run(10)
    bench.do("reset")
    assert bench.run(10)[0].released


def test_a_short_difference_is_no_fault(bench: Bench) -> None:
    for _ in range(3):
        bench.do("stick", channel="a", closed=False)
        bench.run(400)
        bench.do("unstick", channel="a")
        bench.run(100)
    frame = bench.run(10)[0]
    assert state(frame) == (True, True, True, False)


def test_it_comes_up_latched_after_power_was_off(bench: Bench) -> None:
    bench.run(100)
    bench.do("restart")
    frame = bench.run(10)[0]
    assert (frame.sequence, frame.uptime_ms, frame.latched) == (0, 0, True)
    assert Bench("latched").run(10)[0].latched
    assert not Bench("ready").run(10)[0].latched


def test_silence_leaves_a_gap_in_the_sequence(bench: Bench) -> None:
    bench.run(50)
    bench.do("silence")
    assert bench.run(50) == []
    bench.do("speak")
    assert [frame.sequence for frame in bench.run(20)] == [10, 11]


def test_frozen_it_says_the_same_over_and_over(bench: Bench) -> None:
    last = bench.run(50)[-1]
    bench.do("freeze")
    bench.do("press")
    assert set(bench.run(50)) == {last}
    bench.do("thaw")
    assert bench.run(10)[0].sequence == 10


def test_spoiled_frames(bench: Bench) -> None:
    bench.do("corrupt", count=2)
    assert len(bench.run(50)) == 3
    assert bench.decoder.counters.crc_errors == 2


def test_it_does_not_listen(bench: Bench) -> None:
    assert bench.box.receive(b"reset", START_NS, 9600) == []


def test_its_status_is_the_truth(bench: Bench) -> None:
    bench.do("press")
    bench.do("silence")
    bench.run(50)
    assert bench.box.status() == {
        "button_pressed": True,
        "latched": True,
        "fault": False,
        "silent": True,
        "frozen": False,
        "frames": 0,
    }


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ({"do": "kick"}, "'press', 'release'"),
        ({}, "do: missing"),
        ({"do": "stick", "channel": "c"}, "channel"),
        ({"do": "press", "hard": True}, "known here: channel, closed, count, do"),
    ],
)
def test_what_it_does_not_know_is_refused(bench: Bench, args: dict[str, object], said: str) -> None:
    with pytest.raises(BadInput, match=said):
        bench.box.control(args)
