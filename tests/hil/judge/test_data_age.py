"""How old the input behind a command is: samples on the grid, and the claim on them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from run_builder import CLAIMS, PERIOD_NS, TASKS, Knobs, build_run, ticks

from hil.judge.model import ClaimResult, Outcome
from hil.judge.samples import DATA_AGE, UNANSWERED, episode_timing
from hil.judge.verdict import judge

CLAIM: dict[str, Any] = {**CLAIMS[1], "metric": "data_age"}


def rows(**knobs: object) -> np.ndarray:
    return ticks(Knobs(**knobs), np.random.default_rng(3))  # type: ignore[arg-type]


def by_hand(table: np.ndarray) -> list[int]:
    """The definition, one grid point after the other."""
    found: list[int] = []
    seen: int | None = None
    for row in table:
        for behind in range(int(row["skipped"]), 0, -1):
            end_of_point = int(row["scheduled_ns"]) - (behind - 1) * PERIOD_NS
            found.append(UNANSWERED if seen is None else end_of_point - seen)
        age = int(row["data_age_ns"])
        seen = int(row["act_ns"]) - age if age >= 0 else None
        found.append(age if age >= 0 else UNANSWERED)
    return found


@given(
    silent=st.sets(st.integers(0, 29)),
    skipped_every=st.integers(0, 7),
    startup=st.integers(0, 40),
)
def test_every_point_has_the_age_of_what_was_in_force(
    silent: set[int], skipped_every: int, startup: int
) -> None:
    table = rows(ticks=30, silent=tuple(silent), skipped_every=skipped_every)
    expected = by_hand(table)
    assert episode_timing(table, PERIOD_NS).samples(DATA_AGE).tolist() == expected
    rest = episode_timing(table, PERIOD_NS, startup_ticks=startup)
    assert rest.samples(DATA_AGE).tolist() == expected[startup:]


def test_a_point_passed_over_has_an_older_world_than_the_tick_that_came() -> None:
    table = rows(ticks=30, skipped_every=5)
    ages = episode_timing(table, PERIOD_NS).samples(DATA_AGE)
    passed = np.repeat(table["skipped"] > 0, table["skipped"] + 1)
    own = np.cumsum(table["skipped"] + 1) - 1
    passed[own] = False
    assert ages[passed].min() > PERIOD_NS
    assert ages[own].max() < PERIOD_NS


def only(folder: Path, claim: dict[str, Any], **knobs: Any) -> ClaimResult:
    verdict = judge(build_run(folder, Knobs(claims=[claim], **knobs)), TASKS)
    (found,) = verdict.scenarios[0].claims
    return found


def test_a_claim_on_the_data_age(tmp_path: Path) -> None:
    good = only(tmp_path / "good", {**CLAIM, "bound_us": 12_000})
    assert (good.state, good.total, good.metric) == (Outcome.PASS, 14 * 40, "data_age")
    assert good.statement == "p95 of data age at most 12 ms"
    old = only(tmp_path / "old", {**CLAIM, "bound_us": 12_000}, skipped_every=5)
    assert old.state is Outcome.FAIL
    assert old.reason == "what was commanded rested on older input"
    assert old.bound is not None
    assert old.bound > 2 * PERIOD_NS / 1000


def test_commands_with_no_input_behind_them_bound_nothing(tmp_path: Path) -> None:
    found = only(tmp_path / "run", {**CLAIM, "bound_us": 10**6}, silent=(0, 1, 2))
    assert (found.state, found.bound) == (Outcome.FAIL, None)
    assert "never answered" in found.shown


def test_the_verdict_shows_the_age_of_every_scenario_that_recorded_it(tmp_path: Path) -> None:
    run = build_run(tmp_path / "run", Knobs(silent=(0,)))
    age = judge(run, TASKS).scenarios[0].timing.data_age
    assert age is not None
    assert (age.count, age.unanswered, age.budget_us) == (14 * 40, 14, None)
    assert age.p95_us == pytest.approx(6_300, rel=0.2)


def test_a_record_without_ages_shows_none(tmp_path: Path) -> None:
    run = build_run(tmp_path / "run", Knobs(silent=tuple(range(40))))
    assert judge(run, TASKS).scenarios[0].timing.data_age is None
