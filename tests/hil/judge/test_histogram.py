from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hil.judge.histogram import LIMIT_NS, added, empty, lower_edges_ns
from hil.judge.samples import UNANSWERED


@given(st.integers(0, LIMIT_NS - 1))
def test_a_duration_falls_into_the_bucket_that_holds_it(value: int) -> None:
    edges = lower_edges_ns()
    (bucket,) = np.flatnonzero(added(empty(), np.array([value]), UNANSWERED).counts)
    assert edges[bucket] <= value
    assert bucket + 1 == len(edges) or value < edges[bucket + 1]


def test_buckets_are_narrow_and_their_number_is_fixed() -> None:
    edges = lower_edges_ns()
    widths = np.diff(edges)
    assert (widths >= 1).all()
    assert (widths[edges[:-1] >= 64] * 64 <= edges[:-1][edges[:-1] >= 64]).all()
    assert len(empty().counts) == len(edges)


def test_overflow_silence_and_maximum_are_kept_apart() -> None:
    samples = np.array([5, LIMIT_NS - 1, LIMIT_NS, LIMIT_NS + 17, UNANSWERED, -3])
    one = added(empty(), samples, UNANSWERED)
    assert (one.overflow, one.unanswered, one.max_ns) == (2, 1, LIMIT_NS + 17)
    assert one.counts.sum() == 3
    assert one.counts[0] == 1
    assert one.answered == 5
    assert one.quantile_ns(1.0) == LIMIT_NS + 17


def test_adding_in_parts_is_adding_at_once() -> None:
    rng = np.random.default_rng(1)
    samples = rng.lognormal(13, 2, 200_000).astype(np.int64)
    whole = added(empty(), samples, UNANSWERED)
    parts = empty()
    for part in np.array_split(samples, 7):
        parts = added(parts, part.astype(np.int32) if part.max() < 2**31 else part, UNANSWERED)
    assert (whole.counts == parts.counts).all()
    assert (whole.overflow, whole.max_ns) == (parts.overflow, parts.max_ns)
    assert empty().counts.sum() == 0, "the empty one is not changed"


@pytest.mark.parametrize("quantile", [0.01, 0.5, 0.99, 0.999])
def test_quantiles_are_near_and_never_below(quantile: float) -> None:
    samples = np.random.default_rng(2).lognormal(12, 1, 50_000).astype(np.int64)
    shown = added(empty(), samples, UNANSWERED).quantile_ns(quantile)
    exact = int(np.quantile(samples, quantile, method="inverted_cdf"))
    assert shown is not None
    assert exact <= shown <= exact * (1 + 1 / 64)


def test_nothing_has_no_quantile() -> None:
    silent = added(empty(), np.array([UNANSWERED]), UNANSWERED)
    assert silent.quantile_ns(0.5) is None
    assert (silent.unanswered, silent.max_ns) == (1, -1)
