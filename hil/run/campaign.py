"""Runs a frozen plan: bench up, every planned episode once, safe state proved, record closed.

Order matters and is the point: the plan is on disk before a device is opened, every attempt
is on the ledger, and the closing row comes after the proofs of the safe state.

A simulated rig runs in this process. Any other one is held by a worker process of its own
(`hil.run.apart`), so that nothing here can hold up its loop.
"""

from __future__ import annotations

from pathlib import Path

from hil.errors import HostError, UnsafeExit
from hil.plan.freeze import Plan
from hil.record.writer import RunWriter, refuse_occupied
from hil.rig import Bench, build_bench, start_twin
from hil.run.apart import run_apart
from hil.run.attendance import Asked, Attendance
from hil.run.conduct import Ending, conduct, prove_safe, safe_row
from hil.run.host import host_facts
from hil.run.ledger import LedgerKeeper, Observer, Silent
from hil.safety import StopRequest

__all__ = ["Ending", "Observer", "Silent", "run_campaign", "run_on_bench", "safe_row"]


def run_campaign(plan: Plan, folder: Path, observer: Observer, stop: StopRequest) -> Ending:
    """Run every planned episode once and write the run folder.

    Errors: BadInput when the folder is in use or the rig file cannot be satisfied, both before
    anything moves. What goes wrong later is an `Ending`, and on the record.
    """
    refuse_occupied(folder)
    observer.phase("starting the bench")
    if plan.rig.kind == "sim":
        return _run_here(plan, folder, observer, stop)
    return run_apart(plan, folder, observer, stop, start_twin)


def run_on_bench(plan: Plan, bench: Bench, folder: Path) -> Ending:
    """As `run_campaign`, on a bench that is open already and stays open, safe, afterwards.

    The loop runs in this process, and nobody watches it: for tests at a bench.
    """
    return _recorded(plan, bench, folder, Silent(), StopRequest(), opened=True)


def _run_here(plan: Plan, folder: Path, observer: Observer, stop: StopRequest) -> Ending:
    ending: Ending | None = None
    try:
        with build_bench(plan.rig, plan.rig_path, stop) as bench:
            ending = _recorded(plan, bench, folder, observer, stop, opened=False)
    except UnsafeExit as error:
        if ending is None:
            raise
        # the record is closed and holds the proof that failed; the door still has to say it
        return Ending("error", error.message, error)
    return ending


def _recorded(
    plan: Plan,
    bench: Bench,
    folder: Path,
    observer: Observer,
    stop: StopRequest,
    *,
    opened: bool,
) -> Ending:
    for planned in plan.scenarios.values():
        bench.require(planned.scenario.needs, planned.scenario.id)
    writer = RunWriter(folder)
    keeper = LedgerKeeper(writer, observer)
    try:
        writer.begin(plan.data, host_facts(), "virtual" if bench.clock.virtual else "wall")
        attendance = Attendance(lambda: Asked(stop.cause) if stop.cause else None, bench.clock)
        ending = conduct(plan, bench, keeper, attendance, opened=opened)
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
