"""Whether neighbouring samples tell the same story twice.

An order-statistic bound counts samples beyond a level and takes each as a trial of its own.
When lateness comes in spells, n samples are worth fewer trials, and the bound holds less often
than it says. What matters is the dependence of the *exceedances*, not of the durations: a slow
drift of the median is harmless to a tail bound, a burst is not.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from hil.judge.samples import IntArray
from hil.statistics import quantile_rank, upper_bound

_EVENTS = 64
_LEAST_EVENTS = 32
_PIECE = 65_536
_LEAST_BLOCKS = 8
_FALSE_ALARM = 1e-4


@dataclass(frozen=True, slots=True)
class Dependence:
    """How far a series is from independent samples.

    `inflation` is the variance of the count of exceedances over that of independent samples,
    which is the length of a block in samples that is worth one trial; `effective` is the number
    of trials that the series is worth. `dependent` is true where independence is refuted; where
    it is not, the inflation is noise and given as 1.
    """

    inflation: float
    effective: int
    dependent: bool


def dependence(series: IntArray, quantile: float) -> Dependence | None:
    """Dependence of the samples above the `quantile` of a series in the order of time.

    The variance of the counts in blocks of 1, 2, 4, ... samples is held against the binomial
    one (blocking: Flyvbjerg and Petersen, J. Chem. Phys. 91, 461 (1989); test: index of
    dispersion, chi-square with m - 1 degrees of freedom at 1e-4 a level). Where fewer than 64
    samples lie above the quantile, a lower level is taken that 64 exceed, so that for extreme
    quantiles the dependence is measured closer to the middle than it is claimed. Only levels
    with at least 8 blocks and one expected exceedance a block speak. None for fewer than 64
    samples, or where nearly all are equal: nothing can be measured.
    """
    late = _exceedances(series, quantile)
    if late is None:
        return None
    count = len(series)
    share = int(late.sum()) / count
    worst = 1.0
    for length, sums in _pairwise(late):
        expected = share * length
        if expected < 1:
            continue
        spread = _squares(sums, expected) / (expected * (1 - share))
        freedom = len(sums) - 1
        if special.chdtrc(freedom, spread) < _FALSE_ALARM:
            worst = max(worst, spread / freedom)
    return Dependence(float(f"{worst:.3g}"), max(1, math.floor(count / worst)), worst > 1)


def _squares(sums: NDArray[np.integer[Any]], expected: float) -> float:
    """Sum of the squared distances from `expected`, piece by piece: they are no integers, and
    would take eight times the memory of the sums."""
    pieces = range(0, len(sums), _PIECE)
    return sum(float(np.square(sums[at : at + _PIECE] - expected).sum()) for at in pieces)


def _exceedances(series: IntArray, quantile: float) -> NDArray[np.bool_] | None:
    count = len(series)
    if count < _EVENTS:
        return None
    beyond = max(math.floor(count * (1 - quantile)), min(_EVENTS, count // 2))
    level = np.partition(series, count - beyond - 1)[count - beyond - 1]
    late = np.asarray(series > level)
    if int(late.sum()) < _LEAST_EVENTS:
        # the level is itself the value of many (samples that never came, say)
        late = np.asarray(series >= level)
    return late if _LEAST_EVENTS <= int(late.sum()) <= count - _LEAST_EVENTS else None


def _pairwise(late: NDArray[np.bool_]) -> Iterator[tuple[int, NDArray[np.integer[Any]]]]:
    """Counts in blocks of 2, 4, 8, ... samples; what does not fill a block is left out."""
    sums: NDArray[np.integer[Any]] = late.astype(np.uint8)
    length = 1
    while len(sums) >= 2 * _LEAST_BLOCKS:
        even = len(sums) // 2 * 2
        width = np.int32 if length > 1 else np.uint8
        sums = np.add(sums[0:even:2], sums[1:even:2], dtype=width)
        length *= 2
        yield length, sums


def effective_quantile_bound(
    series: IntArray, found: Dependence, quantile: float, confidence: float
) -> int | None:
    """The order statistic that would bound the quantile if the series were `found.effective`
    independent samples spread like it; None where those carry no bound. An approximation."""
    rank = quantile_rank(found.effective, quantile, confidence)
    if rank is None:
        return None
    at = min(len(series), math.ceil(rank / found.effective * len(series)))
    return int(np.partition(series, at - 1)[at - 1])


def effective_upper_bound(events: int, found: Dependence, total: int, confidence: float) -> float:
    """Upper bound of a share, were the series `found.effective` independent samples with the
    same share of events. An approximation."""
    scaled = math.ceil(events * found.effective / total)
    return upper_bound(scaled, found.effective, confidence)
