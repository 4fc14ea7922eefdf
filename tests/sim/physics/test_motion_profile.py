from __future__ import annotations

import math

from hypothesis import given, settings
from hypothesis import strategies as st

from sim.robots.profile import MotionProfile

DT = 0.001
angles = st.floats(-3.0, 3.0)
speeds = st.floats(0.5, 10.0)
accelerations = st.floats(5.0, 500.0)


@settings(max_examples=40, deadline=None)
@given(angles, angles, speeds, accelerations)
def test_arrives_within_its_limits(
    start: float, goal: float, speed: float, acceleration: float
) -> None:
    profile = MotionProfile(start)
    way = abs(goal - start)
    needed_s = way / speed + 2 * speed / acceleration + 0.2
    last_velocity = 0.0
    direction = math.copysign(1.0, goal - start)
    for _ in range(math.ceil(needed_s / DT)):
        before = profile.position
        profile.step(goal, speed, acceleration, DT)
        assert abs(profile.velocity) <= speed * (1 + 1e-9)
        assert abs(profile.velocity - last_velocity) <= acceleration * DT * (1 + 1e-9)
        assert math.isclose(profile.position, before + profile.velocity * DT, abs_tol=1e-12)
        assert (profile.position - goal) * direction <= 1e-9
        last_velocity = profile.velocity
    assert abs(profile.position - goal) <= 1e-6
    assert abs(profile.velocity) <= 1e-3


@settings(max_examples=40, deadline=None)
@given(angles, angles, speeds)
def test_without_acceleration_limit_it_runs_at_full_speed_and_stops_dead(
    start: float, goal: float, speed: float
) -> None:
    profile = MotionProfile(start)
    for _ in range(math.ceil(abs(goal - start) / speed / DT) + 1):
        profile.step(goal, speed, math.inf, DT)
        assert abs(profile.velocity) <= speed * (1 + 1e-9)
    assert math.isclose(profile.position, goal, abs_tol=1e-9)


@settings(max_examples=40, deadline=None)
@given(angles, angles, speeds, accelerations)
def test_a_goal_turned_back_is_followed(
    start: float, goal: float, speed: float, acceleration: float
) -> None:
    profile = MotionProfile(start)
    for _ in range(200):
        profile.step(goal, speed, acceleration, DT)
    braking = profile.velocity**2 / (2 * acceleration)
    way = abs(profile.position - start) + 2 * braking
    needed_s = way / speed + 4 * speed / acceleration + 0.2
    for _ in range(math.ceil(needed_s / DT)):
        profile.step(start, speed, acceleration, DT)
        assert abs(profile.position - start) <= way + speed * DT
    assert abs(profile.position - start) <= 1e-6


def test_restart_stands_still() -> None:
    profile = MotionProfile(0.0)
    for _ in range(50):
        profile.step(1.0, 5.0, 100.0, DT)
    profile.restart(0.3)
    assert (profile.position, profile.velocity) == (0.3, 0.0)
    assert profile.step(0.3, 5.0, 100.0, DT) == 0.3
