"""Runs a frozen plan: bench up, every planned episode once, safe state proved, record closed.

Order matters and is the point: the plan is on disk before a device is opened, every attempt
is on the ledger, and the closing row comes after the proofs of the safe state.

A simulated rig is built anew for every episode, in this process or in several
(`hil.run.simulated`). Any other one is held by a worker process of its own (`hil.run.apart`), so
that nothing here can hold up its loop.
"""

from __future__ import annotations

from pathlib import Path

from hil.errors import HostError
from hil.plan.freeze import Plan
from hil.record.writer import RunWriter, refuse_occupied
from hil.rig import Bench, start_twin
from hil.run.apart import run_apart
from hil.run.attendance import Attendance
from hil.run.conduct import Ending, conduct, prove_safe, safe_row
from hil.run.fitting import require
from hil.run.host import host_facts
from hil.run.ledger import LedgerKeeper, Observer, Silent
from hil.run.simulated import refuse_jobs, run_simulated
from hil.safety import StopRequest

__all__ = ["Ending", "Observer", "Silent", "run_campaign", "run_on_bench", "safe_row"]


def run_campaign(
    plan: Plan, folder: Path, observer: Observer, stop: StopRequest, jobs: int = 1
) -> Ending:
    """Run every planned episode once and write the run folder; on a simulated rig, `jobs`
    episodes at once, which changes nothing in the record.

    Errors: BadInput when the folder is in use, the rig file cannot be satisfied, or several
    episodes at once are asked of a rig that is not simulated, all before anything moves. What
    goes wrong later is an `Ending`, and on the record.
    """
    refuse_jobs(plan.rig, jobs)
    refuse_occupied(folder)
    observer.phase("starting the bench")
    if plan.rig.kind == "sim":
        return run_simulated(plan, folder, observer, stop, jobs)
    return run_apart(plan, folder, observer, stop, start_twin)


def run_on_bench(plan: Plan, bench: Bench, folder: Path) -> Ending:
    """As `run_campaign`, on a bench that is open already and stays open, safe, afterwards.

    The loop runs in this process, and nobody watches it: for tests at a bench.
    """
    for planned in plan.scenarios.values():
        require(bench, planned)
    writer = RunWriter(folder)
    keeper = LedgerKeeper(writer, Silent())
    try:
        writer.begin(plan.data, host_facts(), "virtual" if bench.clock.virtual else "wall")
        nobody = Attendance(lambda: None, bench.clock)
        ending = conduct(plan, bench, keeper, nobody, opened=True)
        return close_record(keeper, ending, bench)
    except Exception as defect:
        _close_after_defect(bench, keeper, defect)
        raise
    finally:
        writer.close()


def close_record(keeper: LedgerKeeper, ending: Ending, bench: Bench) -> Ending:
    """Safe state, its proofs, and the closing row; what the disk does not take is said."""
    try:
        prove_safe(bench, keeper, ending.reason, ending.cause_ns)
        keeper.end(ending)
    except HostError as error:
        return ending if ending.error else Ending("error", error.message, error)
    return ending


def _close_after_defect(bench: Bench, keeper: LedgerKeeper, defect: Exception) -> None:
    """Leave a safe rig and a closed record behind even after an error nobody foresaw."""
    reason = f"{type(defect).__name__}: {defect}"
    if not bench.safe:
        prove_safe(bench, keeper, reason)
    keeper.end(Ending("error", reason))
