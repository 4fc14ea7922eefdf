"""The rules alone: every transition of the two state machines."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hil.contracts import JointLimits
from hil.errors import BadInput, Blame
from hil.loop.rules import AgeRule, JointRules, LateRun, MissingRule, late_fault, next_step
from hil.record.format import ActionReason, TickFlag
from scenarios.schema import Rules

FRESH, REPEATED, HELD, PARKED = (
    ActionReason.FRESH,
    ActionReason.REPEATED,
    ActionReason.HELD,
    ActionReason.PARKED,
)
NAMES = ("base", "elbow")
LIMITS = JointLimits(np.full(2, -1.0), np.full(2, 1.0), np.full(2, 3.0))


def rules(**changes: Any) -> Rules:
    return Rules.model_validate({"max_age_ms": 60, "max_consecutive": 4} | changes)


def walk(rule: MissingRule, decided: str) -> list[tuple[ActionReason, int, bool]]:
    """Steps for ticks with (x) and without (.) a decision, up to the stop."""
    missed, steps = 0, []
    for tick in decided:
        step = next_step(rule, missed, tick == "x")
        missed = step.missed
        steps.append((step.reason, step.missed, step.stop))
        if step.stop:
            break
    return steps


@pytest.mark.parametrize(
    ("changes", "decided", "reasons", "stops"),
    [
        ({}, "x..x", [FRESH, REPEATED, REPEATED, FRESH], False),
        ({}, ".........", [REPEATED] * 5, True),
        ({"repeat_ticks": 2}, "......", [REPEATED] * 3, True),
        ({"repeat_ticks": 0}, "x....", [FRESH, REPEATED], True),
        (
            {"repeat_ticks": 2, "then": "hold"},
            "x...x....",
            [FRESH, REPEATED, REPEATED, HELD, FRESH, REPEATED, REPEATED, HELD, HELD],
            False,
        ),
        (
            {"repeat_ticks": 1, "then": "hold"},
            "........",
            [REPEATED, HELD, HELD, HELD, HELD],
            True,
        ),
        (
            {"repeat_ticks": 0, "then": "park", "park_rad": {"base": 0.0}},
            "........",
            [PARKED] * 5,
            True,
        ),
    ],
)
def test_what_is_commanded_for_want_of_a_decision(
    changes: dict[str, Any], decided: str, reasons: list[ActionReason], stops: bool
) -> None:
    steps = walk(MissingRule.of(rules(**changes)), decided)
    assert [reason for reason, _, _ in steps] == reasons
    assert [stop for _, _, stop in steps] == [False] * (len(steps) - 1) + [stops]


@given(
    repeat=st.integers(0, 20),
    extra=st.integers(0, 20),
    then=st.sampled_from(["hold", "stop"]),
    decided=st.lists(st.booleans(), max_size=80),
)
def test_no_run_without_a_decision_outlasts_its_limit(
    repeat: int, extra: int, then: str, decided: list[bool]
) -> None:
    most = max(repeat + extra, 1)
    if then == "hold" and repeat >= most:
        repeat = most - 1
    asked = rules(max_consecutive=most, repeat_ticks=repeat, then=then)
    steps = walk(MissingRule.of(asked), "".join(".x"[one] for one in decided))
    for (reason, missed, stop), one in zip(steps, decided, strict=False):
        assert (reason is FRESH) == one == (missed == 0)
        assert missed <= most + 1
        if reason is REPEATED and then == "hold":
            assert missed <= repeat
        if reason is HELD:
            assert missed > repeat
        assert stop == (missed > (most if then == "hold" else repeat))


@pytest.mark.parametrize(
    ("changes", "would_do"),
    [
        ({"repeat_ticks": 5}, "4 or less would do"),
        ({"then": "hold"}, "repeat_ticks = 3 or less would do"),
        ({"then": "park", "repeat_ticks": 1}, "park_rad goes with"),
        ({"park_rad": {"base": 0.0}}, "park_rad goes with"),
    ],
)
def test_rules_that_can_never_act_are_refused(changes: dict[str, Any], would_do: str) -> None:
    with pytest.raises(ValueError, match=would_do):
        rules(**changes)


def late(*ticks: tuple[int, TickFlag]) -> LateRun:
    run = LateRun()
    for skipped, flags in ticks:
        run = run.after(skipped, flags)
    return run


ON_TIME = (0, TickFlag.NONE)
SLOW = (0, TickFlag.LATE | TickFlag.LATE_INFER)
SLEEPY = (0, TickFlag.LATE | TickFlag.LATE_WAKE)


@pytest.mark.parametrize(
    ("ticks", "points", "longest"),
    [
        ([ON_TIME, ON_TIME], 0, 0),
        ([SLOW, SLOW, SLOW], 3, 3),
        ([SLOW, ON_TIME, SLOW], 1, 1),
        ([SLOW, (2, SLOW[1])], 4, 4),
        ([SLOW, (3, TickFlag.NONE)], 0, 4),
        ([(2, TickFlag.NONE)], 0, 2),
        ([(0, TickFlag.LATE_INFER)], 0, 0),
    ],
)
def test_late_points_in_a_row_count_skipped_ones_too(
    ticks: list[tuple[int, TickFlag]], points: int, longest: int
) -> None:
    run = late(*ticks)
    assert (run.points, run.longest) == (points, longest)


def test_a_late_run_ends_the_episode_beyond_its_limit_only() -> None:
    run = late(SLOW, SLOW, SLOW)
    assert late_fault(run, None) is None
    assert late_fault(run, 3) is None
    fault = late_fault(run, 2)
    assert fault is not None
    assert "3 grid points in a row" in fault.message


@pytest.mark.parametrize(
    ("ticks", "blame"),
    [
        ([SLEEPY, SLEEPY], Blame.RIG),
        ([SLEEPY, SLOW], Blame.DEVICE),
        ([(5, TickFlag.NONE)], Blame.RIG),
        ([SLOW, (5, TickFlag.NONE)], Blame.DEVICE),
        ([SLOW, ON_TIME, SLEEPY, SLEEPY], Blame.RIG),
    ],
)
def test_the_device_is_blamed_for_its_own_stages_only(
    ticks: list[tuple[int, TickFlag]], blame: Blame
) -> None:
    fault = late_fault(late(*ticks), 1)
    assert fault is not None
    assert fault.blame is blame


@given(st.lists(st.tuples(st.integers(0, 4), st.booleans()), max_size=60))
def test_the_longest_run_is_that_of_the_grid(ticks: list[tuple[int, bool]]) -> None:
    """Against a list with one entry a grid point."""
    grid = "".join("L" * skipped + ("L" if slow else ".") for skipped, slow in ticks)
    run = late(*((skipped, SLOW[1] if slow else TickFlag.NONE) for skipped, slow in ticks))
    assert run.longest == max(map(len, grid.split(".")))


def test_ages_are_limited_joint_by_joint() -> None:
    ages = AgeRule.of(rules(max_age_of_ms={"elbow": 5}), NAMES, overlapped=False)
    assert ages.joints_ns.tolist() == [60_000_000, 5_000_000]
    assert ages.decision_ns is None
    assert AgeRule.of(rules(), NAMES, overlapped=True).decision_ns == 60_000_000
    own = AgeRule.of(rules(max_decision_age_ms=90), NAMES, overlapped=True)
    assert own.decision_ns == 90_000_000


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"max_age_of_ms": {"wrist": 5}}, "no joint wrist"),
        ({"then": "park", "repeat_ticks": 1, "park_rad": {"wrist": 0.0}}, "no joint wrist"),
        ({"then": "park", "repeat_ticks": 1, "park_rad": {"elbow": 1.5}}, "elbow = 1.5 rad"),
    ],
)
def test_rules_for_joints_that_the_arm_cannot_keep(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(BadInput, match=says):
        JointRules.of(rules(**changes), NAMES, LIMITS, overlapped=False)
