"""Delays put into a running twin are found where they were put; a run records what that needs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from hil.bench.attribution import (
    RATE_HZ,
    SCENARIO,
    USUAL,
    clock_figures,
    measure,
    medians_us,
    only,
    place_figures,
    prepare,
)
from hil.bench.injection import DELAYS_US, PLACES, Place, Wire, delayed_bench, delayed_rig
from hil.catalogue import load_rig
from hil.judge.attribution import attribute
from hil.judge.verdict import judge
from hil.plan.freeze import Plan, freeze, single
from hil.record.format import Episode
from hil.record.reader import open_run
from hil.report.html import render_html
from hil.rig import Bench
from hil.run.campaign import run_on_bench

TICKS = 12


@pytest.fixture(scope="module")
def running() -> Iterator[tuple[Bench, Wire, Plan]]:
    rig, path = load_rig("twin-so101")
    rig = delayed_rig(rig)
    with delayed_bench(rig, path) as (bench, wire):
        bench.open()
        plan = freeze(single(SCENARIO, 1), "0" * 64, rig, path, seed=5)
        prepare(bench, plan)
        yield bench, wire, plan


@dataclass(frozen=True)
class Least:
    """The least of every hop by name, us, over decisions that the report looks at one by one:
    that it took `surely`, and that it `perhaps` took, by what the report says it is unsure of."""

    surely: Mapping[str, float]
    perhaps: Mapping[str, float]


def least(episodes: Sequence[Episode]) -> Least:
    surely: dict[str, list[float]] = {}
    perhaps: dict[str, list[float]] = {}
    for episode in episodes:
        for row in range(len(episode.ticks)):
            one = only(episode, np.arange(len(episode.ticks)) == row)
            found = attribute([one], 1, RATE_HZ)
            took_us = {hop.hop: hop.max_us for hop in found.hops} if found else {}
            for hop in found.hops if found else ():
                # a question is stamped once it is written: who was held up between the two has
                # in `ask` what is missing from `there`
                held_up_us = took_us["ask"] if hop.hop == "there" else 0.0
                unsure_us = hop.unsure_us or 0.0
                surely.setdefault(hop.hop, []).append(hop.max_us - unsure_us)
                perhaps.setdefault(hop.hop, []).append(hop.max_us + unsure_us + held_up_us)
    return Least(*({hop: min(of) for hop, of in one.items()} for one in (surely, perhaps)))


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.hop)
def test_the_hop_of_a_delay_holds_it_and_no_other_does(
    place: Place, running: tuple[Bench, Wire, Plan], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A busy host adds to every hop at times, and takes nothing away: a delay is in each of its
    ticks, and what is not put there is absent from some of a dozen."""
    of_each: list[Least] = []

    def looked_at(episodes: Sequence[Episode]) -> Mapping[str, float]:
        of_each.append(least(episodes))
        return medians_us(episodes)

    monkeypatch.setattr("hil.bench.attribution.medians_us", looked_at)
    shares = measure(place, *running, TICKS)
    by_delay = dict(zip(shares.hops_us, of_each, strict=True))
    for delay_us in DELAYS_US:
        assert by_delay[delay_us].perhaps[place.hop] >= 0.95 * delay_us
    elsewhere = dict(by_delay[20_000].surely)
    del elsewhere[place.hop]
    assert max(elsewhere.values()) < 0.5 * 20_000, elsewhere
    assert by_delay[USUAL].surely[place.hop] < 0.5 * 20_000, "nor is it there unasked"
    judged = [figure for figure in place_figures(place, shares) if figure.target]
    assert [figure.unit for figure in judged] == ["us", "us"]


def test_the_map_of_a_clock_that_is_the_host_s_own_is_inside_its_uncertainty(
    running: tuple[Bench, Wire, Plan],
) -> None:
    figures = {figure.name: figure for figure in clock_figures(running[0])}
    assert figures["clock mapping error inside the stated uncertainty"].met


def test_a_run_records_clocks_and_wires_and_its_verdict_tells_the_hops(
    running: tuple[Bench, Wire, Plan], tmp_path: Path
) -> None:
    bench, _, plan = running
    ending = run_on_bench(plan, bench, tmp_path / "run")
    assert ending.outcome == "complete", ending.reason
    run = open_run(tmp_path / "run")
    episode = run.episode("0001")
    clocks = [event for event in episode.events if event["event"] == "clock"]
    assert {event["moment"] for event in clocks} == {"before", "after"}
    assert [event["role"] for event in clocks if event["stamps_ticks"]] == ["terminal"] * 2
    verdict = judge(run)
    found = verdict.scenarios[0].attribution
    assert found is not None
    assert 0 < found.decisions <= len(episode.ticks)
    hops = {hop.hop: hop for hop in found.hops}
    inside = ["wake", "read", "ask", "there", "queue", "compute", "reply", "back", "decide"]
    assert list(hops) == [*inside, "command", "motion"]
    assert hops["read"].wire_us == (14 + 6 * 13) * 10  # six servos at 1 Mbaud, 8N1
    assert hops["command"].wire_us == 26 * 10
    assert (hops["read"].p50_us or 0) >= hops["read"].wire_us, "faster than the wire"
    terminal = next(clock for clock in found.clocks if clock.role == "terminal")
    # both ends read one clock, so that the true offset is 0
    assert abs(terminal.offset_us) <= terminal.unsure_us
    assert (terminal.steps, found.left_out) == ((), 0), "nobody set that clock"
    served = episode.ticks[episode.ticks["flags"] == 0]
    assert (served["answered_ns"] > served["asked_ns"]).all()
    assert "Where the time of a decision went" in render_html(run, verdict)
