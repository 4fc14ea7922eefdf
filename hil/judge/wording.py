"""How claims on time are put into words."""

from __future__ import annotations

import math

from hil.clock import NS_PER_MS, NS_PER_US
from hil.judge.dependence import Dependence, effective_quantile_bound, effective_upper_bound
from hil.judge.samples import UNANSWERED, IntArray
from scenarios.schema import LatencyClaim, MissesClaim


def duration_text(duration_us: float) -> str:
    """A duration for reading, rounded up, so that no bound looks better than it is."""
    if duration_us < NS_PER_MS / NS_PER_US:
        return f"{math.ceil(duration_us)} us"
    return f"{math.ceil(duration_us / 10) / 100:g} ms"


def latency_statement(claim: LatencyClaim, rate_hz: float) -> str:
    """What a claim on a quantile says, the block maximum with what it implies for ticks."""
    name = f"p{100 * claim.quantile:g}"
    whole = {"reaction": "reaction time", "data_age": "data age"}.get(
        claim.metric, f"stage {claim.metric}"
    )
    most = f"at most {duration_text(claim.bound_us)}"
    if claim.sample == "tick":
        return f"{name} of {whole} {most}"
    if claim.sample == "episode":
        return f"{name} of the episode maximum of {whole} {most}"
    block = claim.block_length(rate_hz)
    return (
        f"{name} of the maximum of {whole} over {block} grid points in a row {most}, which"
        f" implies {name} of {whole} {most}"
    )


def misses_statement(claim: MissesClaim, limit_ns: int, rate_hz: float) -> str:
    """What a claim on late grid points says."""
    share = f"at most {100 * claim.max_fraction:g} %"
    later = f"later than {duration_text(limit_ns / NS_PER_US)}"
    if claim.sample == "tick":
        return f"{share} of grid points {later}"
    if claim.sample == "episode":
        return f"{share} of episodes with a grid point {later}"
    return (
        f"{share} of blocks of {claim.block_length(rate_hz)} grid points with one {later}, which"
        f" implies {share} of grid points"
    )


def latency_note(claim: LatencyClaim, samples: IntArray, found: Dependence | None) -> str:
    """What measured dependence makes of a quantile's bound; empty where there is none."""
    if found is None or not found.dependent:
        return ""
    bound_ns = effective_quantile_bound(samples, found, claim.quantile, claim.confidence)
    if bound_ns is None:
        then = "which carry no bound of this quantile"
    elif bound_ns == UNANSWERED:
        then = "which bound it by a sample that never came"
    else:
        then = f"which bound it by about {duration_text(bound_ns / NS_PER_US)}"
    return _dependent(claim, len(samples), found, then)


def misses_note(claim: MissesClaim, late: int, points: int, found: Dependence | None) -> str:
    """What measured dependence makes of the bound of a share; empty where there is none."""
    if found is None or not found.dependent:
        return ""
    bound = effective_upper_bound(late, found, points, claim.confidence)
    then = f"which bound the share by about {math.ceil(bound * 1e4) / 100:.2f} %"
    return _dependent(claim, points, found, then)


def _dependent(claim: LatencyClaim | MissesClaim, total: int, found: Dependence, then: str) -> str:
    """Never silently: the bound above takes samples as independent, and these are not."""
    remedy = {
        "tick": "claim the maximum of blocks or episodes for a bound that does not need it",
        "block": "take longer blocks",
        "episode": "episodes differ from each other more than chance does: look for a drift",
    }[claim.sample]
    return (
        f"Long times come in spells: {total} samples are worth about {found.effective} independent"
        f" ones, {then}. The bound shown takes all as independent; {remedy}."
    )
