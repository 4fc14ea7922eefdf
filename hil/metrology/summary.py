"""What a figure of this package looks like, and how sure it is.

Repeats are taken as independent. An absent repeat is NaN: it is left out and counted. An event
that never came is infinite, which is worse than any bound: there is no mean then, and an
order-statistic bound still holds.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from hil.contracts import FloatArray
from hil.errors import BadInput
from hil.statistics import quantile_rank

CONFIDENCE = 0.95

LEAST_REPEATS = 3
"""Fewest repeats of which this package speaks. With three, Student's factor is 4.3."""


@dataclass(frozen=True, slots=True)
class Measure:
    """One figure of a device.

    `interval` holds the lower and the upper end, infinite where there is no bound on that side,
    and is None where no interval can be given. `n` counts the repeats (or samples) behind the
    figure; `absent` the repeats and samples that were not received and were left out; `never` those
    of the n in which the event did not come. `method` says how value and interval were found.
    """

    name: str
    value: float
    unit: str
    interval: tuple[float, float] | None
    n: int
    method: str
    absent: int = 0
    never: int = 0

    def plain(self) -> dict[str, object]:
        """The same for JSON, which has no infinity: None for an open end and for a value that
        does not exist."""
        ends = None if self.interval is None else [_or_none(end) for end in self.interval]
        return asdict(self) | {"value": _or_none(self.value), "interval": ends}


