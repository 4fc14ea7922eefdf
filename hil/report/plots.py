"""Small plots as SVG: histograms of durations on a logarithmic axis.

Only figures go into the SVG, never text from a record; labels stand in the HTML around it, so
that they stay readable at any width.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hil.clock import NS_PER_US
from hil.judge.histogram import Histogram, lower_edges_ns

_BINS = 90
_WIDTH, _HEIGHT = 900, 44


@dataclass(frozen=True, slots=True)
class Axis:
    """Logarithmic axis from 10**`low` to 10**`high` us."""

    low: int
    high: int

    def place(self, value_us: float) -> float:
        """Position of a duration in [0, 1], clamped to the axis."""
        if value_us <= 0:
            return 0.0
        return min(1.0, max(0.0, (math.log10(value_us) - self.low) / (self.high - self.low)))

    def decades(self) -> list[float]:
        """Powers of ten on the axis, us."""
        return [10.0**exponent for exponent in range(self.low, self.high + 1)]


@dataclass(frozen=True, slots=True)
class Strip:
    """Histogram of one stage: `svg` fills any box it is put in."""

    stage: str
    svg: str


def axis_for(drawn: Mapping[str, Histogram], marks_us: Sequence[float]) -> Axis:
    """The decades that hold nearly all durations and every mark."""
    came = [one for one in drawn.values() if one.max_ns > 0]
    low = [(one.quantile_ns(0.01) or 0) / NS_PER_US for one in came] + list(marks_us)
    high = [one.max_ns / NS_PER_US for one in came] + list(marks_us)
    first = max(0, math.floor(math.log10(max(min(low, default=10.0), 1.0))))
    last = math.ceil(math.log10(max([*high, 10.0])))
    return Axis(first, max(last, first + 1))


def strip(stage: str, drawn: Histogram, limit_us: float | None, axis: Axis) -> Strip:
    """Histogram of one stage. Heights are square roots of counts, so that a single late sample
    can be seen; what lies beyond the limit has its own class for colour."""
    edges = np.linspace(axis.low, axis.high, _BINS + 1)
    parts = [_grid(axis), _bars(_counts(drawn, edges), edges, limit_us)]
    if limit_us is not None:
        at = axis.place(limit_us) * _WIDTH
        parts.append(f'<line class="limit" x1="{at:.1f}" x2="{at:.1f}" y1="0" y2="{_HEIGHT}"/>')
    svg = (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" preserveAspectRatio="none" role="img"'
        f' aria-label="distribution of {stage}">{"".join(parts)}</svg>'
    )
    return Strip(stage, svg)


def _counts(drawn: Histogram, edges: NDArray[np.float64]) -> NDArray[np.int64]:
    """Counts of the bars, shape (bars,); a bucket counts where it begins, off by 1.6 % at most,
    and what lies beyond either end of the axis counts in the last bar there."""
    places = np.log10(np.maximum(lower_edges_ns(), 1) / NS_PER_US)
    bar = np.clip(np.searchsorted(edges, places, side="right") - 1, 0, len(edges) - 2)
    counts = np.zeros(len(edges) - 1, dtype=np.int64)
    np.add.at(counts, bar, drawn.counts)
    counts[-1] += drawn.overflow
    return counts


def _grid(axis: Axis) -> str:
    places = [axis.place(decade) * _WIDTH for decade in axis.decades()]
    return "".join(
        f'<line class="grid" x1="{at:.1f}" x2="{at:.1f}" y1="0" y2="{_HEIGHT}"/>' for at in places
    )


def _bars(counts: NDArray[np.int64], edges: NDArray[np.float64], limit_us: float | None) -> str:
    tallest = math.sqrt(max(int(counts.max()), 1))
    width = _WIDTH / _BINS
    bars = []
    for index, count in enumerate(counts):
        if count:
            height = max(2.0, math.sqrt(int(count)) / tallest * (_HEIGHT - 4))
            late = limit_us is not None and edges[index] >= math.log10(limit_us) - 1e-9
            bars.append(
                f'<rect class="{"late" if late else "kept"}" x="{index * width:.1f}"'
                f' y="{_HEIGHT - height:.1f}" width="{width - 0.8:.1f}" height="{height:.1f}"/>'
            )
    return "".join(bars)
