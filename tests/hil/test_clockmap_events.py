"""Round trips as an episode records them, with devices whose clocks are off by a known amount."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from benches import fake_bench, fake_plan
from fakes import FakeTerminal

from hil.clock import NS_PER_MS, NS_PER_S, NS_PER_US, Deadline, VirtualClock
from hil.contracts import ClockExchange, WireUse
from hil.errors import DeadlineMissed, LinkLost
from hil.loop.clockmap import fit_clock
from hil.rig import Bench
from hil.run.clocks import EXCHANGES, clock_events, wire_events
from hil.run.episode import run_episode
from hil.safety import StopRequest

AHEAD_NS = -3_600 * NS_PER_S
DRIFT_PPM = 75.0


class SteppedClock(VirtualClock):
    """A wall clock for the code under test that moves only when it is told to."""

    virtual = False


class Stamping(FakeTerminal):
    """A terminal with a clock of its own, on a wire that is slower one way than the other."""

    lost: frozenset[int] = frozenset()
    asked = 0
    way_ns = 200 * NS_PER_US

    def exchange(self, deadline: Deadline) -> ClockExchange:
        self.reach("exchange")
        self.asked += 1
        sent_ns = self.clock.now_ns()
        if self.asked in self.lost:
            self.clock.sleep_until(deadline.at_ns)
            raise DeadlineMissed("no answer")
        self.clock.sleep_until(sent_ns + self.way_ns)
        there_ns = self.device_ns()
        self.clock.sleep_until(self.clock.now_ns() + 50 * NS_PER_US)
        return ClockExchange(sent_ns, there_ns, there_ns, self.clock.now_ns())

    def device_ns(self) -> int:
        now_ns = self.clock.now_ns()
        return now_ns + AHEAD_NS + round(now_ns * DRIFT_PPM * 1e-6)


class Wired(FakeTerminal):
    def wire_uses(self) -> dict[str, WireUse]:
        return {"infer": WireUse(100, 115_200)}


def stamping_bench() -> tuple[Bench, Stamping]:
    bench, clock = fake_bench(), SteppedClock()
    devices = dict(bench.devices)
    for device in devices.values():
        device.clock = clock  # type: ignore[attr-defined]
    terminal = devices["terminal"] = Stamping("terminal", clock)
    bench = replace(bench, clock=clock, devices=devices)
    bench.open()
    return bench, terminal


def rows(event: dict[str, Any]) -> np.ndarray[Any, Any]:
    return np.array(event["exchanges"], dtype=np.int64)


def test_a_burst_of_each_clock_is_noted_with_what_was_not_answered() -> None:
    bench, terminal = stamping_bench()
    terminal.lost = frozenset({2, 5})
    (event,) = clock_events(bench.devices, bench.clock, "terminal", "before")
    assert (event["role"], event["stamps_ticks"], event["moment"]) == ("terminal", True, "before")
    assert event["unanswered"] == 2
    assert rows(event).shape == (EXCHANGES - 2, 4)
    assert clock_events(bench.devices, bench.clock, None, "after")[0]["stamps_ticks"] is False


def test_a_silent_clock_costs_a_bounded_time() -> None:
    bench, terminal = stamping_bench()
    terminal.lost = frozenset(range(1000))
    began_ns = bench.clock.now_ns()
    (event,) = clock_events(bench.devices, bench.clock, "terminal", "before")
    assert event["exchanges"] == []
    assert 0 < event["unanswered"] < EXCHANGES
    assert bench.clock.now_ns() - began_ns <= 500 * NS_PER_MS
    assert fit_clock(rows(event).reshape(-1, 4)) is None


def test_a_lost_link_is_no_missing_answer() -> None:
    bench, terminal = stamping_bench()
    terminal.unplugged = True
    with pytest.raises(LinkLost):
        clock_events(bench.devices, bench.clock, "terminal", "before")


def test_a_virtual_clock_has_nothing_to_map() -> None:
    bench = fake_bench()
    clock = bench.clock
    assert isinstance(clock, VirtualClock)
    bench = replace(bench, devices={**bench.devices, "terminal": Stamping("terminal", clock)})
    bench.open()
    assert clock_events(bench.devices, bench.clock, "terminal", "before") == []


def test_bytes_and_rate_are_noted_for_devices_that_tell() -> None:
    bench = fake_bench()
    wired = Wired("terminal", VirtualClock())
    (event,) = wire_events({**bench.devices, "terminal": wired})
    use = {"byte_count": 100, "baud": 115_200, "bits_per_byte": 10}
    assert event == {"event": "wire", "role": "terminal", "calls": {"infer": use}}
    assert wire_events(bench.devices) == []


def test_episodes_carry_what_maps_their_stamps_to_the_host() -> None:
    bench, terminal = stamping_bench()
    bench.joints("arm").enable(bench.deadline(1))
    plan = fake_plan(bench)
    planned = plan.scenarios["reach"]
    terminal.load(planned.model, bench.deadline(1))
    found = []
    for episode in plan.episodes:
        attempt = run_episode(bench, planned, episode, "model", StopRequest())
        events = [event for event in attempt.episode.events if event["event"] == "clock"]
        assert [event["moment"] for event in events] == ["before", "after"]
        found += [rows(dict(event)) for event in events]
        bench.clock.sleep_until(bench.clock.now_ns() + 5 * NS_PER_S)
    clock = fit_clock(np.concatenate(found))
    assert clock is not None
    assert clock.longest.drift_ppm == pytest.approx(DRIFT_PPM, abs=clock.longest.beyond_ppm)
    now = np.array([bench.clock.now_ns()])
    error = abs(clock.to_host_ns(np.array([terminal.device_ns()])) - now)
    assert error <= clock.uncertainty_ns(now)
    # the ways differ by 150 us, and half of that is what nobody can know
    assert error == pytest.approx(75 * NS_PER_US, abs=5 * NS_PER_US)
