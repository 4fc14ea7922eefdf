"""Samples of one quantity over time, checked once, and the instants at which things happen.

Every series has stamps of its own, as the devices that it came from have; series of one repeat
meet on the common clock. Instants are integer nanoseconds of that clock, interpolated between
samples; what happens between two samples is not seen, and an absent sample leaves a longer gap.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from hil.clock import NS_PER_S
from hil.contracts import FloatArray, IntArray
from hil.errors import BadInput
from hil.metrology.summary import lacking, numbers

_FOREVER_NS = int(np.iinfo(np.int64).max)


@dataclass(frozen=True, slots=True)
class Series:
    """Samples in the order of time; make one by `of`, which checks.

    `name` says in errors what and which repeat it is. `stamp_ns` (n,) rises strictly. `value`
    has shape (n,) or (n, width) and is finite: `absent` samples (NaN) were left out.
    """

    name: str
    stamp_ns: IntArray
    value: FloatArray
    absent: int = 0

    @classmethod
    def of(cls, name: str, stamp_ns: ArrayLike, value: ArrayLike, least: int = 2) -> Series:
        """Checks and copies; rows with a NaN are left out and counted.

        Errors: BadInput for stamps that are no integers or do not rise, lengths that differ,
        infinite values, or fewer than `least` samples left.
        """
        stamps = _stamps(name, stamp_ns)
        rows = numbers(name, value)
        if len(rows) != len(stamps) or rows.ndim > 2:
            raise BadInput(
                f"{name}: {len(stamps)} stamps for values of shape {rows.shape}",
                "give one stamp a sample, and one or two axes of values",
            )
        endless = np.argwhere(np.isinf(rows))
        if len(endless):
            raise BadInput(
                f"{name}: sample {int(endless[0, 0])} is infinite",
                "a sample that was not received is NaN; find out where an infinite one comes from",
            )
        there = ~lacking(rows)
        if int(there.sum()) < least:
            raise BadInput(
                f"{name}: {int(there.sum())} of {len(rows)} samples are there;"
                f" at least {least} are needed",
                "record for longer, or find out why samples are absent",
            )
        return cls(name, stamps[there], rows[there], len(rows) - int(there.sum()))

    @property
    def time_s(self) -> FloatArray:
        """Time since the first sample, s, shape (n,)."""
        return np.asarray((self.stamp_ns - self.stamp_ns[0]) / NS_PER_S, dtype=np.float64)

    @property
    def span_s(self) -> float:
        """From the first sample to the last."""
        return float(self.time_s[-1])

    def between(self, start_ns: int, end_ns: int = _FOREVER_NS) -> Series:
        """The samples from `start_ns` to `end_ns`, both included; it may hold none."""
        rows = (self.stamp_ns >= start_ns) & (self.stamp_ns <= end_ns)
        return replace(self, stamp_ns=self.stamp_ns[rows], value=self.value[rows])

    def last(self, length_s: float, least: int = 3) -> Series:
        """The samples of the last `length_s` seconds.

        Errors: BadInput where the series is shorter, or fewer than `least` samples lie there.
        """
        start_ns = int(self.stamp_ns[-1]) - round(length_s * NS_PER_S)
        found = self.between(start_ns)
        if start_ns < self.stamp_ns[0] or len(found.value) < least:
            raise BadInput(
                f"{self.name}: {self.span_s:g} s with {len(found.value)} samples in the last"
                f" {length_s:g} s; all of these and {least} samples are needed",
                "record for longer or sample faster",
            )
        return found

    def at(self, stamp_ns: ArrayLike, longest_gap_s: float | None = None) -> FloatArray:
        """Values at instants (k,), linear between samples: shape (k,) or (k, width).

        Where `longest_gap_s` is given, NaN outside of the series and in gaps longer than that;
        otherwise an instant outside is refused. Errors: BadInput.
        """
        wanted = np.atleast_1d(np.asarray(stamp_ns, dtype=np.int64))
        outside = (wanted < self.stamp_ns[0]) | (wanted > self.stamp_ns[-1])
        if longest_gap_s is None and outside.any():
            raise BadInput(
                f"{self.name}: has no samples at {int(wanted[outside][0])} ns; it runs from"
                f" {int(self.stamp_ns[0])} to {int(self.stamp_ns[-1])} ns",
                "record all series of a repeat over the same time, on one clock",
            )
        after = np.clip(np.searchsorted(self.stamp_ns, wanted), 1, len(self.stamp_ns) - 1)
        low, high = self.stamp_ns[after - 1], self.stamp_ns[after]
        share = (wanted - low) / (high - low)
        if self.value.ndim == 2:
            share = share[:, None]
        found = self.value[after - 1] * (1 - share) + self.value[after] * share
        if longest_gap_s is not None:
            exact = (wanted == low) | (wanted == high)
            found[outside | ((high - low > longest_gap_s * NS_PER_S) & ~exact)] = np.nan
        return np.asarray(found, dtype=np.float64)

    def held_at(self, stamp_ns: IntArray) -> FloatArray:
        """Values in force at instants (k,): those of the sample before, as a command is.

        Errors: BadInput for an instant before the first sample.
        """
        row = np.searchsorted(self.stamp_ns, stamp_ns, side="right") - 1
        if (row < 0).any():
            raise BadInput(
                f"{self.name}: nothing was in force at {int(stamp_ns[row < 0][0])} ns, before its"
                " first sample",
                "begin the record with the first command",
            )
        return np.asarray(self.value[row], dtype=np.float64)

    def map(self, change: Callable[[FloatArray], FloatArray], name: str = "") -> Series:
        """The same stamps with other values."""
        return replace(self, name=name or self.name, value=change(self.value))


def in_seconds(duration_ns: int) -> float:
    """A duration in ns as s."""
    return duration_ns / NS_PER_S


def scalar(*series: Series) -> None:
    """Errors: BadInput where one of them has more than one value a sample."""
    for one in series:
        if one.value.ndim != 1:
            raise BadInput(
                f"{one.name}: values of shape {one.value.shape}", "give one value a sample"
            )


def absent_samples(series: Iterable[Series]) -> int:
    """How many samples were left out of all of them."""
    return sum(one.absent for one in series)


def first_beyond(series: Series, level: float) -> int | None:
    """Instant in ns at which a scalar series first exceeds `level`; None where it never does.

    Linear between samples; a series that begins beyond gives its first stamp.
    """
    rows = np.flatnonzero(series.value > level)
    if not len(rows):
        return None
    row = int(rows[0])
    return int(series.stamp_ns[0]) if row == 0 else crossing(series, row, level)


def settled_from(series: Series, band: float) -> int | None:
    """Instant in ns from which a scalar series stays at or below `band` to its end; None where
    its last sample is above. Linear between samples."""
    rows = np.flatnonzero(series.value > band)
    if not len(rows):
        return int(series.stamp_ns[0])
    row = int(rows[-1]) + 1
    return None if row == len(series.value) else crossing(series, row, band)


def unwrapped(series: Series) -> Series:
    """A continuous angle from one that is folded into a turn, rad.

    Errors: BadInput where it changes by more than a quarter of a turn between two samples,
    so that its way round could be either.
    """
    whole = np.unwrap(series.value)
    steps = np.abs(np.diff(whole))
    if len(steps) and float(steps.max()) > np.pi / 2:
        raise BadInput(
            f"{series.name}: the angle changes by {float(steps.max()):.3g} rad after sample"
            f" {int(steps.argmax())}: it cannot be told which way it went",
            "sample faster, turn more slowly, or look for absent samples there",
        )
    return replace(series, value=whole)


def crossing(series: Series, row: int, level: float) -> int:
    """Instant in ns at which the line from sample `row` - 1 to sample `row`, which lie on either
    side of `level`, meets it."""
    before, after = float(series.value[row - 1]), float(series.value[row])
    start, end = int(series.stamp_ns[row - 1]), int(series.stamp_ns[row])
    return start + round((end - start) * (level - before) / (after - before))


def _stamps(name: str, stamp_ns: ArrayLike) -> IntArray:
    stamps = np.asarray(stamp_ns)
    if stamps.ndim != 1 or not np.issubdtype(stamps.dtype, np.integer):
        raise BadInput(
            f"{name}: stamps of type {stamps.dtype} and shape {stamps.shape}",
            "stamps are whole nanoseconds of one clock, one a sample",
        )
    found = stamps.astype(np.int64)
    back = np.flatnonzero(np.diff(found) <= 0)
    if len(back):
        row = int(back[0])
        raise BadInput(
            f"{name}: stamp {row + 1} ({int(found[row + 1])} ns) does not come after stamp {row}"
            f" ({int(found[row])} ns)",
            "give samples in the order of time, each once",
        )
    return found
