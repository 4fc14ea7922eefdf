"""One episode on a bench of its own: what a simulated run is made of.

A bench that is built anew for every episode starts it from the same state whatever ran before it,
in this process or in another: the clock at 0, the joints at home, nothing counted, the network
loaded afresh. On real devices nobody could promise that; in simulation it costs some ten
milliseconds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from hil.errors import HilError, UnsafeExit
from hil.plan.freeze import Plan, PlannedEpisode
from hil.rig import build_bench
from hil.run.attendance import Asked, Attendance
from hil.run.board import TickBoard
from hil.run.conduct import Ending, conduct_and_prove, left_unsafe
from hil.run.episode import Attempt
from hil.run.fitting import require
from hil.run.physics import physics_rows

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Trial:
    """What one episode on a bench of its own leaves.

    `rows` are those of the ledger that come before the attempt, `proofs` those of the bench's
    safe state; `attempt` is None where it did not come to one.
    """

    episode: str
    ending: Ending
    attempt: Attempt | None
    rows: tuple[Row, ...] = ()
    proofs: tuple[Row, ...] = ()
    wire: tuple[tuple[str, bytes], ...] = ()


def check_bench(plan: Plan) -> None:
    """Build the bench of a plan once, to see that it has what the scenarios need; nothing is
    opened. Errors: BadInput, CapabilityMissing, RigError."""
    with build_bench(plan.rig, plan.rig_path) as bench:
        for planned in plan.scenarios.values():
            require(bench, planned)


def check_physics(plan: Plan) -> list[Row]:
    """Ledger rows on the physics of a plan's rig, which is that of each of its benches. Errors:
    as `check_bench`; HarnessError where the physics blows up."""
    with build_bench(plan.rig, plan.rig_path) as bench:
        return list(physics_rows(bench))


def run_trial(
    plan: Plan,
    episode: PlannedEpisode,
    asked: Callable[[], Asked | None],
    board: TickBoard | None = None,
) -> Trial:
    """Run one episode of a plan on a bench of its own; whatever goes wrong is in its `ending`.

    `asked` says between ticks whether the run is to end. Calibrations are the run's matter, not
    the trial's. Ticks are logged on `board` where there is one.
    """
    notes = _Notes()
    ending: Ending | None = None
    alone = replace(plan, episodes=[episode])
    try:
        with build_bench(plan.rig, plan.rig_path, lambda: asked() is not None) as bench:
            stop = Attendance(asked, bench.clock)
            stop.board = board
            ending = conduct_and_prove(alone, bench, notes, stop, today=None)
    except UnsafeExit as error:
        ending = left_unsafe(ending, error)
    except HilError as error:
        ending = ending or Ending("error", f"{type(error).__name__}: {error.message}", error)
    return notes.trial(episode.name, ending)


def one_by_one(
    plan: Plan, asked: Callable[[], Asked | None], begin: Callable[[PlannedEpisode], None]
) -> Iterator[Trial]:
    """The trials of a plan in this process, in its order, up to the one that ends the run.
    `begin` is called when an episode is about to begin."""
    for episode in plan.episodes:
        if asked():
            return
        begin(episode)
        trial = run_trial(plan, episode, asked)
        yield trial
        if trial.ending.outcome != "complete":
            return


@dataclass
class _Notes:
    """`hil.run.conduct.Keeper` of a trial: remembers what the run is to write down."""

    rows: list[Row] = field(default_factory=list)
    made: Attempt | None = None
    pieces: list[tuple[str, bytes]] = field(default_factory=list)

    def phase(self, text: str) -> None:
        """What is being done is the run's to say."""

    def row(self, row: Row) -> None:
        self.rows.append(row)

    def begin(self, episode: PlannedEpisode) -> None:
        """There is only one."""

    def attempt(self, attempt: Attempt) -> None:
        self.made = attempt

    def wire(self, role: str, data: bytes) -> None:
        self.pieces.append((role, data))

    def trial(self, episode: str, ending: Ending) -> Trial:
        proofs = tuple(row for row in self.rows if row["row"] == "safe")
        rows = tuple(row for row in self.rows if row["row"] != "safe")
        return Trial(episode, ending, self.made, rows, proofs, tuple(self.pieces))
