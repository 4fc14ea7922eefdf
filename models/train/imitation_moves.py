"""Moves of a script, as a network is taught them: what the script itself counts as one, and where
the tools come to rest within one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from hil.contracts import FloatArray, IntArray
from models.train.lessons import Notebook

AT_REST = 0.03
"""Share of the highest speed within a move below which the tools are at rest."""
SHORTEST_TICKS = 4
AGREE = 0.9
"""Share of the lessons that have to rest as often within a move for it to be parted there."""
AXIS_M, MOTOR_M = 0.1, 0.02
"""What a rad of the tool's and of another motor's turn counts for."""


def parted(books: Sequence[Notebook]) -> list[Notebook]:
    """The lessons with moves parted where the tools rest in between, without those that rest
    another number of times there than most."""
    split: dict[int, int] = {}
    marks = [{int(s): _runs(book, int(s)) for s in np.unique(book.stages)} for book in books]
    for stage in sorted({stage for found in marks for stage in found}):
        counts = Counter(int(found[stage].max()) for found in marks if stage in found)
        [(usual, times)] = counts.most_common(1)
        if usual > 0 and times >= AGREE * sum(counts.values()):
            split[stage] = usual
    kept = []
    for book, found in zip(books, marks, strict=True):
        if all(int(found[s].max()) == n for s, n in split.items() if s in found):
            kept.append(replace(book, stages=_numbered(book, found, split)))
    return kept


def moves_of(books: Sequence[Notebook]) -> list[int]:
    """Numbers of the moves that take time in at least half of the lessons."""
    last = max(max(book.stages) for book in books)
    taken = [sum(stage in book.stages for book in books) for stage in range(last + 1)]
    return [stage for stage, count in enumerate(taken) if 2 * count >= len(books)]


def _numbered(book: Notebook, runs: dict[int, IntArray], split: dict[int, int]) -> list[int]:
    stages = np.array(book.stages)
    numbers = np.zeros(len(stages), dtype=np.int64)
    for stage, found in runs.items():
        more = sum(count for other, count in split.items() if other < stage)
        numbers[stages == stage] = stage + more + (found if stage in split else 0)
    return numbers.tolist()


def _runs(book: Notebook, stage: int) -> IntArray:
    """(ticks,) of one move: how many times the tools have come to rest and gone on."""
    rows = np.flatnonzero(np.array(book.stages) == stage)
    table = np.array(book.labels, dtype=np.float64)
    before = table[np.maximum(rows - 1, 0)]
    speed = np.abs(table[rows] - before) @ _weights(book.answers)
    moving = np.flatnonzero(speed > AT_REST * max(float(speed.max()), 1e-9))
    found = np.zeros(len(rows), dtype=np.int64)
    if not len(moving):
        return found
    gaps = np.flatnonzero(np.diff(moving) > 1)
    starts = np.concatenate([[moving[0]], moving[gaps + 1]])
    ends = np.concatenate([moving[gaps], [moving[-1]]])
    long = np.flatnonzero(ends - starts + 1 >= SHORTEST_TICKS)
    for one, other in pairwise(long):
        rest = slice(int(ends[one]) + 1, int(starts[other]))
        found[rest.start + int(np.argmin(speed[rest])) + 1 :] += 1
    return found


def _weights(answers: Sequence[str]) -> FloatArray:
    kinds = [name.rsplit(".", 1)[1] for name in answers]
    return np.array(
        [
            1.0 if one in {"x_m", "y_m", "z_m"} else MOTOR_M if one.endswith("rad") else AXIS_M
            for one in kinds
        ]
    )
