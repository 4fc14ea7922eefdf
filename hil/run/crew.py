"""The two processes of a run on real time: the worker that holds the devices, the watchdog."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from hil.errors import HarnessError
from hil.plan.freeze import Plan
from hil.run.board import TickBoard
from hil.run.messages import Built, Job, Refused
from hil.watchdog.child import ChildProcess
from hil.watchdog.heart import Heart
from hil.watchdog.messages import Prepare, Ready, Watch

_START_WITHIN_S = 60.0
_WORKER_ENDS_S = 20.0
_WATCHDOG_ENDS_S = 15.0


class Crew:
    """Both processes, importing side by side from the start; a context manager.

    On the way out the lines are hung up: the worker ends between two ticks and makes the rig
    safe, and is killed where it does not; the watchdog ends after it.
    """

    def __init__(self) -> None:
        self.heart = Heart.create()
        self.board = TickBoard.create()
        more = [self.board.fileno()]
        self.worker = ChildProcess("hil.run.worker", self.heart, stdin=None, more=more)
        try:
            self.watchdog = ChildProcess(
                "hil.watchdog.process", self.heart, stdin=subprocess.DEVNULL
            )
        except HarnessError:
            self.worker.end(_WORKER_ENDS_S)
            raise

    def prepare(self, plan: Plan, addresses: Mapping[str, str]) -> dict[str, Any]:
        """Give both their orders, and wait until both are ready: bench built, nothing opened,
        the watchdog on duty. Returns what the watchdog can do, as a row of the ledger.

        Errors: what the worker refuses the plan with (BadInput), LinkLost (a process that dies
        or stays silent).
        """
        self.watchdog.line.send(Prepare(plan.rig, plan.rig_path, addresses))
        self.worker.line.send(Job(plan, addresses))
        answer = self.worker.line.receive_within(_START_WITHIN_S)
        if isinstance(answer, Refused):
            raise answer.error
        if not isinstance(answer, Built):
            raise HarnessError(f"the worker answered its orders with {answer!r:.200}")
        ready = self.watchdog.line.expect(Ready, _START_WITHIN_S)
        self.watchdog.line.send(Watch(self.worker.pid))
        return {
            "row": "watchdog",
            "event": "on duty",
            "tick_timeout_ms": plan.rig.watchdog.tick_timeout_ms,
            "ports": len(ready.held),
            "rescues": list(ready.rescues),
            "urgency": ready.urgency,
        }

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self.worker.end(_WORKER_ENDS_S)
        finally:
            self.watchdog.end(_WATCHDOG_ENDS_S)
            self.heart.close()
            self.board.close()
