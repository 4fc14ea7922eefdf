"""The table of what each sense is worth."""

from __future__ import annotations

import dataclasses

import pytest

from hil.judge.model import ConditionResult, EpisodeResult, Outcome, ScenarioVerdict, Timing
from hil.report.ablation import ablation_data, ablation_page, ablation_row, combinations

TIMING = Timing(False, (), (), 1.0, 0, 0, 0, 0, 1.0, None, {})


def episode(number: int, success: bool | None) -> EpisodeResult:
    failed = ConditionResult("dropped", 1.0, "", "= 0", ok=bool(success))
    conditions = () if success is None else (failed,)
    return EpisodeResult(f"{number:04}", number, success, "ERROR", "", "", 1, None, conditions)


def verdict(*successes: bool | None) -> ScenarioVerdict:
    episodes = tuple(episode(number, one) for number, one in enumerate(successes))
    return ScenarioVerdict(
        *(
            "id",
            "title",
            "track",
            "sector",
            "archetype",
            "description",
            "basis",
            "status",
            "0",
            None,
        ),
        Outcome.FAIL,
        (),
        sum(one is True for one in successes),
        sum(one is False for one in successes),
        sum(one is None for one in successes),
        None,
        None,
        None,
        "",
        (),
        TIMING,
        {},
        episodes,
    )


def test_a_row_counts_and_compares_the_same_episodes() -> None:
    whole = verdict(True, True, True, False)
    row = ablation_row(["tactile"], ["left", "right"], verdict(True, False, None, True), whole, "f")
    assert (row.n, row.successes, row.undecided) == (4, 2, 1)
    assert (row.lost, row.won) == (2, 1)
    assert row.why == {"dropped": 1, "ended as ERROR": 1}
    # Clopper-Pearson of 2 in 4, from tables
    assert (row.low, row.high) == pytest.approx((0.0676, 0.9324), abs=1e-4)


def test_nothing_then_each_then_all_are_withheld() -> None:
    assert combinations(["a"]) == [(), ("a",)]
    assert combinations(["a", "b"]) == [(), ("a",), ("b",), ("a", "b")]
    assert combinations(["a", "b", "c"])[-1] == ("a", "b", "c")


def test_the_page_is_a_table_and_the_data_plain() -> None:
    whole = verdict(True, False)
    rows = [
        ablation_row([], [], whole, whole, "all"),
        ablation_row(["tactile", "ear"], ["tip", "ear"], verdict(False, False), whole, "w"),
    ]
    lines = ablation_page(rows).splitlines()
    assert len({len(line) for line in lines}) == 1
    assert lines[2].startswith("| all sensors ")
    assert "| without tactile and ear | 2 " in lines[3]
    assert "dropped (2)" in lines[3]
    assert ablation_data(rows)[1]["roles"] == ("tip", "ear")
    assert dataclasses.asdict(rows[0])["lost"] == 0
