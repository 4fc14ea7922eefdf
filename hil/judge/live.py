"""What can be said while a run still goes on; for progress displays, never for a verdict."""

from __future__ import annotations

from dataclasses import dataclass

from hil.statistics import lower_bound, successes_needed


@dataclass(frozen=True, slots=True)
class SoFar:
    """Standing of a success claim after `scored` of `planned` episodes.

    `bound` is the lower bound that would hold if every episode still to come failed, so it
    only ever rises. `possible` is false once no continuation can show the claim; `shown` is
    true once every continuation does.
    """

    successes: int
    scored: int
    planned: int
    bound: float
    possible: bool
    shown: bool


def so_far(successes: int, scored: int, planned: int, p: float, confidence: float) -> SoFar:
    """Standing of the claim "success probability >= p at this confidence".

    Errors: ValueError where successes <= scored <= planned does not hold.
    """
    if not 0 <= successes <= scored <= planned:
        raise ValueError(f"{successes} successes, {scored} scored, {planned} planned: not a run")
    needed = successes_needed(planned, p, confidence)
    best = successes + planned - scored
    return SoFar(
        successes,
        scored,
        planned,
        lower_bound(successes, planned, confidence),
        possible=needed is not None and best >= needed,
        shown=needed is not None and successes >= needed,
    )