def student_interval(values: ArrayLike, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Two-sided interval of the mean: m ± t((1 + confidence) / 2; n - 1) s / sqrt(n).

    Exact for independent normal values. Source: Student, Biometrika 6, 1 (1908).
    Errors: BadInput for fewer than two values, or values that are not finite.
    """
    sample = numbers("values", values)
    if len(sample) < 2 or not np.isfinite(sample).all():
        raise BadInput(
            f"an interval of a mean was asked of {len(sample)} values, not all finite or too few",
            "give at least two finite values",
        )
    half = student_factor(len(sample) - 1, confidence) * float(sample.std(ddof=1))
    half /= math.sqrt(len(sample))
    return float(sample.mean()) - half, float(sample.mean()) + half


def mean_measure(
    name: str,
    values: ArrayLike,
    unit: str,
    *,
    confidence: float = CONFIDENCE,
    censored: NDArray[np.bool_] | None = None,
    method: str = "",
    absent: int = 0,
) -> Measure:
    """Mean over repeats, `values` (repeats,), with Student's interval.

    `censored` (repeats,) marks values that are only known to be at least so large (the test
    ended before the event): the mean is then a lower bound, and its interval is open above.
    One infinite value makes the mean infinite and leaves no interval. `absent` counts samples
    that were already left out of the repeats.
    Errors: BadInput for fewer than `LEAST_REPEATS` present values.
    """
    rows = numbers(name, values)
    sample, missing = present(name, rows)
    absent += missing
    bounds = np.zeros(len(sample), bool) if censored is None else censored[~np.isnan(rows)]
    never = int(np.isinf(sample).sum())
    said = [method] if method else []
    said.append(f"mean of {len(sample)} repeats")
    if never:
        said.append(f"in {never} of them it never came, so that there is no mean")
        return Measure(name, math.inf, unit, None, len(sample), "; ".join(said), absent, never)
    low, high = student_interval(sample, confidence)
    said.append(f"Student t, {100 * confidence:g} %")
    if bounds.any():
        high = math.inf
        said.append(f"{int(bounds.sum())} of them are lower bounds, and so is the mean")
    return Measure(
        name, float(sample.mean()), unit, (low, high), len(sample), "; ".join(said), absent
    )


def quantile_measure(
    name: str,
    values: ArrayLike,
    unit: str,
    quantile: float,
    *,
    side: Literal["upper", "lower"] = "upper",
    confidence: float = CONFIDENCE,
    method: str = "",
) -> Measure:
    """A quantile over repeats with a one-sided bound from an order statistic.

    `upper`: with `confidence`, at least the share `quantile` of all repeats is no larger than
    the bound. `lower` is the mirror: at least that share is no smaller. Nothing is assumed of
    the distribution; infinite values take part. The bound is infinite where n is too small for
    one (`hil.statistics.minimum_count`). The value is the sample quantile, an order statistic.
    Errors: BadInput for fewer than `LEAST_REPEATS` present values.
    """
    sample, absent = present(name, values)
    sign = 1.0 if side == "upper" else -1.0
    ordered = np.sort(sign * sample)
    rank = quantile_rank(len(ordered), quantile, confidence)
    bound = math.inf if rank is None else float(ordered[rank - 1])
    value = float(ordered[max(math.ceil(quantile * len(ordered)), 1) - 1])
    ends = (-math.inf, bound) if side == "upper" else (-bound, math.inf)
    words = "no larger" if side == "upper" else "no smaller"
    said = f"{100 * quantile:g} % of repeats are {words}; order statistic, {100 * confidence:g} %"
    return Measure(
        name,
        sign * value,
        unit,
        ends,
        len(sample),
        f"{method}; {said}" if method else said,
        absent,
        int(np.isinf(sample).sum()),
    )


def spread_interval(
    deviation: float, freedom: int, confidence: float = CONFIDENCE
) -> tuple[float, float]:
    """Interval of a normal standard deviation: s sqrt(v / chi2(1 - a/2; v)) to
    s sqrt(v / chi2(a/2; v)), v = `freedom`, a = 1 - confidence.

    Errors: BadInput for less than one degree of freedom.
    """
    if freedom < 1:
        raise BadInput("a spread of one value was asked for", "repeat the measurement")
    tail = (1 - confidence) / 2
    low, high = (
        deviation * math.sqrt(freedom / float(special.chdtri(freedom, p))) for p in (tail, 1 - tail)
    )
    return low, high


def jackknife_interval(
    statistic: Callable[[FloatArray], float], samples: FloatArray, confidence: float = CONFIDENCE
) -> tuple[float, float]:
    """Interval of a positive statistic of independent rows of `samples` (n, ...), from what it
    is without each of them in turn, on the logarithmic scale with Student's factor.

    An approximation: what it covers in a given case has to be tried by simulation.
    Source: Efron and Tibshirani, An Introduction to the Bootstrap (1993), chapter 11.
    """
    count = len(samples)
    without = np.array([statistic(np.delete(samples, row, axis=0)) for row in range(count)])
    value = statistic(samples)
    if value <= 0:
        return value, value
    if (without <= 0).any():
        return 0.0, math.inf
    logs = np.log(without)
    error = math.sqrt((count - 1) / count * float(np.square(logs - logs.mean()).sum()))
    factor = math.exp(student_factor(count - 1, confidence) * error)
    return value / factor, value * factor


def present(name: str, values: ArrayLike, least: int = LEAST_REPEATS) -> tuple[FloatArray, int]:
    """The repeats that are there, in their order, and how many are absent (NaN).

    `values` has shape (repeats,) or (repeats, width); a row with one NaN is absent.
    Errors: BadInput where fewer than `least` are there.
    """
    rows = numbers(name, values)
    there = ~lacking(rows)
    count = int(there.sum())
    if count < least:
        absent = f", {len(rows) - count} more are absent" if count < len(rows) else ""
        raise BadInput(
            f"{name}: {count} repeats{absent}; at least {least} are needed",
            "repeat the measurement; an event that did not come is infinite, not absent",
        )
    return rows[there], len(rows) - count


def lacking(rows: FloatArray) -> NDArray[np.bool_]:
    """Which rows of (n,) or (n, ...) have a NaN, shape (n,)."""
    flat = np.isnan(rows).reshape(len(rows), math.prod(rows.shape[1:]))
    return np.asarray(flat.any(axis=1), dtype=np.bool_)


def numbers(name: str, values: ArrayLike) -> FloatArray:
    """`values` as an array of floats with at least one axis.

    Errors: BadInput for what is no number, a single number, or an empty inner axis.
    """
    try:
        found = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise BadInput(f"{name}: not an array of numbers: {error}", "give numbers only") from error
    if found.ndim == 0 or (found.ndim > 1 and not all(found.shape[1:])):
        raise BadInput(
            f"{name}: an array of shape {found.shape} holds no repeats", "give one row a repeat"
        )
    return found


def student_factor(freedom: float, confidence: float = CONFIDENCE) -> float:
    """Half width of a two-sided Student interval in standard errors; `freedom` may be a
    fraction. Errors: BadInput where `confidence` is not between 0 and 1."""
    if not 0 < confidence < 1:
        raise BadInput(f"confidence {confidence:g} is not between 0 and 1", "0.95 is usual")
    return float(special.stdtrit(freedom, (1 + confidence) / 2))


def _or_none(value: float) -> float | None:
    return value if math.isfinite(value) else None
