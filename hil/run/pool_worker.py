"""A worker of a simulated run: `python -m hil.run.pool_worker LINE BOARD`.

It runs the episodes that it is told to, each on a bench of its own, until the harness hangs up.
A stop ends the one under way between two ticks.
"""

from __future__ import annotations

import signal
import sys

from hil.errors import HarnessError, HilError, LinkLost
from hil.plan.freeze import Plan
from hil.run.board import TickBoard
from hil.run.messages import Built, Job, Refused, Stop, Try
from hil.run.trial import check_bench, run_trial
from hil.run.worker import ORDER_WITHIN_S, Inbox
from hil.watchdog.line import Line


def main(arguments: list[str]) -> int:
    """Entry of the process; the arguments are two inherited descriptors."""
    line, board = Line(int(arguments[0])), TickBoard(int(arguments[1]))
    # it ends with the harness, not by a signal to everybody at the end of a session
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        plan = line.expect(Job, ORDER_WITHIN_S).plan
        try:
            check_bench(plan)
        except HilError as error:
            line.send(Refused(error))
        else:
            line.send(Built())
            _serve(plan, line, board)
    except LinkLost:
        return 0  # the harness has hung up
    return 0


def _serve(plan: Plan, line: Line, board: TickBoard) -> None:
    """Errors: LinkLost at the end."""
    episodes = {one.name: one for one in plan.episodes}
    inbox = Inbox(line)
    while True:
        order = line.receive()
        if isinstance(order, Stop):
            continue  # it came when the episode was over already
        if not isinstance(order, Try):
            raise HarnessError(f"the harness said {order!r:.200} between two episodes")
        line.send(run_trial(plan, episodes[order.episode], inbox.asked, board))


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
