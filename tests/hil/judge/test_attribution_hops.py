"""Hops of a decision, from ticks whose truth is known."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hil.clock import NS_PER_MS, NS_PER_S, NS_PER_US
from hil.contracts import IntArray
from hil.errors import DamagedRecord
from hil.judge import attribution
from hil.judge.attribution import attribute
from hil.judge.hops import HOPS, decision_chain
from hil.judge.model import Attribution, HopTiming
from hil.loop.clockmap import fit_clock
from hil.record.format import TICK, ActionReason, Channel, Episode, TickFlag
from hil.report import text

PERIOD_NS = 20 * NS_PER_MS
BEGIN_NS = 900 * NS_PER_S
AHEAD_NS = 77_000 * NS_PER_S  # the terminal's clock

USUAL_US = {
    "wake": 100,
    "read": 1200,
    "ask": 300,
    "there": 80,
    "queue": 40,
    "compute": 900,
    "reply": 60,
    "back": 90,
    "decide": 150,
    "command": 250,
}
_EDGES = {  # the stamp with which each hop ends
    "wake": "woke_ns",
    "read": "sense_ns",
    "ask": "asked_ns",
    "there": "device_received_ns",
    "queue": "device_start_ns",
    "compute": "device_end_ns",
    "reply": "device_sent_ns",
    "back": "answered_ns",
    "decide": "infer_ns",
    "command": "act_ns",
}


def rows(hops_us: Mapping[str, Any], count: int) -> np.ndarray[Any, np.dtype[np.void]]:
    """Ticks that spent so long in each hop; a value is a number or one a tick."""
    ticks = np.zeros(count, TICK)
    ticks["tick"] = np.arange(count)
    edge = BEGIN_NS + np.arange(count) * PERIOD_NS
    ticks["scheduled_ns"] = edge
    for hop, stamp in _EDGES.items():
        edge = edge + np.asarray(np.multiply(hops_us[hop], NS_PER_US)).astype(np.int64)
        ticks[stamp] = edge + (AHEAD_NS if stamp.startswith("device") else 0)
    ticks["done_ns"] = edge
    return ticks


def exchanges(half_us: int = 50) -> IntArray:
    """Round trips around the ticks, the same each way."""
    sent = BEGIN_NS + np.arange(5) * NS_PER_S
    far = sent + half_us * NS_PER_US + AHEAD_NS
    return np.column_stack([sent, far, far, sent + 2 * half_us * NS_PER_US]).astype(np.int64)


def episode(ticks: Any, events: Any = (), channels: Any = None) -> Episode:
    return Episode("0001", {}, {}, ticks, channels or {}, tuple(events))


def clock_event(**changes: Any) -> dict[str, Any]:
    event = {"event": "clock", "role": "terminal", "stamps_ticks": True, "moment": "before"}
    return event | {"exchanges": exchanges().tolist(), "unanswered": 0} | changes


def table(*episodes: Episode) -> dict[str, HopTiming]:
    found = attribute(episodes, len(episodes), 50.0)
    assert isinstance(found, Attribution)
    return {hop.hop: hop for hop in found.hops}


@given(
    hops_us=st.fixed_dictionaries(
        {hop: st.lists(st.integers(0, 50_000), min_size=6, max_size=6) for hop in USUAL_US}
    ),
    overlapped=st.booleans(),
    mapped=st.booleans(),
)
@settings(max_examples=100, deadline=None)
def test_the_hops_of_a_decision_add_up_to_its_whole_time(
    hops_us: dict[str, list[int]], overlapped: bool, mapped: bool
) -> None:
    ticks = rows(hops_us, 6)
    source = np.arange(6)
    if overlapped:  # each command comes of the question asked one tick before
        ticks = _monotonic(ticks)
        for stamp in ("asked_ns", "answered_ns", *(n for n in TICK.names if "device" in n)):
            ticks[stamp] = np.roll(ticks[stamp], 1)
        ticks["asked_ns"][0] = ticks["answered_ns"][0] = -1
        source = np.maximum(np.arange(6) - 1, 0)
    else:
        ticks = _monotonic(ticks)
    clock = fit_clock(exchanges()) if mapped else None
    chain = decision_chain(ticks, ticks["sense_ns"], clock)
    whole = ticks["act_ns"][chain.rows] - ticks["scheduled_ns"][source[chain.rows]]
    np.testing.assert_array_equal(sum(chain.hops.values()), whole)
    assert len(chain.rows) == (5 if overlapped else 6)


def _monotonic(ticks: Any) -> Any:
    """The same ticks, each begun after the one before had ended."""
    spent = ticks["act_ns"] - ticks["scheduled_ns"] + 1
    shift = np.concatenate([[0], np.cumsum(spent)[:-1]]) - np.arange(len(ticks)) * PERIOD_NS
    for name in TICK.names or ():
        if name.endswith("_ns") and name != "data_age_ns":
            ticks[name] += shift
    return ticks


@pytest.mark.parametrize("slow", [hop for hop in USUAL_US if hop not in ("there", "back")])
def test_time_spent_in_one_hop_is_found_in_that_hop_alone(slow: str) -> None:
    usual = table(episode(rows(USUAL_US, 40), [clock_event()]))
    slowed = {**USUAL_US, slow: USUAL_US[slow] + 5000}
    found = table(episode(rows(slowed, 40), [clock_event()]))
    moved = {hop: (found[hop].p50_us or 0) - (usual[hop].p50_us or 0) for hop in usual}
    assert moved == {hop: 5000.0 if hop == slow else 0.0 for hop in usual}


@pytest.mark.parametrize("way", ["there", "back"])
def test_a_slow_way_is_told_from_the_other_within_the_clock_s_uncertainty(way: str) -> None:
    found = table(episode(rows({**USUAL_US, way: 5000}, 40), [clock_event()]))
    unsure = found[way].unsure_us
    assert unsure is not None
    assert 0 < unsure <= 60
    assert abs((found[way].p50_us or 0) - 5000) <= unsure
    other = {"there": "back", "back": "there"}[way]
    assert abs((found[other].p50_us or 0) - USUAL_US[other]) <= unsure


def test_without_a_map_the_two_ways_are_one_hop() -> None:
    found = table(episode(rows(USUAL_US, 40)))
    assert "there" not in found
    assert "back" not in found
    assert found["there-and-back"].p50_us == USUAL_US["there"] + USUAL_US["back"]
    assert found["there-and-back"].unsure_us is None
    assert found["compute"].p50_us == USUAL_US["compute"]


def test_a_terminal_that_stamps_nothing_is_one_hop() -> None:
    ticks = rows(USUAL_US, 40)
    for stamp in ("received", "start", "end", "sent"):
        ticks[f"device_{stamp}_ns"] = -1
    inside = ("there", "queue", "compute", "reply", "back")
    found = table(episode(ticks, [clock_event()]))
    assert found["terminal"].p50_us == sum(USUAL_US[hop] for hop in inside)
    assert not set(inside) & set(found)


def test_without_question_and_answer_all_of_the_inference_is_one_hop() -> None:
    ticks = rows(USUAL_US, 40)
    ticks["asked_ns"] = ticks["answered_ns"] = -1
    found = table(episode(ticks))
    outside = ("wake", "read", "command")
    assert found["infer"].p50_us == sum(us for hop, us in USUAL_US.items() if hop not in outside)
    assert set(found) == {"infer", *outside}


def test_ticks_without_a_fresh_decision_are_left_out() -> None:
    ticks = rows({**USUAL_US, "compute": [900] * 30 + [9000] * 10}, 40)
    ticks["reason"][30:35] = ActionReason.REPEATED
    ticks["flags"][35:] = TickFlag.NO_ANSWER
    found = attribute([episode(ticks)], 1, 50.0)
    assert found is not None
    assert (found.decisions, found.looked_at, found.ticks) == (30, 40, 40)
    assert {hop.hop: hop.max_us for hop in found.hops}["compute"] == 900


def test_nothing_decided_gives_no_table() -> None:
    ticks = rows(USUAL_US, 4)
    ticks["reason"] = ActionReason.HELD
    assert attribute([episode(ticks), episode(ticks[:0])], 2, 50.0) is None
    assert attribute([], 0, 50.0) is None


def test_time_on_the_wire_is_computed_from_bytes_and_baud() -> None:
    calls = {
        "read": {"byte_count": 92, "baud": 1_000_000, "bits_per_byte": 10},
        "command": {"byte_count": 26, "baud": 500_000, "bits_per_byte": 10},
        "ping": {"byte_count": 12, "baud": 500_000, "bits_per_byte": 10},
    }
    found = table(episode(rows(USUAL_US, 40), [{"event": "wire", "role": "arm", "calls": calls}]))
    assert found["read"].wire_us == 920
    assert found["command"].wire_us == 520
    assert found["compute"].wire_us is None


def test_every_clock_is_told_but_only_the_terminal_s_is_used() -> None:
    other = clock_event(role="camera", stamps_ticks=False)
    other["exchanges"] = (exchanges() + np.array([0, 5, 5, 0])).tolist()
    found = attribute([episode(rows(USUAL_US, 40), [other, clock_event()])], 1, 50.0)
    assert found is not None
    assert [clock.role for clock in found.clocks] == ["camera", "terminal"]
    terminal = found.clocks[1]
    assert abs(terminal.offset_us - AHEAD_NS / NS_PER_US) <= terminal.unsure_us
    only_other = table(episode(rows(USUAL_US, 40), [other]))
    assert "there-and-back" in only_other


def test_a_read_is_counted_up_to_the_sample_s_own_stamp() -> None:
    ticks = rows(USUAL_US, 40)
    stamp = ticks["woke_ns"] + 700 * NS_PER_US
    channel = Channel(np.zeros((40, 1)), stamp, np.zeros((40, 1), np.int64), ("a",), "rad")
    found = table(episode(ticks, channels={"joints.position": channel}))
    assert found["read"].p50_us == 700
    assert found["ask"].p50_us == USUAL_US["ask"] + USUAL_US["read"] - 700


def test_a_long_record_is_looked_at_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attribution, "LOOKED_AT", 500)
    monkeypatch.setattr(attribution, "_BLOCK", 100)
    found = attribute([episode(rows(USUAL_US, 5000), [clock_event()])] * 2, 2, 50.0)
    assert found is not None
    assert (found.looked_at, found.ticks) == (400, 10_000)
    assert {hop.hop: hop.p50_us for hop in found.hops}["compute"] == 900


@pytest.mark.parametrize(
    "event",
    [
        clock_event(exchanges=[[1, 2, 3]]),
        clock_event(exchanges="soon"),
        {"event": "clock", "role": "terminal"},
        {"event": "wire", "calls": {"read": {"byte_count": 1, "bits_per_byte": 10, "baud": 0}}},
        {"event": "start"},
    ],
)
def test_events_that_do_not_hold_what_they_say_are_a_damaged_record(event: Any) -> None:
    with pytest.raises(DamagedRecord, match=r"episode 0001: event '(clock|wire|start)'"):
        attribute([episode(rows(USUAL_US, 4), [event])], 1, 50.0)


def test_hops_come_in_the_order_of_the_chain() -> None:
    names = list(table(episode(rows(USUAL_US, 40), [clock_event()])))
    assert names == [hop for hop in HOPS if hop in names]
    assert names == list(USUAL_US)


def test_every_hop_reads_in_words() -> None:
    assert set(text.HOPS) == set(HOPS)
    assert text.hop("compute") != "compute"
