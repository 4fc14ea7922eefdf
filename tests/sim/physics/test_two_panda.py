"""The plant of two arms: both move, each where its own chain says, and they are in each other's
way."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from hil.contracts import FloatArray
from sim.plant import Plant
from sim.plants import two_panda as build
from sim.robots import two_panda
from sim.robots.kinematics import tool_pose
from sim.robots.reach import limb, reach
from sim.tasks.kit.poses import DOWN

PAIR = two_panda.pair()
ALL = np.ones(16, dtype=np.bool_)


@pytest.fixture
def plant() -> Iterator[Plant]:
    made = build(500)
    yield made
    made.close()


def _joints_at(left: list[float], right: list[float]) -> FloatArray:
    joints = PAIR.home.copy()
    for tool, position in (("left", left), ("right", right)):
        found = reach(limb(PAIR, tool), np.array(position), DOWN)
        assert found is not None, (tool, position)
        joints[PAIR.places(PAIR.tools[tool].motors)] = found
    return joints


def _driven(plant: Plant, goal: FloatArray, seconds: float = 2.0) -> None:
    start = plant.joints()[0]
    steps = round(seconds / plant.step_s)
    for step in range(steps):
        part = min(1.0, 2 * step / steps)
        plant.drive(start + part * (goal - start), plant.most_torque, ALL)
        plant.step()


def _hand(plant: Plant, robot: int) -> FloatArray:
    """Where PyBullet has the housing of a robot's gripper, (3,)."""
    world, made, placed = plant.truth(robot)
    link = placed.links[made.tools["grip"].link]
    state = world.bullet.getLinkState(placed.uid, link, 1, 1, physicsClientId=world.client)
    return np.array(state[4])


def test_a_job_of_the_pair_has_the_joints_of_the_plant(plant: Plant) -> None:
    assert PAIR.names == plant.joint_names
    assert len(set(PAIR.names)) == 16
    np.testing.assert_array_equal(PAIR.home, plant.home)


def test_both_arms_move_to_where_their_chains_say(plant: Plant) -> None:
    plant.arrange({}, PAIR.home)
    before = [_hand(plant, robot) for robot in (0, 1)]
    goal = _joints_at([0.47, 0.1, 0.25], [0.63, -0.1, 0.35])
    _driven(plant, goal)
    assert np.abs(plant.joints()[0] - goal).max() < 1e-3
    for robot, end in ((0, [0.47, 0.1, 0.25]), (1, [0.63, -0.1, 0.35])):
        tool = PAIR.tools[("left", "right")[robot]]
        pose = tool_pose(tool.chain, plant.joints()[0][PAIR.places(tool.motors)])
        np.testing.assert_allclose(pose.position, end, atol=2e-3)
        housing = pose.position - pose.axes @ np.array(tool.placed.xyz)
        np.testing.assert_allclose(_hand(plant, robot), housing, atol=1e-3)
        assert np.linalg.norm(_hand(plant, robot) - before[robot]) > 0.1


def test_either_arm_moves_alone(plant: Plant) -> None:
    plant.arrange({}, PAIR.home)
    still = _hand(plant, 1)
    goal = _joints_at([0.47, 0.1, 0.25], [0.63, -0.1, 0.35])
    _driven(plant, np.concatenate([goal[:8], PAIR.home[8:]]))
    np.testing.assert_allclose(_hand(plant, 1), still, atol=1e-3)


def test_the_arms_are_in_each_others_way(plant: Plant) -> None:
    apart = _joints_at([0.45, 0.0, 0.3], [0.65, 0.0, 0.3])
    plant.arrange({}, apart)
    crossed = _joints_at([0.58, 0.0, 0.3], [0.52, 0.0, 0.3])
    _driven(plant, crossed)
    assert np.abs(plant.joints()[0] - crossed).max() > 0.01
    gap = _hand(plant, 1)[0] - _hand(plant, 0)[0]
    assert gap > 0.05, "the housings, 62 mm thick, have not passed through each other"


def test_the_grippers_are_checked_as_those_of_one_arm_are(plant: Plant) -> None:
    names = [found["name"] for found in plant.self_check()]
    assert "creep of a held cube in 3 s" in names
    assert {"weight at the wrist, left_panda", "weight at the wrist, right_panda"} <= set(names)
