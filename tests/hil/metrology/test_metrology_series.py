from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from metrology_data import SECOND, recorded, stamps

from hil.errors import BadInput
from hil.metrology.series import (
    Series,
    absent_samples,
    first_beyond,
    settled_from,
    unwrapped,
)


@pytest.mark.parametrize(
    ("stamp_ns", "value", "words"),
    [
        ([1, 3, 2], [0, 0, 0], r"force: stamp 2 \(2 ns\) does not come after stamp 1 \(3 ns\)"),
        ([1, 2, 2], [0, 0, 0], r"stamp 2 \(2 ns\) does not come after"),
        ([0.1, 0.2], [0, 0], "stamps of type float64"),
        ([[1, 2]], [0, 0], "shape"),
        ([1, 2, 3], [0, 0], "3 stamps for values of shape"),
        ([1, 2], np.zeros((2, 2, 2)), "2 stamps for values of shape"),
        ([1, 2, 3], [0, math.inf, 0], "sample 1 is infinite"),
        ([1, 2, 3], [0, math.nan, math.nan], "1 of 3 samples are there; at least 2"),
        ([1, 2], ["x", "y"], "not an array of numbers"),
    ],
)
def test_bad_samples_are_refused_with_place_and_remedy(
    stamp_ns: object, value: object, words: str
) -> None:
    with pytest.raises(BadInput, match=words) as refused:
        Series.of("force", stamp_ns, value)  # type: ignore[arg-type]
    assert refused.value.message.startswith("force")
    assert refused.value.remedy


def test_absent_samples_are_left_out_and_counted() -> None:
    found = Series.of("force", [10, 20, 30, 40], [1.0, math.nan, 3.0, math.nan])
    assert found.stamp_ns.tolist() == [10, 30]
    assert found.value.tolist() == [1.0, 3.0]
    assert absent_samples([found, found]) == 4
    wide = Series.of("force", [10, 20, 30], [[1, 2], [math.nan, 2], [3, 4]])
    assert (wide.value.tolist(), wide.absent) == ([[1, 2], [3, 4]], 1)


def test_the_callers_arrays_are_not_shared() -> None:
    value = np.array([1.0, 2.0])
    found = Series.of("x", np.array([1, 2]), value)
    value[0] = 9.0
    assert found.value[0] == 1.0


def test_values_between_samples() -> None:
    found = Series.of("x", [0, 10, 20], [0.0, 1.0, -1.0])
    assert found.at([0, 5, 10, 15, 20]).tolist() == [0.0, 0.5, 1.0, 0.0, -1.0]
    assert found.held_at(np.array([0, 9, 10, 25])).tolist() == [0.0, 0.0, 1.0, -1.0]
    with pytest.raises(BadInput, match="has no samples at 21 ns"):
        found.at([5, 21])
    with pytest.raises(BadInput, match="nothing was in force at -1 ns"):
        found.held_at(np.array([-1]))


def test_gaps_are_not_bridged_where_that_is_asked() -> None:
    found = Series.of("x", [0, SECOND, 3 * SECOND], [[0.0, 1.0], [1.0, 1.0], [3.0, 1.0]])
    got = found.at([-1, SECOND // 2, SECOND, 2 * SECOND, 3 * SECOND], longest_gap_s=1.5)
    assert np.isnan(got[:, 0]).tolist() == [True, False, False, True, False]
    assert got[1].tolist() == [0.5, 1.0]


def test_parts_in_time() -> None:
    found = recorded(lambda t: t, 1.0, 10)
    assert found.between(found.stamp_ns[2], found.stamp_ns[4]).value.tolist() == [0.2, 0.3, 0.4]
    assert found.last(0.2).value.tolist() == [0.8, 0.9, 1.0]
    for length_s in (2.0, 0.1):
        with pytest.raises(BadInput, match="are needed"):
            found.last(length_s)


def test_instants_are_found_between_samples() -> None:
    ramp = Series.of("x", [0, 10, 20], [0.0, 1.0, 2.0])
    assert first_beyond(ramp, 0.25) == 2  # 2.5 ns, rounded to even
    assert first_beyond(ramp, 1.5) == 15
    assert first_beyond(ramp, -1.0) == 0
    assert first_beyond(ramp, 2.0) is None
    falling = ramp.map(lambda value: 2 - value)
    assert settled_from(falling, 0.5) == 15
    assert settled_from(falling, 2.0) == 0
    assert settled_from(ramp, 1.0) is None


@given(st.floats(-3, 3), st.floats(-20, 20))
@settings(deadline=None)
def test_an_angle_is_unfolded_whatever_its_turns(start: float, turned: float) -> None:
    whole = start + np.linspace(0, turned, 60)
    folded = Series.of("yaw", np.arange(60), np.arctan2(np.sin(whole), np.cos(whole)))
    got = unwrapped(folded).value
    assert np.diff(got) == pytest.approx(np.diff(whole), abs=1e-9)


def test_an_angle_that_jumps_is_refused() -> None:
    with pytest.raises(BadInput, match="after sample 1"):
        unwrapped(Series.of("yaw", [1, 2, 3], [0.0, 0.1, 2.5]))


def test_times_keep_their_digits_on_any_clock() -> None:
    late = Series.of("x", stamps([0.0, 1e-6], start_ns=1_900_000_000 * SECOND), [0.0, 1.0])
    assert late.span_s == 1e-6
    assert late.time_s.tolist() == [0.0, 1e-6]
