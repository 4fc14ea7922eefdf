"""Histogram of durations in constant memory, for display; verdicts come from the raw ticks.

Buckets are those of HdrHistogram: every octave is cut into 64 equal parts, so that no bucket
is wider than 1/64 of its value and every edge is a whole number of ns. From 0 to 2**37 ns
(137 s); beyond that lies the overflow bucket. The maximum is kept exactly beside it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_PARTS = 64
_OCTAVES = 37
_BITS = 6  # 2**_BITS parts an octave
_BUCKETS = _PARTS * (_OCTAVES - _BITS + 1)
_BLOCK = 1 << 16

LIMIT_NS = 1 << _OCTAVES


@dataclass(frozen=True, slots=True)
class Histogram:
    """`counts` has one entry a bucket; `overflow` counts durations of `LIMIT_NS` and more,
    `unanswered` what never came. `max_ns` is the exact maximum of what came, -1 of nothing."""

    counts: NDArray[np.int64]
    overflow: int = 0
    unanswered: int = 0
    max_ns: int = -1

    @property
    def answered(self) -> int:
        """Durations counted, overflow included."""
        return int(self.counts.sum()) + self.overflow

    def quantile_ns(self, quantile: float) -> int | None:
        """The largest value of the bucket that holds the quantile of what came, ns, and never
        more than the maximum: too high by 1/64 at most. None of nothing."""
        if not self.answered:
            return None
        below = np.cumsum(self.counts)
        bucket = int(np.searchsorted(below, max(1.0, quantile * self.answered)))
        if bucket + 1 >= _BUCKETS:
            return self.max_ns
        return min(int(lower_edges_ns()[bucket + 1]) - 1, self.max_ns)


def empty() -> Histogram:
    """A histogram of nothing."""
    return Histogram(np.zeros(_BUCKETS, dtype=np.int64))


def lower_edges_ns() -> NDArray[np.int64]:
    """Where each bucket begins, shape (buckets,), ns: exact for 64-bit integers."""
    index = np.arange(_BUCKETS, dtype=np.int64)
    octave = np.maximum(index // _PARTS - 1, 0)
    part = np.where(index < _PARTS, index, _PARTS + index % _PARTS)
    return np.asarray(part << octave)


def added(histogram: Histogram, samples: NDArray[Any], unanswered: int) -> Histogram:
    """The histogram with the samples (ns) of one series more.

    `unanswered` is the value that marks a sample which never came. Durations below 0, which
    only a defect of a clock could give, count as 0.
    """
    counts, overflow = histogram.counts.copy(), histogram.overflow
    never, longest = histogram.unanswered, histogram.max_ns
    for start in range(0, len(samples), _BLOCK):
        block = samples[start : start + _BLOCK].astype(np.int64)
        came = block[block != unanswered]
        never += len(block) - len(came)
        if not len(came):
            continue
        longest = max(longest, int(came.max()))
        kept = np.maximum(came[came < LIMIT_NS], 0)
        overflow += len(came) - len(kept)
        counts += np.bincount(_bucket(kept), minlength=_BUCKETS)
    return Histogram(counts, overflow, never, longest)


def _bucket(samples: NDArray[np.int64]) -> NDArray[np.int64]:
    """Index of the bucket of each duration in [0, LIMIT_NS): exact, by the binary exponent."""
    exponent = np.frexp(samples.astype(np.float64))[1].astype(np.int64)
    octave = np.maximum(exponent - _BITS - 1, 0)
    return np.asarray((samples >> octave) + octave * _PARTS)
