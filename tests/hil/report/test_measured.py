"""Conditions and figures over episodes, as the report shows them."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from hil.judge.model import ConditionResult, EpisodeResult
from hil.report.measured import condition_rows, figure_rows


def episode(
    conditions: tuple[ConditionResult, ...] = (), **measures: float | None
) -> EpisodeResult:
    return made(conditions, {key.replace("_", " "): value for key, value in measures.items()})


def made(
    conditions: tuple[ConditionResult, ...], measures: Mapping[str, float | None]
) -> EpisodeResult:
    return EpisodeResult("0001", 1, True, "completed", "", "0001", 10, 1.0, conditions, measures)


def condition(value: float | None, ok: bool | None) -> ConditionResult:
    return ConditionResult("place error", value, "m", "<= 0.01 m", ok)


def test_a_condition_is_counted_over_the_episodes() -> None:
    [row] = condition_rows(
        [
            episode((condition(0.002, True),)),
            episode((condition(0.030, False),)),
            episode((condition(None, None),)),
            episode((condition(0.004, True),)),
        ]
    )
    assert (row.held, row.broken, row.unseen) == (2, 1, 1)
    assert (row.lowest, row.middle, row.highest) == (0.002, 0.004, 0.030)
    assert (row.name, row.limit, row.unit) == ("place error", "<= 0.01 m", "m")


def test_a_condition_that_nobody_saw_has_no_value() -> None:
    [row] = condition_rows([episode((condition(None, None),))])
    assert (row.middle, row.lowest, row.highest, row.unseen) == (None, None, None, 1)


def test_a_figure_of_one_procedure_has_its_own_interval() -> None:
    measures = {"RP [m]": 2e-5, "RP [m] from": 1e-5, "RP [m] to": 4e-5, "RP [m] n": 30.0}
    [row] = figure_rows([made((), measures)])
    assert (row.name, row.unit) == ("RP", "m")
    assert (row.middle, row.low, row.high, row.episodes, row.repeats) == (2e-5, 1e-5, 4e-5, 1, 30)


def test_a_figure_of_several_episodes_has_their_range() -> None:
    one = {"force [N]": 3.0, "force [N] from": 0.0, "force [N] to": 9.0}
    two = {"force [N]": 5.0, "force [N] from": 1.0, "force [N] to": 8.0}
    [row] = figure_rows([made((), one), made((), two)])
    assert (row.middle, row.low, row.high, row.episodes, row.repeats) == (4.0, 3.0, 5.0, 2, None)


@pytest.mark.parametrize("absent", [{}, {"force [N]": None}])
def test_a_figure_that_is_absent_is_not_shown(absent: Mapping[str, float | None]) -> None:
    assert figure_rows([made((), absent)]) == ()


def test_a_name_that_merely_ends_like_a_bound_is_a_figure() -> None:
    [row] = figure_rows([episode(distance_from=1.0)])
    assert (row.name, row.unit, row.middle) == ("distance from", "", 1.0)
