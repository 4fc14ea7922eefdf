from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from metrology_data import recorded

from hil.errors import BadInput
from hil.metrology.grasp import (
    Hold,
    InHand,
    cycle_times,
    grasp_cycle,
    grasp_efficiency,
    in_hand_motion,
)
from hil.metrology.series import Series

OPEN_M = 0.08


def opening(times: np.ndarray, period_s: float = 2.0) -> np.ndarray:
    """Open for a quarter of the period, then shut by a ramp, grasped, opened by a ramp."""
    phase = times % period_s / period_s
    return OPEN_M * np.interp(phase, [0, 0.25, 0.5, 0.75, 1.0], [1, 1, 0.5, 0.5, 1])


def grip(times: np.ndarray, period_s: float = 2.0) -> np.ndarray:
    phase = times % period_s / period_s
    one = np.where((phase > 0.5) & (phase < 0.75), 4.0, 0.0)
    return np.column_stack([one, one])


def cycles(seconds: float, grip_scale: float = 1.0) -> np.ndarray:
    return cycle_times(
        recorded(opening, seconds, 200, "opening"),
        recorded(lambda t: grip_scale * grip(t), seconds, 200, "grip"),
        opened=0.9 * OPEN_M,
        grasped_n=5.0,
    )


def test_cycle_times_by_hand() -> None:
    """The level of 90 % is crossed a fifth down the ramp of half a second and a fifth before
    the end of the other: 2.0 - 0.5 - 2 * 0.1 = 1.3 s."""
    found = cycles(8.2)
    assert found == pytest.approx([1.3] * 4, abs=1e-6)
    mean, bound = grasp_cycle(found)
    assert (mean.value, mean.n, mean.unit) == (pytest.approx(1.3), 4, "s")
    assert bound.interval == (-math.inf, math.inf)  # four cycles bound no quantile


def test_a_cycle_without_a_grasp_or_an_end_never_came() -> None:
    assert cycles(4.2, grip_scale=0.5).tolist() == [math.inf] * 2
    assert np.isinf(cycles(7.0)).tolist() == [False, False, False, True]
    mean, _ = grasp_cycle(cycles(7.0))
    assert (mean.value, mean.never) == (math.inf, 1)


def test_enough_cycles_have_a_bound() -> None:
    mean, bound = grasp_cycle(np.linspace(1.0, 2.0, 29))
    assert mean.value == pytest.approx(1.5)
    assert bound.interval == (-math.inf, 2.0)


def test_a_record_has_to_begin_open() -> None:
    shut = recorded(lambda t: opening(t + 1.0), 4.0, 200, "opening")
    with pytest.raises(BadInput, match="does not begin with an open hand"):
        cycle_times(shut, recorded(grip, 4.0, 200), 0.9 * OPEN_M, 5.0)


def test_no_cycles_are_no_figure() -> None:
    with pytest.raises(BadInput, match="0 repeats"):
        grasp_cycle(cycles(0.4))


def stepped(offset: float = 0.0, lag_s: float = 0.05, wrap: bool = False) -> InHand:
    """Yaw asked for: 0, 1.5, 3.0 and -1.0 rad, a second each; followed slowly, `offset` beyond."""
    targets = np.array([0.0, 1.5, 3.0, -1.0])

    def asked(times: np.ndarray) -> np.ndarray:
        return targets[np.minimum(times.astype(int), 3)]

    commanded = recorded(asked, 4.0, 50, "yaw asked for")
    value = commanded.value[0]
    trail = []
    for goal in commanded.value:
        value += np.clip(goal + offset - value, -1, 1) * -math.expm1(-0.02 / lag_s)
        trail.append(value)
    yaw = np.array(trail)
    yaw = np.arctan2(np.sin(yaw), np.cos(yaw)) if wrap else yaw
    return InHand(commanded, Series.of("yaw", commanded.stamp_ns, yaw))


def test_range_and_error_of_targets_that_stand() -> None:
    """The first target is missed by its offset at its end as well; the range is from the lowest
    yaw to the highest."""
    span, error = in_hand_motion([stepped(0.05)] * 3, "rad")
    assert span.value == pytest.approx(4.0, abs=1e-3)
    assert error.value == pytest.approx(0.05, abs=1e-3)
    assert (span.unit, error.unit, span.n) == ("rad", "rad", 3)


def test_a_folded_angle_is_the_same_angle() -> None:
    """Beyond half a turn the tracker's yaw jumps to the other side."""
    for straight, folded in zip(
        in_hand_motion([stepped(0.5)] * 3, "rad"),
        in_hand_motion([stepped(0.5, wrap=True)] * 3, "rad"),
        strict=True,
    ):
        assert folded.value == pytest.approx(straight.value, abs=1e-9)


