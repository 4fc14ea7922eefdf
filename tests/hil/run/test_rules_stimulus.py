"""A job of looking: pictures without an answer, counted and limited."""

from __future__ import annotations

import numpy as np
import pytest

from hil.clock import Deadline, VirtualClock
from hil.errors import DeadlineMissed, DeviceFault
from hil.loop.loop import LoopEnd, Timing, run_loop
from hil.loop.ticklog import TickLog
from hil.record.format import ActionReason, TickFlag
from hil.run.stimulus import Answer, Look, Stimulus, StimulusJob
from scenarios.schema import Rules

MS = 1_000_000
TIMING = Timing(20 * MS, (MS, MS, 9 * MS, MS, 12 * MS), 15 * MS)


class Waited:
    """Answers at once, or, to the questions in `silent`, not within the time-out."""

    waiting = False

    def __init__(self, clock: VirtualClock, silent: set[int]) -> None:
        self.clock, self.silent = clock, silent

    def __call__(self, look: Look, deadline: Deadline) -> Answer | None:
        if look.row in self.silent:
            self.clock.sleep_until(deadline.at_ns)
            raise DeadlineMissed("no answer")
        return Answer(look.row, np.array([0.5]), None, look.seen_ns)


def look(silent: set[int], count: int = 8) -> tuple[TickLog, StimulusJob, VirtualClock]:
    clock = VirtualClock()
    rules = Rules(max_age_ms=0, max_consecutive=2)
    stimuli: list[Stimulus] = [{"image": b""}] * count
    job = StimulusJob(answer=Waited(clock, silent), stimuli=stimuli, clock=clock, rules=rules)
    return TickLog(count), job, clock


def test_pictures_without_an_answer_are_allowed_in_small_numbers() -> None:
    log, job, clock = look({2, 3, 5})
    assert run_loop(job, clock, TIMING, log, 8, stop=lambda: False) is LoopEnd.FINISHED
    ticks = log.rows()
    assert ticks["repeats"].tolist() == [0, 0, 1, 2, 0, 1, 0, 0]
    unanswered = ticks["reason"] == ActionReason.NOTHING
    assert np.flatnonzero(unanswered).tolist() == [2, 3, 5]
    assert (ticks["flags"][unanswered] & TickFlag.NO_ANSWER).all()
    assert np.isnan(job.channels(8)["reading"].value[unanswered]).all()


def test_too_many_in_a_row_end_the_episode_with_all_of_them_on_the_record() -> None:
    log, job, clock = look({2, 3, 4})
    with pytest.raises(DeviceFault, match="no answer to 3 stimuli in a row"):
        run_loop(job, clock, TIMING, log, 8, stop=lambda: False)
    assert log.rows()["repeats"].tolist() == [0, 0, 1, 2, 3]
