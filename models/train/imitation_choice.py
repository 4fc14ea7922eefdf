"""Which features a regression uses: few, chosen one after the other, as long as lessons that are
left out agree (orthogonal least squares: Chen, Billings and Luo, 1989).
"""

from __future__ import annotations

import numpy as np

from hil.contracts import FloatArray, IntArray

FOLDS = 5
MOST = 12
PATIENCE = 2
BETTER = 0.97
"""By so much an error has to fall for one more feature."""
ENOUGH = 1e-5


def chosen(features: FloatArray, wanted: FloatArray) -> IntArray:
    """Columns of `features` (n, d), without a constant, with which `wanted` (n, q) is predicted
    best where it was left out, besides a constant."""
    left = features - features.mean(axis=0)
    rest = wanted - wanted.mean(axis=0)
    own = np.maximum((left**2).sum(axis=0), 1e-12)
    order: list[int] = []
    best, length = _left_out(features[:, order], wanted), 0
    while len(order) < min(MOST, features.shape[1]) and best > ENOUGH:
        sizes = (left**2).sum(axis=0)
        gains = ((left.T @ rest) ** 2).sum(axis=1) / np.maximum(sizes, 1e-12)
        gains[sizes < 1e-4 * own] = -1.0  # nothing of it is new
        place = int(np.argmax(gains))
        if gains[place] <= 0.0:
            break
        order.append(place)
        direction = left[:, place] / np.sqrt(sizes[place])
        rest = rest - np.outer(direction, direction @ rest)
        left = left - np.outer(direction, direction @ left)
        error = _left_out(features[:, order], wanted)
        if error < BETTER * best:
            best, length = error, len(order)
        elif len(order) >= length + PATIENCE:
            break
    return np.array(sorted(order[:length]), dtype=np.int64)


def _left_out(features: FloatArray, wanted: FloatArray) -> float:
    """Root mean square error on folds that were left out."""
    design = np.column_stack([np.ones(len(features)), features])
    fold = np.arange(len(design)) % FOLDS
    squares = 0.0
    for number in range(FOLDS):
        kept, out = fold != number, fold == number
        gram = design[kept].T @ design[kept] + 1e-9 * np.eye(design.shape[1])
        weights = np.linalg.solve(gram, design[kept].T @ wanted[kept])
        squares += float(((design[out] @ weights - wanted[out]) ** 2).sum())
    return float(np.sqrt(squares / wanted.size))
