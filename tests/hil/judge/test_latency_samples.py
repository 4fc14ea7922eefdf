from __future__ import annotations

import numpy as np
import pytest
from run_builder import BUDGET_US, PERIOD_NS, RATE_HZ, Knobs, ticks

from hil.judge.latency import blame, longest_run, nearest_ranks, timing
from hil.judge.samples import UNANSWERED, episode_timing, pooled
from hil.record.format import TICK, TickFlag


def rows(**knobs: object) -> np.ndarray:
    return ticks(Knobs(**knobs), np.random.default_rng(3))  # type: ignore[arg-type]


def test_skipped_points_stand_on_the_grid_and_count_from_their_own_instant() -> None:
    table = rows(ticks=3, skipped_every=5)
    assert list(table["tick"]) == [0, 3, 4]
    one = episode_timing(table, PERIOD_NS)
    served = int(table[1]["act_ns"] - table[1]["scheduled_ns"])
    assert list(one.reaction[1:4]) == [served + 2 * PERIOD_NS, served + PERIOD_NS, served]
    assert list(one.row) == [0, 1, 1, 1, 2]


def test_points_without_an_answer_are_later_than_any_bound() -> None:
    one = episode_timing(rows(ticks=5, silent=(2,)), PERIOD_NS)
    assert one.reaction[2] == UNANSWERED
    assert one.samples("infer")[2] == UNANSWERED
    assert one.samples("sense")[2] < UNANSWERED
    assert one.stages["infer"][2] < UNANSWERED
    table = timing([one], RATE_HZ, BUDGET_US, measured=True)
    infer = next(stage for stage in table.stages if stage.stage == "infer")
    assert (infer.unanswered, infer.max_us) == (1, None)
    assert table.misses == 1
    assert table.flags == {"no_answer": 1, "repeated_action": 1}


def test_points_skipped_before_an_unanswered_tick_are_unanswered() -> None:
    table = rows(ticks=3, skipped_every=5, silent=(1,))
    one = episode_timing(table, PERIOD_NS)
    assert list(one.reaction == UNANSWERED) == [False, True, True, True, False]


def test_percentiles_only_where_a_sample_lies_beyond() -> None:
    samples = np.arange(1, 101, dtype=np.int64)
    assert nearest_ranks(samples, [0.99, 0.5, 0.999]) == [99, 50, None]
    assert nearest_ranks(samples[:99], [0.99]) == [None]
    assert nearest_ranks(samples[:20], [0.95]) == [19]
    assert nearest_ranks(samples[:19], [0.95]) == [None]
    assert nearest_ranks(samples[:0], [0.5]) == [None]


@pytest.mark.parametrize(
    ("pattern", "longest"), [("", 0), ("...", 0), ("xx.x", 2), (".xxx", 3), ("x", 1)]
)
def test_longest_run(pattern: str, longest: int) -> None:
    assert longest_run(np.array([c == "x" for c in pattern], dtype=bool)) == longest


def test_streak_runs_over_the_grid_and_not_over_episodes() -> None:
    late = episode_timing(rows(ticks=4, silent=(3,)), PERIOD_NS)
    early = episode_timing(rows(ticks=4, silent=(0,)), PERIOD_NS)
    assert timing([late, early], RATE_HZ, BUDGET_US, measured=True).longest_streak == 1
    skipping = episode_timing(rows(ticks=4, skipped_every=5, silent=(1,)), PERIOD_NS)
    assert timing([skipping], RATE_HZ, BUDGET_US, measured=True).longest_streak == 3


def test_rate_is_what_was_achieved() -> None:
    full = timing([episode_timing(rows(), PERIOD_NS)], RATE_HZ, BUDGET_US, measured=True)
    assert full.achieved_hz == pytest.approx(50, rel=0.01)
    thin = rows(skipped_every=2)
    half = timing([episode_timing(thin, PERIOD_NS)], RATE_HZ, BUDGET_US, measured=True)
    assert half.achieved_hz == pytest.approx(25, rel=0.03)
    assert half.skipped == int(thin["skipped"].sum())


def test_device_time_and_the_way_there_add_up() -> None:
    table = rows(ticks=30, silent=(4,))
    device = timing([episode_timing(table, PERIOD_NS)], RATE_HZ, BUDGET_US, measured=True).device
    assert [(d.stage, d.count) for d in device] == [("compute", 29), ("transport", 29)]
    assert device[0].p50_us is not None
    assert device[0].p50_us == pytest.approx(5200 * 0.55, rel=0.1)
    bare = table.copy()
    for column in ("received", "start", "end", "sent"):
        bare[f"device_{column}_ns"] = -1
    assert not timing([episode_timing(bare, PERIOD_NS)], RATE_HZ, BUDGET_US, measured=True).device


@pytest.mark.parametrize("stage", ["wake", "sense", "infer", "act"])
def test_blame_names_the_stage_that_left_its_budget(stage: str) -> None:
    slow = episode_timing(rows(slow_us={stage: 33_000}), PERIOD_NS)
    found = blame([slow], 20_000_000, BUDGET_US)
    assert found is not None
    assert (found.stage, found.over_budget, found.late_ticks) == (stage, True, 40)
    assert stage in str(found)


def test_blame_says_where_no_stage_left_its_budget() -> None:
    kept = episode_timing(rows(), PERIOD_NS)
    found = blame([kept], 1_000_000, BUDGET_US)
    assert found is not None
    assert (found.stage, found.over_budget) == ("infer", False)
    assert "no stage left its budget" in str(found)
    assert blame([kept], UNANSWERED, BUDGET_US) is None


def test_an_empty_record_has_no_samples() -> None:
    empty = episode_timing(np.empty(0, TICK), PERIOD_NS)
    assert len(pooled([empty], "reaction")) == 0
    assert len(pooled([], "infer")) == 0
    nothing = timing([empty], RATE_HZ, BUDGET_US, measured=True)
    assert (nothing.points, nothing.misses, nothing.achieved_hz) == (0, 0, None)
    assert nothing.stages[0].max_us is None


def test_every_flag_has_a_name_in_the_counts() -> None:
    table = rows(ticks=len(list(TickFlag)))
    table["flags"] = [int(flag) for flag in TickFlag]
    counted = timing([episode_timing(table, PERIOD_NS)], RATE_HZ, BUDGET_US, measured=True).flags
    assert counted == {str(flag.name).lower(): 1 for flag in TickFlag}
