"""Overlapped inference in a job of looking: pictures shown meanwhile are passed over."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
from benches import scenario
from pydantic import ValidationError

from hil.clock import Deadline, VirtualClock
from hil.contracts import DeviceStamps, InferenceResult
from hil.errors import DeviceFault
from hil.loop.loop import LoopEnd, Timing, run_loop
from hil.loop.ticklog import TickLog
from hil.record.format import ActionReason, TickFlag
from hil.run.overlap import Overlap, OverlappedAnswers
from hil.run.stimulus import Stimulus, StimulusJob
from scenarios.schema import Rules

MS = 1_000_000
PERIOD = 20 * MS
TIMING = Timing(PERIOD, (MS, MS, 9 * MS, MS, 12 * MS), 9 * MS)


class Reader:
    """The part of a task that is needed here: what was read is what was shown."""

    def reading(self, outputs: Mapping[str, np.ndarray]) -> np.ndarray:
        return np.asarray(outputs["shown"], dtype=float)


class SlowEye:
    """Tells the number of the picture it was sent, `takes_ns` later; None: never."""

    def __init__(self, clock: VirtualClock, takes_ns: int | None) -> None:
        self.clock, self.takes_ns = clock, takes_ns
        self.asked: list[tuple[int, int, float]] = []

    def submit(self, inputs: Stimulus, deadline: Deadline) -> int:
        number = float(np.asarray(inputs["picture"])[0])
        self.asked.append((len(self.asked), self.clock.now_ns(), number))
        return len(self.asked) - 1

    def collect(self, deadline: Deadline) -> tuple[int, InferenceResult] | None:
        assert deadline.remaining_ns() == 0, "an overlapped loop never waits"
        ticket, asked_ns, number = self.asked[-1]
        now_ns = self.clock.now_ns()
        if self.takes_ns is None or now_ns < asked_ns + self.takes_ns:
            return None
        stamps = DeviceStamps(asked_ns, asked_ns, now_ns, now_ns)
        shown = {"shown": np.array([number], dtype=np.float32)}
        return ticket, InferenceResult(shown, stamps, asked_ns, now_ns)


def look(
    takes_ns: int | None, pictures: int = 7, timeout_ns: int = 100 * MS, **rules: float
) -> tuple[StimulusJob, TickLog, SlowEye, LoopEnd | DeviceFault]:
    clock = VirtualClock()
    eye = SlowEye(clock, takes_ns)
    overlap = Overlap(eye, timeout_ns)  # type: ignore[arg-type]
    answers = OverlappedAnswers(Reader(), overlap)  # type: ignore[arg-type]
    shown: list[Stimulus] = [{"picture": np.array([n], dtype=np.float32)} for n in range(pictures)]
    limits = Rules.model_validate({"max_age_ms": 0, "max_consecutive": 4} | rules)
    job = StimulusJob(answer=answers, stimuli=shown, clock=clock, rules=limits)
    points = pictures + timeout_ns // PERIOD + 1
    log = TickLog(points)
    try:
        return job, log, eye, run_loop(job, clock, TIMING, log, points, stop=lambda: False)
    except DeviceFault as fault:
        return job, log, eye, fault


def test_every_answer_stands_in_the_row_of_the_picture_it_is_about() -> None:
    job, log, eye, end = look(50 * MS)
    assert end is LoopEnd.FINISHED
    assert [number for _, _, number in eye.asked] == [0, 3, 6], "the others came while it thought"
    channel = job.channels(len(log))["reading"]
    answered = np.isfinite(channel.value[:, 0])
    assert np.flatnonzero(answered).tolist() == [0, 3, 6]
    np.testing.assert_array_equal(channel.value[answered, 0], [0, 3, 6])
    assert (channel.age_ns[answered] == 3 * PERIOD).all()


def test_the_loop_goes_on_for_the_last_answer_and_no_longer() -> None:
    job, log, _, end = look(50 * MS)
    assert end is LoopEnd.FINISHED
    ticks = log.rows()
    assert len(ticks) == 10, "seven pictures, and three periods for the answer to the last"
    assert len(job.channels(len(log))["reading"].value) == 7
    fresh = ticks["reason"] == ActionReason.FRESH
    assert np.flatnonzero(fresh).tolist() == [3, 6, 9]
    assert (ticks["data_age_ns"][fresh] == 3 * PERIOD).all()
    assert (ticks["flags"][~fresh] & TickFlag.NO_COMMAND).all(), "a tick without one counts"
    assert (ticks["infer_ns"] == ticks["sense_ns"]).all(), "nothing was waited for"


def test_a_terminal_that_never_answers_is_given_up() -> None:
    _, log, _, end = look(None)
    assert isinstance(end, DeviceFault)
    assert "no answer to 5 stimuli in a row" in end.message
    assert (log.rows()["reason"] == ActionReason.NOTHING).all()


def test_an_abandoned_question_is_flagged_where_it_was_given_up() -> None:
    _, log, eye, _ = look(None, timeout_ns=50 * MS, max_consecutive=9)
    flags = log.rows()["flags"]
    assert np.flatnonzero(flags & TickFlag.NO_ANSWER).tolist()[0] == 3
    assert len(eye.asked) == 3, "it is asked again, once for each that was given up"


def test_an_answer_about_too_old_a_picture_does_not_count() -> None:
    job, _, _, _ = look(50 * MS, max_decision_age_ms=45, max_consecutive=20)
    assert not np.isfinite(job.channels(7)["reading"].value).any()


def test_a_scenario_of_looking_may_ask_for_it() -> None:
    loop = scenario().loop.model_dump() | {"inference": "overlapped"}
    asked = scenario(needs={"terminal": "inference"}, loop=loop)
    assert asked.loop.inference == "overlapped"
    with pytest.raises(ValidationError, match=r"repeat_ticks = 0 .* 1 would do"):
        scenario(
            needs={"terminal": "inference"},
            loop=loop,
            rules={"max_age_ms": 0, "max_consecutive": 3, "repeat_ticks": 0},
        )
