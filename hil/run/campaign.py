"""Runs a frozen plan: bench up, every planned episode once, safe state proved, record closed.

Order matters and is the point: the plan is on disk before a device is opened, every attempt
is on the ledger, and the closing row comes after the proofs of the safe state.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from hil.contracts import Joints, SafeProof
from hil.errors import HilError, RigError, UnsafeExit
from hil.plan.freeze import Plan, PlannedEpisode
from hil.record.format import EpisodeEnd
from hil.record.writer import RunWriter, refuse_occupied
from hil.rig import Bench, build_bench
from hil.run.episode import Attempt, role_of, run_episode
from hil.run.host import host_facts
from hil.safety import StopRequest

_LOAD_WITHIN_S = 15.0
_ENABLE_WITHIN_S = 2.0


class Observer(Protocol):
    """Sees the run from outside; called between episodes only, never in a tick."""

    def phase(self, text: str) -> None: ...

    def attempt(self, attempt: Attempt) -> None: ...


@dataclass(frozen=True)
class Ending:
    """How a run ended: "complete", "interrupted" or "error", and why.

    `error` is what ended it, for the door to show.
    """

    outcome: str
    reason: str
    error: HilError | None = None


def run_campaign(plan: Plan, folder: Path, observer: Observer, stop: StopRequest) -> Ending:
    """Run every planned episode once and write the run folder.

    Errors: BadInput when the folder is in use or the rig file cannot be satisfied, both before
    anything moves. What goes wrong later is an `Ending`, and on the record.
    """
    refuse_occupied(folder)
    observer.phase("starting the bench")
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


def run_on_bench(plan: Plan, bench: Bench, folder: Path) -> Ending:
    """As `run_campaign`, on a bench that is open already and stays open, safe, afterwards."""
    return _recorded(plan, bench, folder, Silent(), StopRequest(), opened=True)


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
    try:
        writer.begin(plan.data, host_facts(), "virtual" if bench.clock.virtual else "wall")
        ending = _run(plan, bench, writer, observer, stop, opened)
        _prove_safe(bench, writer, ending.reason)
        writer.end(ending.outcome, ending.reason)
    except Exception as defect:
        _close_after_defect(bench, writer, defect)
        raise
    finally:
        writer.close()
    return ending


class Silent:
    """Observer that shows nothing."""

    def phase(self, text: str) -> None:
        """Nobody is watching."""

    def attempt(self, attempt: Attempt) -> None:
        """Nobody is watching."""


def _run(
    plan: Plan,
    bench: Bench,
    writer: RunWriter,
    observer: Observer,
    stop: StopRequest,
    opened: bool,
) -> Ending:
    try:
        if not opened:
            observer.phase("opening devices")
            bench.open()
        _introduce(bench, writer)
        loaded = ""
        for episode in plan.episodes:
            if stop():
                break
            planned = plan.scenarios[episode.scenario]
            if planned.model.sha256 != loaded:
                observer.phase(f"sending {planned.model.name} to the terminal")
                _load_model(bench, plan, episode, writer)
                loaded = planned.model.sha256
                observer.phase(planned.scenario.title)
            attempt = run_episode(bench, planned, episode, plan.policy, stop)
            _keep(writer, attempt)
            observer.attempt(attempt)
            if attempt.end is EpisodeEnd.ERROR:
                return Ending("error", attempt.reason, RigError(attempt.reason))
    except HilError as error:
        return Ending("error", f"{type(error).__name__}: {error.message}", error)
    if stop():
        return Ending("interrupted", stop.cause)
    return Ending("complete", "every planned episode was run")


def _introduce(bench: Bench, writer: RunWriter) -> None:
    """Put identities and bad findings on the ledger, then energise the joints."""
    for role, identity in bench.identities().items():
        row = asdict(identity) | {"detail": dict(identity.detail)}
        writer.append({"row": "device", "role": role, **row})
    findings = bench.health()
    for role, found in findings.items():
        for finding in found:
            if not finding.ok:
                writer.append({"row": "finding", "role": role, **asdict(finding)})
    for device in bench.devices.values():
        if isinstance(device, Joints):
            device.enable(bench.deadline(_ENABLE_WITHIN_S))


def _load_model(bench: Bench, plan: Plan, episode: PlannedEpisode, writer: RunWriter) -> None:
    """Put the scenario's network on the terminal; load time is on the record, in no claim."""
    if plan.policy != "model":
        return
    image = plan.scenarios[episode.scenario].model
    started_ns = bench.clock.now_ns()
    terminal = bench.inference(role_of(plan.scenarios[episode.scenario], "inference"))
    terminal.load(image, bench.deadline(_LOAD_WITHIN_S))
    took_us = (bench.clock.now_ns() - started_ns) // 1000
    writer.append({"row": "model", "name": image.name, "sha256": image.sha256, "took_us": took_us})


def _keep(writer: RunWriter, attempt: Attempt) -> None:
    episode = attempt.episode
    row: dict[str, Any] = {
        "row": "attempt",
        "episode": episode.name,
        "attempt": 1,
        "scenario": episode.meta["scenario"],
        "end": str(attempt.end),
        "reason": attempt.reason,
        "ticks": len(episode.ticks),
    }
    writer.write_episode(episode, attempt.frames, row)


def _prove_safe(bench: Bench, writer: RunWriter, cause: str) -> None:
    for proof in bench.make_safe():
        writer.append(safe_row(proof, cause))


def _close_after_defect(bench: Bench, writer: RunWriter, defect: Exception) -> None:
    """Leave a safe rig and a closed record behind even after an error nobody foresaw."""
    reason = f"{type(defect).__name__}: {defect}"
    if not bench.safe:
        _prove_safe(bench, writer, reason)
    writer.end("error", reason)


def safe_row(proof: SafeProof, cause: str) -> dict[str, Any]:
    """Ledger row of one proof of a safe state."""
    return {
        "row": "safe",
        "role": proof.role,
        "safe": proof.safe,
        "state": proof.state,
        "readings": dict(proof.readings),
        "took_us": (proof.proved_ns - proof.started_ns) // 1000,
        "cause": cause,
    }
