"""What ends a move that takes as long as it takes: one number that crosses a threshold.

A decision stump: of all that is seen, remembered, or has changed since the move began, the one
number that in the most lessons was on one side of a threshold throughout a move and on the other
when the move ended.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hil.contracts import FloatArray

AGREE = 0.85
"""Share of the lessons in which an event has to explain the end of a move."""


@dataclass(frozen=True)
class Event:
    """`sign` times the number `place` is at least `threshold`; in a share `agreed` of lessons."""

    place: int
    sign: float
    threshold: float
    agreed: float


def ending(moves: Sequence[tuple[FloatArray, FloatArray]]) -> Event | None:
    """The event that ends a move, given what was there during it (ticks, s) and at its end (s,)
    in each lesson; None where nothing explains it."""
    ended = [(during, end) for during, end in moves if len(during) and np.isfinite(end).all()]
    if not ended:
        return None
    scale = np.concatenate([during for during, _ in ended]).std(axis=0) + 1e-9
    best: tuple[float, float, Event] | None = None
    for sign in (1.0, -1.0):
        highest = np.array([(sign * during).max(axis=0) for during, _ in ended])
        reached = np.array([sign * end for _, end in ended])
        for place in range(highest.shape[1]):
            count, low, high = _most(highest[:, place], reached[:, place])
            share, margin = count / len(ended), (high - low) / float(scale[place])
            if best is None or (share, margin) > best[:2]:
                best = share, margin, Event(place, sign, (low + high) / 2, share)
    assert best is not None
    return best[2] if best[2].agreed >= AGREE else None


def _most(below: FloatArray, reached: FloatArray) -> tuple[int, float, float]:
    """Of the intervals (below, reached] the most that overlap, and the stretch where they do."""
    fits = below < reached
    edges = sorted([(float(x), 1) for x in below[fits]] + [(float(x), -1) for x in reached[fits]])
    count, best, found = 0, 0, (0.0, 0.0)
    for k, (edge, step) in enumerate(edges[:-1]):
        count += step
        if count > best:
            best, found = count, (edge, edges[k + 1][0])
    return best, *found
