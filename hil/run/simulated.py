"""The record of a simulated run: trials come in the planned order and are written down.

Each episode has a bench of its own, so that it may run in this process or in one of several;
the record is the same, and there is one writer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from hil.canonical import canonical_json
from hil.errors import BadInput, HilError, HostError
from hil.plan.freeze import Plan, PlannedEpisode
from hil.record.writer import RunWriter
from hil.run.attendance import Asked
from hil.run.calibration import utc_today
from hil.run.conduct import Ending, lapsed
from hil.run.host import host_facts
from hil.run.ledger import LedgerKeeper, Observer
from hil.run.pool import Pool
from hil.run.trial import Row, Trial, check_bench, check_physics, one_by_one
from hil.safety import StopRequest
from rigs.schema import Rig

_GRAVEST_FIRST = ("error", "void", "interrupted", "complete")


def refuse_jobs(rig: Rig, jobs: int) -> None:
    """Errors: BadInput where episodes at once are asked of devices that are there only once."""
    if jobs > 1 and rig.kind != "sim":
        raise BadInput(
            f"rig {rig.name!r} is of kind {rig.kind!r}: its devices do one episode at a time,"
            f" not {jobs}",
            "leave --jobs out, or use a rig of kind 'sim'",
        )


def run_simulated(
    plan: Plan,
    folder: Path,
    observer: Observer,
    stop: StopRequest,
    jobs: int,
    today: Callable[[], date] = utc_today,
) -> Ending:
    """Run a plan on a simulated rig, `jobs` episodes at once, each in a process of its own; one
    at a time runs in this one. Errors: as `hil.run.campaign.run_campaign`."""
    titles = _Titles(plan, observer)
    if jobs == 1:
        check_bench(plan)
        physics = check_physics(plan)
        trials = one_by_one(plan, lambda: Asked(stop.cause) if stop.cause else None, titles.begin)
        return record_trials(plan, folder, observer, stop, trials, today(), physics)
    with Pool(min(jobs, len(plan.episodes))) as pool:
        physics = check_physics(plan)  # while the workers import
        pool.prepare(plan)
        trials = pool.trials(plan, stop, titles.begin, observer.at_work)
        return record_trials(plan, folder, observer, stop, trials, today(), physics)


def record_trials(
    plan: Plan,
    folder: Path,
    observer: Observer,
    stop: StopRequest,
    trials: Iterable[Trial],
    today: date,
    physics: Sequence[Row] = (),
) -> Ending:
    """Write the run folder of a plan whose trials come one after another. The gravest of their
    endings, the first of its kind, is that of the run. `physics` are the ledger's rows on it."""
    writer = RunWriter(folder)
    try:
        writer.begin(plan.data, host_facts(), "virtual")
        pages = _Pages(LedgerKeeper(writer, observer))
        try:
            ending = _fill(plan, pages, trials, stop, today, physics)
        except Exception as defect:
            pages.close(Ending("error", f"{type(defect).__name__}: {defect}"))
            raise
        return pages.close(ending)
    finally:
        writer.close()


def _fill(
    plan: Plan,
    pages: _Pages,
    trials: Iterable[Trial],
    stop: StopRequest,
    today: date,
    physics: Sequence[Row],
) -> Ending:
    found = Ending("complete", "every planned episode was run")
    try:
        void = lapsed(plan, pages.keeper, today, virtual=True)
        if void:
            return Ending("void", void)
        for row in physics:
            pages.keeper.row(row)
        for trial in trials:
            found = min(found, trial.ending, key=lambda one: _GRAVEST_FIRST.index(one.outcome))
            pages.write(trial)
    except HilError as error:
        return Ending("error", f"{type(error).__name__}: {error.message}", error)
    if found.outcome == "complete" and stop():
        return Ending("interrupted", stop.cause)
    return found


@dataclass
class _Pages:
    """The ledger of a simulated run. Every bench introduces itself in the same words and proves
    the same safe state: what has been said is not said again, and the proofs are those of the
    last bench, or of one that was not safe, with which the run ends."""

    keeper: LedgerKeeper
    said: set[bytes] = field(default_factory=set)
    proofs: tuple[Row, ...] = ()

    def write(self, trial: Trial) -> None:
        """Errors: HostError (disk)."""
        if trial.proofs and all(row["safe"] for row in self.proofs):
            self.proofs = trial.proofs
        for row in trial.rows:
            if (text := canonical_json(row)) not in self.said:
                self.said.add(text)
                self.keeper.row(row)
        if trial.attempt is not None:
            self.keeper.attempt(trial.attempt)
        for role, data in trial.wire:
            self.keeper.wire(role, data)

    def close(self, ending: Ending) -> Ending:
        """Write the proofs and the closing row; what the disk does not take is said."""
        try:
            for row in self.proofs:
                self.keeper.row({**row, "cause": ending.reason})
            self.keeper.end(ending)
        except HostError as error:
            return ending if ending.error else Ending("error", error.message, error)
        return ending


class _Titles:
    """Says so when the first episode of another scenario begins."""

    def __init__(self, plan: Plan, observer: Observer) -> None:
        self._plan, self._observer = plan, observer
        self._scenario = ""

    def begin(self, episode: PlannedEpisode) -> None:
        if episode.scenario != self._scenario:
            self._scenario = episode.scenario
            self._observer.phase(self._plan.scenarios[episode.scenario].scenario.title)
