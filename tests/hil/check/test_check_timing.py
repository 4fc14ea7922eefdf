"""Round trips against the rate of a loop: what is measured, and what is said of it."""

from __future__ import annotations

import numpy as np
import pytest
from benches import scenario
from check_fakes import FakeButton, FakeCamera, SlowArm, bad, bench_of, named
from fakes import FakeArm, FakeDevice, FakeTerminal
from hypothesis import given
from hypothesis import strategies as st

from hil.check.model import Result, State
from hil.check.pace import Pace, fitting_scenarios, pace_of
from hil.check.timing import check_timing, pace_note, slowest
from hil.check.trips import Trips, WatchedReads, measure, sparkline
from hil.clock import Clock, Deadline, VirtualClock
from hil.errors import DeadlineMissed, LinkLost

PACE = Pace(50.0, "a scenario", sense_us=6000.0, infer_us=9000.0)


def timed(device: FakeDevice, pace: Pace | None = PACE, count: int = 50) -> list[Result]:
    device.is_open = True
    bench = bench_of(device)
    return list(check_timing(bench, device.role, pace, count, lambda: False))


class Counting(FakeDevice):
    def __init__(self, role: str, clock: Clock) -> None:
        super().__init__(role, clock)
        self.counted: dict[str, int] = {}
        self.miss_every = 0
        self.pings = 0

    def counters(self) -> dict[str, int]:
        return self.counted

    def ping(self, deadline: Deadline) -> None:
        self.reach("ping")
        self.pings += 1
        if self.miss_every and self.pings % self.miss_every == 0:
            raise DeadlineMissed("late")
        self.clock.sleep_until(self.clock.now_ns() + 1_000_000)


def test_a_quick_arm_fits_its_sense_budget() -> None:
    found = timed(FakeArm("arm", VirtualClock()))
    read = named(found, "read")
    assert read.state is State.OK
    assert "p99 is 17% of the sense budget of 6 ms" in read.detail
    assert read.figures["p99_us"] == 1000.0
    assert read.figures["answered"] == 50
    assert not bad(found)


def test_a_slow_arm_is_named_with_the_rate_that_it_can_do() -> None:
    arm = FakeArm("arm", VirtualClock())
    arm.read_ns = 12_000_000
    found = timed(arm)
    assert bad(found) == ["read"]
    assert "p99 is 200% of the sense budget" in named(found, "read").detail
    assert "run the loop at 25 Hz or less" in named(found, "read").remedy


def test_the_joint_for_which_the_bus_waits_is_named() -> None:
    arm = SlowArm("arm", VirtualClock())
    arm.late_ns = 9_000_000
    found = named(timed(arm), "read")
    assert "it waits for elbow, whose answer comes 9 ms after the one before" in found.detail
    assert found.remedy.startswith("see to that joint first")


def test_an_arm_that_is_slow_as_a_whole_blames_no_joint() -> None:
    arm = FakeArm("arm", VirtualClock())
    arm.read_ns = 12_000_000
    assert "waits for" not in named(timed(arm), "read").detail


def test_a_silent_joint_is_named_with_how_often() -> None:
    arm = FakeArm("arm", VirtualClock())
    arm.silent = {1}
    found = timed(arm)
    assert bad(found) == ["absent"]
    absent = named(found, "absent")
    assert absent.detail == "no answer of elbow in 50 of 50 reads"
    assert "elbow" in absent.remedy


@pytest.mark.parametrize(("miss_every", "state"), [(0, State.OK), (10, State.BAD), (1, State.BAD)])
def test_lost_round_trips_are_bad(miss_every: int, state: State) -> None:
    device = Counting("relay", VirtualClock())
    device.miss_every = miss_every
    ping = named(timed(device), "ping")
    assert ping.state is state
    if miss_every == 10:
        assert ping.detail.startswith("5 of 50 not answered within 250 ms")
    if miss_every == 1:
        assert ping.detail == "none of 50 was answered within 250 ms"


@pytest.mark.parametrize(
    ("counters", "state"),
    [
        ({}, State.OK),
        ({"requests": 50, "fast_reads": 50, "frames": 9}, State.OK),
        ({"checksum_errors": 2}, State.NOTE),
        ({"checksum_errors": 3}, State.BAD),
        ({"lost_answers.elbow": 20, "requests": 1000}, State.BAD),
        ({"lost_answers.elbow": 9, "requests": 1000}, State.NOTE),
        ({"resync_bytes": 400, "requests": 1000}, State.NOTE),
        ({"error_answers": 50, "exceptions.illegal_address": 40}, State.OK),
    ],
)
def test_faults_that_were_counted_are_told_and_many_of_them_are_bad(
    counters: dict[str, int], state: State
) -> None:
    device = Counting("relay", VirtualClock())
    device.counted = counters
    found = named(timed(device), "faults")
    assert found.state is state
    if state is not State.OK:
        assert next(iter(counters)) in found.detail


