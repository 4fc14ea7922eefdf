"""Overlapped inference in an episode: the newest answer is acted on while the next is made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from episodes import Setup, channel
from fakes import FakeTerminal

from hil.clock import Clock, Deadline
from hil.contracts import DeviceStamps, InferenceResult, OverlappedInference
from hil.errors import DeadlineMissed
from hil.record.format import ActionReason, EpisodeEnd, TickFlag

FRESH, REPEATED = ActionReason.FRESH, ActionReason.REPEATED
MS = 1_000_000
OVERLAPPED = {"inference": "overlapped", "infer_timeout_ms": 200}
PATIENT = {"max_decision_age_ms": 100}


@dataclass
class Asked:
    ticket: int
    asked_ns: int
    done_ns: int


@dataclass
class Pipeline:
    under_way: list[Asked] = field(default_factory=list)
    most: int = 0


class OverlappedTerminal(FakeTerminal):
    """Answers `infer_ns` after it was asked, without holding anybody up."""

    def __init__(self, role: str, clock: Clock) -> None:
        super().__init__(role, clock)  # type: ignore[arg-type]
        self.pipeline = Pipeline()
        self.tickets = 0
        self.full = False

    def submit(self, inputs: Mapping[str, object], deadline: Deadline) -> int:
        self.reach("submit")
        assert self.loaded
        if self.full:
            raise DeadlineMissed("no room")
        self.tickets += 1
        now = self.clock.now_ns()
        self.pipeline.under_way.append(Asked(self.tickets, now, now + self.infer_ns))
        self.pipeline.most = max(self.pipeline.most, len(self.pipeline.under_way))
        return self.tickets

    def collect(self, deadline: Deadline) -> tuple[int, InferenceResult] | None:
        self.reach("collect")
        assert deadline.remaining_ns() == 0, "an overlapped loop never waits"
        now = self.clock.now_ns()
        done = [one for one in self.pipeline.under_way if one.done_ns <= now]
        self.pipeline.under_way = [one for one in self.pipeline.under_way if one.done_ns > now]
        if not done:
            return None
        last = done[-1]
        stamps = DeviceStamps(last.asked_ns, last.asked_ns, last.done_ns, last.done_ns)
        result = InferenceResult({"action": self.answer}, stamps, last.asked_ns, now)
        return last.ticket, result


def overlapped() -> tuple[Setup, OverlappedTerminal]:
    setup = Setup()
    terminal = OverlappedTerminal("terminal", setup.bench.clock)
    assert isinstance(terminal, OverlappedInference)
    setup.bench.devices["terminal"] = terminal  # type: ignore[index]
    return setup, terminal


def test_a_quick_terminal_is_one_period_behind_and_holds_up_nobody() -> None:
    setup, terminal = overlapped()
    terminal.infer_ns = 18 * MS
    attempt = setup.run(PATIENT, OVERLAPPED)
    assert attempt.end is EpisodeEnd.COMPLETED
    ticks = attempt.episode.ticks
    assert ticks["reason"].tolist() == [REPEATED] + [FRESH] * (len(ticks) - 1)
    assert (ticks["infer_ns"] == ticks["sense_ns"]).all(), "nothing was waited for"
    assert ticks["skipped"].sum() == 0
    fresh = ticks[1:]
    assert (fresh["data_age_ns"] == 20 * MS + fresh["act_ns"] - fresh["sense_ns"]).all()
    assert (fresh["asked_ns"] == ticks["infer_ns"][:-1]).all()
    assert terminal.pipeline.most == 1
    assert "infer" not in terminal.calls


def test_a_slow_terminal_is_acted_on_when_it_answers_and_the_age_tells() -> None:
    setup, terminal = overlapped()
    terminal.infer_ns = 50 * MS
    attempt = setup.run(PATIENT, OVERLAPPED)
    ticks = attempt.episode.ticks
    period = [FRESH, REPEATED, REPEATED]
    assert ticks["reason"][3:12].tolist() == period * 3
    assert not (ticks["flags"] & TickFlag.NO_ANSWER).any()
    fresh = ticks[ticks["reason"] == FRESH]
    assert (fresh["data_age_ns"] >= 60 * MS).all()
    steps = np.diff(channel(attempt, "applied")[:, 0])
    np.testing.assert_allclose(steps[2:11], [0.05, 0, 0] * 3, atol=1e-7)
    again = ticks[(ticks["reason"] == REPEATED) & (ticks["tick"] > 3)]
    assert (again["data_age_ns"] >= 80 * MS).all(), "a repeated target comes of older data"


def test_a_stale_decision_is_not_acted_on() -> None:
    setup, terminal = overlapped()
    terminal.infer_ns = 50 * MS
    attempt = setup.run({"max_decision_age_ms": 45, "max_consecutive": 9}, OVERLAPPED)
    assert attempt.end is EpisodeEnd.DEVICE_FAULT
    ticks = attempt.episode.ticks
    assert not (ticks["reason"] == FRESH).any()
    assert (ticks["flags"] & TickFlag.NO_ANSWER).astype(bool).sum() == 3, "three answers came"
    desired = channel(attempt, "desired")
    assert np.isfinite(desired).any(), "what it said stays on the record"
    np.testing.assert_array_equal(channel(attempt, "applied"), 0.0)


def test_an_answer_that_never_comes_is_abandoned_and_another_asked() -> None:
    setup, terminal = overlapped()

    def act(row: int) -> None:
        terminal.infer_ns = 10**12 if row == 5 else 2 * MS

    setup.act = act
    attempt = setup.run(
        PATIENT | {"max_consecutive": 20}, OVERLAPPED | {"infer_timeout_ms": 70, "duration_s": 0.6}
    )
    assert attempt.end is EpisodeEnd.COMPLETED
    ticks = attempt.episode.ticks
    gap = np.flatnonzero(ticks["reason"] == REPEATED)
    assert gap.tolist() == [0, 7, 8, 9, 10]
    flagged = np.flatnonzero(ticks["flags"] & TickFlag.NO_ANSWER)
    assert flagged.tolist() == [10]
    counts = next(e["counts"] for e in attempt.episode.events if e["event"] == "overlap")
    assert counts["abandoned"] == 1  # type: ignore[index]
    assert counts["asked"] == counts["finished"] + 2  # type: ignore[index]


def test_the_answer_to_an_abandoned_question_is_not_taken_for_the_next_one() -> None:
    setup, terminal = overlapped()

    def act(row: int) -> None:
        terminal.infer_ns = {5: 90 * MS}.get(row, 50 * MS if 5 < row < 14 else 2 * MS)

    setup.act = act
    attempt = setup.run(
        PATIENT | {"max_consecutive": 20}, OVERLAPPED | {"infer_timeout_ms": 70, "duration_s": 0.5}
    )
    ticks = attempt.episode.ticks
    counts = next(e["counts"] for e in attempt.episode.events if e["event"] == "overlap")
    assert (counts["abandoned"], counts["stray"]) == (1, 1)  # type: ignore[index]
    fresh = ticks[ticks["reason"] == FRESH]
    waited = fresh["answered_ns"] - fresh["asked_ns"]
    assert (waited <= 70 * MS).all()
    assert (fresh["data_age_ns"] >= waited).all()


def test_a_terminal_that_takes_no_question_ends_the_episode() -> None:
    setup, terminal = overlapped()

    def act(row: int) -> None:
        terminal.full = row >= 5

    setup.act = act
    attempt = setup.run(PATIENT, OVERLAPPED)
    assert attempt.end is EpisodeEnd.DEVICE_FAULT
    ticks = attempt.episode.ticks
    assert ticks["reason"][6] == FRESH, "the answer that was under way still counts"
    assert (ticks["flags"][7:] & TickFlag.NO_ANSWER).all()
    counts = next(e["counts"] for e in attempt.episode.events if e["event"] == "overlap")
    assert counts["unsent"] == 7  # type: ignore[index]


def test_a_terminal_that_can_only_be_waited_for_is_refused_before_anything_moves() -> None:
    setup = Setup()
    attempt = setup.run(PATIENT, OVERLAPPED)
    assert attempt.end is EpisodeEnd.ERROR
    assert "cannot be asked without being waited for" in attempt.reason
    assert "command" not in setup.arm.calls
