"""Blocks, start-up, the worst second, and records larger than a block of rows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from run_builder import BUDGET_US, PERIOD_NS, RATE_HZ, Knobs, ticks

from hil.errors import DamagedRecord
from hil.judge.latency import timing, worst_second
from hil.judge.samples import UNANSWERED, EpisodeTiming, episode_timing
from hil.judge.series import block_maxima, episode_maxima
from hil.record.mapped import BLOCK_ROWS, MAP_FROM_BYTES, open_array


def rows(**knobs: object) -> np.ndarray:
    return ticks(Knobs(**knobs), np.random.default_rng(3))  # type: ignore[arg-type]


def many(count: int) -> np.ndarray:
    """Rows with every stamp its own, quickly made."""
    table = np.resize(rows(ticks=50), count)
    shift = np.arange(count) * PERIOD_NS - (table["scheduled_ns"] - table["scheduled_ns"][0])
    for name in ("scheduled_ns", "woke_ns", "sense_ns", "infer_ns", "act_ns", "done_ns"):
        table[name] += shift
    table["woke_ns"] += np.arange(count) % 977
    table["tick"] = np.arange(count)
    return table


def test_start_up_is_apart_and_nothing_of_it_is_lost() -> None:
    table = rows(ticks=30, skipped_every=5, silent=(0, 9))
    whole = episode_timing(table, PERIOD_NS)
    for startup in (0, 1, 2, 3, 7, 30, 1000):
        rest = episode_timing(table, PERIOD_NS, startup_ticks=startup)
        together = np.concatenate([rest.startup, rest.reaction])
        assert (together == whole.reaction).all()
        assert rest.points == max(0, whole.points - startup)
        assert rest.points == len(rest.reaction) == len(rest.row)
        first = int(whole.row[startup]) if startup < whole.points else len(table)
        for stage, durations in rest.stages.items():
            assert (durations == whole.stages[stage][first:]).all()
        assert len(rest.device["compute"]) == 30 - first - sum(i >= first for i in (0, 9))
        assert rest.flags == whole.flags


def test_start_up_is_reported_with_its_misses() -> None:
    table = rows(ticks=20, silent=(0, 1))
    one = episode_timing(table, PERIOD_NS, startup_ticks=3)
    found = timing([one, one], RATE_HZ, BUDGET_US, measured=True, startup_ticks=3)
    assert found.startup is not None
    assert (found.startup.count, found.startup.over_budget, found.startup.unanswered) == (6, 4, 4)
    assert (found.points, found.misses) == (34, 0)
    bare = timing([episode_timing(table, PERIOD_NS)], RATE_HZ, BUDGET_US, measured=True)
    assert (bare.points, bare.misses, bare.startup) == (20, 2, None)


@pytest.mark.parametrize(("row", "step"), [(0, 1), (3, 1), (3, -1), (7, 40)])
def test_points_that_nobody_counts_are_refused(row: int, step: int) -> None:
    table = rows(ticks=9, skipped_every=4)
    table["tick"][row:] += step
    with pytest.raises(DamagedRecord, match=f"episode 0007: row {row} "):
        episode_timing(table, PERIOD_NS, name="0007")


def test_block_maxima_leave_no_sample_out() -> None:
    parts = [episode_timing(rows(ticks=n), PERIOD_NS) for n in (7, 3, 12, 1)]
    joined = np.concatenate([part.reaction for part in parts])
    found = block_maxima(parts, "reaction", 5)
    assert len(found) == 23 // 5
    assert list(found[:3]) == [joined[i : i + 5].max() for i in (0, 5, 10)]
    assert found[3] == joined[15:].max(), "what is left over belongs to the last block"
    assert len(block_maxima(parts, "reaction", 24)) == 0
    assert len(block_maxima([], "reaction", 5)) == 0
    assert list(block_maxima(parts, "reaction", 23)) == [joined.max()]


def test_block_in_which_the_device_gave_up_never_answered() -> None:
    good = episode_timing(rows(ticks=10), PERIOD_NS)
    lost = episode_timing(rows(ticks=4), PERIOD_NS, cut_short=True)
    found = block_maxima([good, lost, good], "reaction", 5)
    assert list(found == UNANSWERED) == [False, False, True, False, False]
    assert list(block_maxima([good, lost], "sense", 5) == UNANSWERED) == [False, False, True]
    assert list(episode_maxima([good, lost], "reaction") == UNANSWERED) == [False, True]


def test_worst_second_is_the_one_with_most_misses() -> None:
    table = rows(ticks=400, skipped_every=0)
    table["skipped"][210] = 30
    table["tick"][210:] += 30
    stamps = ("scheduled_ns", "woke_ns", "sense_ns", "infer_ns", "act_ns", "done_ns")
    for name in stamps:
        table[name][210:] += 30 * PERIOD_NS
    one = episode_timing(table, PERIOD_NS, name="0004")
    found = timing([episode_timing(rows(), PERIOD_NS), one], RATE_HZ, BUDGET_US, measured=True)
    worst = found.worst_second
    assert worst is not None
    assert (worst.episode, worst.points, worst.misses) == ("0004", 50, 30)
    assert worst.first_point == 190, "the first of the windows that hold all of them"
    assert worst.achieved_hz == 20
    late = episode_timing(table, PERIOD_NS, startup_ticks=100)
    shifted = worst_second(late, late.reaction > PERIOD_NS, RATE_HZ)
    assert (shifted.first_point, shifted.misses) == (worst.first_point, 30)


def test_an_episode_shorter_than_a_second_is_its_own_worst() -> None:
    one = episode_timing(rows(ticks=10, silent=(3,)), PERIOD_NS)
    found = worst_second(one, one.reaction > PERIOD_NS, RATE_HZ)
    assert (found.points, found.misses, found.achieved_hz) == (10, 1, RATE_HZ)


def test_reading_in_blocks_and_from_a_map_gives_the_same(tmp_path: Path) -> None:
    table = many(max(BLOCK_ROWS * 2 + 17, MAP_FROM_BYTES // rows().dtype.itemsize + 1))
    np.save(tmp_path / "ticks.npy", table)
    mapped = open_array(tmp_path / "ticks.npy")
    assert isinstance(mapped, np.memmap)
    here, there = episode_timing(table, PERIOD_NS), episode_timing(mapped, PERIOD_NS)
    straight = table["act_ns"] - table["scheduled_ns"]
    for one in (here, there):
        assert (one.reaction == straight).all()
        assert (one.stages["wake"] == table["woke_ns"] - table["scheduled_ns"]).all()
    assert summary(here) == summary(there)


def summary(one: EpisodeTiming) -> object:
    return timing([one], RATE_HZ, BUDGET_US, measured=True)


def test_durations_beyond_32_bits_are_kept_whole() -> None:
    table = rows(ticks=5)
    table["act_ns"][3] += 3_000_000_000
    one = episode_timing(table, PERIOD_NS)
    assert one.stages["act"][3] == table["act_ns"][3] - table["infer_ns"][3] > 2**31
    assert one.reaction[3] == table["act_ns"][3] - table["scheduled_ns"][3]
