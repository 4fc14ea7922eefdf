"""Delays put into a running twin are found where they were put; a run records what that needs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest

from hil.bench.attribution import (
    RATE_HZ,
    SCENARIO,
    Shares,
    clock_figures,
    measure,
    medians_us,
    only,
    place_figures,
    prepare,
)
from hil.bench.injection import PLACES, Place, Wire, delayed_bench, delayed_rig
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


def least_us(episodes: Sequence[Episode]) -> dict[str, float]:
    """The least of every hop, us, over decisions that are looked at one by one. Whatever else a
    busy host does only adds to a hop, and hardly to each of a dozen."""
    least: dict[str, float] = {}
    for episode in episodes:
        for row in range(len(episode.ticks)):
            one = only(episode, np.arange(len(episode.ticks)) == row)
            found = attribute([one], 1, RATE_HZ)
            for hop in found.hops if found else ():
                least[hop.hop] = min(hop.max_us, least.get(hop.hop, np.inf))
    return least


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.hop)
def test_the_hop_of_a_delay_gains_it_and_no_other_does(
    place: Place, running: tuple[Bench, Wire, Plan], monkeypatch: pytest.MonkeyPatch
) -> None:
    of_each: list[dict[str, float]] = []

    def looked_at(episodes: Sequence[Episode]) -> Mapping[str, float]:
        of_each.append(least_us(episodes))
        return medians_us(episodes)

    monkeypatch.setattr("hil.bench.attribution.medians_us", looked_at)
    shares = measure(place, *running, TICKS)
    least = Shares(dict(zip(shares.hops_us, of_each, strict=True)))
    gained = least.gained_us(20_000)
    assert gained.pop(place.hop) >= 0.9 * 20_000
    assert max(map(abs, gained.values())) < 0.2 * 20_000, "shares of the delay, on any host"
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
