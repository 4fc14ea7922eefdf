"""The shape of a figure and its intervals, against tables and independent implementations."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from hil.canonical import canonical_json
from hil.errors import BadInput
from hil.metrology.summary import (
    Measure,
    jackknife_interval,
    mean_measure,
    present,
    quantile_measure,
    spread_interval,
    student_factor,
    student_interval,
)

finite = st.floats(-1e6, 1e6)


@pytest.mark.parametrize(
    ("freedom", "confidence", "factor"),
    [  # two-sided critical values as printed in any table of Student's t
        (1, 0.95, 12.706),
        (2, 0.95, 4.303),
        (4, 0.95, 2.776),
        (9, 0.95, 2.262),
        (29, 0.95, 2.045),
        (9, 0.90, 1.833),
        (9, 0.99, 3.250),
        (120, 0.95, 1.980),
    ],
)
def test_student_factors_of_the_tables(freedom: int, confidence: float, factor: float) -> None:
    assert student_factor(freedom, confidence) == pytest.approx(factor, abs=5e-4)


def test_student_interval_of_a_published_example() -> None:
    """NIST/SEMATECH e-Handbook, 1.3.5.2, heat flow meter: 195 values with mean 9.261460 and
    standard deviation 0.02278881 have the 95 % interval 9.258242 to 9.264679."""
    shape = np.random.default_rng(1).normal(size=195)
    shape = (shape - shape.mean()) / shape.std(ddof=1)
    low, high = student_interval(9.261460 + 0.02278881 * shape)
    assert (low, high) == pytest.approx((9.258242, 9.264679), abs=1e-6)


def test_student_interval_by_hand() -> None:
    """1, 2, 3, 4, 5: mean 3, s = sqrt(2.5), half width 2.776 * sqrt(2.5 / 5) = 1.963."""
    low, high = student_interval([1, 2, 3, 4, 5])
    assert (low, high) == pytest.approx((3 - 1.9632, 3 + 1.9632), abs=1e-4)


@given(st.lists(finite, min_size=2, max_size=30), st.floats(0.5, 0.999))
@settings(max_examples=60, deadline=None)
def test_student_interval_agrees_with_scipy(values: list[float], confidence: float) -> None:
    sample = np.array(values)
    if sample.std() < 1e-6 * (1 + abs(sample).max()):
        return
    wanted = stats.ttest_1samp(sample, 0.0).confidence_interval(confidence)
    assert student_interval(sample, confidence) == pytest.approx(
        (wanted.low, wanted.high), rel=1e-9, abs=1e-9
    )


@given(
    st.lists(finite, min_size=3, max_size=20),
    st.floats(0.01, 100),
    finite,
    st.randoms(use_true_random=False),
)
@settings(max_examples=60, deadline=None)
def test_a_mean_moves_with_unit_and_zero_and_forgets_the_order(
    values: list[float], scale: float, offset: float, random: object
) -> None:
    first = mean_measure("x", values, "m")
    mixed = list(values)
    random.shuffle(mixed)  # type: ignore[attr-defined]
    second = mean_measure("x", np.array(mixed) * scale + offset, "mm")
    assert first.interval is not None
    assert second.interval is not None
    wanted = [first.value, *first.interval]
    got = [second.value, *second.interval]
    size = scale * (1 + max(map(abs, values))) + abs(offset)
    assert got == pytest.approx([scale * one + offset for one in wanted], abs=1e-9 * size)


def test_absent_repeats_are_left_out_and_counted_and_never_zero() -> None:
    full = mean_measure("force", [1.0, 2.0, 4.0], "N")
    holed = mean_measure("force", [1.0, math.nan, 2.0, 4.0, math.nan], "N")
    assert (holed.value, holed.interval, holed.n, holed.absent) == (full.value, full.interval, 3, 2)
    assert full.absent == 0


def test_an_event_that_never_came_leaves_no_mean() -> None:
    found = mean_measure("time", [1.0, 2.0, math.inf, 3.0], "s")
    assert (found.value, found.interval, found.n, found.never) == (math.inf, None, 4, 1)
    assert "never came" in found.method


def test_a_lower_bound_among_the_values_opens_the_interval() -> None:
    censored = np.array([False, False, True, False])
    found = mean_measure("pull", [5.0, math.nan, 7.0, 6.0], "N", censored=censored)
    assert found.value == pytest.approx(6.0)
    assert found.interval is not None
    assert found.interval[1] == math.inf
    assert found.interval[0] == pytest.approx(student_interval([5.0, 7.0, 6.0])[0])
    # the mark belongs to the repeat that is absent, and goes with it
    gone = mean_measure("pull", [5.0, math.nan, 7.0, 6.0], "N", censored=np.arange(4) == 1)
    assert gone.interval is not None
    assert math.isfinite(gone.interval[1])


def test_quantile_bound_is_the_right_order_statistic() -> None:
    """For 0.9 at 95 %: none of 28, the largest of 29, the 96th of 100 (tables of tolerance
    limits free of a distribution)."""
    for count, rank in ((29, 29), (100, 96)):
        values = np.random.default_rng(count).permutation(np.arange(1, count + 1))
        found = quantile_measure("t", values, "s", 0.9)
        assert found.interval == (-math.inf, float(rank))
        assert found.value == math.ceil(0.9 * count)
    few = quantile_measure("t", np.arange(28), "s", 0.9)
    assert few.interval == (-math.inf, math.inf)


def test_lower_quantile_bound_is_the_mirror() -> None:
    values = np.arange(1.0, 101.0)
    lower = quantile_measure("f", values, "N", 0.9, side="lower")
    assert lower.interval == (5.0, math.inf)
    assert lower.value == 11.0


def test_quantile_bound_takes_what_never_came() -> None:
    values = np.append(np.arange(1.0, 100.0), math.inf)
    found = quantile_measure("t", values, "s", 0.9)
    assert (found.interval, found.never) == ((-math.inf, 96.0), 1)
    assert quantile_measure("t", np.append(np.arange(28.0), math.inf), "s", 0.9).interval == (
        -math.inf,
        math.inf,
    )


def test_spread_interval_of_the_tables() -> None:
    """chi-square quantiles with 29 degrees of freedom: 16.047 and 45.722."""
    low, high = spread_interval(1.0, 29)
    assert low == pytest.approx(math.sqrt(29 / 45.722), abs=1e-5)
    assert high == pytest.approx(math.sqrt(29 / 16.047), abs=1e-4)


def test_jackknife_of_a_mean_has_the_standard_error_of_a_mean() -> None:
    """On the logarithmic scale and for a small spread, that is Student's interval."""
    values = 100 + np.random.default_rng(3).normal(size=20)
    low, high = jackknife_interval(lambda rows: float(rows.mean()), values)
    assert (low, high) == pytest.approx(student_interval(values), rel=1e-4)
    assert jackknife_interval(lambda rows: float(rows.std()), np.ones(5)) == (0.0, 0.0)
    only = jackknife_interval(lambda rows: float(rows.std()), np.array([1.0, 1.0, 1.0, 2.0]))
    assert only == (0.0, math.inf)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([1.0, 2.0], "force: 2 repeats; at least 3"),
        ([1.0, 2.0, math.nan], "2 repeats, 1 more are absent"),
        ([], "force: 0 repeats"),
        (3.0, "holds no repeats"),
        (["a", "b", "c"], "not an array of numbers"),
        (np.empty((4, 0)), "holds no repeats"),
    ],
)
def test_too_few_repeats_are_refused_with_place_and_remedy(values: object, words: str) -> None:
    with pytest.raises(BadInput, match=words) as refused:
        mean_measure("force", values, "N")  # type: ignore[arg-type]
    assert refused.value.message.startswith("force")
    assert refused.value.remedy


