"""Strength, slip and touch on records with answers by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from metrology_data import SECOND, grid, recorded, stamps

from hil.errors import BadInput
from hil.metrology.hand import (
    Pull,
    Touch,
    coulomb_ratio,
    finger_strength,
    grasp_strength,
    slip,
    slip_resistance,
    sustained,
    touch_sensitivity,
)
from hil.metrology.series import Series


def closing(steady_n: float, blow_n: float = 0.0) -> Series:
    """A blow of 10 ms at 0.5 s, then a ramp to a steady force at 1 s."""

    def force(times: np.ndarray) -> np.ndarray:
        ramp = steady_n * np.clip((times - 0.5) / 0.5, 0, 1)
        return ramp + blow_n * ((times >= 0.5) & (times < 0.51))

    return recorded(force, 3.0, name="finger")


def pulled(
    holds_n: float, rate_n_s: float = 2.0, grip_n: float = 5.0, seconds: float = 6.0
) -> Pull:
    """A pull that rises evenly; the object sticks up to `holds_n` and then slides 10 mm/s."""
    slips_s = holds_n / rate_n_s
    return Pull(
        recorded(lambda t: rate_n_s * t, seconds, 200, "pull"),
        recorded(lambda t: 0.01 * np.maximum(t - slips_s, 0), seconds, 97, "slide"),
        recorded(lambda t: np.full((len(t), 2), grip_n), seconds, 50, "grip"),
    )


def test_finger_strength_is_what_is_held_and_not_the_blow() -> None:
    repeats = [closing(steady, blow_n=50.0) for steady in (9.0, 10.0, 11.0)]
    found = finger_strength(repeats)
    assert found.value == pytest.approx(10.0)
    half = 4.303 / math.sqrt(3)
    assert found.interval == pytest.approx((10 - half, 10 + half), abs=1e-3)
    assert (found.unit, found.n) == ("N", 3)
    # without a time to hold, the peak: the ramp at the end of the blow, and the blow
    assert finger_strength(repeats, held_s=0.0).value == pytest.approx(50.0 + 0.18, abs=1e-2)


def test_sustained_by_hand() -> None:
    """3, 5, 4, 6, 2 at 10 Hz: over 0.1 s at best min(5, 4) = 4; over 0.2 s again 4."""
    force = Series.of("f", stamps(np.arange(5) / 10), [3, 5, 4, 6, 2])
    assert [sustained(force, held) for held in (0.0, 0.1, 0.2, 0.3, 0.4)] == [6, 4, 4, 3, 2]
    with pytest.raises(BadInput, match=r"to look for a force held for 0\.5 s"):
        sustained(force, 0.5)


@given(st.lists(st.floats(0, 100), min_size=4, max_size=40), st.floats(0, 0.3), st.floats(0.1, 9))
@settings(max_examples=60, deadline=None)
def test_sustained_falls_with_time_and_scales(values: list[float], held: float, k: float) -> None:
    force = Series.of("f", stamps(np.arange(len(values)) / 10), values)
    found = sustained(force, held)
    assert found <= max(values)
    assert sustained(force, held / 2) >= found
    assert sustained(force.map(lambda value: k * value), held) == pytest.approx(k * found)


def test_grasp_strength_is_the_sum_over_fingers_at_the_end() -> None:
    def forces(times: np.ndarray) -> np.ndarray:
        build_up = np.minimum(times, 1.0)
        return np.outer(build_up, [5.0, 3.0, 2.0])

    found = grasp_strength([recorded(forces, 2.0)] * 3)
    assert found.value == pytest.approx(10.0)
    half = grasp_strength([recorded(forces, 1.0, 100)] * 3, steady_s=1.0)
    assert half.value == pytest.approx(5.0)


def test_a_row_without_one_finger_has_no_sum() -> None:
    times = grid(1.0, 10)
    value = np.ones((11, 2))
    value[-2, 0] = math.nan
    holed = Series.of("fingers", stamps(times), value)
    found = grasp_strength([holed] * 3)
    assert (found.value, found.absent) == (2.0, 3)


@pytest.mark.parametrize("holds", [2.0, 5.0, 8.0])
def test_slip_is_seen_a_millimetre_later(holds: float) -> None:
    """At 10 mm/s, 1 mm takes 0.1 s, in which the pull grows by 0.2 N."""
    found = slip(pulled(holds))
    assert found.slipped
    assert found.force_n == pytest.approx(holds + 0.2, abs=2e-3)


def test_slip_in_three_axes_is_the_distance() -> None:
    pull = pulled(4.0)
    turned = pull.slide_m.map(lambda value: np.outer(value, [0.6, 0.0, 0.8]) + 0.3)
    found = slip(Pull(pull.pull_n, turned))
    assert found.force_n == pytest.approx(slip(pull).force_n, abs=1e-6)


def test_slip_resistance_over_repeats_and_against_coulomb() -> None:
    """mu = 0.5 and two fingers of 5 N hold 2 mu F = 5 N."""
    pulls = [pulled(holds) for holds in (4.8, 5.0, 5.2)]
    resistance = slip_resistance(pulls)
    assert resistance.value == pytest.approx(5.2, abs=2e-3)
    ratio = coulomb_ratio(pulls, friction=0.5)
    assert ratio.value == pytest.approx(5.2 / 5.0, abs=1e-3)
    assert ratio.unit == "1"


def test_a_grasp_that_was_not_pulled_off_is_a_lower_bound() -> None:
    pulls = [pulled(5.0), pulled(5.0), pulled(99.0)]
    found = slip_resistance(pulls)
    assert found.value == pytest.approx((5.2 + 5.2 + 12.0) / 3, abs=2e-3)
    assert found.interval is not None
    assert found.interval[1] == math.inf
    assert "1 of them are lower bounds" in found.method
    ratio = coulomb_ratio(pulls, 0.5)
    assert ratio.interval is not None
    assert ratio.interval[1] == math.inf


def test_bad_pulls_are_refused() -> None:
    pull = pulled(5.0)
    with pytest.raises(BadInput, match="2 repeats"):
        slip_resistance([pull] * 2)
    with pytest.raises(BadInput, match="pull 1: no grip forces"):
        coulomb_ratio([pull, Pull(pull.pull_n, pull.slide_m), pull], 0.5)
    let_go = Pull(pull.pull_n, pull.slide_m, pulled(5.0, grip_n=0.0).grip_n)
    with pytest.raises(BadInput, match="pull 2: no grip is shown"):
        coulomb_ratio([pull, pull, let_go], 0.5)
    for friction in (0.0, -1.0, math.nan, math.inf):
        with pytest.raises(BadInput, match="coefficient of friction"):
            coulomb_ratio([pull] * 3, friction)
    short = Pull(pull.pull_n.between(0, int(pull.pull_n.stamp_ns[50])), pull.slide_m)
    with pytest.raises(BadInput, match="pull: has no samples at"):
        slip(short)


def touching(stops_s: float, stiffness_n_s: float = 20.0, contact_s: float = 1.0) -> Touch:
    """Contact at 1 s, the force rises evenly until the finger stops, and then relaxes."""

    def force(times: np.ndarray) -> np.ndarray:
        rise = stiffness_n_s * np.clip(times - contact_s, 0, max(stops_s - contact_s, 0))
        return rise * np.where(times > stops_s, 0.5, 1.0) + 0.001

    return Touch(
        recorded(force, 3.0, 500, "force"),
        recorded(lambda t: np.where(t < stops_s, 0.1, 0.0), 3.0, 500, "speed"),
    )


def test_touch_sensitivity_is_the_peak_until_the_stop() -> None:
    """Stops 50 ms after contact at 20 N/s: 1 N."""
    found = touch_sensitivity([touching(1.05)] * 3, contact_n=0.05, rest_speed=0.01)
    assert found.value == pytest.approx(1.0, abs=0.05)
    assert found.never == 0


def test_the_force_after_the_stop_is_not_in_it() -> None:
    touch = touching(1.05)
    later = touch.force_n.map(lambda value: value + 9.0 * (touch.force_n.time_s > 2.0))
    found = touch_sensitivity([Touch(later, touch.speed)] * 3, 0.05, 0.01)
    assert found.value == pytest.approx(1.0, abs=0.05)


def test_a_pause_on_the_way_is_no_stop() -> None:
    touch = touching(1.05)
    paused = touch.speed.map(
        lambda value: np.where(np.abs(touch.speed.time_s - 0.5) < 0.1, 0.0, value)
    )
    found = touch_sensitivity([Touch(touch.force_n, paused)] * 3, 0.05, 0.01)
    assert found.value == pytest.approx(1.0, abs=0.05)


@pytest.mark.parametrize("stops_s", [9.0, 0.5])
def test_a_finger_that_did_not_feel_the_contact_has_no_sensitivity(stops_s: float) -> None:
    """One never stops; one stops in free air, which is no 0.001 N."""
    found = touch_sensitivity([touching(1.05), touching(1.05), touching(stops_s)], 0.05, 0.01)
    assert (found.value, found.interval, found.never) == (math.inf, None, 1)


def test_touch_needs_the_force_before_the_stop() -> None:
    touch = touching(1.05)
    late = touch.force_n.between(int(touch.force_n.stamp_ns[0]) + 2 * SECOND)
    with pytest.raises(BadInput, match="no force was recorded before"):
        touch_sensitivity([Touch(late, touch.speed)] * 3, 0.05, 0.01)
