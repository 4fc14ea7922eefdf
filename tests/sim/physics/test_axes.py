"""Independent joints against the closed solutions of their equation of motion."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hil.errors import HarnessError
from sim.axes import Axes, Axis

AXIS = Axis()
FREE = Axis(viscous=0.0, coulomb=0.0)
FAR = 1e6  # rad: with so distant a target the torque is its limit


def run(axes: Axes, seconds: float) -> None:
    for _ in range(round(seconds / axes.step_s)):
        axes.step()


def driven(axis: Axis, target: float, limit: float, seconds: float, step_hz: int = 4000) -> Axes:
    axes = Axes(step_hz, ("joint",), axis)
    axes.drive(np.array([target]), np.array([limit]), np.array([True]))
    run(axes, seconds)
    return axes


def test_a_step_is_answered_as_by_a_critically_damped_servo() -> None:
    """q = q0 (1 - (1 + w t) exp(-w t))"""
    for seconds in (0.005, 0.01, 0.02, 0.05):
        position = driven(FREE, 0.01, 10.0, seconds, 20_000).joints()[0][0]
        wt = FREE.bandwidth * seconds
        assert position == pytest.approx(0.01 * (1 - (1 + wt) * math.exp(-wt)), rel=0.02)


def test_it_arrives_and_rests_within_what_friction_can_hold() -> None:
    position, velocity, torque = driven(AXIS, 0.7, 1.0, 1.0).joints()
    stiffness = AXIS.inertia * AXIS.bandwidth**2
    assert abs(position[0] - 0.7) <= 1.001 * AXIS.coulomb / stiffness
    assert velocity[0] == pytest.approx(0.0, abs=1e-6)
    assert abs(torque[0]) <= 1.001 * AXIS.coulomb


def test_the_torque_limit_limits_the_acceleration() -> None:
    """v = (tau - c) / b (1 - exp(-b t / J))"""
    limit, seconds = 0.05, 0.1
    _, velocity, torque = driven(AXIS, FAR, limit, seconds).joints()
    assert torque[0] == limit
    settled = (limit - AXIS.coulomb) / AXIS.viscous
    expected = settled * (1 - math.exp(-AXIS.viscous * seconds / AXIS.inertia))
    assert velocity[0] == pytest.approx(expected, rel=0.01)


def test_a_torque_below_friction_moves_nothing() -> None:
    position, velocity, torque = driven(AXIS, FAR, 0.9 * AXIS.coulomb, 1.0).joints()
    assert (position[0], velocity[0]) == (0.0, 0.0)
    assert torque[0] == pytest.approx(0.9 * AXIS.coulomb)


def test_without_power_it_coasts_to_a_stop_by_friction_alone() -> None:
    """With Coulomb friction alone the way is J v^2 / (2 c)."""
    axis = Axis(viscous=0.0)
    axes = driven(axis, FAR, 0.2, 0.05)
    start, speed = axes.joints()[0][0], axes.joints()[1][0]
    axes.drive(np.array([-5.0]), np.array([0.2]), np.array([False]))
    run(axes, 3.0)
    position, velocity, torque = axes.joints()
    assert (velocity[0], torque[0]) == (0.0, 0.0)
    assert position[0] - start == pytest.approx(
        axis.inertia * speed**2 / (2 * axis.coulomb), rel=0.01
    )


@pytest.mark.parametrize("step_hz", [240, 500, 1000])
def test_slow_steps_give_the_same_motion_and_stay_stable(step_hz: int) -> None:
    coarse = driven(AXIS, 1.0, 0.1, 0.5, step_hz).joints()[0][0]
    assert coarse == pytest.approx(driven(AXIS, 1.0, 0.1, 0.5, 10_000).joints()[0][0], abs=0.01)


@given(
    st.lists(st.tuples(st.floats(-3, 3), st.floats(0, 5), st.booleans()), min_size=1, max_size=8)
)
def test_joints_do_not_know_of_each_other(rows: list[tuple[float, float, bool]]) -> None:
    def moved(rows: list[tuple[float, float, bool]]) -> list[float]:
        axes = Axes(1000, tuple(str(place) for place in range(len(rows))))
        target, limit, enabled = (np.array(column) for column in zip(*rows, strict=True))
        axes.drive(target, limit, enabled)
        run(axes, 0.02)
        found: list[float] = axes.joints()[0].tolist()
        return found

    together = moved(rows)
    assert together == [moved([row])[0] for row in rows]
    for position, (target, limit, enabled) in zip(together, rows, strict=True):
        assert abs(position) <= abs(target) + 1e-9
        assert (position == 0.0) or (enabled and limit > 0)


def test_what_is_no_number_is_not_driven() -> None:
    axes = Axes(1000, ("a", "b"))
    with pytest.raises(HarnessError, match="cannot be driven"):
        axes.drive(np.array([0.0, np.nan]), np.ones(2), np.ones(2, dtype=np.bool_))
    axes.drive(np.zeros(2), np.array([1.0, np.inf]), np.array([True, False]))


def test_what_it_tells_is_a_copy() -> None:
    axes = Axes(1000, ("a",))
    axes.joints()[0][0] = 9.0
    assert axes.joints()[0][0] == 0.0
