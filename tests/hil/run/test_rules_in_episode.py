"""The rules at work in an episode: what the record shows of every missed tick."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from benches import scenario
from episodes import LOOP, RULES, Setup, channel
from pydantic import ValidationError

from hil.clock import Deadline
from hil.errors import DeadlineMissed
from hil.record.format import ActionReason, EpisodeEnd, TickFlag

FRESH, REPEATED, HELD, PARKED, NOTHING = ActionReason


def deaf_from(setup: Setup, row: int) -> None:
    """The terminal answers too late from the tick after `row` on."""

    def act(now: int) -> None:
        if now == row:
            setup.terminal.infer_ns = 10**9

    setup.act = act


def test_hold_after_repeats_then_the_end() -> None:
    setup = Setup()
    deaf_from(setup, 9)
    attempt = setup.run({"repeat_ticks": 2, "then": "hold"})
    assert attempt.end is EpisodeEnd.DEVICE_FAULT
    assert "no inference in time for 6 ticks in a row" in attempt.reason
    ticks = attempt.episode.ticks
    assert ticks["reason"].tolist() == [FRESH] * 10 + [REPEATED] * 2 + [HELD] * 4
    assert ticks["repeats"].tolist() == [0] * 10 + [1, 2, 3, 4, 5, 6]
    missed = ticks["reason"] != FRESH
    assert (ticks["flags"][missed] & TickFlag.NO_ANSWER).all()
    applied = channel(attempt, "applied")
    assert np.isfinite(applied).all(), "every missed tick says what was commanded"
    np.testing.assert_array_equal(applied[10:12], applied[[9, 9]])
    measured = channel(attempt, "position")[12]
    np.testing.assert_array_equal(applied[12:], np.broadcast_to(measured, (4, 2)))


def test_a_held_arm_that_sags_is_held_where_the_hold_began() -> None:
    setup = Setup()

    def act(row: int) -> None:
        if row == 5:
            setup.terminal.infer_ns = 10**9
        if row > 5:
            setup.arm.position = setup.arm.position - [0.0, 0.01]

    setup.act = act
    attempt = setup.run({"repeat_ticks": 1, "then": "hold"})
    held = attempt.episode.ticks["reason"] == HELD
    assert held.sum() == 5
    applied = channel(attempt, "applied")[held]
    np.testing.assert_array_equal(applied, np.broadcast_to(applied[0], applied.shape))


def test_a_decision_ends_the_hold() -> None:
    setup = Setup()

    def act(row: int) -> None:
        setup.terminal.infer_ns = 10**9 if row in (5, 6, 7) else 2_000_000

    setup.act = act
    attempt = setup.run({"repeat_ticks": 1, "then": "hold"}, {"duration_s": 0.4})
    assert attempt.end is EpisodeEnd.COMPLETED
    reasons = attempt.episode.ticks["reason"].tolist()
    assert reasons[5:11] == [FRESH, REPEATED, HELD, HELD, FRESH, FRESH]
    assert attempt.episode.ticks["repeats"].max() == 3


def test_park_within_the_envelope() -> None:
    setup = Setup()
    deaf_from(setup, 9)
    rules = {
        "repeat_ticks": 1,
        "then": "park",
        "park_rad": {"base": -1.0},
        "max_consecutive": 40,
    }
    attempt = setup.run(rules)
    parked = attempt.episode.ticks["reason"] == PARKED
    assert parked.any()
    applied = channel(attempt, "applied")
    assert applied[-1, 0] == -1.0, "it got there"
    assert np.abs(np.diff(applied, axis=0)).max() <= 5.0 * 0.02 + 1e-9, "no faster than allowed"
    assert (applied[parked, 1] == applied[9, 1]).all(), "a joint without a pose stays"
    first = np.flatnonzero(parked)[0]
    assert attempt.episode.ticks["flags"][first] & TickFlag.LIMITED_ACTION


def test_stop_after_fewer_repeats_than_the_limit() -> None:
    setup = Setup()
    deaf_from(setup, 3)
    attempt = setup.run({"repeat_ticks": 2, "then": "stop"})
    assert attempt.end is EpisodeEnd.DEVICE_FAULT
    ticks = attempt.episode.ticks
    assert ticks["reason"].tolist() == [FRESH] * 4 + [REPEATED] * 3
    assert ticks["repeats"][-1] == 3, "the tick that ended it is on the record"


def test_a_joint_may_have_an_age_limit_of_its_own() -> None:
    """At 20 ms a tick, 45 ms bridge two lost reads, 10 ms none."""

    def stale(limits: Mapping[str, float]) -> int:
        setup = Setup()

        def act(row: int) -> None:
            setup.arm.silent = {1} if 4 <= row < 6 else set()

        setup.act = act
        attempt = setup.run({"max_age_of_ms": limits}, {"duration_s": 0.4})
        assert attempt.end is EpisodeEnd.COMPLETED
        ticks = attempt.episode.ticks
        assert ticks["lost"].sum() == 2
        return int((ticks["reason"] == REPEATED).sum())

    assert stale({}) == 0
    assert stale({"base": 10}) == 0, "the other joint's limit"
    assert stale({"elbow": 10}) == 2


def test_a_decision_from_too_old_an_observation_is_not_acted_on() -> None:
    setup = Setup()

    def act(row: int) -> None:
        setup.terminal.infer_ns = 12_000_000 if row == 5 else 2_000_000

    setup.act = act
    attempt = setup.run({"max_decision_age_ms": 8}, {"duration_s": 0.4})
    ticks = attempt.episode.ticks
    assert np.flatnonzero(ticks["reason"] == REPEATED).tolist() == [6]
    assert ticks["flags"][6] & TickFlag.NO_ANSWER
    assert (ticks["data_age_ns"][ticks["reason"] == FRESH] <= 8_000_000).all()
    assert ticks["data_age_ns"][6] > 20_000_000, "the target of the tick before, a period older"


def test_commands_that_cannot_be_written_end_the_episode_too() -> None:
    setup = Setup()

    def broken(position: np.ndarray, deadline: Deadline) -> np.ndarray:
        raise DeadlineMissed("line busy")

    def act(row: int) -> None:
        if row == 5:
            setup.arm.command = broken  # type: ignore[method-assign]

    setup.act = act
    attempt = setup.run()
    assert attempt.end is EpisodeEnd.DEVICE_FAULT
    assert "no command could be written for 6 ticks in a row" in attempt.reason
    ticks = attempt.episode.ticks
    assert ticks["reason"].tolist() == [FRESH] * 6 + [NOTHING] * 6
    assert (ticks["flags"][6:] & TickFlag.NO_COMMAND).all()
    assert np.isnan(channel(attempt, "applied")[6:]).all()


def test_late_points_in_a_row_end_the_episode() -> None:
    setup = Setup()

    def act(row: int) -> None:
        setup.terminal.infer_ns = 14_000_000
        setup.arm.read_ns = 6_000_000
        setup.bench.clock.sleep_until(setup.bench.clock.now_ns() + 21_000_000)

    setup.act = act
    attempt = setup.run({"max_late_in_a_row": 4})
    assert attempt.end is EpisodeEnd.DEVICE_FAULT
    assert "grid points in a row were answered late, allowed are 4" in attempt.reason
    assert attempt.episode.ticks["flags"][-1] & TickFlag.LATE


def test_the_age_of_the_data_is_that_of_the_observation_acted_on() -> None:
    attempt = Setup().run(loop={"duration_s": 0.2})
    ticks = attempt.episode.ticks
    assert (ticks["data_age_ns"] == ticks["act_ns"] - ticks["sense_ns"]).all()


@pytest.mark.parametrize(
    ("rules", "loop", "would_do"),
    [
        ({"max_age_ms": 0}, {}, r"max_age_ms = 0 .*6 ms would do"),
        ({"max_age_of_ms": {"base": 0}}, {}, r"max_age_of_ms.base = 0 .*6 ms would do"),
        (
            {"max_age_ms": 15},
            {"inference": "overlapped"},
            r"never younger than the period of 20 ms.*max_decision_age_ms = 40 would do",
        ),
        ({"repeat_ticks": 0}, {"inference": "overlapped"}, "1 would do"),
    ],
)
def test_a_loop_that_could_never_act_is_refused_with_what_would_do(
    rules: dict[str, Any], loop: dict[str, Any], would_do: str
) -> None:
    with pytest.raises(ValidationError, match=would_do):
        scenario(rules=RULES | rules, loop=LOOP | loop)


@pytest.mark.parametrize(
    ("rules", "loop", "says"),
    [
        ({}, {"pacing": "device"}, "'periodic' would do"),
        ({"then": "hold", "repeat_ticks": 1}, {}, "'stop' would do"),
    ],
)
def test_a_job_of_looking_has_no_joints_to_act_with(
    rules: dict[str, Any], loop: dict[str, Any], says: str
) -> None:
    with pytest.raises(ValidationError, match=says):
        scenario(rules=RULES | rules, loop=LOOP | loop, needs={"terminal": "inference"})


def test_an_unknown_joint_in_the_rules_ends_the_episode_before_anything_moves() -> None:
    setup = Setup()
    attempt = setup.run({"max_age_of_ms": {"wrist": 10}})
    assert attempt.end is EpisodeEnd.ERROR
    assert "no joint wrist" in attempt.reason
    assert "command" not in setup.arm.calls
