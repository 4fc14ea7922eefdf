"""What a record shows of a handover: how a thing leaned, who had it, and when it was let go."""

from __future__ import annotations

import math

import numpy as np

from hil.contracts import FloatArray
from sim.tasks.kit.seen import BoolArray, Seen, all_of, most


def leaned(seen: Seen, name: str) -> float | None:
    """Largest angle of a body's own z from the vertical, rad; None where it was not observed."""
    turns = seen.turns(name)
    if turns is None:
        return None
    x, y, _, _ = turns.T
    return most(np.arccos(np.clip(1 - 2 * (x * x + y * y), -1.0, 1.0)))


def above(values: FloatArray | None, limit: float) -> BoolArray | None:
    """Where `values` (ticks,) are more than `limit`; NaN is not."""
    return None if values is None else values > limit


def free(seen: Seen) -> BoolArray | None:
    """Where the receiver has the thing alone, (ticks,)."""
    holds = above(seen.column("receiver.holds"), 0.0)
    return all_of(holds, seen.below(seen.column("thing.robot_n"), 0.0))


def since(seen: Seen, label: str, limit: float) -> float | None:
    """Seconds by which the receiver had the thing alone after a column first was `limit` or
    more, less than 0 if before; minus infinity if that never came about, not a number if the
    receiver never had it alone, None where it was not observed."""
    column, alone = seen.column(label), free(seen)
    if column is None or alone is None:
        return None
    let_go, first = seen.first_s(alone), seen.first_s(column >= limit)
    if let_go is None:
        return math.nan
    return -math.inf if first is None else let_go - first


def passed_on(seen: Seen) -> BoolArray | None:
    """Where the right arm has the bar and the left one does not, (ticks,)."""
    left, right = seen.column("held.left_n"), seen.column("held.right_n")
    return all_of(seen.below(left, 0.0), above(right, 0.0))


def pulled_for(seen: Seen, pull_n: float) -> float | None:
    """For how long the right arm had pulled with `pull_n` or more when the left one let go, s:
    from the start of the last such pull at which both held the bar. Minus infinity if there was
    none, not a number where the bar never changed hands, None where it was not observed."""
    pull, alone = seen.column("held.right_pull_n"), passed_on(seen)
    both = all_of(above(seen.column("held.left_n"), 0.0), above(seen.column("held.right_n"), 0.0))
    if pull is None or alone is None or both is None:
        return None
    rows = np.flatnonzero(alone)
    if not len(rows):
        return math.nan
    pulled = (both & (pull >= pull_n))[: rows[0]]
    if not pulled.any():
        return -math.inf
    weak = np.flatnonzero(~pulled[: int(np.flatnonzero(pulled)[-1])])
    began = int(weak[-1]) + 1 if len(weak) else 0
    return float(seen.elapsed_s[rows[0]] - seen.elapsed_s[began])


def finite(**figures: float | None) -> dict[str, float | None]:
    """Those that are numbers: measures of what never came about are left out."""
    return {name: v for name, v in figures.items() if v is not None and math.isfinite(v)}
