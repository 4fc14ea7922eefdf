"""Lessons as a fit needs them: what was remembered of what was seen, how far each move was, and
what was there when it ended.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hil.contracts import FloatArray, IntArray
from models.train.lessons import Notebook

SMOOTH_S, FIRST_S = 0.3, 0.6
"""Of what is seen, a network remembers the mean of so long ago till now, with exponential weights,
and the mean of so long from the start."""


@dataclass(frozen=True)
class Layout:
    """Where in an observation things stand: what is filtered, what is asked, and the memory; and
    among what is filtered the first column's x of each pose, which its y follows."""

    filtered: slice
    asked: slice
    memory: int
    turns: tuple[int, ...]

    @classmethod
    def of(cls, channels: Sequence[str]) -> Layout:
        begin = max(k for k, name in enumerate(channels) if ".commanded." in name) + 1
        elapsed = channels.index("elapsed_s")
        asked = next((k for k, name in enumerate(channels) if name.startswith("asked.")), elapsed)
        flags = [k for k, name in enumerate(channels) if name.endswith("_present")]
        filtered = slice(begin, min([*flags, asked]))
        turns = [k for k, name in enumerate(channels[filtered]) if name.endswith(".ax")]
        return cls(filtered, slice(asked, elapsed), elapsed + 1, tuple(turns))

    def names(self, channels: Sequence[str]) -> list[str]:
        """Of the raw features."""
        seen, kinds = channels[self.filtered], ("first", "smooth")
        plain = [f"{kind}.{name}" for kind in kinds for name in seen]
        things = [seen[k].removesuffix(".ax") for k in self.turns]
        parts = ("quarter_x", "quarter_y")
        turned = [f"{kind}.{one}.{part}" for kind in kinds for part in parts for one in things]
        return [*plain, *channels[self.asked], *turned]

    def raw(self, first: FloatArray, smooth: FloatArray, asked: FloatArray) -> FloatArray:
        """Raw features (ticks, r) of what was seen first, what is seen smoothed, and what is
        asked."""
        places = np.array(self.turns, dtype=np.int64)
        turned = [part for seen in (first, smooth) for part in quarter(seen, places)]
        return np.column_stack([first, smooth, asked, *turned])


@dataclass(frozen=True)
class Story:
    """One lesson that went well: raw features (ticks, r), answers (ticks, k), the move (ticks,)
    and the share of it that is over (ticks,), and how long the moves last in ticks (moves,),
    0 for one that was left out; and what may end a move, (ticks, s), and what of it was there
    when the move ended, (moves, s), not a number where it was the last or left out."""

    raw: FloatArray
    answers: FloatArray
    moves: IntArray
    parts: FloatArray
    lengths: FloatArray
    signs: FloatArray
    ends: FloatArray


def quarter(seen: FloatArray, places: IntArray) -> tuple[FloatArray, FloatArray]:
    """The direction (x, y) at `places` and after them in each row of `seen`, turned by as many
    quarters as bring it nearest to x: how things lie that look the same after a quarter turn.
    Each (ticks, places)."""
    x, y = seen[:, places], seen[:, places + 1]
    near = np.abs(x) >= np.abs(y)
    aside = np.where(near, y * np.sign(x), -x * np.sign(y))
    return np.maximum(np.abs(x), np.abs(y)), aside


def remembered(seen: FloatArray, rate_hz: float) -> tuple[FloatArray, FloatArray]:
    """Of `seen` (ticks, n): the smoothed and the first, each (ticks, n), as the network's."""
    slow, until = 1.0 / (SMOOTH_S * rate_hz), FIRST_S * rate_hz
    smooth, first = np.zeros(seen.shape), np.zeros(seen.shape)
    now, begun = np.zeros(seen.shape[1]), np.zeros(seen.shape[1])
    for tick, row in enumerate(seen):
        now = now + max(1.0 / (tick + 1), slow) * (row - now)
        if tick < until:
            begun = begun + (row - begun) / (tick + 1)
        smooth[tick], first[tick] = now, begun
    return smooth, first


def story(book: Notebook, moves: Sequence[int], layout: Layout, rate_hz: float) -> Story:
    """A lesson for the fit, up to where the script's answers change last."""
    table = np.array(book.observations, dtype=np.float64)
    answers = np.array(book.labels, dtype=np.float64)
    seen, asked = table[:, layout.filtered], table[:, layout.asked]
    smooth, first = remembered(seen, rate_hz)
    raw = layout.raw(first, smooth, asked)
    changing = np.flatnonzero(np.abs(np.diff(answers, axis=0)).max(axis=1) > 1e-7)
    end = int(changing[-1]) + 2 if len(changing) else len(answers)
    stages = np.array(book.stages)[:end]
    rows = np.flatnonzero(np.isin(stages, moves))
    own = np.searchsorted(moves, stages[rows])
    lengths = np.bincount(own, minlength=len(moves)).astype(np.float64)
    begins = np.searchsorted(own, np.arange(len(moves)))  # the move numbers never fall
    entry = seen[np.maximum(0, rows[np.minimum(begins, len(rows) - 1)] - 1)]
    signs = signs_of(table[:, : layout.memory - 1], seen, smooth, first)
    since = np.column_stack([seen, smooth])[rows] - np.tile(entry[own], 2)
    ends = np.full((len(moves), signs.shape[1] + 2 * seen.shape[1]), np.nan)
    for move in np.flatnonzero(lengths):
        after = rows[begins[move] + int(lengths[move]) - 1] + 1
        if after < end:
            past = np.concatenate([seen[after], smooth[after]]) - np.tile(entry[move], 2)
            ends[move] = np.concatenate([signs[after], past])
    return Story(
        raw[rows],
        answers[rows],
        own,
        (np.arange(len(rows)) - begins[own]) / lengths[own],
        lengths,
        np.column_stack([signs[rows], since]),
        ends,
    )


def signs_of(
    table: FloatArray, seen: FloatArray, smooth: FloatArray, first: FloatArray
) -> FloatArray:
    """What may end a move, but for how it differs from when the move began: (ticks, s)."""
    return np.column_stack([table, smooth, seen - first, seen - smooth])
