"""Exact binomial statistics behind every claim.

All bounds are one-sided: a claim only ever has one bad side. Success counts use the
Clopper-Pearson bound, which never under-covers; quantiles use an order statistic, which needs
no assumption on the distribution but independence of the samples.
"""

from __future__ import annotations

import math

from scipy import special


def lower_bound(successes: int, trials: int, confidence: float) -> float:
    """Clopper-Pearson one-sided lower bound of a success probability.

    BetaInv(1 - confidence; k, n - k + 1); 0.0 for k = 0 or no trials.
    Errors: ValueError where 0 <= k <= n does not hold.
    """
    _check(successes, trials, confidence)
    if successes == 0:
        return 0.0
    return float(special.betaincinv(successes, trials - successes + 1, 1 - confidence))


def upper_bound(events: int, trials: int, confidence: float) -> float:
    """Clopper-Pearson one-sided upper bound of a probability.

    BetaInv(confidence; k + 1, n - k); 1.0 for k = n or no trials.
    Errors: ValueError where 0 <= k <= n does not hold.
    """
    _check(events, trials, confidence)
    if events == trials:
        return 1.0
    return float(special.betaincinv(events + 1, trials - events, confidence))


def minimum_count(quantile: float, confidence: float) -> int:
    """Fewest samples for which an upper bound of a quantile exists: the least n with
    quantile**n <= 1 - confidence.

    The same number of trials without one failure shows a success probability >= `quantile`.
    Errors: ValueError for arguments outside (0, 1).
    """
    if not 0 < quantile < 1 or not 0 < confidence < 1:
        raise ValueError(f"quantile {quantile} and confidence {confidence} must lie in (0, 1)")
    count = max(1, math.floor(math.log(1 - confidence) / math.log(quantile)) - 1)
    while quantile**count > 1 - confidence:
        count += 1
    return count


def quantile_rank(count: int, quantile: float, confidence: float) -> int | None:
    """Rank r (1-based) such that the r-th smallest of `count` independent samples is an upper
    bound of the quantile: the smallest r with BinomCDF(r - 1; count, quantile) >= confidence.

    None where even the largest sample is no bound. Source: David and Nagaraja, Order
    Statistics, section 7.1. Errors: ValueError for arguments outside their ranges.
    """
    _check(0, count, confidence)
    if count < minimum_count(quantile, confidence):
        return None
    low, high = 1, count
    while low < high:
        middle = (low + high) // 2
        if float(special.bdtr(middle - 1, count, quantile)) >= confidence:
            high = middle
        else:
            low = middle + 1
    return low


def successes_needed(trials: int, p: float, confidence: float) -> int | None:
    """Fewest successes of `trials` that show a success probability of at least `p`; None where
    not even all of them do."""
    _check(0, trials, confidence)
    if lower_bound(trials, trials, confidence) < p:
        return None
    low, high = 0, trials
    while low < high:
        middle = (low + high) // 2
        if lower_bound(middle, trials, confidence) >= p:
            high = middle
        else:
            low = middle + 1
    return low


def _check(count: int, trials: int, confidence: float) -> None:
    if not 0 <= count <= trials:
        raise ValueError(f"{count} of {trials} is not a count of trials")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence {confidence} must lie in (0, 1)")
