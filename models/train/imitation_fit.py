"""Fitting a script by least squares: where the tools are, by place in the story and by what is
seen, remembered and asked.

Movement primitives that depend on what is seen (Paraschos et al., 2013, without their prior): in
each of the script's moves, at each of some places of it, the answer is an affine function of a
few features (`models.train.imitation_choice`), and between these places it is interpolated.
Nothing depends on where the tool is, so that errors do not add up. How long a move lasts is
fitted likewise, as its logarithm, unless something that is seen ends it
(`models.train.imitation_events`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hil.contracts import FloatArray, IntArray
from models.train.imitation_choice import chosen
from models.train.imitation_events import Event, ending
from models.train.imitation_story import Story

KNOT_S, KNOTS_MOST = 0.12, 12
RIDGE, TIE = 1e-6, 1e-3
"""On all weights, and on how far they differ from one place of a move to the next."""
FOLDS = 5
FAR, FEW = 6.0, 0.15
"""A lesson so many times as far off as the median is left out, if no more than this share is: the
script chose otherwise, of two ways that are nearly as good."""
_TURNS = frozenset({"ax", "ay", "bx", "by"})
_AXES = _TURNS | {"az", "bz", "yaw_cosine", "yaw_sine", "quarter_x", "quarter_y"}
HARDLY = 0.03
"""A feature that differs less, in its unit, says nothing."""
UNIT_M, UNIT_AXIS = 0.1, 0.5
UNEXPLAINED = 0.06
"""Of the logarithm of a move's length: from there on something else than time may end it."""


@dataclass(frozen=True)
class Features:
    """What of the raw features is used: `kept` (f,) less `centre` over `unit`, and the products
    of the `pairs` (p, 2) of these."""

    kept: IntArray
    centre: FloatArray
    unit: FloatArray
    pairs: IntArray

    def of(self, raw: FloatArray) -> FloatArray:
        """(ticks, 1 + f + p), the first of which is 1."""
        plain = (raw[:, self.kept] - self.centre) / self.unit
        both = plain[:, self.pairs[:, 0]] * plain[:, self.pairs[:, 1]]
        return np.column_stack([np.ones(len(raw)), plain, both])


@dataclass(frozen=True)
class Fit:
    """A whole script: `knots` by move, `weights` (all knots, features, k), `paces` (moves,
    features) of the logarithm of the ticks, within `shortest` and `longest` (moves,)."""

    features: Features
    knots: tuple[int, ...]
    weights: FloatArray
    paces: FloatArray
    shortest: FloatArray
    longest: FloatArray
    events: tuple[Event | None, ...]
    """What ends a move, by move."""
    errors: FloatArray
    """(moves, k): root mean square on lessons left out of the fit."""


def features_of(stories: Sequence[Story], names: Sequence[str]) -> Features:
    """Features that differ between lessons, each in a unit of its kind; and products of a size
    that is asked with a direction that is seen, which turn it."""
    raw = np.concatenate([one.raw for one in stories])
    centre, spread = raw.mean(axis=0), raw.std(axis=0)
    unit = np.array([_unit(name, s) for name, s in zip(names, spread, strict=True)])
    kept = np.flatnonzero(spread / unit > HARDLY)
    sizes = [k for k, place in enumerate(kept.tolist()) if _is_size(names[place])]
    turns = [k for k, place in enumerate(kept.tolist()) if _is_turn(names[place])]
    pairs = [(a, b) for a in sizes for b in turns]
    pairs += [(a, b) for k, a in enumerate(sizes) for b in sizes[k:]]
    pairs += [(a, b) for k, a in enumerate(turns) for b in turns[k:]] if len(turns) < 8 else []
    return Features(kept, centre[kept], unit[kept], np.array(pairs, dtype=np.int64).reshape(-1, 2))


def fit(stories: Sequence[Story], names: Sequence[str], rate_hz: float) -> Fit:
    """Fit all moves."""
    features = features_of(stories, names)
    lengths = np.array([one.lengths for one in stories])
    knots, weights, paces, errors = [], [], [], []
    events: list[Event | None] = []
    for move in range(lengths.shape[1]):
        pace, unexplained = _pace(stories, features, move)
        event = None
        if unexplained > UNEXPLAINED:
            event = ending([(_signs(one, move), one.ends[move]) for one in stories])
        if event is not None:  # a move that waits for something goes by the time
            stories = [_by_time(one, move, float(lengths[:, move].max())) for one in stories]
            pace = np.zeros(len(pace))
            pace[0] = np.log(lengths[:, move].max())
        ticks = float(np.median(lengths[:, move]))
        count = 1 + min(KNOTS_MOST, round(ticks / rate_hz / KNOT_S + 0.5)) if ticks > 2 else 1
        found, error = _fitted(_rows(stories, features, move), count)
        knots.append(count)
        weights.append(found)
        errors.append(error)
        paces.append(pace)
        events.append(event)
    taken = np.where(lengths > 0, lengths, np.nan)
    return Fit(
        features,
        tuple(knots),
        np.concatenate(weights),
        np.array(paces),
        np.nanmin(taken, axis=0),
        np.nanmax(taken, axis=0),
        tuple(events),
        np.array(errors),
    )


def _signs(one: Story, move: int) -> FloatArray:
    return np.asarray(one.signs[one.moves == move])


def _by_time(one: Story, move: int, longest: float) -> Story:
    share = np.where(one.moves == move, one.lengths[move] / longest, 1.0)
    return replace(one, parts=one.parts * share)


@dataclass(frozen=True)
class _Rows:
    """Of one move: features (rows, d), answers (rows, k), shares (rows,), lesson (rows,)."""

    features: FloatArray
    answers: FloatArray
    parts: FloatArray
    lesson: IntArray


