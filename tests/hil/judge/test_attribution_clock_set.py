"""A terminal whose clock is set during the run: named, and its decisions left out and counted."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from clock_worlds import BURST, LOOP_AFTER_S, Offset, Runs, exchanges, host_ns, steady, stepped
from clock_worlds import device_ns as shown_ns

from hil.clock import NS_PER_MS, NS_PER_S, NS_PER_US
from hil.judge.attribution import attribute
from hil.judge.model import Attribution
from hil.record.format import TICK, ActionReason, Episode

RUNS = Runs(6, 8.0)
PERIOD_S = 0.05
THERE_US, INSIDE_US, BACK_US = 400, 900, 150


def record(offset: Offset) -> list[Episode]:
    """Episodes of `RUNS` whose decisions all take the same time."""
    bursts = exchanges(offset, RUNS, "even", seed=8).reshape(-1, 2 * BURST, 4)
    return [_episode(offset, number, rows) for number, rows in enumerate(bursts)]


def _episode(offset: Offset, number: int, rows: np.ndarray) -> Episode:
    begin_s = RUNS.bursts_s[2 * number] + LOOP_AFTER_S
    grid_s = begin_s + np.arange(round(RUNS.loop_s / PERIOD_S) - 1) * PERIOD_S
    ticks = np.zeros(len(grid_s), TICK)
    ticks["scheduled_ns"] = ticks["woke_ns"] = host_ns(grid_s)
    edge = host_ns(grid_s)
    for stamp, us in (
        ("sense_ns", 1000),
        ("asked_ns", 200),
        ("device_received_ns", THERE_US),
        ("device_end_ns", INSIDE_US),
        ("answered_ns", BACK_US),
        ("infer_ns", 50),
        ("act_ns", 100),
    ):
        edge = edge + us * NS_PER_US
        ticks[stamp] = edge
    for stamp in ("device_received_ns", "device_end_ns"):
        ticks[stamp] = shown_ns(offset, (ticks[stamp] - host_ns(np.zeros(1))) / NS_PER_S)
    ticks["device_start_ns"] = ticks["device_received_ns"]
    ticks["device_sent_ns"] = ticks["device_end_ns"]
    ticks["done_ns"] = edge
    ticks["reason"] = ActionReason.FRESH
    events = [_clock_event(rows[:BURST]), _clock_event(rows[BURST:])]
    return Episode(f"{number + 1:04d}", {}, {}, ticks, {}, tuple(events))


def _clock_event(rows: np.ndarray) -> dict[str, Any]:
    return {
        "event": "clock",
        "role": "terminal",
        "stamps_ticks": True,
        "moment": "before",
        "exchanges": rows.tolist(),
        "unanswered": 0,
    }


def found_in(episodes: list[Episode]) -> Attribution:
    found = attribute(episodes, len(episodes), 1 / PERIOD_S)
    assert found is not None
    return found


def assert_ways(found: Attribution, within_us: float) -> None:
    """The two ways come out as they were, and to a stated error that is small."""
    hops = {hop.hop: hop for hop in found.hops}
    for way, us in (("there", THERE_US), ("back", BACK_US)):
        unsure_us = hops[way].unsure_us
        assert unsure_us is not None
        assert unsure_us < within_us
        assert abs((hops[way].p50_us or 0) - us) <= unsure_us
        assert abs(hops[way].max_us - us) <= unsure_us


IN_LOOP_S = RUNS.bursts_s[6] + LOOP_AFTER_S + 3.33


@pytest.mark.parametrize("set_ns", [-3600 * NS_PER_S, -4 * NS_PER_MS, 30 * NS_PER_MS, NS_PER_S])
def test_set_in_an_episode(set_ns: int) -> None:
    episodes = record(stepped(25.0, set_ns, IN_LOOP_S))
    found = found_in(episodes)
    (clock,) = found.clocks
    (step,) = clock.steps
    assert step.episodes == ("0004",)
    assert step.after_s < IN_LOOP_S < step.until_s
    assert abs(step.size_us - set_ns / NS_PER_US) <= step.unsure_us < 2000
    per_second = 1 / PERIOD_S
    assert 1 <= found.left_out <= 3 * per_second, "only what lies about the step"
    assert found.decisions + found.left_out == sum(len(one.ticks) for one in episodes)
    assert_ways(found, within_us=400)


def test_set_between_two_episodes() -> None:
    found = found_in(record(stepped(25.0, -NS_PER_S, RUNS.bursts_s[4] - 1.0)))
    (step,) = found.clocks[0].steps
    assert step.episodes == ()
    assert found.left_out == 0
    assert_ways(found, within_us=200)


def test_set_twice() -> None:
    first, second = stepped(25.0, NS_PER_S, IN_LOOP_S), stepped(0.0, -NS_PER_S, IN_LOOP_S + 20)
    found = found_in(record(lambda at_s: first(at_s) + second(at_s)))
    assert [round(step.size_us / 1e6) for step in found.clocks[0].steps] == [1, -1]
    assert_ways(found, within_us=400)


def test_never_set() -> None:
    episodes = record(steady(25.0))
    found = found_in(episodes)
    assert (found.left_out, found.clocks[0].steps, found.clocks[0].pieces) == (0, (), 1)
    assert found.decisions == sum(len(one.ticks) for one in episodes)
    assert_ways(found, within_us=200)


@pytest.mark.parametrize("shift_us", [-5000, 5000])
def test_stamps_that_contradict_the_map_are_left_out(shift_us: int) -> None:
    """One decision whose terminal stamps would have it arrive before it was sent, or leave
    after the answer was there: too little to tell of the clock, but not to be believed."""
    episodes = record(steady(0.0))
    for stamp in ("received", "start", "end", "sent"):
        episodes[2].ticks[f"device_{stamp}_ns"][47] += shift_us * NS_PER_US
    found = found_in(episodes)
    assert found.left_out == 1
    assert_ways(found, within_us=200)


def test_where_all_decisions_are_in_doubt_no_hop_is_told() -> None:
    """A record of one episode without witnesses: the terminal answered once, as it was set."""
    episodes = record(stepped(0.0, NS_PER_S, RUNS.bursts_s[0] + LOOP_AFTER_S + 1))[:1]
    only = Episode("0001", {}, {}, episodes[0].ticks[19:20], {}, episodes[0].events)
    found = found_in([only])
    assert (found.decisions, found.left_out) == (0, 1)
    assert found.hops == ()