def test_an_attitude_reached_the_other_way_round_is_reached() -> None:
    """Asked for -2 rad, the object turns to 2 pi - 2: far round, but where it should be."""
    goal = recorded(lambda t: np.full_like(t, -2.0), 4.0, 50, "yaw asked for")
    whole = recorded(lambda t: np.minimum(2 * t, 2 * np.pi - 2.0 + 0.01), 4.0, 50, "yaw")
    span, error = in_hand_motion([InHand(goal, whole)] * 3, "rad")
    assert span.value == pytest.approx(2 * np.pi - 1.99)
    assert error.value == pytest.approx(0.01)


def test_rocking_to_and_fro_adds_nothing() -> None:
    rocking = recorded(lambda t: 0.2 * np.sin(8 * t), 20.0, 100, "yaw")
    still = rocking.map(np.zeros_like)
    span, _ = in_hand_motion([InHand(still, rocking)] * 3, "rad")
    assert span.value == pytest.approx(0.4, abs=1e-3)


def test_what_comes_after_a_drop_does_not_count() -> None:
    kept = stepped()
    dropped = InHand(kept.commanded, kept.achieved, int(kept.achieved.stamp_ns[0]) + 1_900_000_000)
    span, error = in_hand_motion([dropped] * 3, "rad")
    assert span.value == pytest.approx(1.5, abs=1e-3)
    assert error.value == pytest.approx(0.0, abs=1e-3)
    assert "3 of 3 were dropped" in span.method
    with pytest.raises(BadInput, match="before the drop"):
        in_hand_motion([InHand(kept.commanded, kept.achieved, 0)] * 3, "rad")


@given(st.floats(0.01, 50))
@settings(max_examples=20, deadline=None)
def test_travel_in_metres_scales(scale: float) -> None:
    def scaled(motion: InHand) -> InHand:
        return InHand(
            motion.commanded.map(lambda value: scale * value),
            motion.achieved.map(lambda value: scale * value),
        )

    first = in_hand_motion([stepped(0.1)] * 3, "m")
    second = in_hand_motion([scaled(stepped(0.1))] * 3, "m")
    for found, wanted in zip(second, first, strict=True):
        assert found.value == pytest.approx(scale * wanted.value)


def held(force_n: float, load_n: float | Series, kept: bool = True) -> Hold:
    return Hold(recorded(lambda t: np.full((len(t), 2), force_n), 1.0, 100, "grip"), load_n, kept)


def test_efficiency_of_a_pinch_by_hand() -> None:
    """0.1 kg at mu = 0.5 needs m g / (2 mu) = 0.98 N a finger; 1.96 N are applied."""
    weight = 0.1 * 9.8
    found = grasp_efficiency([held(1.96, weight)] * 3, friction=0.5)
    assert found.value == pytest.approx(0.5)
    assert found.unit == "1"


def test_a_grip_that_follows_the_load_is_efficient() -> None:
    """The load doubles half-way; one grip follows it with 25 % to spare, one holds for both."""
    load = recorded(lambda t: np.where(t < 0.5, 1.0, 2.0), 1.0, 100, "load")
    following = Hold(load.map(lambda value: 1.25 * value / 0.5, "grip"), load)
    holding = Hold(load.map(lambda value: np.full_like(value, 1.25 * 2.0 / 0.5), "grip"), load)
    assert grasp_efficiency([following] * 3, 0.5).value == pytest.approx(0.8)
    assert grasp_efficiency([holding] * 3, 0.5).value == pytest.approx(0.6, abs=0.01)


def test_grip_and_load_are_compared_while_both_were_recorded() -> None:
    load = recorded(lambda t: 0 * t + 1.0, 0.7, 97, "load", start_ns=5_100_000_000)
    assert grasp_efficiency([held(2.0, load)] * 3, 0.5).value == pytest.approx(0.5)
    elsewhere = recorded(lambda t: 0 * t + 1.0, 0.7, 97, "load", start_ns=0)
    with pytest.raises(BadInput, match="no sample while the load was"):
        grasp_efficiency([held(2.0, elsewhere)] * 3, 0.5)


def test_a_lost_object_is_no_efficiency() -> None:
    found = grasp_efficiency([held(2.0, 1.0), held(2.0, 1.0), held(0.0, 1.0, kept=False)], 0.5)
    assert found.value == pytest.approx((0.5 + 0.5 + 0.0) / 3)
    with pytest.raises(BadInput, match="grip: no grip is shown"):
        grasp_efficiency([held(0.0, 1.0)] * 3, 0.5)
    with pytest.raises(BadInput, match="coefficient of friction"):
        grasp_efficiency([held(1.0, 1.0)] * 3, 0.0)
