"""A small way and back for every joint, and what must stay out of reach stays out of reach."""

from __future__ import annotations

import math

import numpy as np
import pytest
from check_fakes import LeakyArm, StuckArm, bad, bench_of, named
from fakes import FakeArm
from hypothesis import given
from hypothesis import strategies as st

from hil.check.model import Result, State
from hil.check.motion import announced, check_motion
from hil.check.moves import (
    BEYOND_RAD,
    FARTHEST_RAD,
    STEP_RAD,
    beyond_range,
    beyond_workspace,
    small_moves,
)
from hil.clock import VirtualClock
from hil.contracts import FloatArray, JointLimits
from hil.errors import BadInput, DeviceFault
from hil.loop.envelope import Workspace
from hil.run.attendance import Asked, Attendance
from rigs.schema import Limits

LIMITS = Limits(step_rad=0.2, velocity_rad_s=5.0)
BOXED = Limits.model_validate(
    {
        "step_rad": 0.2,
        "velocity_rad_s": 5.0,
        "workspace_m": {"x": [-0.1, 0.28], "y": [-0.3, 0.3], "z": [-0.1, 0.1]},
    }
)


class PlanarArm(FakeArm):
    """Two links of 0.15 m in the plane."""

    def tool_point(self, position: FloatArray) -> FloatArray:
        first, both = position[0], position[0] + position[1]
        x = 0.15 * math.cos(first) + 0.15 * math.cos(both)
        return np.array([x, 0.15 * math.sin(first) + 0.15 * math.sin(both), 0.0])


def moved(
    arm: FakeArm, limits: Limits | None = LIMITS, stop: Attendance | None = None
) -> list[Result]:
    arm.is_open = True
    bench = bench_of(arm, limits=limits)
    return list(check_motion(bench, arm, stop or Attendance(lambda: None, bench.clock)))


def arm_at(kind: type[FakeArm], *position: float) -> FakeArm:
    arm = kind("arm", VirtualClock())
    arm.position = np.array(position)
    return arm


def test_every_joint_is_moved_and_comes_back_and_the_end_of_a_range_holds() -> None:
    arm = arm_at(FakeArm, 0.2, 1.5)
    found = moved(arm)
    assert not bad(found)
    assert named(found, "reachable").detail.startswith("2 joints by up to 5.0 deg and back")
    beyond = named(found, "out of range")
    assert beyond.state is State.OK
    assert "elbow was sent to 126.1 deg, its range ends at 114.6 deg" in beyond.detail
    assert beyond.figures["applied_rad"] == pytest.approx(2.0)
    np.testing.assert_allclose(arm.position, [0.2, 1.5], atol=0.03)
    assert arm.energised, "whoever opened it makes it safe"


def test_a_joint_that_stays_where_it_is_is_named() -> None:
    arm = arm_at(StuckArm, 0.0, 1.5)
    arm.ends = (1.5, 1.5)  # type: ignore[attr-defined]
    found = moved(arm)
    assert bad(found) == ["move elbow"]
    assert "elbow is 5.0 deg short of it" in named(found, "move elbow").detail
    assert "1 joints" in named(found, "reachable").detail


def test_a_joint_that_is_blocked_one_way_only_is_a_note() -> None:
    arm = arm_at(StuckArm, 0.0, 1.5)
    arm.ends = (1.5, 2.0)  # type: ignore[attr-defined]
    found = moved(arm)
    assert not bad(found)
    assert "the other way is free" in named(found, "move elbow").detail


def test_an_arm_that_does_not_come_back_is_moved_no_further() -> None:
    class OneWay(StuckArm):
        def command(self, position: FloatArray, deadline: object) -> FloatArray:
            before = self.position[1]
            applied = super().command(position, deadline)  # type: ignore[arg-type]
            self.position[1] = min(self.position[1], before)
            return applied

    arm = arm_at(OneWay, 0.0, 1.5)
    arm.ends = (-2.0, 2.0)  # type: ignore[attr-defined]
    found = moved(arm)
    assert bad(found) == ["back"]
    assert "out of range" not in [result.name for result in found]


def test_a_driver_that_lets_more_through_than_it_was_told_is_found() -> None:
    arm = arm_at(LeakyArm, 0.0, 1.9)
    arm.more = np.array([0.0, 0.02])  # type: ignore[attr-defined]
    found = moved(arm)
    assert bad(found) == ["out of range"]
    assert "do not run this rig" in named(found, "out of range").remedy


def test_an_arm_outside_of_its_range_is_not_moved() -> None:
    arm = arm_at(FakeArm, 0.0, 2.3)
    found = moved(arm)
    assert bad(found) == ["start"]
    assert "elbow at 131.8 deg (range -114.6 deg to 114.6 deg)" in named(found, "start").detail
    assert "command" not in arm.calls


def test_a_rig_without_limits_is_refused() -> None:
    arm = arm_at(FakeArm, 0.0, 0.0)
    bench = bench_of(arm)
    bench.rig = bench.rig.model_copy(update={"limits": None})
    with pytest.raises(BadInput, match="no \\[limits\\] table"):
        list(check_motion(bench, arm, Attendance(lambda: None, bench.clock)))
    assert not arm.energised


