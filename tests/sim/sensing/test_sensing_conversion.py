"""Dead band, range and resolution."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hil.errors import BadInput
from sim.sensing.conversion import Conversion, Converter

numbers = st.floats(-1e6, 1e6)


@given(
    st.lists(numbers, min_size=1, max_size=20),
    st.floats(0, 10),
    numbers,
    st.floats(1e-3, 1e6),
    st.floats(1e-3, 1e3),
)
@settings(deadline=None)
def test_a_reading_is_in_range_on_a_step_and_nowhere_far_from_the_signal(
    signal: list[float], deadband: float, lower: float, width: float, step: float
) -> None:
    upper = lower + width
    table = Conversion(deadband=deadband, lower=lower, upper=upper, resolution=step)
    given_ = np.array(signal)
    reading = Converter.of(table, len(signal), "c").read(given_)
    assert ((reading >= lower) & (reading <= upper)).all()
    at_an_end = (reading == lower) | (reading == upper)
    steps = reading / step
    assert (at_an_end | (np.abs(steps - np.rint(steps)) < 1e-6)).all()
    wanted = np.clip(np.where(np.abs(given_) < deadband, 0.0, given_), lower, upper)
    slack = step / 2 * (1 + 1e-9) + 1e-9
    assert (np.abs(reading - wanted) <= slack).all()


@given(st.lists(numbers, min_size=2, max_size=20))
def test_more_signal_never_reads_less(signal: list[float]) -> None:
    table = Conversion(deadband=0.5, lower=-100, upper=1000, resolution=0.3)
    rising = np.sort(signal)
    assert (np.diff(Converter.of(table, len(signal), "c").read(rising)) >= 0).all()


def test_without_any_of_it_the_reading_is_the_signal() -> None:
    signal = np.array([-3.7, 0.0, 1e-9, np.nan])
    np.testing.assert_array_equal(Converter.of(Conversion(), 4, "c").read(signal), signal)


def test_labels_have_their_own_range_and_step() -> None:
    table = Conversion(lower=(-1, -10), upper=(1, 10), resolution=(0.1, 0))
    reading = Converter.of(table, 2, "c").read(np.array([0.34, 0.34]))
    np.testing.assert_allclose(reading, [0.3, 0.34])
    np.testing.assert_array_equal(
        Converter.of(table, 2, "c").read(np.array([5.0, -50.0])), [1.0, -10.0]
    )
    with pytest.raises(BadInput, match="lower: 2 numbers for 3 labels"):
        Converter.of(table, 3, "c")


def test_a_range_with_one_end_has_one() -> None:
    reading = Converter.of(Conversion(lower=0), 2, "c").read(np.array([-4.0, 1e12]))
    np.testing.assert_array_equal(reading, [0.0, 1e12])