def _rows(stories: Sequence[Story], features: Features, move: int) -> _Rows:
    found = [(k, one, one.moves == move) for k, one in enumerate(stories)]
    return _Rows(
        np.concatenate([features.of(one.raw[rows]) for _, one, rows in found]),
        np.concatenate([one.answers[rows] for _, one, rows in found]),
        np.concatenate([one.parts[rows] for _, one, rows in found]),
        np.concatenate([np.full(np.count_nonzero(rows), k) for k, _, rows in found]),
    )


def hats(parts: FloatArray, knots: int) -> FloatArray:
    """(rows, knots): how much each place of a move counts for shares of it (rows,)."""
    if knots == 1:
        return np.ones((len(parts), 1))
    away = np.abs(parts[:, None] * (knots - 1) - np.arange(knots))
    return np.asarray(np.clip(1.0 - away, 0.0, 1.0))


def _fitted(rows: _Rows, knots: int) -> tuple[FloatArray, FloatArray]:
    """Weights (knots, d, k) and errors (k,)."""
    shares = hats(rows.parts, knots)
    lessons = np.unique(rows.lesson)
    of = np.searchsorted(lessons, rows.lesson)
    means = np.zeros((len(lessons), rows.features.shape[1]))
    np.add.at(means, of, rows.features)
    means /= np.bincount(of)[:, None]
    weights = np.zeros((knots, rows.features.shape[1], rows.answers.shape[1]))
    errors = np.zeros(rows.answers.shape[1])
    for column in range(rows.answers.shape[1]):
        wanted = rows.answers[:, column]
        used = np.append(0, 1 + chosen(means[:, 1:], _by_lesson(shares, wanted, of, len(lessons))))
        design = (shares[:, :, None] * rows.features[:, None, used]).reshape(len(wanted), -1)
        penalty = _penalty(knots, len(used), len(wanted) / knots)
        found, errors[column] = _solved(design, wanted, penalty, rows.lesson)
        usual = _usual(design @ found - wanted, of)
        if not usual.all():
            kept = (design[usual], wanted[usual], penalty, rows.lesson[usual])
            found, errors[column] = _solved(*kept)
        weights[:, used, column] = found.reshape(knots, len(used))
    return weights, errors


def _usual(errors: FloatArray, of: IntArray) -> NDArray[np.bool_]:
    """Which rows are of lessons that are not far off; where many are, none is left out."""
    squares = np.sqrt(np.bincount(of, errors**2) / np.bincount(of))
    far = squares > FAR * max(float(np.median(squares)), 1e-6)
    return np.asarray(~far[of] if far.mean() <= FEW else np.ones(len(of), dtype=bool))


def _by_lesson(shares: FloatArray, wanted: FloatArray, of: IntArray, count: int) -> FloatArray:
    """(lessons, knots): mean answer around each place of the move, and over the whole move where
    a lesson has none there."""
    sums, sizes = np.zeros((count, shares.shape[1])), np.zeros((count, shares.shape[1]))
    np.add.at(sums, of, shares * wanted[:, None])
    np.add.at(sizes, of, shares)
    whole = np.bincount(of, wanted) / np.bincount(of)
    return np.where(sizes > 0.2, sums / np.maximum(sizes, 1e-9), whole[:, None])


def _solved(
    design: FloatArray, wanted: FloatArray, penalty: FloatArray, lesson: IntArray
) -> tuple[FloatArray, float]:
    """Weights, and the root mean square error on lessons left out."""
    folds = [np.flatnonzero(lesson % FOLDS == k) for k in range(FOLDS)]
    grams = [design[own].T @ design[own] for own in folds]
    sides = [design[own].T @ wanted[own] for own in folds]
    gram, side = np.sum(grams, axis=0) + penalty, np.sum(sides, axis=0)
    squares = 0.0
    for own, its_gram, its_side in zip(folds, grams, sides, strict=True):
        weights = np.linalg.solve(gram - its_gram, side - its_side)
        squares += float(((design[own] @ weights - wanted[own]) ** 2).sum())
    return np.linalg.solve(gram, side), float(np.sqrt(squares / len(wanted)))


def _penalty(knots: int, width: int, rows: float) -> FloatArray:
    """On the weights; and on how those of features differ from one knot to the next."""
    step = np.diff(np.eye(knots), axis=0)
    own = np.diag(np.where(np.arange(width) == 0, 0.0, TIE * rows))
    return np.kron(step.T @ step, own) + RIDGE * rows * np.eye(knots * width)


def _pace(stories: Sequence[Story], features: Features, move: int) -> tuple[FloatArray, float]:
    """Weights (d,) of the logarithm of a move's ticks, and the standard deviation of what they
    leave unexplained."""
    found = [(k, one) for k, one in enumerate(stories) if one.lengths[move] > 0]
    seen = np.array([features.of(one.raw[one.moves == move][:1])[0] for _, one in found])
    ticks = np.log([one.lengths[move] for _, one in found])
    used = np.append(0, 1 + chosen(seen[:, 1:], ticks[:, None]))
    weights = np.zeros(seen.shape[1])
    weights[used] = np.linalg.lstsq(seen[:, used], ticks, rcond=None)[0]
    return weights, float(np.std(ticks - seen @ weights))


def _is_size(name: str) -> bool:
    return name.startswith("asked.") and not name.startswith("asked.goals.")


def _is_turn(name: str) -> bool:
    return name.startswith("first.") and name.rsplit(".", 1)[1] in _TURNS


def _unit(name: str, spread: float) -> float:
    last = name.rsplit(".", 1)[1]
    if last in _AXES:
        return UNIT_AXIS
    if last in {"x_m", "y_m", "z_m"}:
        return UNIT_M
    return max(float(spread), 1e-9)