def test_a_silent_joint_ends_the_motion_before_it_begins() -> None:
    arm = arm_at(FakeArm, 0.0, 0.0)
    arm.silent = {1}
    with pytest.raises(DeviceFault, match="no answer from elbow"):
        moved(arm)


def test_a_request_to_stop_ends_the_motion_where_it_is() -> None:
    arm = arm_at(FakeArm, 0.0, 1.5)
    reads = iter(range(10**6))
    stop = Attendance(
        lambda: Asked("emergency stop button pressed") if next(reads) > 20 else None,
        arm.clock,
    )
    found = moved(arm, stop=stop)
    assert named(found, "rest").state is State.SKIPPED
    assert "button pressed" in named(found, "rest").detail
    assert "out of range" not in [result.name for result in found]
    assert arm.calls.count("command") < 30


def test_the_tool_point_stays_in_the_workspace() -> None:
    arm = arm_at(PlanarArm, 0.0, 0.9)
    found = moved(arm, BOXED)
    assert not bad(found)
    out = named(found, "out of workspace")
    assert out.state is State.OK
    assert out.figures["wish_m"] > 0.01
    assert out.figures["applied_m"] < 0.002
    np.testing.assert_allclose(arm.position, [0.0, 0.9], atol=0.03)


def test_a_driver_that_leaves_the_workspace_is_found() -> None:
    class Leaky(PlanarArm, LeakyArm):
        more = -0.025  # type: ignore[assignment]

    arm = arm_at(Leaky, 0.0, 0.9)
    assert "out of workspace" in bad(moved(arm, BOXED))


def test_an_arm_outside_of_the_workspace_is_not_moved() -> None:
    arm = arm_at(PlanarArm, 0.0, 0.0)
    found = moved(arm, BOXED)
    assert bad(found) == ["start"]
    assert "20 mm outside of the workspace" in named(found, "start").detail


def test_the_warning_names_what_moves() -> None:
    text = announced(["arm", "hand"])
    assert "ABOUT TO MOVE arm, hand" in text
    assert "torque goes off" in text


def limits_of(lower: list[float], upper: list[float]) -> JointLimits:
    return JointLimits(np.array(lower), np.array(upper), np.ones(len(lower)))


JOINT = st.tuples(st.floats(-3, 2.9), st.floats(0.01, 6), st.floats(0, 1))


@given(st.lists(JOINT, min_size=1, max_size=6))
def test_small_moves_stay_in_range_and_move_one_joint_by_what_can_be_seen(
    joints: list[tuple[float, float, float]],
) -> None:
    lower = [low for low, _, _ in joints]
    limits = limits_of(lower, [low + width for low, width, _ in joints])
    start = np.array([low + share * width for low, width, share in joints])
    for joint, poses in enumerate(small_moves(limits, start, lambda _: True)):
        assert poses or joints[joint][1] < 0.2
        for pose in poses:
            assert (limits.lower <= pose).all()
            assert (pose <= limits.upper).all()
            way = np.abs(pose - start)
            assert 0.049 < way[joint] <= STEP_RAD + 1e-12
            assert not np.delete(way, joint).any()


@given(st.lists(JOINT, min_size=1, max_size=6))
def test_what_lies_beyond_a_range_is_outside_and_near(
    joints: list[tuple[float, float, float]],
) -> None:
    lower = [low for low, _, _ in joints]
    limits = limits_of(lower, [low + width for low, width, _ in joints])
    start = np.array([low + share * width for low, width, share in joints])
    beyond = beyond_range(limits, start)
    if beyond is None:
        assert ((start - limits.lower > FARTHEST_RAD) & (limits.upper - start > FARTHEST_RAD)).all()
        return
    joint = beyond.joint
    end = (limits.upper if beyond.direction > 0 else limits.lower)[joint]
    assert beyond.direction * (beyond.wish[joint] - end) == pytest.approx(BEYOND_RAD)
    assert 0 <= beyond.travel_rad <= FARTHEST_RAD
    assert not np.delete(beyond.wish - start, joint).any()


def test_small_moves_keep_to_what_is_allowed() -> None:
    limits = limits_of([-1.0, -1.0], [1.0, 1.0])
    start = np.array([-0.5, 0.0])
    ways = small_moves(limits, start, lambda pose: bool(pose[0] <= -0.5))
    assert [[float(p[0]) for p in ways[0]], len(ways[1])] == [[pytest.approx(-0.5 - STEP_RAD)], 2]
    assert small_moves(limits, start, lambda _: False) == [[], []]


def test_a_workspace_that_no_joint_leads_out_of_has_no_pose_beyond() -> None:
    wide = np.full(3, 10.0)
    arm = PlanarArm("arm", VirtualClock())
    workspace = Workspace(-wide, wide, arm.tool_point)
    assert beyond_workspace(workspace, arm.limits, np.zeros(2)) is None
