"""What a plan can show at best, worked out before anything moves.

Every bound needs a fewest number of samples. A plan that cannot have them would spend a run to
say INCONCLUSIVE.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from hil.errors import BadInput
from hil.statistics import minimum_count
from scenarios.schema import Claim, LatencyClaim, Loop, MissesClaim, SuccessClaim


@dataclass(frozen=True, slots=True)
class Reach:
    """The most samples that a plan can give one claim, and the fewest that can show it.

    `enough_episodes` is the number of episodes that would do, None where no number does.
    `weaker` is the claim that the plan's samples could show, as its file would have it; empty
    where there is none.
    """

    scenario: str
    claim: str
    samples: str
    most: int
    needed: int
    episodes: int
    enough_episodes: int | None
    weaker: str

    @property
    def short(self) -> bool:
        """Whether the claim is out of reach whatever happens."""
        return self.most < self.needed

    def __str__(self) -> str:
        said = f"{self.scenario}: {self.claim} needs {self.needed} {self.samples}"
        if not self.short:
            return f"{said}; the plan gives at most {self.most}"
        have = "1 episode gives" if self.episodes == 1 else f"{self.episodes} episodes give"
        return f"{said}; {have} at most {self.most}, so it cannot be shown"

    @property
    def remedy(self) -> str:
        """The number that would do."""
        if self.enough_episodes is None:
            return "no number of episodes would do: each is over before its start-up is"
        return f"{self.enough_episodes} episodes would do" + (self.weaker and f", or {self.weaker}")


def reach(
    scenario: str, claims: Sequence[Claim], loop: Loop, episodes: int, points: int, timed: bool
) -> tuple[Reach, ...]:
    """What `episodes` episodes of at most `points` grid points can show of each claim.

    Where no time is measured (on a virtual clock, or over a link whose delays are not the
    device's), claims on time are skipped, and only those on success are looked at.
    """
    return tuple(
        _reach(scenario, claim, loop, episodes, points)
        for claim in claims
        if isinstance(claim, SuccessClaim) or timed
    )


def _reach(scenario: str, claim: Claim, loop: Loop, episodes: int, points: int) -> Reach:
    name, quantile = _bounded(claim)
    counted = max(0, points - loop.startup_ticks)
    samples, each = _samples(claim, loop, counted)
    needed = minimum_count(quantile, claim.confidence)
    most = math.floor(episodes * each)
    return Reach(
        scenario=scenario,
        claim=name,
        samples=samples,
        most=most,
        needed=needed,
        episodes=episodes,
        enough_episodes=math.ceil(needed / each) if each else None,
        weaker=_weaker(claim, most) if most else "",
    )


def _weaker(claim: Claim, most: int) -> str:
    """The strongest claim of its kind that `most` samples could show, in four decimals."""
    quantile = math.floor((1 - claim.confidence) ** (1 / most) * 1e4) / 1e4
    match claim:
        case SuccessClaim():
            return f"p = {quantile:g}"
        case LatencyClaim():
            return f"quantile = {quantile:g}" if quantile >= 0.5 else ""
        case MissesClaim():
            return f"max_fraction = {1 - quantile:.4g}"


def _bounded(claim: Claim) -> tuple[str, float]:
    match claim:
        case SuccessClaim():
            return f"success probability {claim.p:g}", claim.p
        case LatencyClaim():
            return f"p{100 * claim.quantile:g} of {claim.metric}", claim.quantile
        case MissesClaim():
            return f"at most {100 * claim.max_fraction:g} % late", 1 - claim.max_fraction


def _samples(claim: Claim, loop: Loop, counted: int) -> tuple[str, Fraction]:
    """What samples are called, and how many of them an episode gives at most."""
    if isinstance(claim, SuccessClaim):
        return "episodes", Fraction(1)
    if claim.sample == "episode":
        return "episodes", Fraction(min(1, counted))
    if claim.sample == "tick":
        return "grid points", Fraction(counted)
    block = claim.block_length(loop.rate_hz)
    return f"blocks of {block} grid points", Fraction(counted, block)


def refuse_short(found: Sequence[Reach]) -> None:
    """Errors: BadInput where a claim is out of the plan's reach, with the number that would do."""
    short = [one for one in found if one.short]
    if not short:
        return
    listed = "\n".join(f"  {one}" for one in short)
    plural = "a claim" if len(short) == 1 else f"{len(short)} claims"
    raise BadInput(
        f"the plan cannot show {plural}, however well the device does\n{listed}",
        "; ".join(f"{one.claim}: {one.remedy}" for one in short),
    )
