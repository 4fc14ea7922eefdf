"""From a claim and its evidence to a result.

A claim is PASS where its bound is shown, INCONCLUSIVE where the evidence could not have shown
it even if all of it were good (or where some of it is missing), and FAIL otherwise: enough was
seen, and the bound is not shown. It is FAIL too where the little that was seen shows the
opposite at the claim's own confidence: twenty failures in a row need no twenty-first.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hil.clock import NS_PER_S, NS_PER_US
from hil.judge.dependence import dependence
from hil.judge.latency import blame, deadline_ns
from hil.judge.model import ClaimResult, Outcome, ceiled, floored
from hil.judge.samples import UNANSWERED, BoolArray, EpisodeTiming, IntArray
from hil.judge.series import series
from hil.judge.wording import (
    duration_text,
    latency_note,
    latency_statement,
    misses_note,
    misses_statement,
)
from hil.statistics import (
    lower_bound,
    minimum_count,
    quantile_rank,
    successes_needed,
    upper_bound,
)
from scenarios.schema import Claim, LatencyClaim, MissesClaim, SuccessClaim

COUNTED = {"tick": "grid points", "episode": "episodes", "block": "blocks"}
VIRTUAL = "the clock is virtual: durations are declared by the rig, not measured"
NOT_JUDGED = "not judged"


def over_untimed(why: str) -> str:
    """Why claims on time are skipped over a link that `why` tells of; empty where it is."""
    return why and f"claims on time are not judged over this link: {why}"


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the record holds for one scenario.

    `undecided` maps names of scheduled episodes that cannot be scored to the reason why;
    `unrecorded` those of them that left no record that counts. `timings` holds the timing of
    all others. `unmeasured` says why nothing can be said of time; empty where it can.
    """

    successes: int
    failures: int
    undecided: Mapping[str, str]
    unrecorded: Mapping[str, str]
    timings: Sequence[EpisodeTiming]
    rate_hz: float
    budget_us: Mapping[str, int]
    unmeasured: str

    @property
    def scheduled(self) -> int:
        return self.successes + self.failures + len(self.undecided)

    def lacking(self, episodes: Mapping[str, str]) -> str:
        """In words: how many episodes are not there, and why."""
        first, reason = next(iter(episodes.items()))
        return (
            f"{len(episodes)} of {self.scheduled} episodes cannot be counted"
            f" (first: {first}, {reason})"
        )


def judge_claim(claim: Claim, evidence: Evidence) -> ClaimResult:
    """Result of one claim."""
    match claim:
        case SuccessClaim():
            return judge_success(claim, evidence)
        case LatencyClaim():
            return judge_latency(claim, evidence)
        case MissesClaim():
            return judge_misses(claim, evidence)


def judge_success(claim: SuccessClaim, evidence: Evidence) -> ClaimResult:
    """Lower bound of the success probability.

    Undecided episodes count against the bound; the claim fails only where it would fail even
    if all of them had succeeded.
    """
    k, n, undecided = evidence.successes, evidence.scheduled, len(evidence.undecided)
    most = upper_bound(k + undecided, n, claim.confidence)
    bound = lower_bound(k, n, claim.confidence)
    needed = minimum_count(claim.p, claim.confidence)
    enough = successes_needed(n, claim.p, claim.confidence)
    if enough is not None and k >= enough:
        state, reason = Outcome.PASS, ""
    elif most < claim.p:
        state = Outcome.FAIL
        shown = math.ceil(most * 1000) / 1000
        reason = f"{evidence.failures} of {n} failed, which shows less than {shown:.3f}"
    elif enough is None:
        state = Outcome.INCONCLUSIVE
        reason = f"{n} episodes cannot show it: {needed} without a failure would"
    elif k + undecided >= enough:
        state, reason = Outcome.INCONCLUSIVE, evidence.lacking(evidence.undecided)
    else:
        state = Outcome.FAIL
        reason = f"{enough} of {n} had to succeed, {evidence.failures} failed"
    return ClaimResult(
        kind=claim.kind,
        metric="success",
        state=state,
        statement=f"success probability at least {claim.p:g}",
        shown=f"at least {math.floor(bound * 1000) / 1000:.3f} ({k} of {n})",
        reason=reason,
        count=k,
        total=n,
        bound=floored(bound),
        limit=claim.p,
        unit="",
        confidence=claim.confidence,
        needed=needed,
    )


def judge_latency(claim: LatencyClaim, evidence: Evidence) -> ClaimResult:
    """Upper bound of a latency quantile by an order statistic."""
    limit_ns = claim.bound_us * NS_PER_US
    samples = series(claim, claim.metric, evidence.timings, evidence.rate_hz)
    rank = quantile_rank(len(samples), claim.quantile, claim.confidence)
    late = samples > limit_ns
    found = None
    if rank is not None and not evidence.unmeasured:
        found = dependence(samples, claim.quantile)
    bound_ns = None if rank is None else _nth(samples, rank)
    needed = minimum_count(claim.quantile, claim.confidence)
    few = f"{len(samples)} samples carry no bound of this quantile: {needed} would"
    decision = _decided(
        evidence,
        claim.metric,
        limit_ns,
        refuted=_refuted(late, 1 - claim.quantile, claim.confidence),
        lacking=few if bound_ns is None else "",
        shown=bound_ns is not None and bound_ns <= limit_ns,
    )
    return ClaimResult(
        kind=claim.kind,
        metric=claim.metric,
        state=decision.state,
        statement=latency_statement(claim, evidence.rate_hz),
        shown=_shown_us(bound_ns, len(samples)) if not evidence.unmeasured else NOT_JUDGED,
        reason=decision.reason,
        count=int(np.count_nonzero(late)),
        total=len(samples),
        bound=_us(bound_ns) if not evidence.unmeasured else None,
        limit=float(claim.bound_us),
        unit="us",
        confidence=claim.confidence,
        quantile=claim.quantile,
        sample=claim.sample,
        needed=needed,
        stage=decision.stage,
        block_ticks=_block_ticks(claim, evidence.rate_hz),
        effective=found.effective if found else None,
        note=latency_note(claim, samples, found) if found else "",
    )


