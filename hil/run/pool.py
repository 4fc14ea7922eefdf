"""N processes that run the episodes of a simulated plan at once, and are heard in its order.

Which of them runs an episode, and what else it ran before, leaves no trace in it
(`hil.run.trial`), so that the trials of a plan are the same whatever N is.
"""

from __future__ import annotations

import select
import subprocess
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from types import TracebackType
from typing import Self

from hil.errors import HarnessError, LinkLost
from hil.failure import on_failure
from hil.plan.freeze import Plan, PlannedEpisode
from hil.record.format import EpisodeEnd
from hil.run.board import TickBoard
from hil.run.conduct import Ending
from hil.run.cut import cut_attempt
from hil.run.messages import Built, Job, Refused, Stop, Try
from hil.run.trial import Trial
from hil.safety import StopRequest
from hil.watchdog.child import ChildProcess

_START_WITHIN_S = 60.0
_LOOK_S = 0.1
_STOP_WITHIN_S = 20.0
_END_WITHIN_S = 5.0
_AHEAD = 128
"""How far beyond the oldest episode that is not over another may begin: what waits for its turn
to be written down waits in memory."""


class PoolWorker:
    """One process and its tick board."""

    def __init__(self) -> None:
        self.board = TickBoard.create()
        with on_failure(self.board.close):
            self.process = ChildProcess(
                "hil.run.pool_worker", None, stdin=subprocess.DEVNULL, more=[self.board.fileno()]
            )

    def fileno(self) -> int:
        return self.process.line.fileno()

    def tell(self, message: object) -> None:
        try:
            self.process.line.send(message)
        except LinkLost:
            return  # it has ended, which its line says too

    def end(self) -> None:
        """End the process, by force where it does not end by itself."""
        self.process.end(_END_WITHIN_S)
        self.board.close()


class Pool:
    """The processes, importing side by side from the start; a context manager.

    On the way out their lines are hung up: a worker that is still at an episode ends it between
    two ticks, and is killed where it does not.
    """

    def __init__(self, jobs: int) -> None:
        self._workers: list[PoolWorker] = []
        with on_failure(self._end):
            for _ in range(jobs):
                self._workers.append(PoolWorker())

    def prepare(self, plan: Plan) -> None:
        """Give everybody the plan, and wait until each has seen that its bench can do it.

        Errors: what a worker refuses the plan with (BadInput), LinkLost (a process that dies or
        stays silent).
        """
        for worker in self._workers:
            worker.process.line.send(Job(plan, {}))
        for worker in self._workers:
            answer = worker.process.line.receive_within(_START_WITHIN_S)
            if isinstance(answer, Refused):
                raise answer.error
            if not isinstance(answer, Built):
                raise HarnessError(f"a worker answered its orders with {answer!r:.200}")

    def trials(
        self,
        plan: Plan,
        stop: StopRequest,
        begin: Callable[[PlannedEpisode], None],
        at_work: Callable[[int], None],
    ) -> Iterator[Trial]:
        """The trials of a plan, in its order.

        They end with the first one that ends the run by itself: what was run beyond it is no
        part of a run in order. Where somebody asked for the end, or a process is gone, whatever
        was begun comes back, cut short or whole. `begin` is called when an episode is given to
        a worker, `at_work` with the number of workers that have one.
        """
        return _Shift(plan, self._workers, stop, begin, at_work).trials()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end()

    def _end(self) -> None:
        for worker in self._workers:
            worker.process.line.close()  # of all of them first, so that they end side by side
        with ExitStack() as last:
            for worker in self._workers:
                last.callback(worker.end)


class _Shift:
    """The episodes of one plan, given out in order and heard as they come."""

    def __init__(
        self,
        plan: Plan,
        workers: list[PoolWorker],
        stop: StopRequest,
        begin: Callable[[PlannedEpisode], None],
        at_work: Callable[[int], None],
    ) -> None:
        self._plan, self._idle, self._stop = plan, deque(workers), stop
        self._begin, self._at_work = begin, at_work
        self._busy: dict[PoolWorker, PlannedEpisode] = {}
        self._left = deque(enumerate(plan.episodes))
        self._over: dict[str, Trial] = {}
        self._told_s: float | None = None
        self._ends = False

    def trials(self) -> Iterator[Trial]:
        for index, episode in enumerate(self._plan.episodes):
            self._turn(index, 0.0)
            while episode.name not in self._over:
                if not self._busy:
                    return
                self._turn(index, _LOOK_S)
            trial = self._over.pop(episode.name)
            yield trial
            if self._told_s is None and trial.ending.outcome != "complete":
                return

    def _turn(self, oldest: int, wait_s: float) -> None:
        """Give out what may be begun, and hear who is there within `wait_s`."""
        if self._stop():
            self._tell_to_stop(self._stop.cause)
        self._give_out(oldest)
        for worker in select.select(self._busy, [], [], wait_s)[0]:
            self._hear(worker)
        if self._told_s is not None and time.monotonic() - self._told_s > _STOP_WITHIN_S:
            for worker in list(self._busy):
                self._lose(worker, f"did not end within {_STOP_WITHIN_S:g} s and was killed")
        self._give_out(oldest)

    def _give_out(self, oldest: int) -> None:
        while self._idle and self._left and self._left[0][0] <= oldest + _AHEAD and not self._ends:
            worker, (_, episode) = self._idle.popleft(), self._left.popleft()
            self._busy[worker] = episode
            self._begin(episode)
            worker.board.clear()
            worker.tell(Try(episode.name))
        self._at_work(len(self._busy))

    def _hear(self, worker: PoolWorker) -> None:
        try:
            trial = worker.process.line.receive()
        except LinkLost:
            self._lose(worker, worker.process.outcome(_END_WITHIN_S) or "hung up")
            return
        if not isinstance(trial, Trial):
            raise HarnessError(f"a worker said {trial!r:.200}")
        self._over[trial.episode] = trial
        self._ends = self._ends or trial.ending.outcome != "complete"
        del self._busy[worker]
        self._idle.append(worker)

    def _lose(self, worker: PoolWorker, how: str) -> None:
        """The process is gone, or is to be: what it was at is cut short, and the run ends."""
        name = self._busy.pop(worker).name
        worker.process.end(0.0)
        reason = f"the process of episode {name} {how}"
        error = HarnessError(reason, "was memory short? fewer --jobs need less of it")
        ticks = worker.board.logged()
        attempt = cut_attempt(self._plan, name, ticks, EpisodeEnd.ERROR, reason)
        self._over[name] = Trial(name, Ending("error", reason, error), attempt)
        self._tell_to_stop(reason)

    def _tell_to_stop(self, cause: str) -> None:
        self._ends = True
        if self._told_s is not None:
            return
        self._told_s = time.monotonic()
        for worker in self._busy:
            worker.tell(Stop(cause))
