"""What counts as a broken clock, and what does not."""

from __future__ import annotations

import pytest

from hil.clock import NS_PER_MS, NS_PER_S, VirtualClock, WallClock
from hil.run.conditions import Clocks, Conditions, judge_clocks

START = Clocks(1_000 * NS_PER_S, 5_000 * NS_PER_S, 1_700_000_000 * NS_PER_S)


def later(passed_s: float, slept_s: float = 0.0, stepped_s: float = 0.0) -> Clocks:
    passed, slept, stepped = (round(x * NS_PER_S) for x in (passed_s, slept_s, stepped_s))
    return Clocks(
        START.monotonic_ns + passed,
        START.boot_ns + passed + slept,
        START.date_ns + passed + slept + stepped,
    )


@pytest.mark.parametrize(
    ("after", "said"),
    [
        (later(60), ""),
        (later(60, stepped_s=0.03), ""),  # slewed: 500 ppm
        (later(0.1, stepped_s=0.09), ""),
        (later(60, stepped_s=2), "set by +2 s"),
        (later(60, stepped_s=-2), "set by -2 s"),
        (later(60, slept_s=30), "suspended for 30 s"),
        (later(60, slept_s=30, stepped_s=5), "suspended for 30 s"),
    ],
)
def test_steps_and_sleep_are_named_and_slewing_is_not(after: Clocks, said: str) -> None:
    found = judge_clocks(START, after)
    assert said in found
    assert bool(found) == bool(said)


def test_each_look_counts_from_the_one_before() -> None:
    readings = iter([later(1, stepped_s=9), later(2, stepped_s=9)])
    conditions = Conditions(START, lambda: next(readings))
    assert "set by +9 s" in conditions.broken()
    assert conditions.broken() == ""


def test_this_host_s_clocks_are_in_order_and_a_virtual_one_does_not_look() -> None:
    assert Conditions.of(WallClock()).broken() == ""

    def never() -> Clocks:
        raise AssertionError("the host's clocks do not matter here")

    assert Conditions.of(VirtualClock(), never).broken() == ""


def test_a_preempted_reading_is_not_taken_for_a_step() -> None:
    assert judge_clocks(START, later(10, stepped_s=80 * NS_PER_MS / NS_PER_S)) == ""