@pytest.mark.parametrize("confidence", [0.0, 1.0, 95.0, math.nan])
def test_a_confidence_that_is_none_is_refused(confidence: float) -> None:
    with pytest.raises(BadInput, match="confidence"):
        mean_measure("force", [1.0, 2.0, 3.0], "N", confidence=confidence)


def test_interval_and_spread_of_too_little_are_refused() -> None:
    with pytest.raises(BadInput, match="interval of a mean"):
        student_interval([1.0])
    with pytest.raises(BadInput, match="interval of a mean"):
        student_interval([1.0, math.nan])
    with pytest.raises(BadInput, match="spread"):
        spread_interval(1.0, 0)


def test_rows_with_one_absent_value_are_absent() -> None:
    rows, absent = present("x", [[1, 2], [math.nan, 3], [4, 5]], least=2)
    assert (rows.tolist(), absent) == ([[1, 2], [4, 5]], 1)


def test_a_measure_is_plain_json() -> None:
    found = Measure("t", math.inf, "s", (1.0, math.inf), 3, "m", absent=1, never=2)
    assert found.plain() == {
        "name": "t",
        "value": None,
        "unit": "s",
        "interval": [1.0, None],
        "n": 3,
        "method": "m",
        "absent": 1,
        "never": 2,
    }
    assert canonical_json(found.plain())
    assert Measure("t", 1.0, "s", None, 3, "m").plain()["interval"] is None
