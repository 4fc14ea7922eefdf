"""The judge: a pure function from a record to a verdict.

It never touches a device, reads no clock and draws no random number: whoever has the record
gets the same bytes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from pydantic import ValidationError

from hil import plugins
from hil.errors import DamagedRecord
from hil.judge.attribution import attribute
from hil.judge.claims import VIRTUAL, Evidence, judge_claim, over_untimed
from hil.judge.inputs import EndRow, Inputs, PlannedScenario, Record, SafeRow, read_inputs
from hil.judge.latency import timing
from hil.judge.limits import not_said
from hil.judge.model import (
    Attribution,
    Bracket,
    ClaimResult,
    EpisodeResult,
    Outcome,
    PhysicsResult,
    SafeExit,
    ScenarioVerdict,
    Verdict,
    rounded,
)
from hil.judge.physics import broken_physics, physics_results
from hil.judge.scoring import Scored, Scorer, score_episode
from hil.record.format import EpisodeEnd
from hil.statistics import lower_bound, upper_bound

SCHEMA = 1
FLOOR_CONFIDENCE = 0.95


def judge(record: Record, tasks: Mapping[str, Scorer] | None = None) -> Verdict:
    """Judge a whole run.

    `tasks` maps archetypes to their scorers; by default they are found among the installed
    packages. Errors: DamagedRecord where plan or ledger lack what a record has to say,
    BadInput for an archetype that is not installed, HarnessError where a task cannot score.
    """
    inputs = read_inputs(record)
    plan = inputs.plan
    scenarios = tuple(_scenario(one, inputs, record, tasks) for one in plan.scenarios)
    safe_exits = tuple(_safe_exit(row) for row in inputs.safe)
    physics = physics_results(inputs.physics)
    outcome, reasons = overall(scenarios, safe_exits, inputs.end, physics)
    return Verdict(
        schema=SCHEMA,
        outcome=outcome,
        exit_code=outcome.exit_code,
        reasons=reasons,
        profile=plan.profile.title,
        decision=plan.profile.decision,
        rig=plan.rig.title,
        rig_kind=plan.rig.kind,
        clock="virtual" if inputs.virtual else "wall",
        policy=plan.policy,
        plan_sha256=record.plan_sha256,
        record_sha256=record.record_sha256,
        scenarios=scenarios,
        safe_exits=safe_exits,
        not_said=not_said(plan, inputs.virtual, scenarios),
        physics=physics,
    )


def overall(
    scenarios: Sequence[ScenarioVerdict],
    safe_exits: Sequence[SafeExit],
    end: EndRow | None,
    physics: Sequence[PhysicsResult] = (),
) -> tuple[Outcome, tuple[str, ...]]:
    """Outcome of a run and the reasons for it, gravest first.

    What keeps the record from speaking of the device (a device not proved safe, an error of
    the rig, void conditions such as a physics that failed a check, an interruption) goes before
    what the record says of it.
    """
    found = [
        (Outcome.ERROR, f"{exit_.role} was not proved safe: {exit_.state}")
        for exit_ in safe_exits
        if not exit_.safe
    ]
    broken = broken_physics(physics)
    if broken:
        found.append((Outcome.VOID, broken))
    stopped = _stopped(end)
    if stopped is not None:
        found.append(stopped)
    for scenario in scenarios:
        found += [(scenario.outcome, f"{scenario.id}: {reason}") for reason in scenario.reasons]
    outcomes = {outcome for outcome, _ in found} | {scenario.outcome for scenario in scenarios}
    if not scenarios:
        return Outcome.INCONCLUSIVE, ("the plan holds no scenario",)
    order = _order(interrupted=stopped is not None and stopped[0] is Outcome.INCONCLUSIVE)
    found.sort(key=lambda pair: order.index(pair[0]))
    return min(outcomes, key=order.index), tuple(text for _, text in found)


def _stopped(end: EndRow | None) -> tuple[Outcome, str] | None:
    if end is None:
        return Outcome.INCONCLUSIVE, "the ledger has no closing row"
    outcome = {
        "error": Outcome.ERROR,
        "void": Outcome.VOID,
        "interrupted": Outcome.INCONCLUSIVE,
    }.get(end.outcome)
    if outcome is None:
        return None
    return outcome, f"the run ended as {end.outcome}" + (f": {end.reason}" if end.reason else "")


def _order(interrupted: bool) -> list[Outcome]:
    """Gravest first. A run that somebody stopped is no trial, so that not even a failure in it
    is held against the device."""
    said = [Outcome.FAIL, Outcome.INCONCLUSIVE]
    return [Outcome.ERROR, Outcome.VOID, *(said[::-1] if interrupted else said), Outcome.PASS]


def _safe_exit(row: SafeRow) -> SafeExit:
    readings = {
        name: rounded(value) if isinstance(value, float) else value
        for name, value in row.readings.items()
    }
    return SafeExit(row.role, row.safe, row.state, row.cause, rounded(row.took_us), readings)


def _scenario(
    planned: PlannedScenario,
    inputs: Inputs,
    record: Record,
    tasks: Mapping[str, Scorer] | None,
) -> ScenarioVerdict:
    scored = _score_all(planned, inputs, record, tasks)
    evidence = _evidence(scored, planned, inputs.virtual)
    claims = tuple(judge_claim(claim, evidence) for claim in planned.claims)
    results = tuple(one.result for one in scored)
    outcome, reasons = scenario_outcome(claims, results)
    brackets = planned.brackets
    floor = Bracket(brackets.floor.k, brackets.floor.n) if brackets else None
    return ScenarioVerdict(
        id=planned.id,
        title=planned.title,
        track=planned.track,
        sector=planned.sector,
        archetype=planned.archetype,
        description=planned.description,
        basis=planned.basis,
        basis_status=planned.basis_status,
        sha256=planned.sha256,
        model=planned.policy_model,
        outcome=outcome,
        reasons=reasons,
        successes=evidence.successes,
        failures=evidence.failures,
        undecided=len(evidence.undecided),
        above_floor=above_floor(floor, evidence.successes, evidence.scheduled),
        floor=floor,
        ceiling=Bracket(brackets.ceiling.k, brackets.ceiling.n) if brackets else None,
        brackets_note=brackets.note if brackets else "",
        claims=claims,
        timing=timing(
            evidence.timings,
            evidence.rate_hz,
            evidence.budget_us,
            measured=not inputs.virtual,
            startup_ticks=planned.loop.startup_ticks,
        ),
        lost=_lost(results),
        episodes=results,
        attribution=_attribution(results, planned, record),
    )


def _attribution(
    episodes: Sequence[EpisodeResult], planned: PlannedScenario, record: Record
) -> Attribution | None:
    names = [episode.record for episode in episodes if episode.record]
    recorded = (record.episode(name) for name in names)
    return attribute(recorded, len(names), planned.loop.rate_hz)


def _lost(episodes: Sequence[EpisodeResult]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for episode in episodes:
        total.update(episode.lost)
    return dict(total)


def scenario_outcome(
    claims: Sequence[ClaimResult], episodes: Sequence[EpisodeResult]
) -> tuple[Outcome, tuple[str, ...]]:
    """Outcome of one scenario and why; a claim that was skipped neither helps nor hurts."""
    broken = [e for e in episodes if e.success is None and e.end == EpisodeEnd.ERROR]
    reasons = [f"episode {e.name} ended in an error: {e.reason}" for e in broken]
    states = {claim.state for claim in claims if claim.state is not Outcome.SKIPPED}
    for claim in claims:
        if claim.state in (Outcome.FAIL, Outcome.INCONCLUSIVE):
            why = f" ({claim.reason})" if claim.reason else ""
            reasons.append(f"{claim.statement}: shown {claim.shown}{why}")
    if broken:
        return Outcome.ERROR, tuple(reasons)
    for state in (Outcome.FAIL, Outcome.INCONCLUSIVE):
        if state in states:
            return state, tuple(reasons)
    if not states:
        return Outcome.INCONCLUSIVE, ("no claim could be tested on this rig",)
    return Outcome.PASS, ()


def above_floor(floor: Bracket | None, successes: int, scheduled: int) -> bool | None:
    """Whether the score is shown to lie above that of the null policy: the lower bound of one
    above the upper bound of the other, each at 95 %. None without a floor or episodes."""
    if floor is None or not scheduled:
        return None
    shown = lower_bound(successes, scheduled, FLOOR_CONFIDENCE)
    return shown > upper_bound(floor.k, floor.n, FLOOR_CONFIDENCE)


def _score_all(
    planned: PlannedScenario,
    inputs: Inputs,
    record: Record,
    tasks: Mapping[str, Scorer] | None,
) -> list[Scored]:
    name = planned.archetype
    task: Scorer = plugins.load(plugins.TASKS, name) if tasks is None else tasks[name]
    try:
        parameters = task.Parameters.model_validate(planned.task)
    except ValidationError as error:
        first = error.errors()[0]
        raise DamagedRecord(
            f"plan.json: scenario {planned.id}: task.{'.'.join(map(str, first['loc']))}:"
            f" {first['msg']}",
            f"the archetype {name!r} that is installed does not know these parameters",
        ) from error
    return [
        score_episode(
            episode,
            inputs.attempts.get(episode.name, []),
            record,
            task,
            parameters,
            planned.loop,
        )
        for episode in inputs.plan.episodes
        if episode.scenario == planned.id
    ]


def _evidence(scored: Sequence[Scored], planned: PlannedScenario, virtual: bool) -> Evidence:
    return Evidence(
        successes=sum(one.result.success is True for one in scored),
        failures=sum(one.result.success is False for one in scored),
        undecided={
            one.result.name: one.result.reason for one in scored if one.result.success is None
        },
        unrecorded={one.result.name: one.result.reason for one in scored if one.timing is None},
        timings=[one.timing for one in scored if one.timing is not None],
        rate_hz=planned.loop.rate_hz,
        budget_us=planned.loop.budget_us.model_dump(),
        unmeasured=VIRTUAL if virtual else over_untimed(planned.untimed),
    )