def _nth(samples: IntArray, rank: int) -> int:
    """The `rank`-th smallest sample; the order of time is lost, since a copy of ten million
    samples would be the most that the judge needs."""
    samples.partition(rank - 1)
    return int(samples[rank - 1])


def _refuted(late: BoolArray, allowed: float, confidence: float) -> bool:
    """Whether more than the `allowed` share are shown to be late."""
    return lower_bound(int(np.count_nonzero(late)), len(late), confidence) > allowed


def judge_misses(claim: MissesClaim, evidence: Evidence) -> ClaimResult:
    """Upper bound of the share of grid points (or episodes or blocks of them) answered late."""
    period_ns = round(NS_PER_S / evidence.rate_hz)
    limit_ns = deadline_ns(period_ns, evidence.budget_us["reaction"])
    samples = series(claim, "reaction", evidence.timings, evidence.rate_hz)
    late, points = int(np.count_nonzero(samples > limit_ns)), len(samples)
    bound = upper_bound(late, points, claim.confidence)
    needed = minimum_count(1 - claim.max_fraction, claim.confidence)
    few = f"{points} {COUNTED[claim.sample]} cannot show it: {needed} without a miss would"
    decision = _decided(
        evidence,
        "reaction",
        limit_ns,
        refuted=_refuted(samples > limit_ns, claim.max_fraction, claim.confidence),
        lacking=few if points < needed else "",
        shown=bound <= claim.max_fraction,
    )
    found, note = None, ""
    if points >= needed and not evidence.unmeasured:
        found = dependence(samples, 1 - claim.max_fraction)
        note = misses_note(claim, late, points, found)
    return ClaimResult(
        kind=claim.kind,
        metric="misses",
        state=decision.state,
        statement=misses_statement(claim, limit_ns, evidence.rate_hz),
        shown=NOT_JUDGED
        if evidence.unmeasured
        else f"at most {math.ceil(bound * 1e4) / 100:.2f} % ({late} of {points})",
        reason=decision.reason,
        count=late,
        total=points,
        bound=None if evidence.unmeasured else ceiled(bound),
        limit=claim.max_fraction,
        unit="",
        confidence=claim.confidence,
        sample=claim.sample,
        needed=needed,
        stage=decision.stage,
        block_ticks=_block_ticks(claim, evidence.rate_hz),
        effective=found.effective if found else None,
        note=note,
    )


@dataclass(frozen=True, slots=True)
class _Decision:
    """State of a claim, why, and the stage that is to blame for a failure."""

    state: Outcome
    reason: str = ""
    stage: str | None = None


def _decided(
    evidence: Evidence, metric: str, limit_ns: int, *, refuted: bool, lacking: str, shown: bool
) -> _Decision:
    """What becomes of a claim about ticks, in the order in which one thing settles it: nothing
    was measured, its opposite is shown, there are too few samples (`lacking` says so), some were
    not recorded, it is shown."""
    if evidence.unmeasured:
        return _Decision(Outcome.SKIPPED, evidence.unmeasured)
    if not refuted:
        if lacking:
            return _Decision(Outcome.INCONCLUSIVE, lacking)
        if evidence.unrecorded:
            return _Decision(Outcome.INCONCLUSIVE, evidence.lacking(evidence.unrecorded))
        if shown:
            return _Decision(Outcome.PASS)
    stage, reason = _blame(metric, limit_ns, evidence)
    return _Decision(Outcome.FAIL, reason, stage)


def _blame(metric: str, limit_ns: int, evidence: Evidence) -> tuple[str | None, str]:
    if metric == "data_age":
        return None, "what was commanded rested on older input"
    if metric != "reaction":
        return metric, f"stage {metric} is to blame: the claim is on it alone"
    culprit = blame(evidence.timings, limit_ns, evidence.budget_us)
    if culprit is None:
        return None, "the device gave up in too many episodes"
    return culprit.stage, str(culprit)


def _block_ticks(claim: LatencyClaim | MissesClaim, rate_hz: float) -> int | None:
    return claim.block_length(rate_hz) if claim.sample == "block" else None


def _us(bound_ns: int | None) -> float | None:
    return None if bound_ns is None or bound_ns == UNANSWERED else bound_ns / NS_PER_US


def _shown_us(bound_ns: int | None, count: int) -> str:
    if bound_ns is None:
        return f"no bound from {count} samples"
    if bound_ns == UNANSWERED:
        return f"no bound: too many of {count} samples were never answered"
    return f"at most {duration_text(bound_ns / NS_PER_US)} ({count} samples)"
