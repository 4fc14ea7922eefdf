"""Counting missing and repeated frames by their stamps."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.camera.arrivals import Arrivals, missing_in
from hil.clock import NS_PER_MS, NS_PER_S
from hil.contracts import NEVER

RATE_HZ = 30.0
PERIOD_NS = round(NS_PER_S / RATE_HZ)


@pytest.mark.parametrize(
    ("periods", "missing"),
    [(0.0, 0), (0.4, 0), (1.0, 0), (1.7, 0), (1.76, 1), (2.2, 1), (3.0, 2), (10.0, 9)],
)
def test_missing_in_a_gap(periods: float, missing: int) -> None:
    assert missing_in(periods * 1000, 1000) == missing


@given(st.lists(st.booleans(), min_size=2, max_size=80), st.integers(0, 2**40))
def test_every_dropped_frame_of_a_steady_stream_is_counted(lost: list[bool], start: int) -> None:
    came = [n for n, gone in enumerate([False, *lost, False]) if not gone]
    arrivals = Arrivals(RATE_HZ)
    seen = [arrivals.note(start + n * PERIOD_NS, NEVER, same=False) for n in came]
    assert arrivals.totals.missed == sum(lost)
    assert [one.index for one in seen] == list(range(len(came)))
    assert seen[0].missed == 0


def test_gaps_are_those_of_the_camera_where_it_has_stamps() -> None:
    arrivals = Arrivals(RATE_HZ)
    # the link held the second frame up, and the third caught up with it
    late = [(0, 0), (2 * PERIOD_NS, PERIOD_NS), (2 * PERIOD_NS + 1, 2 * PERIOD_NS)]
    for host_ns, device_ns in late:
        arrivals.note(host_ns, 5 * NS_PER_S + device_ns, same=False)
    assert arrivals.totals.missed == 0
    arrivals.note(3 * PERIOD_NS, 5 * NS_PER_S + 5 * PERIOD_NS, same=False)
    assert arrivals.totals.missed == 2


def test_equal_pictures_and_a_clock_that_stands_still_are_repeated() -> None:
    arrivals = Arrivals(RATE_HZ)
    stamps = [(0, 7, True), (1, 8, False), (2, 9, True), (3, 9, False), (4, 10, False)]
    came = [arrivals.note(at, device, same) for at, device, same in stamps]
    assert [one.repeated for one in came] == [False, False, True, True, False]
    assert arrivals.totals.repeated == 2


def test_how_long_a_picture_has_stood() -> None:
    arrivals = Arrivals(RATE_HZ)
    for tick in range(4):
        arrivals.note(tick * PERIOD_NS, NEVER, same=tick > 1)
    totals = arrivals.totals
    assert totals.last_ns - totals.still_since_ns == 2 * PERIOD_NS


def test_rate_is_that_of_the_last_frames() -> None:
    arrivals = Arrivals(RATE_HZ)
    assert math.isnan(arrivals.rate_hz())
    arrivals.note(0, NEVER, same=False)
    assert math.isnan(arrivals.rate_hz())
    for tick in range(1, 40):
        arrivals.note(tick * 50 * NS_PER_MS, NEVER, same=False)
    assert arrivals.rate_hz() == pytest.approx(20)
    arrivals.note(60 * NS_PER_S, NEVER, same=False)
    assert math.isnan(arrivals.rate_hz())
