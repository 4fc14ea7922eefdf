"""From a bench to its last proof: devices opened, every planned episode once, rig made safe.

Who keeps the record is somebody else's matter (`Keeper`): the harness itself, or the parent of
a worker process, to which the same rows and attempts are sent.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any, Protocol

from hil.clock import NS_PER_US
from hil.contracts import Joints, ModelImage, SafeProof, SelfWatching
from hil.errors import HarnessError, HilError, RigError, UnsafeExit
from hil.plan.freeze import Plan, PlannedEpisode, PlannedScenario
from hil.record.format import EpisodeEnd
from hil.rig import Bench
from hil.run.attendance import Asked, Attendance
from hil.run.calibration import calibration_row, utc_today, void_reason
from hil.run.conditions import Conditions
from hil.run.deciders import role_of
from hil.run.episode import Attempt, run_episode
from hil.run.faults import require_links
from hil.run.hosttest import host_row
from hil.run.physics import physics_rows
from hil.run.timekeeper import Timekeeper

_LOAD_WITHIN_S = 15.0
_ENABLE_WITHIN_S = 2.0


class Keeper(Protocol):
    """Who writes down what happens. Errors: HilError where it cannot be kept."""

    def phase(self, text: str) -> None:
        """What is being done from now on."""
        ...

    def row(self, row: Mapping[str, Any]) -> None:
        """One row of the ledger."""
        ...

    def begin(self, episode: PlannedEpisode) -> None:
        """An attempt at this episode begins."""
        ...

    def attempt(self, attempt: Attempt) -> None:
        """It has ended; this is its record."""
        ...

    def wire(self, role: str, data: bytes) -> None:
        """The next piece of what was captured on the link of a role."""
        ...


@dataclass(frozen=True)
class Ending:
    """How a run ended: "complete", "interrupted", "void" or "error", and why.

    `error` is what ended it, for the door to show. `cause_ns` is when the cause was there, on
    the run's clock, or None where nobody knows.
    """

    outcome: str
    reason: str
    error: HilError | None = None
    cause_ns: int | None = None


def conduct(
    plan: Plan,
    bench: Bench,
    keeper: Keeper,
    stop: Attendance,
    *,
    opened: bool,
    today: Callable[[], date] | None = utc_today,
) -> Ending:
    """Run every planned episode once. What goes wrong is an `Ending`; the bench is left as it
    then is, for `prove_safe`.

    `opened` says that the devices are open already. `today` is the UTC date by which
    calibrations are in force or not; without them a certified run ends before anything is opened.
    It is None for one trial of a simulated run, which has looked at them, and at the physics,
    before its first.
    """
    try:
        void = lapsed(plan, keeper, today(), virtual=bench.clock.virtual) if today else ""
        if void:
            return Ending("void", void, None, bench.clock.now_ns())
        if opened:
            bench.begin_wire()
        else:
            keeper.phase("opening devices")
            bench.open()
        require_links(plan.scenarios, bench)
        if today is not None:
            keep_physics(bench, keeper)
        stop.watch_buttons(bench.emergency_stops)
        _introduce(bench, keeper)
        ending = _episodes(plan, bench, keeper, stop)
    except HilError as error:
        reason = f"{type(error).__name__}: {error.message}"
        return Ending("error", reason, error, bench.clock.now_ns())
    return ending


def conduct_and_prove(
    plan: Plan,
    bench: Bench,
    keeper: Keeper,
    stop: Attendance,
    *,
    today: Callable[[], date] | None = utc_today,
) -> Ending:
    """As `conduct` on devices that are still closed, then the proofs of the safe state. An error
    that nobody foresaw is an `Ending` too. Errors: HilError from the keeper."""
    try:
        ending = conduct(plan, bench, keeper, stop, opened=False, today=today)
    except Exception as defect:  # noqa: BLE001  a defect must not keep the rig from being safe
        traceback.print_exc()
        reason = f"{type(defect).__name__}: {defect}"
        error = HarnessError(reason, "this is a defect of the testbed: report it with the above")
        ending = Ending("error", reason, error, bench.clock.now_ns())
    prove_safe(bench, keeper, ending.reason, ending.cause_ns)
    return ending


def left_unsafe(ending: Ending | None, error: UnsafeExit) -> Ending:
    """The ending of a run whose bench could not be proved safe; what ended it before is said
    first."""
    before = "" if ending is None or ending.outcome == "complete" else f"{ending.reason}; "
    return Ending("error", f"{before}{error.message}", error)


def prove_safe(bench: Bench, keeper: Keeper, cause: str, cause_ns: int | None = None) -> None:
    """Make the bench safe, then put the proofs on the ledger. Errors: HilError from the keeper,
    once everything is as safe as it will be."""
    began_ns = bench.clock.now_ns() if cause_ns is None else cause_ns
    for proof in bench.make_safe():
        keeper.row(safe_row(proof, cause, began_ns))
    keep_wire(bench, keeper)


def keep_wire(bench: Bench, keeper: Keeper) -> None:
    """Hand over what was captured on the links; between ticks only. Errors: HilError from the
    keeper."""
    for role, data in bench.take_wire().items():
        keeper.wire(role, data)


def safe_row(proof: SafeProof, cause: str, cause_ns: int) -> dict[str, Any]:
    """Ledger row of one proof of a safe state.

    `took_us` is the device's own time, `from_cause_us` counts from the cause.
    """
    return {
        "row": "safe",
        "role": proof.role,
        "safe": proof.safe,
        "state": proof.state,
        "readings": dict(proof.readings),
        "took_us": (proof.proved_ns - proof.started_ns) // NS_PER_US,
        "from_cause_us": (proof.proved_ns - cause_ns) // NS_PER_US,
        "cause": cause,
    }


def attempt_row(attempt: Attempt) -> dict[str, Any]:
    """Ledger row of one attempt, without the digests of its files."""
    episode = attempt.episode
    return {
        "row": "attempt",
        "episode": episode.name,
        "attempt": 1,
        "scenario": episode.meta["scenario"],
        "end": str(attempt.end),
        "reason": attempt.reason,
        "ticks": len(episode.ticks),
    }


def _episodes(plan: Plan, bench: Bench, keeper: Keeper, stop: Attendance) -> Ending:
    loaded = ""
    timekeeper = Timekeeper(bench)
    unfit = _unfit(plan, bench, timekeeper, keeper, stop)
    if unfit:
        return Ending("void", unfit, None, bench.clock.now_ns())
    conditions = Conditions.of(bench.clock)
    for episode in plan.episodes:
        if stop():
            break
        planned = plan.scenarios[episode.scenario]
        if planned.model is not None and planned.model.sha256 != loaded:
            keeper.phase(f"sending {planned.model.name} to the terminal")
            _load_model(bench, plan, planned, planned.model, keeper)
            loaded = planned.model.sha256
            keeper.phase(planned.scenario.title)
        if stop.board is not None:
            stop.board.clear()
        keeper.begin(episode)
        attempt = run_episode(bench, planned, episode, plan.policy, stop, timekeeper)
        ended_ns = bench.clock.now_ns()
        keeper.attempt(attempt)
        keep_wire(bench, keeper)
        if attempt.end is EpisodeEnd.ERROR:
            return Ending("error", attempt.reason, RigError(attempt.reason), ended_ns)
        broken = conditions.broken()
        if broken:
            stop.take(Asked(broken, void=True))
    if stop():
        return Ending("void" if stop.void else "interrupted", stop.cause, None, stop.at_ns)
    return Ending("complete", "every planned episode was run")


def _unfit(
    plan: Plan, bench: Bench, timekeeper: Timekeeper, keeper: Keeper, stop: Attendance
) -> str:
    """Why this host cannot time a certified run; empty when it can, or nothing is certified."""
    if not bench.clock.virtual:
        keeper.phase("testing whether this host can keep time")
    row = host_row(plan, bench, timekeeper, stop)
    if row is None:
        return ""
    keeper.row(row)
    return (
        "" if row["fit"] else "the host is not fit to time this run: " + "; ".join(row["reasons"])
    )


def lapsed(plan: Plan, keeper: Keeper, today: date, *, virtual: bool) -> str:
    """Why the rig's calibrations let nothing be certified today; empty where they do, or nothing
    is certified, when what is not in force is said and no more. They go on the ledger."""
    row = calibration_row(plan, today, virtual=virtual)
    if row is None:
        return ""
    keeper.row(row)
    void = void_reason(plan, row)
    if not void and not row["in_force"]:
        keeper.phase("note: calibrations are not in force: " + "; ".join(row["reasons"]))
    return void


def keep_physics(bench: Bench, keeper: Keeper) -> None:
    """Put on the ledger how true the physics of a rig is that has some. Errors: as
    `hil.run.physics.physics_rows`; HilError from the keeper."""
    for row in physics_rows(bench):
        keeper.row(row)


def _introduce(bench: Bench, keeper: Keeper) -> None:
    """Put identities and bad findings on the ledger, then energise the joints."""
    for role, identity in bench.identities().items():
        row = asdict(identity) | {"detail": dict(identity.detail)}
        keeper.row({"row": "device", "role": role, **row})
    findings = bench.health()
    for role, found in findings.items():
        for finding in found:
            if not finding.ok:
                keeper.row({"row": "finding", "role": role, **asdict(finding)})
    for device in bench.devices.values():
        if isinstance(device, Joints):
            device.enable(bench.deadline(_ENABLE_WITHIN_S))
            keeper.row(_self_watch(device))


def _self_watch(device: Joints) -> dict[str, Any]:
    """Whether the device has a watchdog of its own, for the ledger; each episode arms it."""
    has = isinstance(device, SelfWatching)
    return {"row": "self-watch", "role": device.role, "own_watchdog": has}


def _load_model(
    bench: Bench, plan: Plan, planned: PlannedScenario, image: ModelImage, keeper: Keeper
) -> None:
    """Put the scenario's network on the terminal; load time is on the record, in no claim."""
    if plan.policy != "model":
        return
    started_ns = bench.clock.now_ns()
    terminal = bench.inference(role_of(planned, "inference"))
    terminal.load(image, bench.deadline(_LOAD_WITHIN_S))
    took_us = (bench.clock.now_ns() - started_ns) // NS_PER_US
    keeper.row({"row": "model", "name": image.name, "sha256": image.sha256, "took_us": took_us})
