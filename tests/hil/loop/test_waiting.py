"""The margin before an instant: learned, bounded, and its cost told."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hil.clock import WallClock
from hil.errors import BadInput
from hil.loop.waiting import Spin, Waiter, next_margin, spin_for

PERIOD_NS = 1_000_000
SPIN = Spin(most_ns=250_000)


class Host:
    """A clock that moves by reading it, and sleeps that end late by what the test says."""

    def __init__(self, lateness_ns: list[int], reading_ns: int = 50) -> None:
        self.now, self.reading_ns = 0, reading_ns
        self.lateness_ns = lateness_ns
        self.slept_s: list[float] = []

    def now_ns(self) -> int:
        self.now += self.reading_ns
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept_s.append(seconds)
        self.now += round(seconds * 1e9) + self.lateness_ns.pop(0)

    def waiter(self, spin: Spin = SPIN, margin_ns: int | None = None) -> Waiter:
        return Waiter(spin, margin_ns, self.now_ns, self.sleep)


def test_a_wait_ends_at_the_instant_and_not_before() -> None:
    host = Host([60_000] * 50)
    waiter = host.waiter()
    for point in range(1, 51):
        waiter.until(point * PERIOD_NS)
        assert 0 <= host.now - point * PERIOD_NS <= 2 * host.reading_ns


def test_a_sleep_later_than_the_margin_is_counted_and_widens_it() -> None:
    host = Host([200_000])
    waiter = host.waiter(margin_ns=100_000)
    waiter.until(PERIOD_NS)
    assert host.now > PERIOD_NS
    cost = waiter.cost
    assert (cost.waits, cost.overslept, cost.spun_ns) == (1, 1, 0)
    assert cost.margin_ns == pytest.approx(112_500)


def test_an_instant_that_has_passed_is_not_waited_for() -> None:
    host = Host([])
    host.now = PERIOD_NS
    waiter = host.waiter()
    waiter.until(PERIOD_NS)
    assert host.slept_s == []
    assert waiter.cost.late == 1


def test_an_instant_nearer_than_the_margin_is_spun_to() -> None:
    host = Host([])
    waiter = host.waiter(margin_ns=250_000)
    waiter.until(100_000)
    assert host.slept_s == []
    assert waiter.cost.slept_ns == 0
    assert 0 < waiter.cost.spun_ns <= 100_000
    assert host.now >= 100_000


def test_the_cost_adds_up_to_the_time_waited() -> None:
    host = Host([30_000, 40_000, 50_000], reading_ns=1)
    waiter = host.waiter(margin_ns=200_000)
    for point in (1, 2, 3):
        waiter.until(point * PERIOD_NS)
    cost = waiter.cost
    assert cost.slept_ns + cost.spun_ns == pytest.approx(3 * PERIOD_NS, abs=100)
    assert cost.longest_spin_ns == pytest.approx(170_000, abs=100)
    assert cost.as_data()["waits"] == 3


def test_without_a_spin_the_waiter_only_sleeps() -> None:
    host = Host([70_000])
    waiter = host.waiter(Spin(0))
    waiter.until(PERIOD_NS)
    assert host.now >= PERIOD_NS + 70_000
    assert waiter.cost.spun_ns == 0


@pytest.mark.parametrize("quantile", [0.9, 0.99])
def test_the_margin_finds_the_quantile(quantile: float) -> None:
    """In the steady state a fraction of 1 - q sleeps ends later than the margin."""
    spin = Spin(most_ns=10**9, least_ns=1, quantile=quantile)
    rng = random.Random(1)
    margin, beyond, count = 1_000.0, 0, 40_000
    for step in range(2 * count):
        overslept = round(rng.expovariate(1 / 40_000))
        if step >= count:
            beyond += overslept > margin
        margin = next_margin(margin, overslept, spin)
    assert beyond / count == pytest.approx(1 - quantile, rel=0.15)


@given(lateness=st.lists(st.integers(0, 10**8), max_size=200), most=st.integers(0, 10**6))
def test_the_margin_keeps_its_bounds(lateness: list[int], most: int) -> None:
    spin = Spin(most_ns=most)
    margin = spin.bounded(0)
    for overslept in lateness:
        margin = next_margin(margin, overslept, spin)
        assert min(spin.least_ns, most) <= margin <= most


def test_one_stall_moves_the_margin_by_one_step_only() -> None:
    assert next_margin(100_000.0, 10**9, Spin(most_ns=10**9)) == pytest.approx(112_500)


def test_a_change_of_load_is_followed_within_tens_of_waits() -> None:
    spin, margin = Spin(most_ns=10**6), 20_000.0
    for _ in range(30):
        margin = next_margin(margin, 300_000, spin)
    assert margin > 300_000


def test_a_spin_as_long_as_the_period_is_refused_with_one_that_would_do() -> None:
    with pytest.raises(BadInput) as refused:
        spin_for(PERIOD_NS, 1000.0)
    assert "250 us" in refused.value.remedy
    assert spin_for(PERIOD_NS, 250.0) == spin_for(PERIOD_NS)
    assert spin_for(PERIOD_NS, 999.0).most_ns == 999_000


def test_a_clock_waits_the_way_it_is_told() -> None:
    seen: list[int] = []
    WallClock(seen.append).sleep_until(7)
    assert seen == [7]


def test_on_the_wall_clock_no_wait_is_short() -> None:
    waiter = Waiter(spin_for(2_000_000))
    clock = WallClock(waiter.until)
    for _ in range(20):
        due_ns = clock.now_ns() + 2_000_000
        clock.sleep_until(due_ns)
        assert clock.now_ns() >= due_ns
    cost = waiter.cost
    assert cost.waits == 20
    assert cost.slept_ns > 0