def test_a_terminal_is_held_against_the_inference_budget_and_others_against_the_period() -> None:
    clock = VirtualClock()
    assert "inference budget of 9 ms" in named(timed(FakeTerminal("t", clock)), "ping").detail
    assert "period of 20 ms" in named(timed(Counting("relay", clock)), "ping").detail


def test_an_emergency_stop_is_asked_what_a_tick_asks_it() -> None:
    button = FakeButton("button", VirtualClock())
    assert named(timed(button), "pressed").state is State.OK
    assert button.calls.count("pressed") >= 50
    assert "ping" not in button.calls


def test_a_stream_is_not_asked() -> None:
    camera = FakeCamera("camera", VirtualClock())
    assert named(timed(camera), "ping").state is State.SKIPPED
    assert camera.calls == []


def test_without_a_rate_nothing_is_judged() -> None:
    assert named(timed(FakeArm("arm", VirtualClock()), None), "read").state is State.NOTE
    assert "--rate" in pace_note(None).detail


def test_a_device_that_goes_away_is_an_error_of_the_check() -> None:
    device = Counting("relay", VirtualClock())
    device.unplugged = True
    with pytest.raises(LinkLost, match="relay is gone"):
        timed(device)


def test_the_slowest_device_is_named_among_several() -> None:
    clock = VirtualClock()
    results = [*timed(FakeArm("arm", clock)), *timed(Counting("relay", clock))]
    found = slowest(results)
    assert found is not None
    assert found.detail.startswith("arm: its p99 is 17%")
    assert slowest(timed(FakeArm("arm", clock))) is None


def test_the_rate_is_that_of_the_fastest_scenario_or_the_one_asked_for() -> None:
    fast = scenario()
    pace = pace_of([fast], None)
    assert pace == Pace(50.0, "reach, the fastest scenario that this rig can do", 6000.0, 9000.0)
    asked = pace_of([fast], 100.0)
    assert asked is not None
    assert (asked.rate_hz, asked.sense_us, asked.infer_us) == (100.0, 3000.0, 4500.0)
    alone = pace_of([], 100.0)
    assert alone is not None
    assert alone.sense_us is None
    assert pace_of([], None) is None


def test_scenarios_that_fit_are_those_of_the_catalogue_for_which_the_devices_are_there() -> None:
    clock = VirtualClock()
    ids = [one.id for one in fitting_scenarios(bench_of(FakeTerminal("terminal", clock)))]
    assert ids == ["mfg-gauge-reading-glasses"]
    assert fitting_scenarios(bench_of(FakeTerminal("other", clock))) == []


def test_asking_ends_when_the_check_is_asked_to() -> None:
    clock, asked = VirtualClock(), iter([False, False, True])
    trips = measure(lambda _: None, clock, 50, lambda: next(asked))
    assert trips.asked == 2


def test_reads_with_joints_that_answer_together_blame_none() -> None:
    clock = VirtualClock()
    arm = FakeArm("arm", clock)
    arm.is_open = True
    reads = WatchedReads(arm)
    for _ in range(5):
        reads.read(Deadline.after_s(clock, 1))
    assert reads.slowest() is None


@given(st.lists(st.floats(0, 1e7), min_size=1, max_size=200))
def test_every_time_is_in_exactly_one_bucket(times: list[float]) -> None:
    trips = Trips(len(times), tuple(times))
    histogram = trips.histogram()
    assert sum(count for _, _, count in histogram) == len(times)
    edges = [low for low, _, _ in histogram] + [histogram[-1][1]]
    assert edges == sorted(edges)
    assert edges[0] == max(min(times), 1.0)
    assert edges[-1] == max(*times, 1.0)
    line = sparkline(histogram)
    assert [character == "▁" for character in line] == [count == 0 for _, _, count in histogram]


@given(st.lists(st.floats(0, 1e7), min_size=1, max_size=200), st.floats(0, 1))
def test_quantiles_are_order_statistics(times: list[float], q: float) -> None:
    found = Trips(len(times), tuple(times)).quantile_us(q)
    assert found in times
    assert np.mean(np.array(times) <= found) >= q - 1e-12


def test_nothing_answered_has_no_quantile_and_no_histogram() -> None:
    trips = Trips(5, ())
    assert (trips.quantile_us(0.5), trips.histogram(), trips.lost) == (None, [], 5)
